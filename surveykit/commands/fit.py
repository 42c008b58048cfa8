"""`surveykit fit`: which methods can be trained on a model in a given memory."""

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
    positive,
    terminal_width,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from surveykit.fit.answer import Answer
    from surveykit.fit.ranking import Choice

SHOWN = ("configuration", "standing", "peak_gb", "weights_gb", "optimizer_gb", "gradients_activations_gb", "least_gb",
         "batch_that_fits", "trainable_percent", "size", "stored_bytes", "overhead", "overhead_merged", "score", "score_caveat",
         "table5_memory_gb", "evaluated")  # fmt: skip
COLUMNS = ("configuration", "method", "standing", "peak_bytes", "weights_bytes", "optimizer_bytes",
           "gradients_activations_bytes", "least_bytes", "batch_that_fits", "trainable", "trainable_percent",
           "trainable_last_stage", "trainable_last_stage_percent", "stored_bytes", "overhead", "overhead_merged",
           "size", "flops_percent", "merged_flops_percent", "score", "score_on", "score_of", "score_caveat", "table5_memory_gb",
           "table5_memory_batch", "evaluated", "is_reconstruction")  # fmt: skip

_EPILOG = """\
examples:
  surveykit fit --model t5-3b --gpu-memory 24GB --batch 8 --length 512 --merge
  surveykit fit --model t5-large --gpu-memory 16GiB --batch 4 --length 256 --methods lora ia3 --all
  surveykit fit --model t5-base --gpu-memory 8GB --batch 16 --length 128 --max-overhead ffn --format json
  surveykit fit --model llama-3.2-3b --gpu-memory 24GB --batch 4 --length 512 --methods lora --set rank=64 --targets all-linear
  surveykit fit --peft path/to/adapter_config.json --gpu-memory 24GB --batch 4 --length 512

exit codes: 0 something fits, or is tight; 1 nothing fits as traced; 2 wrong usage or invalid catalog"""


def add_arguments(parser: ArgumentParser) -> None:
    parser.epilog = _EPILOG
    add_model(parser)
    add_peft(parser)
    parser.add_argument(
        "--gpu-memory", required=True, metavar="SIZE", help="24GB (10^9 bytes each), 24GiB (2^30), 80000MB…"
    )
    parser.add_argument("--batch", required=True, type=positive, metavar="N", help="examples at once")
    parser.add_argument("--length", required=True, type=positive, metavar="N", help="positions of an input")
    parser.add_argument(
        "--target-length", type=positive, default=8, metavar="N",
        help="positions of a target, where there is a decoder beside an encoder (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--dtype", choices=("bfloat16", "float32"), default="bfloat16", help="default: %(default)s")
    parser.add_argument(
        "--merge", action="store_true",
        help="merge after training: only methods that leave no overhead then, unless --max-overhead allows some",
    )  # fmt: skip
    parser.add_argument(
        "--max-overhead", metavar="KINDS",
        help="at most these kinds of inference overhead: none, or ffn, linear, gating, input, decoder joined by +",
    )  # fmt: skip
    parser.add_argument("--methods", nargs="+", metavar="METHOD", help="only these, or method/configuration")
    parser.add_argument("--all", action="store_true", help="every configuration, not only each method's default one")
    add_budget(parser)
    add_changes(parser)
    parser.add_argument("--format", choices=output.FORMATS, default="table", help="how to print (default: table)")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def run(arguments: Namespace) -> int:
    from time import perf_counter

    from surveykit.api.measuring import fit

    a, started = arguments, perf_counter()
    with Progress(quiet=a.quiet) as watch:
        answer = fit(
            a.model, peft=a.peft, gpu_memory=a.gpu_memory, batch=a.batch, length=a.length, target_length=a.target_length,
            dtype=a.dtype, merge=a.merge, max_overhead=a.max_overhead, methods=a.methods, all=a.all, catalog=a.catalog,
            trainable_budget=a.trainable_budget, watch=watch, **changes(a),
        )  # fmt: skip
    show(answer, a.format)
    several = "s" if answer.asked != 1 else ""
    print(f"traced {answer.asked} configuration{several} in {perf_counter() - started:.0f} s", file=sys.stderr)
    return 0 if answer.fits else 1


def show(answer: Answer, format: str) -> None:
    """Rows on standard output; the sentences beside them, or on standard error where they would spoil data."""
    from surveykit.fit import words

    readable = format in ("table", "markdown")
    columns: Sequence[str] = SHOWN if readable else COLUMNS
    fields = [_fields(choice) for choice in answer.choices]
    if readable:  # what Table 5 prints for another model is no figure of this one
        fields = [f if f["table5_memory_batch"] else {**f, "table5_memory_gb": None} for f in fields]
    rows = [[f[name] for name in columns] for f in fields]
    if readable:  # without columns that say nothing
        columns, rows = output.without_empty(columns, rows)
    if rows or not readable:
        print(output.render(columns, rows, format, terminal_width()))
    lines = list(answer.sentences)
    if readable and rows:
        asked = answer.question
        lines += ["", words.setting(asked), words.margin(asked), *words.assumptions()]
    for line in ("", *lines) if readable and rows else lines:
        print(f"- {line}" if format == "markdown" and line else line, file=sys.stdout if readable else sys.stderr)
    for one in answer.unable:
        print(f"not on this model: {one.configuration}: {one.reason}", file=sys.stderr)


def _fields(choice: Choice) -> dict[str, object]:
    c, e = choice.candidate, choice.candidate.evidence
    p = c.parts
    parts = {
        "peak": p.peak,
        "weights": p.weights,
        "optimizer": p.optimizer,
        "gradients_activations": p.passing,
        "least": p.least,
    }
    return {
        **{f"{name}_bytes": size for name, size in parts.items()},
        **{f"{name}_gb": round(size / 1e9, 2) for name, size in parts.items()},
        "configuration": c.configuration,
        "method": c.name,
        "standing": choice.standing,
        "batch_that_fits": c.batch_that_fits,
        "trainable": c.trainable,
        "trainable_percent": c.trainable_percent,
        "trainable_last_stage": c.trainable_last_stage,
        "trainable_last_stage_percent": c.trainable_last_stage_percent,
        "stored_bytes": c.stored_bytes,
        "size": c.size,
        "overhead": c.overhead,
        "overhead_merged": c.overhead_merged,
        "flops_percent": c.flops_percent,
        "merged_flops_percent": c.merged_flops_percent,
        "score": None if e.score is None else round(e.score, 2),
        "score_on": e.score_on,
        "score_of": e.score_of,
        "score_caveat": e.score_caveat,
        "table5_memory_gb": e.memory_gb,
        "table5_memory_batch": e.memory_batch,
        "evaluated": e.evaluated,
        "is_reconstruction": c.is_reconstruction,
    }
