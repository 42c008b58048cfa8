"""`surveykit measure`: measure what is stale, and write it to catalog/measured; or print what methods cost on any model."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from typing import get_args

from surveykit import output
from surveykit.catalog.staleness import Measure
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
from surveykit.commands.training_flags import add_training, training

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from surveykit.engine.on_model import CostsOnModel

COLUMNS = ("configuration", "peak_bytes", "weights_bytes", "optimizer_bytes", "gradients_bytes", "logits_bytes",
           "activations_bytes", "working_bytes", "blocks", "blocks_backward", "blocks_input_gradient",
           "forward_flops", "backward_flops", "compute_percent_of_full_tuning", "inference_flops", "merged_flops", "bare_flops", "overhead",
           "overhead_merged", "size", "reason")  # fmt: skip
RUN_COLUMNS = ("configuration", "predicted_bytes", "allocated_bytes", "reserved_bytes", "error_percent", "device", "size",
               "reason")  # fmt: skip
MOST_FAULTS = 10
"""Faults of catalog/measured that are shown; the rest is counted."""


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("method", nargs="*", metavar="METHOD", help="only these methods, or method/configuration")
    parser.add_argument("--backbone", action="append", metavar="ID", help="only on this backbone; may be repeated")
    parser.add_argument("--all", action="store_true", help="also measure again records that are current")
    parser.add_argument(
        "--only", choices=get_args(Measure), action="append",
        help="measure only parameter counts; memory, backward and inference; memory of runs that sources print; sizes of saved "
        "files (with PEFT); or runs on a tiny T5; may be repeated",
    )  # fmt: skip
    parser.add_argument("--executor", metavar="here|processes|ray", help="where to measure (default: processes)")
    parser.add_argument(
        "--address", metavar="HOST:PORT|auto", help="address of a Ray cluster (default: start one here)"
    )
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    own = parser.add_argument_group("on your own model: print costs, record nothing")
    add_model(own)
    add_peft(own)
    own.add_argument("--batch", type=positive, metavar="N", help="sequences per step (default: the setting's, or 1)")
    own.add_argument(
        "--length", type=positive, metavar="N", help="positions per sequence (default: the setting's, or 256)"
    )
    own.add_argument(
        "--device", metavar="cuda|cpu",
        help="run a few training steps there, with random weights, and print allocated beside predicted memory",
    )  # fmt: skip
    add_training(parser, "survey")
    add_budget(own)
    add_changes(parser)
    own.add_argument("--format", choices=output.FORMATS, default="table", help="how to print (default: table)")


def run(arguments: Namespace) -> int:
    asked = (
        arguments.model,
        arguments.peft,
        arguments.trainable_budget,
        arguments.device,
        *training(arguments).values(),
        *(value or None for value in changes(arguments).values()),
    )
    recorded = all(value is None for value in asked)  # the function says that changes need a model
    return _run_on_catalog(arguments) if recorded else _run_on_model(arguments)


def _run_on_model(arguments: Namespace) -> int:
    from surveykit.api.measuring import measure

    a = arguments
    found: Any = measure(
        a.method, model=a.model, peft=a.peft, backbone=a.backbone or (), all=a.all, only=a.only or (), batch=a.batch, length=a.length,
        executor=a.executor, address=a.address, device=a.device, catalog=a.catalog, trainable_budget=a.trainable_budget, **training(a), **changes(a),
    )  # fmt: skip
    first, readable = found[0], a.format in ("table", "markdown")
    described = f"{first.model.name}: a step of {first.batch} × {first.length} positions"
    said = [described if a.device else f"{described}; {first.loss}", *notes(found)]
    print("\n".join(said), file=sys.stdout if readable else sys.stderr)
    columns: Sequence[str] = RUN_COLUMNS if a.device else COLUMNS
    rows = [[getattr(row, column) for column in columns] for row in found]
    columns, rows = output.without_empty(columns, rows) if readable else (columns, rows)
    print(output.render(columns, rows, a.format, terminal_width()))
    if readable and not a.device and len(found) == 1 and first.compute_percent_of_full_tuning is not None:
        print(f"\n{_compute(first)}")
    done = "allocated_bytes" if a.device else "peak_bytes"
    return 0 if any(getattr(row, done) is not None for row in found) else 1


def _compute(row: CostsOnModel) -> str:
    """Whether it is true that the method needs two thirds of the compute of full tuning."""
    share = f"{row.configuration} takes {row.compute_percent_of_full_tuning:.0f} % of full tuning's FLOPs"
    again = "" if row.training.checkpointing == "none" else "; checkpointing computes blocks a second time in both"
    return f"{share} in a training step at length {row.length:,} on {row.model.name}{again}"


def _run_on_catalog(arguments: Namespace) -> int:
    from time import perf_counter

    from surveykit.processes import import_ahead

    started = perf_counter()
    everything = arguments.all and not (arguments.method or arguments.backbone)
    if everything and arguments.executor in (None, "processes"):
        import_ahead("surveykit.engine_ahead")  # what workers wait for longest
    from surveykit.api.measuring import measure

    with Progress(quiet=arguments.quiet) as watch:
        found = measure(
            arguments.method, backbone=arguments.backbone or (), all=arguments.all, only=arguments.only or (),
            executor=arguments.executor, address=arguments.address, catalog=arguments.catalog, watch=watch,
        )  # fmt: skip
    for fault in found.faults[:MOST_FAULTS]:
        print(f"surveykit: not used: {fault}", file=sys.stderr)
    if len(found.faults) > MOST_FAULTS:
        print(f"surveykit: not used: {len(found.faults) - MOST_FAULTS:,} more lines of measured", file=sys.stderr)
    for sentence in found.left_out:
        print(f"surveykit: {sentence}", file=sys.stderr)
    if not found.cells and found.left_out:
        return 1
    if not found.cells:
        print("nothing to measure: all records are current")
        return 0
    for m in found.failed:
        print(f"failed: {m.configuration} on {m.backbone}: {m.reason}", file=sys.stderr)
    counted = ", ".join(f"{count} {kind}" for kind, count in found.cells.items())
    took = f"{perf_counter() - started:.1f} s"
    print(f"measured {counted} in {took}, {len(found.failed)} failed; {len(found.files)} files changed")
    if found.refused:
        print(f"recorded as unable to run, with the reason: {', '.join(found.refused)}", file=sys.stderr)
    return 1 if found.failed or found.left_out else 0
