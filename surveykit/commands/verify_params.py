"""`surveykit verify-params`: measure again, and compare with records, formulas and the survey's figures."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

from surveykit import output

TYPE_CHECKING = False
if TYPE_CHECKING:
    from surveykit.catalog.load import Catalog
    from surveykit.catalog.measured import Cell
    from surveykit.verify import Report

COLUMNS = ("row", "backbone", "column", "printed", "measured", "verdict", "outcome", "cause", "reproduced_by")


def add_arguments(parser: ArgumentParser) -> None:
    parser.epilog = (
        "exit codes: 0 every difference is explained and nothing drifted; 1 findings, listed on standard error; "
        "2 wrong usage or invalid catalog"
    )
    parser.add_argument("--method", action="append", metavar="ID", help="only this method; may be repeated")
    parser.add_argument("--backbone", action="append", metavar="ID", help="only on this backbone; may be repeated")
    formats = (*output.FORMATS, "junit", "github")
    parser.add_argument("--format", choices=formats, default="table", help="how to print (default: table)")
    parser.add_argument("--summary", action="store_true", help="print only the line that counts the verdicts")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def run(arguments: Namespace) -> int:
    from surveykit.catalog.load import load
    from surveykit.catalog.locate import locate
    from surveykit.commands.measure import measured, select
    from surveykit.verify import verify

    catalog = load(locate(arguments.catalog).root)
    wanted = with_evidence(catalog, select(catalog, arguments.method, arguments.backbone))
    report = verify(catalog, measured(catalog, wanted, quiet=arguments.quiet))
    show(report, arguments.format, summary_only=arguments.summary)
    return 0 if report.passed else 1


def with_evidence(catalog: Catalog, chosen: list[Cell]) -> list[Cell]:
    """Add the configurations that explanations of the chosen methods name, so that they can be checked."""
    from surveykit.catalog.measured import Cell, cells

    named = {
        method.id: [name for e in method.explanations for name in (e.reproduced_by, *e.tried) if name is not None]
        for method in catalog.methods.values()
    }
    evidence = {Cell(cell.backbone, name) for cell in chosen for name in named[cell.configuration.split("/")[0]]}
    return sorted({*chosen, *evidence.intersection(cells(catalog))})


def show(report: Report, format: str, *, summary_only: bool) -> None:
    """Verdicts on standard output, findings on standard error; the sentence goes where it cannot spoil data."""
    from surveykit.commands.arguments import terminal_width
    from surveykit.verify import ci_formats, summarise

    sentence = summarise(report.verdicts).sentence()
    for finding in report.findings:
        print(finding, file=sys.stderr)
    if summary_only:
        print(sentence)
    elif format == "junit":
        print(ci_formats.junit(report), end="")
    elif format == "github":
        print(ci_formats.github(report), end="")
    else:
        rows = [[getattr(verdict, column) for column in COLUMNS] for verdict in report.verdicts]
        print(output.render(COLUMNS, rows, format, terminal_width()))
        print(sentence, file=sys.stdout if format in ("table", "markdown") else sys.stderr)
    if report.findings:
        print(f"{len(report.findings)} findings", file=sys.stderr)
