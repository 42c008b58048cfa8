"""`surveykit verify`: every cell of Tables 1, 2 and 5 beside what we measure."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace

from surveykit import output

TYPE_CHECKING = False
if TYPE_CHECKING:
    from surveykit.catalog.load import Catalog
    from surveykit.verify import Checked, WholeReport

COLUMNS = ("table", "row", "column", "printed", "measured", "verdict", "cause", "configuration", "backbone", "reason")
SHOWN = ("table", "row", "column", "printed", "measured", "verdict", "cause")


def add_arguments(parser: ArgumentParser) -> None:
    parser.epilog = (
        "All counts are measured now. Costs and trials are those that `surveykit measure` recorded; they must be current, "
        "and a sample of them, another one with each commit, is measured now and must be as recorded. "
        "exit codes: 0 every difference is explained; 1 findings, listed on standard error; 2 wrong usage or invalid catalog"
    )
    parser.add_argument(
        "--table", type=int, choices=(1, 2, 5), action="append", help="show only this table; may be repeated"
    )
    parser.add_argument("--verdict", metavar="WORD", action="append", help="show only this verdict; may be repeated")
    parser.add_argument("--format", choices=output.FORMATS, default="table", help="how to print (default: table)")
    parser.add_argument("--summary", action="store_true", help="print only the lines that count the verdicts")
    add_sample(parser)
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def add_sample(parser: ArgumentParser) -> None:
    """Arguments that say which recorded costs and trials are measured again."""
    from surveykit.verify.again import SAMPLE

    parser.add_argument(
        "--sample", type=_size, default=SAMPLE, metavar="N|all",
        help="how many recorded costs and trials to measure again (default: %(default)s, some 20 seconds)",
    )  # fmt: skip
    parser.add_argument("--seed", metavar="TEXT", help="draw that sample by this (default: the commit)")


def _size(text: str) -> int | None:
    if text == "all":
        return None
    if not text.isascii() or not text.isdecimal() or len(text) > 9:
        raise ArgumentTypeError(f"a whole number, or all; not '{text}'")
    return int(text)


def run(arguments: Namespace) -> int:
    from surveykit.catalog.load import load
    from surveykit.catalog.locate import locate

    report, _ = check(load(locate(arguments.catalog).root), arguments)
    show(report, arguments)
    return 0 if report.passed else 1


def check(catalog: Catalog, arguments: Namespace) -> tuple[WholeReport, Checked]:
    """Measure all counts and a sample of the rest, judge everything, and say what was measured."""
    from datetime import date

    from surveykit.catalog.measured import cells
    from surveykit.commands.measure import costs_and_trials, measured
    from surveykit.verify import Checked, sample, verify_whole
    from surveykit.verify.again import commit_of, seed_of

    drawn = sample(catalog, arguments.sample, arguments.seed or seed_of(catalog.root))
    counts = list(measured(catalog, cells(catalog), quiet=arguments.quiet))
    again = [row for rows in costs_and_trials(catalog, drawn.cells, quiet=arguments.quiet) for row in rows]
    from surveykit.engine.measure import this_run

    run = this_run()
    report = verify_whole(catalog, counts, again, run)
    print(drawn.sentence(), file=sys.stderr)
    versions = {name: getattr(run, name) for name in ("surveykit", "python", "torch", "transformers")}
    checked = Checked(
        date=date.today().isoformat(), commit=commit_of(catalog.root), counts=len(counts), sampled=len(drawn.cells),
        recorded=drawn.among, seed=drawn.seed, **versions,
    )  # fmt: skip
    return report, checked


def show(report: WholeReport, arguments: Namespace) -> None:
    """Verdicts on standard output, findings on standard error."""
    from surveykit.commands.arguments import terminal_width

    for finding in report.findings:
        print(finding, file=sys.stderr)
    readable = arguments.format in ("table", "markdown")
    if not arguments.summary:
        columns = SHOWN if readable else COLUMNS
        rows = [
            [row[name] for name in columns]
            for row in _rows(report)
            if (not arguments.table or row["table"] in arguments.table)
            and (not arguments.verdict or row["verdict"] in arguments.verdict)
        ]
        print(output.render(columns, rows, arguments.format, terminal_width()))
    for sentence in report.sentences():
        print(sentence, file=sys.stdout if readable or arguments.summary else sys.stderr)
    if report.findings:
        print(f"{len(report.findings)} findings", file=sys.stderr)


def _rows(report: WholeReport) -> list[dict[str, object]]:
    """One row for each cell of the three tables. Memory is shown in the setting that fits best."""
    found: list[dict[str, object]] = [{**{n: getattr(v, n) for n in COLUMNS}} for v in report.cells]
    for v in report.parameters.verdicts:
        found.append(
            {
                "table": 5, "row": f"{v.row} on {v.backbone}", "column": v.column, "printed": v.printed,
                "measured": v.measured, "verdict": v.verdict, "cause": v.cause, "configuration": v.configuration,
                "backbone": v.backbone, "reason": v.explanation,
            }
        )  # fmt: skip
    best = report.settings[0] if report.settings else None
    for p in report.memory:
        if best is None or (p.length, p.dtype) != (best.length, best.dtype):
            continue
        reason = f"batch {p.batch}, {p.length} positions, {p.dtype}: {p.error_percent:+.1f} % of the printed figure"
        found.append(
            {
                "table": 5, "row": f"{p.row} on {p.backbone}", "column": "ram_gb", "printed": p.printed,
                "measured": round(p.predicted_gb, 2), "verdict": "predicted", "cause": None,
                "configuration": p.configuration, "backbone": p.backbone, "reason": reason,
            }
        )  # fmt: skip
    return found
