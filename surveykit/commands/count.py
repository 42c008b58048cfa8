"""`surveykit count`: what methods train on any model, without weights."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

from surveykit import output
from surveykit.commands.arguments import add_budget, add_changes, add_model, add_peft, changes, notes, terminal_width

_EXAMPLES = """\
examples:
  surveykit count lora ia3 --model path/to/config.json
  surveykit count lora/all-linear-r8 --model meta-llama/Llama-3.2-1B
  surveykit count all --model t5-large --format csv
  surveykit count lora adapters --model path/to/model --trainable-budget 0.5%
  surveykit count lora --model llama-3.2-3b --set rank=32 --set alpha=64 --targets q_proj,v_proj
  surveykit count lora --model gpt2 --targets '.*\\.(c_attn|c_fc)' --top-layers 2
  surveykit count lora --model bert-base --targets all-linear --head 2
  surveykit count lora --model llama-3.2-1b --roles query,key,value --also-train lm_head,embed_tokens
  surveykit count --peft path/to/adapter_config.json --model llama-3.2-3b"""
COLUMNS = ("configuration", "trainable", "trainable_by_peft", "percent", "trainable_last_stage", "added", "changed", "stored_bytes",
           "update_rank", "size", "reason")  # fmt: skip


def add_arguments(parser: ArgumentParser) -> None:
    parser.epilog = f"{_EXAMPLES}\n\n{parser.epilog}"
    parser.add_argument("method", nargs="*", metavar="METHOD", help="a method, method/configuration, or `all`")
    add_model(parser)
    add_peft(parser)
    parser.add_argument("--config", metavar="NAME", help="this configuration of the methods instead of the default")
    add_budget(parser)
    add_changes(parser)
    parser.add_argument("--format", choices=output.FORMATS, default="table", help="how to print (default: table)")


def run(arguments: Namespace) -> int:
    from surveykit.api.measuring import count

    found = count(
        arguments.method, model=arguments.model, peft=arguments.peft or [], config=arguments.config,
        trainable_budget=arguments.trainable_budget, catalog=arguments.catalog, **changes(arguments),
    )  # fmt: skip
    model = found[0].model
    described = (
        f"{model.name}: {model.architecture} of {model.parameters:,} parameters, each counted once; percentages are of "
        "them; trainable is of the stage that trains most, stored_bytes are at 4 bytes a number"
    )
    readable = arguments.format in ("table", "markdown")
    print("\n".join([described, *notes(found)]), file=sys.stdout if readable else sys.stderr)
    rows = [[getattr(row, column) for column in COLUMNS] for row in found]
    columns, rows = output.without_empty(COLUMNS, rows) if readable else (COLUMNS, rows)
    print(output.render(columns, rows, arguments.format, terminal_width()))
    return 0 if any(row.trainable is not None for row in found) else 1
