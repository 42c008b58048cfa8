"""`surveykit verify-backbones`: check published checkpoints against the catalog, reading only file headers."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

from surveykit import output
from surveykit.commands.arguments import terminal_width

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from surveykit.engine.models.checkpoints import Checked

COLUMNS = ("backbone", "verdict", "parameters", "tensors", "dtype", "dropped", "differences", "provenance", "source",
           "revision", "files", "sha256")  # fmt: skip


def add_arguments(parser: ArgumentParser) -> None:
    parser.epilog = (
        "exit codes: 0 every checkpoint has the names and shapes in the catalog; 1 differences, listed on standard error; "
        "2 wrong usage, or a checkpoint cannot be reached or read"
    )
    parser.add_argument(
        "backbone", nargs="*", metavar="BACKBONE", help="only these models (default: all in the catalog)"
    )
    parser.add_argument(
        "--checkpoint", metavar="DIR|HUB_ID",
        help="compare this folder, file, or owner/name on the hub with the named model, or with the one in its config.json "
        "(default: each model's own checkpoint on the hub)",
    )  # fmt: skip
    parser.add_argument("--revision", metavar="REV", help="branch, tag or commit on the hub (default: main)")
    parser.add_argument("--format", choices=output.FORMATS, default="table", help="how to print (default: table)")


def run(arguments: Namespace) -> int:
    from surveykit.api.verifying import verify_backbones

    found = verify_backbones(
        arguments.backbone, checkpoint=arguments.checkpoint, revision=arguments.revision, catalog=arguments.catalog,
        found=_report,
    )  # fmt: skip
    rows = [_row(checked, arguments.format) for checked in found]
    print(output.render(COLUMNS, rows, arguments.format, terminal_width()))
    verdicts = {checked.verdict for checked in found}
    return 2 if "not verified" in verdicts else 1 if "differs" in verdicts else 0


def _report(checked: Checked) -> None:
    for line in checked.messages:
        print(line, file=sys.stderr)


def _row(checked: Checked, format: str) -> list[Any]:
    name = checked.backbone.id if checked.backbone else None
    header, comparison = checked.header, checked.comparison
    if header is None or comparison is None:
        return [name, checked.verdict, *[None] * 6, checked.source, None, None, None]
    files = ", ".join(file.name for file in header.files)
    hashes = [file.sha256 for file in header.files if file.sha256]
    differences: Any = [str(difference) for difference in comparison.differences]
    if format != "json":
        differences = len(differences)
    if len(header.files) > 3 and format in ("table", "markdown"):
        files = f"{len(header.files)} files, {header.files[0].name} to {header.files[-1].name}"
    return [
        name,
        checked.verdict,
        comparison.numbers,
        comparison.matched,
        "+".join(comparison.dtypes),
        comparison.dropped_text() or None,
        differences,
        "header",
        header.source,
        header.revision,
        files,
        ", ".join(hashes) or None,
    ]
