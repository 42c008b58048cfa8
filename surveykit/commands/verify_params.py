"""`surveykit verify-params`: measure again, and compare with records, formulas and printed counts."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

from surveykit import output
from surveykit.commands.arguments import Progress, terminal_width

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from surveykit.api.verifying import ParameterReport
    from surveykit.verify import Verdict

COLUMNS = ("row", "backbone", "column", "printed", "measured", "verdict", "outcome", "cause", "fits_setup")
COUNTED = ("configuration", "backbone", "trainable", "added", "stored", "changed", "provenance")


def add_arguments(parser: ArgumentParser) -> None:
    parser.epilog = (
        "exit codes: 0 every difference is explained and no count changed; 1 findings, listed on standard error; "
        "2 wrong usage or invalid catalog"
    )
    parser.add_argument("--method", action="append", metavar="ID", help="only this method; may be repeated")
    parser.add_argument("--backbone", action="append", metavar="ID", help="only on this backbone; may be repeated")
    formats = (*output.FORMATS, "junit", "github")
    parser.add_argument("--format", choices=formats, default="table", help="how to print (default: table)")
    parser.add_argument(
        "--checkpoint", metavar="DIR|HUB_ID",
        help="count on the model in this folder, file, or owner/name on the hub; its header must match --backbone, or its own "
        "config.json; prints the counts and records nothing",
    )  # fmt: skip
    parser.add_argument("--revision", metavar="REV", help="revision of --checkpoint on the hub (default: main)")
    parser.add_argument("--summary", action="store_true", help="print only the numbers of verdicts")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def run(arguments: Namespace) -> int:
    from surveykit.api.verifying import verify_params

    with Progress(quiet=arguments.quiet) as watch:
        found = verify_params(
            method=arguments.method or (), backbone=arguments.backbone or (), checkpoint=arguments.checkpoint,
            revision=arguments.revision, catalog=arguments.catalog, watch=watch,
        )  # fmt: skip
    checkpoint = found.checkpoint
    if checkpoint is not None:
        for line in checkpoint.messages:
            print(line, file=sys.stderr)
        if checkpoint.backbone is None or checkpoint.verdict != "matches":
            return 1 if checkpoint.verdict == "differs" else 2
        name = checkpoint.backbone.id
        print(f"{name}: counted on the model whose header {checkpoint.source} has", file=sys.stderr)
    _show(found, arguments.format, summary_only=arguments.summary)
    return 0 if found.passed else 1


def _show(report: ParameterReport, format: str, *, summary_only: bool) -> None:
    """Verdicts, or the counts on a checkpoint, on standard output, findings on standard error; the sentence goes where it
    cannot spoil data."""
    from surveykit.verify import ci_formats

    sentence = "\n".join(report.sentences())
    for finding in report.findings:
        print(finding, file=sys.stderr)
    if summary_only:
        print(sentence)
    elif format == "junit":
        print(ci_formats.junit(report), end="")
    elif format == "github":
        print(ci_formats.github(report), end="")
    else:
        columns: tuple[str, ...] = COLUMNS
        rows = [_row(v) for v in report.verdicts]
        if report.checkpoint is not None:
            columns, rows = COUNTED, [[getattr(count, column) for column in COUNTED] for count in report.counts]
        print(output.render(columns, rows, format, terminal_width()))
        print(sentence, file=sys.stdout if format in ("table", "markdown") else sys.stderr)
    if report.findings:
        print(f"{len(report.findings)} findings", file=sys.stderr)


def _row(v: Verdict) -> list[Any]:
    """The values of `COLUMNS`."""
    claim = v.claim
    return [
        claim.row, claim.model, claim.column, claim.printed, v.found.value, v.word, v.outcome, v.cause, v.fits_setup
    ]  # fmt: skip
