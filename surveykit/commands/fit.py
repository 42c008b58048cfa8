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
from surveykit.commands.training_flags import add_training, training

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from surveykit.fit.answer import Answer

SHOWN = ("configuration", "standing", "peak_gb", "low_gb", "high_gb", "weights_gb", "optimizer_gb", "gradients_gb",
         "logits_gb", "activations_gb", "working_gb", "batch_that_fits", "trainable_percent", "size", "stored_bytes",
         "overhead", "overhead_merged", "score", "score_caveat", "table5_memory_gb", "evaluated")  # fmt: skip
"""Columns of a table; of one of several models or settings, behind these."""

_EPILOG = """\
examples:
  surveykit fit --model llama-3.1-8b --gpu-memory 24GB --batch 1 --length 2048 --setting qlora --methods lora
  surveykit fit --model llama-3.1-8b --gpu-memory 24GB --batch 1 --length 2048 --methods lora --checkpointing full
  surveykit fit --model llama-2-7b llama-3.1-8b --gpu-memory 24GB --length 1024 --setting trl qlora --methods lora
  surveykit fit --model t5-3b --gpu-memory 24GB --batch 8 --length 512 --merge
  surveykit fit --model t5-large --gpu-memory 16GiB --batch 4 --length 256 --methods lora ia3 --all
  surveykit fit --model t5-base --gpu-memory 8GB --batch 16 --length 128 --max-overhead ffn --format json
  surveykit fit --model llama-3.2-3b --gpu-memory 24GB --batch 4 --length 512 --methods lora --set rank=64 --targets all-linear
  surveykit fit --peft path/to/adapter_config.json --gpu-memory 24GB --batch 4 --length 512

exit codes: 0 something fits or is tight; 1 nothing fits; 2 wrong usage or invalid catalog"""


def add_arguments(parser: ArgumentParser) -> None:
    parser.epilog = _EPILOG
    add_model(parser, several=True)
    add_peft(parser)
    parser.add_argument(
        "--gpu-memory", required=True, metavar="SIZE", help="24GB (10^9 bytes per GB), 24GiB (2^30), 80000MB…"
    )
    parser.add_argument("--batch", type=positive, metavar="N", help="examples at once (default: the setting's)")
    parser.add_argument("--length", type=positive, metavar="N", help="positions of an input (default: the setting's)")
    parser.add_argument(
        "--target-length", type=positive, metavar="N",
        help="positions of a target, for models with encoder and decoder (default: the setting's)",
    )  # fmt: skip
    parser.add_argument(
        "--lengths-file", metavar="FILE",
        help="numbers of tokens of your texts, one per line or a JSON list: the peak is that of the longest, cut to --length",
    )  # fmt: skip
    parser.add_argument("--packing", action="store_true", help="join texts to rows of --length positions")
    add_training(parser, "trainer", several=True)
    parser.add_argument(
        "--merge", action="store_true",
        help="merge after training: only methods without overhead after merging, unless --max-overhead allows some",
    )  # fmt: skip
    parser.add_argument(
        "--max-overhead", metavar="KINDS",
        help="permitted kinds of inference overhead: none, or ffn, linear, gating, input, decoder joined by +",
    )  # fmt: skip
    parser.add_argument("--methods", nargs="+", metavar="METHOD", help="only these methods, or method/configuration")
    parser.add_argument("--all", action="store_true", help="every configuration, not only each method's default")
    add_budget(parser)
    add_changes(parser)
    parser.add_argument("--format", choices=output.FORMATS, default="table", help="how to print (default: table)")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def run(arguments: Namespace) -> int:
    from time import perf_counter

    from surveykit.api.fitting import fit

    a, started = arguments, perf_counter()
    with Progress(quiet=a.quiet) as watch:
        found = fit(
            a.model, peft=a.peft, gpu_memory=a.gpu_memory, batch=a.batch, length=a.length, target_length=a.target_length,
            lengths_file=a.lengths_file, packing=a.packing, merge=a.merge, max_overhead=a.max_overhead, methods=a.methods,
            all=a.all, catalog=a.catalog, trainable_budget=a.trainable_budget, watch=watch, **training(a), **changes(a),
        )  # fmt: skip
    answers = found if isinstance(found, list) else [found]
    show(answers, a.format)
    asked = sum(answer.asked for answer in answers)
    several = "s" if asked != 1 else ""
    print(f"traced {asked} configuration{several} in {perf_counter() - started:.1f} s", file=sys.stderr)
    return 0 if any(answer.fits for answer in answers) else 1


def show(answers: Sequence[Answer], format: str) -> None:
    """Rows on standard output; the sentences beside them, or on standard error where they would spoil data."""
    from surveykit.fit.rows import Row, flat, rows_of

    readable = format in ("table", "markdown")
    rows = [row.model_dump(mode="json") for answer in answers for row in rows_of(answer)]
    columns: Sequence[str] = list(Row.model_fields)
    if readable:
        columns = SHOWN if len(answers) == 1 else ("model", "setting", *SHOWN)
        rows = [_shown(row) for row in rows]
    elif format == "csv" and rows:
        rows = [flat(row) for row in rows]
        columns = list(dict.fromkeys(name for row in rows for name in row))
    cells = [[row.get(name) for name in columns] for row in rows]
    if readable:  # without columns that say nothing
        columns, cells = output.without_empty(columns, cells)
    if cells or not readable:
        print(output.render(columns, cells, format, terminal_width()))
    lines = _alone(answers[0], readable) if len(answers) == 1 else _compared(answers)
    for line in ("", *lines) if readable and cells else lines:
        print(f"- {line}" if format == "markdown" and line else line, file=sys.stdout if readable else sys.stderr)
    if readable and len(answers) == 1 and answers[0].code is not None:
        print(f"\nTo run {answers[0].choices[0].candidate.configuration} so:\n\n```python\n{answers[0].code}```")
    for line in dict.fromkeys(f"{one.configuration}: {one.reason}" for answer in answers for one in answer.unable):
        print(f"not on this model: {line}", file=sys.stderr)


def _alone(answer: Answer, readable: bool) -> list[str]:
    from surveykit.fit import words

    lines = list(answer.sentences)
    if readable and answer.choices:
        lines += ["", words.setting(answer.question), words.margin(answer.question), *words.assumptions()]
    return lines


def _compared(answers: Sequence[Answer]) -> list[str]:
    """The headlines of several, and what has to be said of their models."""
    headlines = [f"{one.model}, {one.question.setting}: {one.headline}" for one in answers]
    return [*dict.fromkeys(f"{one.model}: {line}" for one in answers for line in one.remarks), *headlines]


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    """A row for reading: gigabytes, and the setting by its name."""
    sizes = {name: row[f"{name}_bytes"] for name in ("peak", "low", "high")} | row["parts"]
    if row["error"] is None:
        del sizes["low"]
    of_this_model = row["table5_memory_batch"] is not None
    printed = row["table5_memory_gb"] if of_this_model else None
    gigabytes = {f"{name}_gb": round(size / 1e9, 2) for name, size in sizes.items()}
    return {**row, **gigabytes, "setting": row["setting"]["name"], "table5_memory_gb": printed}
