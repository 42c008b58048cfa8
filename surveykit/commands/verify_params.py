"""`surveykit verify-params`: measure again, and compare with records, formulas and the survey's figures."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

from surveykit import output

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from surveykit.catalog.load import Catalog
    from surveykit.catalog.measured import Cell
    from surveykit.catalog.measurements import Measurement
    from surveykit.verify import Report

COLUMNS = ("row", "backbone", "column", "printed", "measured", "verdict", "outcome", "cause", "fits_setup")
COUNTED = ("configuration", "backbone", "trainable", "added", "stored", "changed", "provenance")


def add_arguments(parser: ArgumentParser) -> None:
    parser.epilog = (
        "exit codes: 0 every difference is explained and nothing drifted; 1 findings, listed on standard error; "
        "2 wrong usage or invalid catalog"
    )
    parser.add_argument("--method", action="append", metavar="ID", help="only this method; may be repeated")
    parser.add_argument("--backbone", action="append", metavar="ID", help="only on this backbone; may be repeated")
    formats = (*output.FORMATS, "junit", "github")
    parser.add_argument("--format", choices=formats, default="table", help="how to print (default: table)")
    parser.add_argument(
        "--checkpoint", metavar="DIR|HUB_ID",
        help="count on the backbone that this folder, file, or owner/name on the hub holds: its header must be that of "
        "--backbone, or of its config.json's; prints the counts, and records nothing",
    )  # fmt: skip
    parser.add_argument("--revision", metavar="REV", help="of --checkpoint on the hub (default: main)")
    parser.add_argument("--summary", action="store_true", help="print only the line that counts the verdicts")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def run(arguments: Namespace) -> int:
    from surveykit.catalog.load import load
    from surveykit.catalog.locate import locate
    from surveykit.commands.measure import measured, select
    from surveykit.verify import verify

    catalog = load(locate(arguments.catalog).root)
    if arguments.checkpoint is not None or arguments.revision is not None:
        return _on_checkpoint(catalog, arguments)
    wanted = with_evidence(catalog, select(catalog, arguments.method, arguments.backbone))
    report = verify(catalog, measured(catalog, wanted, quiet=arguments.quiet))
    show(report, arguments.format, summary_only=arguments.summary)
    return 0 if report.passed else 1


def _on_checkpoint(catalog: Catalog, arguments: Namespace) -> int:
    """Put the checkpoint to its backbone; where they are one, count there, and compare as always."""
    from surveykit.commands.measure import measured, select
    from surveykit.commands.verify_backbones import exit_code, report
    from surveykit.errors import SurveyError
    from surveykit.verify import verify

    names = arguments.backbone or [None]
    if arguments.checkpoint is None or len(names) > 1:
        raise SurveyError("a checkpoint is one backbone's: --checkpoint DIR|HUB_ID, and at most one --backbone")
    from surveykit.engine.models.checkpoints import given

    checked = given(catalog, arguments.checkpoint, names[0], arguments.revision)
    report(checked)
    if checked.backbone is None or exit_code([checked]):
        return exit_code([checked])
    wanted = with_evidence(catalog, select(catalog, arguments.method, [checked.backbone.id]))
    print(f"{checked.backbone.id}: counted on the model whose header {checked.source} has", file=sys.stderr)
    counted = measured(catalog, wanted, quiet=arguments.quiet)
    fresh = [m.model_copy(update={"provenance": "header"}) for m in counted]
    found = verify(catalog, fresh)
    show(found, arguments.format, summary_only=arguments.summary, counts=fresh)
    return 0 if found.passed else 1


def with_evidence(catalog: Catalog, chosen: list[Cell]) -> list[Cell]:
    """Add the configurations that explanations of the chosen methods name, so that they can be checked."""
    from surveykit.catalog.measured import Cell, cells

    named = {
        method.id: [name for e in method.explanations for name in (e.fits_setup, *e.tried) if name is not None]
        for method in catalog.methods.values()
    }
    evidence = {Cell(cell.backbone, name) for cell in chosen for name in named[cell.configuration.split("/")[0]]}
    return sorted({*chosen, *evidence.intersection(cells(catalog))})


def show(report: Report, format: str, *, summary_only: bool, counts: Sequence[Measurement] | None = None) -> None:
    """Verdicts, or else the counts given, on standard output, findings on standard error; the sentence goes where it
    cannot spoil data."""
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
        columns, found = (COLUMNS, report.verdicts) if counts is None else (COUNTED, counts)
        rows = [[getattr(row, column) for column in columns] for row in found]
        print(output.render(columns, rows, format, terminal_width()))
        print(sentence, file=sys.stdout if format in ("table", "markdown") else sys.stderr)
    if report.findings:
        print(f"{len(report.findings)} findings", file=sys.stderr)
