"""`surveykit verify`: every printed cell of every source beside what we measure."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

from surveykit import output
from surveykit.commands.arguments import Progress, add_sample, terminal_width

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from surveykit.verify import Report, Verdict

COLUMNS = (
    "source", "table", "row", "column", "printed", "measured", "verdict", "cause", "configuration", "backbone", "reason",
    "measured_here", "device", "tier",
)  # fmt: skip
HERE = ("measured_here", "device")
"""What is shown of the bench, where it has measured something."""
SHOWN = ("table", "row", "column", "printed", "measured", "verdict", "cause")


def add_arguments(parser: ArgumentParser) -> None:
    parser.epilog = (
        "Counts are made anew. Costs, predictions, files and trials come from the records of `surveykit measure`. The records must be "
        "current, and a sample of them, a different one for each commit, is measured again and must give the same values. "
        "exit codes: 0 every difference is explained; 1 findings, listed on standard error; 2 wrong usage or invalid catalog"
    )
    parser.add_argument("--source", metavar="KEY", help="judge only the claims of this source (see surveykit sources)")
    parser.add_argument(
        "--table", metavar="NAME", action="append", help="show only this table, such as table5; may be repeated"
    )
    parser.add_argument("--verdict", metavar="WORD", action="append", help="show only this verdict; may be repeated")
    parser.add_argument("--format", choices=output.FORMATS, default="table", help="how to print (default: table)")
    parser.add_argument("--summary", action="store_true", help="print only the numbers of verdicts")
    add_sample(parser)
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def run(arguments: Namespace) -> int:
    from surveykit.api.verifying import verify

    with Progress(quiet=arguments.quiet) as watch:
        report = verify(
            source=arguments.source,
            sample=arguments.sample,
            seed=arguments.seed,
            catalog=arguments.catalog,
            watch=watch,
        )
    print(report.sample.sentence(), file=sys.stderr)
    _show(report, arguments)
    return 0 if report.passed else 1


def _show(report: Report, arguments: Namespace) -> None:
    """Verdicts on standard output, findings on standard error."""
    from surveykit.errors import SurveyError, nearest

    tables = {v.claim.table for v in report.verdicts}
    for name in arguments.table or ():
        if name not in tables:
            raise SurveyError(
                f"no table '{name}' has claims{nearest(name, tables)}; there are {', '.join(sorted(tables))}"
            )
    for finding in report.findings:
        print(finding, file=sys.stderr)
    readable = arguments.format in ("table", "markdown")
    if not arguments.summary:
        rows = [
            row
            for verdict in report.verdicts
            for row in _rows(verdict)
            if (not arguments.table or row["table"] in arguments.table)
            and (not arguments.verdict or row["verdict"] in arguments.verdict)
        ]
        measured_here = any(row["device"] is not None for row in rows)
        columns = (*SHOWN, *(HERE if measured_here else ())) if readable else COLUMNS
        cells = [[row[name] for name in columns] for row in rows]
        print(output.render(columns, cells, arguments.format, terminal_width()))
    for sentence in report.sentences():
        print(sentence, file=sys.stdout if readable or arguments.summary else sys.stderr)
    if report.findings:
        print(f"{len(report.findings)} findings", file=sys.stderr)


def _rows(v: Verdict) -> list[dict[str, Any]]:
    """One row, or one for each device on which the bench has measured it."""
    claim = v.claim
    row = {
        "source": claim.source, "table": claim.table,
        "row": f"{claim.row} on {claim.model}" if claim.model and claim.row else claim.row or claim.model_label,
        "column": claim.column, "printed": claim.printed,
        "measured": v.found.measured if v.found.value is None else v.found.value,
        "verdict": v.word, "cause": v.cause, "configuration": v.found.configuration, "backbone": v.found.model,
        "reason": v.explanation.text if v.explanation else v.found.reason,
    }  # fmt: skip
    return [
        {**row, "measured_here": here and here.value, "device": here and here.device, "tier": here and here.tier}
        for here in v.here or (None,)
    ]
