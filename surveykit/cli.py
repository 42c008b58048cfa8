"""The command line: `surveykit COMMAND …`.

Exit codes: 0 fine; 1 findings (a figure that drifted, a file that is out of date); 2 wrong usage or invalid catalog.
"""

from __future__ import annotations

import os
import sys

from surveykit.errors import SurveyError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

# Each is a module of surveykit.commands, named like the command with _ for -.
COMMANDS = {
    "query": "find methods by a condition, or run one SELECT",
    "fields": "list the tables, views and columns that queries can use",
    "validate": "check every file of the catalog",
    "where": "say which catalog and which database are used, and why",
    "schema": "write the JSON Schemas of the catalog's files",
    "count": "what methods train on any model, without its weights",
    "measure": "instantiate configurations and count their parameters",
    "verify": "judge Tables 1, 2 and 5; fail on an unexplained difference",
    "verify-params": "measure again; fail on drift or an unexplained difference",
    "fit": "which methods can be trained on a model in a given memory",
    "audit": "put the survey's sentences and raw data to its own tables",
    "show": "one method, claims beside measurements",
    "compare": "methods side by side",
    "cite": "BibTeX of methods",
    "export": "every table and view as files",
    "build": "write the database to a file",
    "site": "write the static site",
    "reproduce": "measure, verify, and write database and site",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    words = sys.argv[1:] if argv is None else list(argv)
    if "query" in words and not {"-h", "--help"} & set(words):
        from surveykit.database import query

        query.prepare()  # its child process imports DuckDB while this one reads the command line
    from surveykit.commands.arguments import module, parser

    try:
        arguments = parser(COMMANDS, words).parse_args(words)
        code = module(arguments.command).run(arguments)
        sys.stdout.flush()
        return code
    except SystemExit as stop:  # argparse: 0 after --help, 2 after a mistake
        return stop.code if isinstance(stop.code, int) else 2
    except SurveyError as error:
        print(f"surveykit: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader has seen enough. Point stdout elsewhere, or Python complains once more when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
