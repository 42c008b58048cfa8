"""`surveykit trial`: methods for real on a folder with weights."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace

from surveykit import output
from surveykit.commands.arguments import Progress, add_budget, add_changes, changes, positive, terminal_width

TYPE_CHECKING = False
if TYPE_CHECKING:
    from surveykit.engine.train.pretrained_trial import Trials


def add_arguments(parser: ArgumentParser) -> None:
    parser.description = (
        "Load a model with its weights from a folder, train each method on a few labelled texts, merge, save and reload, and "
        "print what changed and whether outputs stay equal."
    )
    parser.epilog = (
        "exit codes: 0 counts are right, and outputs are equal after merging and reloading; 1 findings, listed on standard "
        "error; 2 wrong usage or invalid input"
    )
    parser.add_argument("method", nargs="+", metavar="METHOD", help="a method, method/configuration, or `all`")
    parser.add_argument("--model", metavar="DIR", required=True, help="folder with config.json, weights and tokenizer")
    texts = "TSV or CSV with a header, also .gz or .bz2 (default: 96 bundled review sentences)"
    parser.add_argument("--data", metavar="FILE", help=texts)
    parser.add_argument(
        "--columns", metavar="TEXT,LABEL", type=_columns, default=("text", "label"),
        help="names of the text and label columns (default: text,label)",
    )  # fmt: skip
    parser.add_argument("--label", action="append", metavar="LABEL", help="only texts with this label; may be repeated")
    parser.add_argument("--steps", type=positive, default=10, metavar="N", help="optimizer steps (default: 10)")
    parser.add_argument("--batch", type=positive, default=8, metavar="N", help="texts per step (default: 8)")
    parser.add_argument(
        "--length", type=positive, default=32, metavar="N", help="maximum tokens per text (default: 32)"
    )
    rate = "learning rate of AdamW (default: 0.001, or 0.0001 if that does not lower the loss)"
    parser.add_argument("--rate", type=_rate, metavar="R", help=rate)
    add_budget(parser)
    add_changes(parser)
    parser.add_argument("--format", choices=output.FORMATS, default="table", help="how to print (default: table)")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def _columns(text: str) -> tuple[str, str]:
    names = [name.strip() for name in text.split(",")]
    if len(names) != 2 or not all(names):
        raise ArgumentTypeError(f"two names separated by a comma, like text,label, not '{text}'")
    return names[0], names[1]


def _rate(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = 0.0
    if not 0 < found < float("inf"):
        raise ArgumentTypeError(f"a number above 0, like 0.001, not '{text}'")
    return found


def run(arguments: Namespace) -> int:
    from surveykit.api.measuring import trial
    from surveykit.engine.train.pretrained_trial import COLUMNS

    a = arguments
    with Progress(quiet=a.quiet) as watch:
        found = trial(
            a.method, model=a.model, data=a.data, columns=a.columns, label=a.label or (), steps=a.steps, batch=a.batch,
            length=a.length, rate=a.rate, catalog=a.catalog, watch=watch, trainable_budget=a.trainable_budget, **changes(a),
        )  # fmt: skip
    for line in (*found.notes, *_described(found)):
        print(line, file=sys.stderr)
    cells = [[getattr(row, column) for column in COLUMNS] for row in found.rows]
    print(output.render(COLUMNS, cells, a.format, terminal_width()))
    for fault in found.faults:
        print(fault, file=sys.stderr)
    return 0 if found.passed else 1


def _described(found: Trials) -> list[str]:
    head = f"; its head has {found.head:,} parameters, which no figure counts" if found.head else ""
    return [
        f"{found.model}: {found.parameters:,} pretrained parameters, in 32-bit floats",
        f"{found.task}{head}",
        f"{found.steps} steps of AdamW in each stage; outputs are equal up to {found.tolerance:g} of the largest",
    ]
