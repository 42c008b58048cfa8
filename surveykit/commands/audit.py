"""`surveykit audit`: check the survey's sentences and raw data against its own tables."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

from surveykit import output

STATUSES = ("holds", "contradicted", "depends_on_reading", "not_checkable", "failed")


def add_arguments(parser: ArgumentParser) -> None:
    parser.epilog = (
        "exit codes: 0 every status is the reviewed one; 1 a status or a number of rows changed, or a query failed; "
        "2 wrong usage or invalid catalog"
    )
    parser.add_argument(
        "--status", choices=STATUSES, action="append", help="only statements that end so; may be repeated"
    )
    parser.add_argument("--data", action="store_true", help="the checks of the raw data instead of the statements")
    parser.add_argument("--id", metavar="ID", help="one statement or data check, with its queries and figures")
    parser.add_argument("--format", choices=output.FORMATS, default="table", help="how to print (default: table)")


def run(arguments: Namespace) -> int:
    from surveykit.catalog.locate import locate
    from surveykit.commands.arguments import terminal_width
    from surveykit.database import cache
    from surveykit.database.audit import findings, one, summary
    from surveykit.database.reading import reading

    with reading(cache.current(locate(arguments.catalog).root)) as reader:
        if arguments.id:
            columns, rows = one(reader, arguments.id)
        elif arguments.data:
            columns, rows = reader.listing("SELECT id, found, looks_for, note FROM data_audit ORDER BY position")
        else:
            columns, rows = reader.listing(
                "SELECT id, status, readings, headline, says, locator FROM statements ORDER BY position"
            )
            rows = [row for row in rows if not arguments.status or row[1] in arguments.status]
        found = findings(reader)
        sentence = summary(reader)
    print(output.render(columns, rows, arguments.format, terminal_width()))
    print(sentence, file=sys.stdout if arguments.format in ("table", "markdown") else sys.stderr)
    for finding in found:
        print(finding, file=sys.stderr)
    return 1 if found else 0
