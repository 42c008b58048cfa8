"""Running methods on devices: bench."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from surveykit.api.names import Folder, Names, refuse_less_than_one, root_of, several
from surveykit.errors import SurveyError
from surveykit.processes import Watch, unwatched

if TYPE_CHECKING:
    from surveykit.bench.cells import BenchCell
    from surveykit.bench.report import BenchRow
    from surveykit.bench.running import Ran, Work
    from surveykit.engine.bench.estimate import Estimate
    from surveykit.executors import Name


@dataclass(frozen=True)
class Bench:
    """A plan, its progress, and its results."""

    plan: str
    says: str
    device: str
    cells: int
    done: int
    """Cells with a result, including failed ones."""
    new: int
    """Of these, from this run."""
    failed: Mapping[str, str]
    """Cells that failed, in words, each with its reason."""
    not_started: Mapping[str, str]
    """Cells that cannot fit the device, each with the reason."""
    elsewhere: int
    """Cells that another process is running."""
    stopped: bool
    """Whether an interrupt left cells that have not started."""
    estimate: Estimate | None
    """Of a dry run: the cost of the remaining cells."""
    rows: tuple[BenchRow, ...]
    folder: Path
    """Of the results."""
    files: tuple[Path, ...]
    """Reports that were written."""

    @property
    def complete(self) -> bool:
        return self.done == self.cells

    @property
    def passed(self) -> bool:
        """Whether every cell has a result, and none failed."""
        return self.complete and not self.failed


def bench(
    plan: str, *, data: Folder | None = None, results: Folder | None = None, device: str | None = None,
    executor: str = "processes", workers: int | None = None, address: str | None = None, only: Names = (),
    models: Names = (), dry_run: bool = False, even_if_too_large: bool = False, report: Folder | None = None,
    catalog: Folder | None = None, watch: Watch = unwatched,
) -> Bench:  # fmt: skip
    """Run the cells of a plan that have no result yet, each in its own process, and write each result to a file.

    Args:
        plan: its name in the catalog, or its file.
        data: the folder with the plan's texts and weights that are in no package.
        results: the folder of results (default: `measured/bench` in the catalog).
        device: `cpu` or `cuda` (default: an NVIDIA GPU if there is one).
        executor: `here`, `processes` on this machine, or `ray`.
        workers: cells at once (default: one per processor or GPU).
        address: address of a Ray cluster (default: start one here).
        only: these methods (or method/configuration) of the plan.
        models: these models of the plan.
        dry_run: run nothing; report the remaining cells and their cost.
        even_if_too_large: also start cells that are predicted not to fit the device.
        report: a folder for report.md, report.csv and report.tex; nothing is run then.

    Returns:
        Finished and failed cells, and a row for each configuration on each model and task.

    Raises:
        SurveyError: there is no such plan, method or model; files that it needs are missing or invalid; results cannot be
            written.
        CatalogError: the plan's file is invalid.
        MissingExtra: a package that it needs is not installed.
    """
    from surveykit.bench.cells import cells_of, in_order, needed_by, read_plan, selected
    from surveykit.bench.report import rows_of
    from surveykit.bench.results import Results
    from surveykit.bench.running import Ran, Work, results_folder
    from surveykit.executors import name_of

    name_of(executor)
    refuse_less_than_one(**({} if workers is None else {"workers": workers}))
    root = root_of(catalog)
    read = read_plan(root, plan)
    cells = cells_of(needed_by(read, root), read)
    cells = tuple(in_order(selected(cells, tuple(several(only)), tuple(several(models)))))
    device = device or _usual_device()
    where = results_folder(root, None if results is None else Path(results), read.id)
    files = Results(where, device if device == "cpu" else _name_of(device))
    there = {cell.id: found for cell in cells if (found := files.of(cell)) is not None}
    ran, expected = Ran(there), None
    left = [cell for cell in cells if cell.id not in there]
    texts = None if data is None else Path(data)
    if dry_run and left:
        from surveykit.engine.bench.estimate import estimate

        expected = estimate(left, there, cells, device)
    elif left and report is None:
        work = Work(files, device, texts, None, even_if_too_large)
        ran = _run(cells, work, name_of(executor), workers, address, watch)
    rows = rows_of(read, ran.results.values())
    return Bench(
        plan=read.id, says=read.says, device=device, cells=len(cells), done=len(ran.results), new=ran.new,
        failed={c.words: str(r.reason) for c in cells if (r := ran.results.get(c.id)) and r.status == "failed"},
        not_started={cell.words: reason for cell, reason in ran.not_started}, elsewhere=len(ran.elsewhere),
        stopped=ran.stopped, estimate=expected, rows=tuple(rows), folder=files.folder,
        files=() if report is None else _written(Path(report), rows),
    )  # fmt: skip


def _run(
    cells: tuple[BenchCell, ...], work: Work, executor: Name, workers: int | None, address: str | None, watch: Watch
) -> Ran:
    """Check that cells have everything they need, then run them."""
    from surveykit.bench.running import run
    from surveykit.engine.bench import work as engine
    from surveykit.engine.bench.run import check
    from surveykit.executors import executor as made

    for cell in {(cell.model.id, cell.task and cell.task.id): cell for cell in cells}.values():
        check(cell, work.data)
    gpu = work.device != "cpu"
    at_once = workers or (engine.accelerators() if gpu else engine.processors())
    shared_out = made(executor, workers=at_once if executor != "ray" else workers, address=address, gpus=float(gpu))
    alone = made("processes" if executor == "here" else executor, workers=1, address=address, gpus=float(gpu))
    threads = None if gpu or executor == "here" else max(1, engine.processors() // at_once)
    told = replace(work, threads=threads)
    return run(cells, shared_out, alone, engine.worker, engine.failed, told, watch=watch)


def _usual_device() -> str:
    """An NVIDIA GPU if there is one, found without torch."""
    return "cuda" if Path("/dev/nvidia0").exists() else "cpu"


def _name_of(device: str) -> str:
    from surveykit.engine.trace.on_device import described, device_of

    return described(device_of(device))


def _written(folder: Path, rows: list[BenchRow]) -> tuple[Path, ...]:
    """The report in three formats.

    Raises:
        SurveyError: it cannot be written.
    """
    from surveykit import output
    from surveykit.bench.report import COLUMNS
    from surveykit.beside import new_file

    cells = [[getattr(row, column) for column in COLUMNS] for row in rows]
    told = output.without_empty(COLUMNS, cells)
    written = []
    for suffix, format, (columns, lines) in (
        ("md", "markdown", told), ("csv", "csv", ([*COLUMNS], cells)), ("tex", "latex", told)
    ):  # fmt: skip
        path = folder / f"report.{suffix}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with new_file(path) as beside:
                beside.write_text(output.render(columns, lines, format) + "\n", encoding="utf-8")
        except OSError as error:
            raise SurveyError(f"{path} cannot be written: {error.strerror or error}") from None
        written.append(path)
    return tuple(written)
