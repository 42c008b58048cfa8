"""`surveykit audit`: check the survey's sentences and raw data against its own tables."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

from surveykit import output

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from surveykit.database.audit import CheckedData, CheckedStatement

STATUSES = ("holds", "contradicted", "depends_on_reading", "not_checkable", "failed")


def add_arguments(parser: ArgumentParser) -> None:
    parser.epilog = (
        "exit codes: 0 every status is as reviewed; 1 a status or a number of rows changed, or a query failed; "
        "2 wrong usage or invalid catalog"
    )
    parser.add_argument(
        "--status", choices=STATUSES, action="append", help="only statements with this status; may be repeated"
    )
    parser.add_argument("--data", action="store_true", help="show the checks of raw data instead of the statements")
    parser.add_argument("--id", metavar="ID", help="show one statement or data check, with its queries and figures")
    parser.add_argument("--format", choices=output.FORMATS, default="table", help="how to print (default: table)")


def run(arguments: Namespace) -> int:
    from surveykit.api.asking import audit
    from surveykit.commands.arguments import terminal_width

    found = audit(catalog=arguments.catalog)
    rows: list[list[Any]]
    if arguments.id:
        columns, rows = _one(found.named(arguments.id))
    elif arguments.data:
        columns = ["id", "found", "looks_for", "note"]
        rows = [[check.id, check.found, check.looks_for, check.note] for check in found.data]
    else:
        columns = ["id", "status", "readings", "headline", "says", "locator"]
        shown = [s for s in found.statements if not arguments.status or s.status in arguments.status]
        rows = [[s.id, s.status, len(s.readings), s.headline, s.says, s.locator] for s in shown]
    print(output.render(columns, rows, arguments.format, terminal_width()))
    print(found.summary, file=sys.stdout if arguments.format in ("table", "markdown") else sys.stderr)
    for finding in found.findings:
        print(finding, file=sys.stderr)
    return 0 if found.passed else 1


def _one(check: CheckedStatement | CheckedData) -> tuple[list[str], list[list[Any]]]:
    """The readings of a statement, or what a data check finds."""
    from surveykit.database.audit import CheckedStatement

    if isinstance(check, CheckedStatement):
        return ["reading", "holds", "figures", "sql"], [[r.reading, r.holds, r.figures, r.sql] for r in check.readings]
    if not check.rows:
        return ["sql"], [[check.sql]]
    return list(check.rows[0]), [list(row.values()) for row in check.rows]
