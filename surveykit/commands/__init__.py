"""The commands of `surveykit`: one module each, with `add_arguments(parser)` and `run(arguments) -> exit code`.

A command parses, calls the function of its name in surveykit.api, and prints. Modules are imported only for the command
that is run, and import what is heavy inside `run`. A new command is a module here, a line in `surveykit.cli.COMMANDS`, and
a function in surveykit.api. No command imports another; options that several take are in `arguments`.
"""
