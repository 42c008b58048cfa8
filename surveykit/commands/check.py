"""`surveykit check`: a plain table of claims beside what we count."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from surveykit import output
from surveykit.commands.arguments import add_budget, add_changes, add_model, changes

_EXAMPLES = """\
the table is a CSV file with the columns
  method    a method, or method/configuration
  column    what is printed: trainable, changed, total, file_size …
  printed   the figure, as printed
and optionally: peft (a PEFT configuration, instead of a method), model, unit (parameters million percent bytes …), locator;
targets, roles, layers, top_layers, also_train and head, which mean the same as the options; any other column is a
hyper-parameter, such as rank. A value in a row overrides the option for all rows.

examples:
  method,rank,column,unit,printed
  lora,8,trainable,million,4.2
  surveykit check claims.csv --model meta-llama/Llama-2-7b-hf
  surveykit check claims.csv --model bert-base --head 2 --set rank=16 --targets query,value"""
COLUMNS = ("row", "model", "column", "printed", "ours", "difference_percent", "verdict", "size", "would_give", "reason")


def add_arguments(parser: ArgumentParser) -> None:

    parser.epilog = (
        f"{_EXAMPLES}\n\nexit codes: 0 every figure that can be compared agrees; 1 one differs; "
        "2 wrong usage, or an error in the table"
    )
    parser.add_argument("claims", type=Path, metavar="claims.csv", help="the table")
    add_model(parser)
    parser.add_argument(
        "--peft", metavar="FILE|DIR|HUB_ID",
        help="the PEFT configuration for rows without a method: an adapter_config.json, a folder with one, or an adapter on the "
        "hub",
    )  # fmt: skip
    add_budget(parser)
    add_changes(parser)
    parser.add_argument("--format", choices=output.FORMATS, default="table", help="how to print (default: table)")


def run(arguments: Namespace) -> int:
    from surveykit.api.checking import check
    from surveykit.commands.arguments import terminal_width
    from surveykit.verify.verdicts import NEEDS_EXPLANATION

    found = check(
        arguments.claims, model=arguments.model, peft=arguments.peft, trainable_budget=arguments.trainable_budget, catalog=arguments.catalog,
        **changes(arguments),
    )  # fmt: skip
    for note in dict.fromkeys(note for one in found for note in one.notes):
        print(note, file=sys.stderr)
    rows = [
        (
            one.verdict.found.configuration or one.verdict.claim.row, one.verdict.claim.model, one.verdict.claim.column,
            one.verdict.claim.printed, one.verdict.found.measured, one.difference_percent, one.verdict.word,
            one.size, ", ".join(f"{s.configuration} ({s.sense})" for s in one.would_give) or None, one.verdict.found.reason,
        )
        for one in found
    ]  # fmt: skip
    readable = arguments.format in ("table", "markdown")
    hidden = {"reason", *(() if any(one.size for one in found) else ("size",))} if readable else set()
    shown = [i for i, name in enumerate(COLUMNS) if name not in hidden]
    table = [[row[i] for i in shown] for row in rows]
    print(output.render([COLUMNS[i] for i in shown], table, arguments.format, terminal_width()))
    differ = sum(one.verdict.word in NEEDS_EXPLANATION for one in found)
    agree = sum(one.verdict.word in ("match", "within_range") for one in found)
    sentence = f"{agree} of {len(found)} agree, {differ} differ, {len(found) - agree - differ} not compared"
    print(sentence, file=sys.stdout if readable else sys.stderr)
    return 1 if differ else 0
