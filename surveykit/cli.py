"""The command line: `surveykit COMMAND …`.

Exit codes: 0 success; 1 findings (a changed figure, a file that is out of date); 2 wrong usage, an invalid catalog, or a
problem of the environment; 70 a bug in surveykit; 130 interrupted, 143 terminated.
"""

from __future__ import annotations

import sys

from surveykit.errors import CatalogError, ChangeError, SurveyError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from surveykit.streams import Standard

# Each is a module of surveykit.commands, named like the command with _ for -.
COMMANDS = {
    "query": "find methods by a condition, or run one SELECT",
    "fields": "list the tables, views and columns that queries can use",
    "validate": "check every file of the catalog",
    "where": "say which catalog and which database are used, and why",
    "schema": "write the JSON Schemas of the catalog's files",
    "count": "count the parameters that methods train on any model, without its weights",
    "measure": "measure configurations: parameters, memory, backward, inference",
    "trial": "train, merge and save methods for real, on a model with weights",
    "bench": "run a plan like the survey's experiment on a device: speed, memory, scores",
    "sources": "list the sources of claims, with their verdicts",
    "check": "check a plain table of claims, such as a draft paper's, against our counts",
    "new": "write a commented source, method, model or plan to fill in",
    "verify": "judge every claim of every source; fail on an unexplained difference",
    "verify-params": "count again; fail on a changed count or an unexplained difference",
    "verify-backbones": "check published checkpoints against the catalog, reading only file headers",
    "fit": "say which methods can be trained on a model in a given memory",
    "audit": "check the sentences and raw data of sources against their own tables",
    "show": "show one method, claims beside measurements",
    "compare": "compare methods side by side",
    "cite": "print BibTeX entries of methods",
    "export": "write every table and view to files",
    "mcp": "serve programs that speak the Model Context Protocol, read-only",
    "build": "write the database to a file",
    "site": "write the static site",
    "reproduce": "measure, verify, and write the database and the site",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    words = sys.argv[1:] if argv is None else list(argv)
    if _asks(words):
        from surveykit.database import query

        query.prepare()  # its child process imports DuckDB while this one does everything else
    from surveykit.interruption import Interruption
    from surveykit.streams import Standard

    with Standard() as streams, Interruption() as interruption:
        try:
            code = _run(words, streams)
            if sys.stdout is not None:  # closed, after --help
                sys.stdout.flush()
            if not interruption.came:
                return code
        except BaseException as error:
            if not interruption.came and not isinstance(error, KeyboardInterrupt):
                return _explained(error, words)
        print(f"surveykit: {interruption.word}", file=sys.stderr)
        return interruption.exit_code


def _run(words: Sequence[str], streams: Standard) -> int:
    try:
        from surveykit.commands.arguments import module, parser, terminal_width

        try:
            arguments = parser(COMMANDS, words).parse_args(words)
        except SystemExit as stop:  # 0 after --help, 2 after a mistake
            return stop.code if isinstance(stop.code, int) else 2
        streams.expect(getattr(arguments, "format", None), terminal_width)
        return module(arguments.command).run(arguments)
    finally:
        if _asks(words):
            from surveykit.database import query

            query.dismiss()


def _asks(words: Sequence[str]) -> bool:
    return "query" in words and not {"-h", "--help"} & set(words)


def _explained(error: BaseException, words: Sequence[str]) -> int:
    """Say what went wrong; return the exit code."""
    from surveykit.streams import ReaderGone, on_one_line

    if isinstance(error, ReaderGone):  # it has seen enough
        return 0
    if isinstance(error, SurveyError):
        problems: tuple[object, ...] = error.problems if isinstance(error, CatalogError) else ()
        problems = error.faults[len(error.faults) == 1 :] if isinstance(error, ChangeError) else problems
        head = str(error).partition("\n")[0] if problems else str(error)
        lines = [on_one_line(str(line)) for line in (head, *problems)]
        print("surveykit:", "\n".join(lines), file=sys.stderr)
        return 2
    from surveykit import faults

    reason = faults.environment_reason(error)
    if reason is not None:
        print("surveykit:", on_one_line(reason), file=sys.stderr)
        return 2
    print("surveykit:", faults.report(error, words), file=sys.stderr)
    return faults.EXIT_CODE
