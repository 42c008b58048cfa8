"""`surveykit bench`: run a plan's cells on a device, and print what their results say."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

from surveykit import output
from surveykit.commands.arguments import Progress, positive, terminal_width

TYPE_CHECKING = False
if TYPE_CHECKING:
    from surveykit.api.benching import Bench

SHOWN = ("model", "task", "configuration", "runs", "failed", "trainable", "peak_bytes", "error_percent", "tokens_per_second",
         "relative_speed", "relative_inference", "rate", "score", "score_low", "score_high", "chance", "above_chance", "place", "reason")  # fmt: skip


def add_arguments(parser: ArgumentParser) -> None:
    parser.description = (
        "Run every cell of a plan that has no result yet. A cell is a configuration on a model, on a task or random tokens, with a "
        "seed and a learning rate. Each result is a file; a second run continues where the first one stopped. Press Ctrl-C "
        "once to stop after the running cells, twice to stop at once."
    )
    parser.epilog = (
        "exit codes: 0 every cell has a result and none failed; 1 some cells failed or remain; 2 wrong usage, or something "
        "that the plan needs is missing"
    )
    parser.add_argument("plan", metavar="PLAN", help="a plan of the catalog (smoke, survey-table5 …), or its file")
    parser.add_argument("--data", metavar="DIR", help="folder with the texts and weights that the plan names")
    parser.add_argument("--results", metavar="DIR", help="folder of results (default: measured/bench in the catalog)")
    parser.add_argument(
        "--device",
        metavar="cuda|cpu",
        help="where cells run (default: an NVIDIA GPU if there is one, otherwise the CPU)",
    )
    parser.add_argument(
        "--executor", default="processes", metavar="here|processes|ray",
        help="this process, other processes on this machine (default), or a Ray cluster",
    )  # fmt: skip
    parser.add_argument(
        "--workers", type=positive, metavar="N", help="number of cells at once (default: one per processor or GPU)"
    )
    parser.add_argument(
        "--address", metavar="HOST:PORT|auto", help="address of a Ray cluster (default: start one here)"
    )
    parser.add_argument(
        "--only", action="append", metavar="METHOD", help="only this method of the plan; may be repeated"
    )
    parser.add_argument("--models", action="append", metavar="ID", help="only this model of the plan; may be repeated")
    parser.add_argument("--dry-run", action="store_true", help="print what would run and its cost; run nothing")
    parser.add_argument(
        "--even-if-too-large",
        action="store_true",
        help="also start cells that are predicted not to fit the device",
    )
    parser.add_argument(
        "--report",
        metavar="DIR",
        help="write report.md, report.csv and report.tex from the results to this folder; run nothing",
    )
    parser.add_argument("--format", choices=output.FORMATS, default="table", help="how to print (default: table)")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def run(arguments: Namespace) -> int:
    from surveykit.api.benching import bench

    a = arguments
    with Progress(quiet=a.quiet) as watch:
        found = bench(
            a.plan, data=a.data, results=a.results, device=a.device, executor=a.executor, workers=a.workers,
            address=a.address, only=a.only or (), models=a.models or (), dry_run=a.dry_run,
            even_if_too_large=a.even_if_too_large, report=a.report, catalog=a.catalog, watch=watch,
        )  # fmt: skip
    for line in _lines(found):
        print(line, file=sys.stderr)
    cells = [[getattr(row, column) for column in SHOWN] for row in found.rows]
    columns, told = output.without_empty(SHOWN, cells) if a.format == "table" else ([*SHOWN], cells)
    if cells:
        print(output.render(columns, told, a.format, terminal_width()))
    return 0 if found.passed or a.dry_run or a.report else 1


def _lines(found: Bench) -> list[str]:
    done = (
        f"{found.done:,} of {found.cells:,} cells have results, {found.new:,} of them new; they are in {found.folder}"
    )
    lines = [f"{found.plan} on {found.device}: {done}"]
    if (e := found.estimate) is not None:
        took = "" if e.seconds is None else f", about {_time(e.seconds)} one after another, estimated from {e.by}"
        most = "" if e.largest_bytes is None else f"; most memory: {e.largest_bytes / 1e9:.2f} GB, {e.largest}"
        lines.append(f"left: {e.cells:,} cells{took}{most}")
        if e.too_large:
            lines.append(f"{e.too_large:,} of them need more memory than the device has and will not be started")
    for words, reason in (*found.failed.items(), *found.not_started.items()):
        started = "not started" if words in found.not_started else "failed"
        lines.append(f"{started}: {words}: {reason}")
    if found.not_started:
        lines.append("--even-if-too-large starts them anyway")
    if found.elsewhere:
        lines.append(f"{found.elsewhere:,} cells are being run by another process")
    if found.stopped and not found.complete:
        lines.append(f"stopped: {found.cells - found.done:,} cells are left; run the same command to continue")
    if any(row.score is not None for row in found.rows):
        lines.append(
            "scores: mean over seeds, with the 95 % interval over seeds and examples; place: as far as the scores settle it"
        )
    lines += [f"wrote {path}" for path in found.files]
    return lines


def _time(seconds: float) -> str:
    return f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"
