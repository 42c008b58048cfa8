"""`surveykit verify`: every cell of Tables 1, 2 and 5 beside what we measure."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

from surveykit import output
from surveykit.commands.arguments import Progress, add_sample, terminal_width

TYPE_CHECKING = False
if TYPE_CHECKING:
    from surveykit.verify import WholeReport

COLUMNS = ("table", "row", "column", "printed", "measured", "verdict", "cause", "configuration", "backbone", "reason")
SHOWN = ("table", "row", "column", "printed", "measured", "verdict", "cause")


def add_arguments(parser: ArgumentParser) -> None:
    parser.epilog = (
        "All counts are measured now. Costs and trials are those that `surveykit measure` recorded; they must be current, "
        "and a sample of them, another one with each commit, is measured now and must be as recorded. "
        "exit codes: 0 every difference is explained; 1 findings, listed on standard error; 2 wrong usage or invalid catalog"
    )
    parser.add_argument(
        "--table", type=int, choices=(1, 2, 5), action="append", help="show only this table; may be repeated"
    )
    parser.add_argument("--verdict", metavar="WORD", action="append", help="show only this verdict; may be repeated")
    parser.add_argument("--format", choices=output.FORMATS, default="table", help="how to print (default: table)")
    parser.add_argument("--summary", action="store_true", help="print only the lines that count the verdicts")
    add_sample(parser)
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def run(arguments: Namespace) -> int:
    from surveykit.api.verifying import verify

    with Progress(quiet=arguments.quiet) as watch:
        report = verify(sample=arguments.sample, seed=arguments.seed, catalog=arguments.catalog, watch=watch)
    print(report.sample.sentence(), file=sys.stderr)
    _show(report, arguments)
    return 0 if report.passed else 1


def _show(report: WholeReport, arguments: Namespace) -> None:
    """Verdicts on standard output, findings on standard error."""
    for finding in report.findings:
        print(finding, file=sys.stderr)
    readable = arguments.format in ("table", "markdown")
    if not arguments.summary:
        columns = SHOWN if readable else COLUMNS
        rows = [
            [row[name] for name in columns]
            for row in _rows(report)
            if (not arguments.table or row["table"] in arguments.table)
            and (not arguments.verdict or row["verdict"] in arguments.verdict)
        ]
        print(output.render(columns, rows, arguments.format, terminal_width()))
    for sentence in report.sentences():
        print(sentence, file=sys.stdout if readable or arguments.summary else sys.stderr)
    if report.findings:
        print(f"{len(report.findings)} findings", file=sys.stderr)


def _rows(report: WholeReport) -> list[dict[str, object]]:
    """One row for each cell of the three tables. Memory is shown in the setting that fits best."""
    found: list[dict[str, object]] = [{**{n: getattr(v, n) for n in COLUMNS}} for v in report.cells]
    for v in report.parameters.verdicts:
        found.append(
            {
                "table": 5, "row": f"{v.row} on {v.backbone}", "column": v.column, "printed": v.printed,
                "measured": v.measured, "verdict": v.verdict, "cause": v.cause, "configuration": v.configuration,
                "backbone": v.backbone, "reason": v.explanation,
            }
        )  # fmt: skip
    best = report.settings[0] if report.settings else None
    for p in report.memory:
        if best is None or (p.length, p.dtype) != (best.length, best.dtype):
            continue
        reason = f"batch {p.batch}, {p.length} positions, {p.dtype}: {p.error_percent:+.1f} % of the printed figure"
        found.append(
            {
                "table": 5, "row": f"{p.row} on {p.backbone}", "column": "ram_gb", "printed": p.printed,
                "measured": round(p.predicted_gb, 2), "verdict": "predicted", "cause": None,
                "configuration": p.configuration, "backbone": p.backbone, "reason": reason,
            }
        )  # fmt: skip
    return found
