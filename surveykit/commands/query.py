"""`surveykit query`: the catalog as a table of methods."""

from __future__ import annotations

import sys

from surveykit import output
from surveykit.commands.arguments import terminal_width
from surveykit.database import query
from surveykit.database.questions import QUESTIONS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from typing import Any

_EXAMPLES = f"""\
examples:
  surveykit query "type = 'R' and overhead = 'none'"
  surveykit query "id = 'lora'" --backbone t5-3b --evidence
{chr(10).join(f"  {question.command}" for question in QUESTIONS)}

exit codes: 0 success, even if nothing matches; 2 wrong usage, a refused query, a query over its limits, or invalid catalog"""


def add_arguments(parser: ArgumentParser) -> None:
    parser.epilog = _EXAMPLES
    parser.add_argument("condition", nargs="?", help="a condition in SQL; without it, all methods")
    parser.add_argument("--select", metavar="COLUMNS", help=f"columns, or * (default: {query.DEFAULT_SELECT})")
    parser.add_argument("--order-by", metavar="COLUMNS", help="order, as in SQL (default: id)")
    parser.add_argument("--limit", metavar="N", type=_natural, help="show at most this many methods")
    parser.add_argument(
        "--backbone", metavar="ID", help=f"model of the measurements (default: {query.DEFAULT_BACKBONE})"
    )
    parser.add_argument(
        "--sql", metavar="SELECT", help="a whole SELECT instead of a condition; surveykit fields lists tables"
    )
    parser.add_argument("--evidence", action="store_true", help="under each method, show the evidence for its values")
    parser.add_argument("--format", choices=output.FORMATS, default="table", help="how to print (default: table)")
    parser.add_argument(
        "--max-rows",
        metavar="N",
        type=_natural,
        default=query.MAX_ROWS,
        help="fail if the result is longer (default: %(default)s)",
    )
    parser.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=_seconds,
        default=query.TIMEOUT_SECONDS,
        help="stop the query after this time (default: %(default)g)",
    )


def _natural(text: str) -> int:
    if not text.isdecimal():
        raise ValueError(text)
    return int(text)


_natural.__name__ = "number"  # argparse names it in its message


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds <= 3600:
        raise ValueError(text)
    return seconds


_seconds.__name__ = "number of seconds (up to 3600)"


def run(arguments: Namespace) -> int:
    from surveykit.api.asking import query

    result = query(
        arguments.condition,
        sql=arguments.sql,
        select=arguments.select,
        order_by=arguments.order_by,
        limit=arguments.limit,
        backbone=arguments.backbone,
        evidence=arguments.evidence,
        timeout=arguments.timeout,
        max_rows=arguments.max_rows,
        catalog=arguments.catalog,
    )
    print(_text(result, arguments))
    if not result.rows:
        print("surveykit: nothing matches", file=sys.stderr)
    return 0


def _caption(arguments: Namespace) -> str:
    """What the view's figures are of; the SELECT of a user may say anything."""
    if arguments.sql is not None:
        return ""
    model = arguments.backbone or query.DEFAULT_BACKBONE
    return (
        f"Measured figures are for each method's default configuration on {model}; costs are in the survey's setting."
    )


def _text(result: query.Result, arguments: Namespace) -> str:
    if not arguments.evidence:
        return output.render(result.columns, result.rows, arguments.format, terminal_width(), _caption(arguments))
    about = ["kind", "about", "value", "source", "locator"]
    if arguments.format == "json":
        import json

        records = json.loads(output.render(result.columns, result.rows, "json"))
        for record, (_, facts) in zip(records, result.evidence, strict=True):
            record["evidence"] = [dict(zip(about, fact, strict=True)) for fact in facts]
        return json.dumps(records, ensure_ascii=False, indent=2)
    if arguments.format == "table":
        width = terminal_width()
        parts = []
        for row, (_, facts) in zip(result.rows, result.evidence, strict=True):
            parts += [output.render(result.columns, [row], "table", width), output.render(about, facts, "table", width)]
        return "\n\n".join(parts)
    rows: list[list[Any]] = [[method, *fact] for method, facts in result.evidence for fact in facts]
    return output.render(["method", *about], rows, arguments.format)
