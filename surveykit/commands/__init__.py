"""The commands of `surveykit`: one module each, with `add_arguments(parser)` and `run(arguments) -> exit code`.

A command parses, makes one library call, and prints. Modules are imported only for the command that is run, and import
what is heavy inside `run`. A new command is a module here and a line in `surveykit.cli.COMMANDS`.
"""
