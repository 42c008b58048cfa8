"""`surveykit verify-backbones`: check published checkpoints against the catalog, reading only file headers."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections import Counter

from surveykit import output

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from surveykit.catalog.load import Catalog
    from surveykit.engine.models.checkpoints import Checked

COLUMNS = ("backbone", "verdict", "parameters", "tensors", "dtype", "dropped", "differences", "provenance", "source",
           "revision", "files", "sha256")  # fmt: skip
SHOWN = 20
"""Differences of a backbone that are listed; `--format json` has all."""


def add_arguments(parser: ArgumentParser) -> None:
    parser.epilog = (
        "exit codes: 0 every checkpoint has the catalogued names and shapes; 1 differences, listed on standard error; "
        "2 wrong usage, or a checkpoint cannot be reached or read"
    )
    parser.add_argument("backbone", nargs="*", metavar="BACKBONE", help="only these (default: all of the catalog)")
    parser.add_argument(
        "--checkpoint", metavar="DIR|HUB_ID",
        help="put this folder, file, or owner/name on the hub to the one backbone that is named, or to that of its "
        "config.json (default: each backbone's own checkpoint on the hub)",
    )  # fmt: skip
    parser.add_argument("--revision", metavar="REV", help="branch, tag or commit on the hub (default: main)")
    parser.add_argument("--format", choices=output.FORMATS, default="table", help="how to print (default: table)")


def run(arguments: Namespace) -> int:
    from surveykit.catalog.load import load
    from surveykit.catalog.locate import locate
    from surveykit.commands.arguments import terminal_width

    catalog = load(locate(arguments.catalog).root)
    found = []
    for checked in _checked(catalog, arguments):
        found.append(checked)
        report(checked)
    rows = [_row(checked, arguments.format) for checked in found]
    print(output.render(COLUMNS, rows, arguments.format, terminal_width()))
    return exit_code(found)


def _checked(catalog: Catalog, arguments: Namespace) -> Iterator[Checked]:
    from surveykit.errors import SurveyError

    if arguments.checkpoint is not None and len(arguments.backbone) > 1:
        raise SurveyError(
            "one checkpoint is checked against one backbone; name one, or none where its config.json tells"
        )
    from surveykit.engine.models.checkpoints import given, published

    if arguments.checkpoint is None:
        yield from published(catalog, arguments.backbone, arguments.revision)
    else:
        name = arguments.backbone[0] if arguments.backbone else None
        yield given(catalog, arguments.checkpoint, name, arguments.revision)


def exit_code(found: Iterable[Checked]) -> int:
    """0 where all match, 1 where one differs, 2 where one could not be read."""
    found = list(found)
    if any(checked.comparison is None for checked in found):
        return 2
    return 0 if all(checked.comparison and checked.comparison.matches for checked in found) else 1


def report(checked: Checked) -> None:
    """On standard error: why it was not read, or how it was, and each difference."""
    name = checked.backbone.id if checked.backbone else checked.source
    if checked.header is None or checked.comparison is None:
        print(f"surveykit: {name}: not verified: {checked.error}", file=sys.stderr)
        return
    said = [checked.chosen] if checked.chosen else []
    for line in (*said, *checked.header.notes, *checked.comparison.renamed):
        print(f"{name}: {line}", file=sys.stderr)
    differences = checked.comparison.differences
    for difference in differences[:SHOWN]:
        print(f"{name}: {difference}", file=sys.stderr)
    if len(differences) > SHOWN:
        kinds = Counter(difference.kind for difference in differences)
        said = [f"{count} {kind}" for kind, count in kinds.items()]
        print(f"{name}: {SHOWN} of {len(differences)} differences ({', '.join(said)})", file=sys.stderr)


def _row(checked: Checked, format: str) -> list[Any]:
    name = checked.backbone.id if checked.backbone else None
    header, comparison = checked.header, checked.comparison
    if header is None or comparison is None:
        return [name, "not verified", *[None] * 6, checked.source, None, None, None]
    files = ", ".join(file.name for file in header.files)
    hashes = [file.sha256 for file in header.files if file.sha256]
    differences: Any = [str(difference) for difference in comparison.differences]
    if format != "json":
        differences = len(differences)
    if len(header.files) > 3 and format in ("table", "markdown"):
        files = f"{len(header.files)} files, {header.files[0].name} to {header.files[-1].name}"
    return [
        name,
        "matches" if comparison.matches else "differs",
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
