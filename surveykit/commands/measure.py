"""`surveykit measure`: measure what is stale, and write it to catalog/measured; or print what methods cost on any model."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

from surveykit import output
from surveykit.commands.arguments import (
    Progress,
    add_budget,
    add_changes,
    add_model,
    add_peft,
    changes,
    notes,
    positive,
    terminal_width,
)

COLUMNS = ("configuration", "peak_bytes", "weights_bytes", "optimizer_bytes", "gradients_bytes", "logits_bytes",
           "activations_bytes", "working_bytes", "blocks", "blocks_backward", "blocks_input_gradient",
           "forward_flops", "backward_flops", "inference_flops", "merged_flops", "bare_flops", "overhead",
           "overhead_merged", "size", "reason")  # fmt: skip
MOST_FAULTS = 10
"""Faults of catalog/measured that are shown; the rest is counted."""


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("method", nargs="*", metavar="METHOD", help="only these methods, or method/configuration")
    parser.add_argument("--backbone", action="append", metavar="ID", help="only on this backbone; may be repeated")
    parser.add_argument("--all", action="store_true", help="also measure again what is recorded and not stale")
    parser.add_argument(
        "--only", choices=("counts", "costs", "trials"), action="append",
        help="only numbers of parameters; memory, backward and inference; runs on a tiny T5; may be repeated",
    )  # fmt: skip
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    own = parser.add_argument_group("on a model of your own: costs are printed, nothing is recorded")
    add_model(own)
    add_peft(own)
    own.add_argument("--batch", type=positive, default=1, metavar="N", help="sequences of a training step (default: 1)")
    own.add_argument("--length", type=positive, default=256, metavar="N", help="positions of each (default: 256)")
    add_budget(own)
    add_changes(parser)
    own.add_argument("--format", choices=output.FORMATS, default="table", help="how to print (default: table)")


def run(arguments: Namespace) -> int:
    asked = (
        arguments.model,
        arguments.peft,
        arguments.trainable_budget,
        *(value or None for value in changes(arguments).values()),
    )
    recorded = all(value is None for value in asked)  # the function says that changes need a model
    return _run_on_catalog(arguments) if recorded else _run_on_model(arguments)


def _run_on_model(arguments: Namespace) -> int:
    from surveykit.api.measuring import measure

    a = arguments
    found = measure(
        a.method, model=a.model, peft=a.peft, backbone=a.backbone or (), all=a.all, only=a.only or (), batch=a.batch, length=a.length,
        catalog=a.catalog, trainable_budget=a.trainable_budget, **changes(a),
    )  # fmt: skip
    model = found[0].model
    described = f"{model.name}: a step of {a.batch} × {a.length} positions; {found[0].loss}"
    readable = a.format in ("table", "markdown")
    print("\n".join([described, *notes(found)]), file=sys.stdout if readable else sys.stderr)
    rows = [[getattr(row, column) for column in COLUMNS] for row in found]
    columns, rows = output.without_empty(COLUMNS, rows) if readable else (COLUMNS, rows)
    print(output.render(columns, rows, a.format, terminal_width()))
    return 0 if any(row.peak_bytes is not None for row in found) else 1


def _run_on_catalog(arguments: Namespace) -> int:
    from time import perf_counter

    from surveykit.api.measuring import measure

    started = perf_counter()
    with Progress(quiet=arguments.quiet) as watch:
        found = measure(
            arguments.method, backbone=arguments.backbone or (), all=arguments.all, only=arguments.only or (),
            catalog=arguments.catalog, watch=watch,
        )  # fmt: skip
    for fault in found.faults[:MOST_FAULTS]:
        print(f"surveykit: not used: {fault}", file=sys.stderr)
    if len(found.faults) > MOST_FAULTS:
        print(f"surveykit: not used: {len(found.faults) - MOST_FAULTS:,} more lines of measured", file=sys.stderr)
    if not found.cells:
        print("nothing to measure: everything recorded is current")
        return 0
    for m in found.failed:
        print(f"failed: {m.configuration} on {m.backbone}: {m.reason}", file=sys.stderr)
    counted = ", ".join(f"{count} {kind}" for kind, count in found.cells.items())
    took = f"{perf_counter() - started:.1f} s"
    print(f"measured {counted} in {took}, {len(found.failed)} failed; {len(found.files)} files changed")
    if found.refused:
        print(f"recorded as unable to run, with the reason: {', '.join(found.refused)}", file=sys.stderr)
    return 1 if found.failed else 0
