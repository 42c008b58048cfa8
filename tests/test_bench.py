"""The bench on tiny models: what a cell measures, what a run leaves behind however it ends, and what is refused before."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import bench_plans
import needs
import pytest
from conftest import CATALOG, ROOT

import surveykit
from surveykit.api.benching import Bench
from surveykit.bench import running
from surveykit.bench.cells import BenchCell, cells_of, needed_by, plans, read_plan
from surveykit.bench.results import BenchResult, Results, read_result
from surveykit.catalog.load_once import load_once
from surveykit.catalog.lock import alone_in
from surveykit.cli import main
from surveykit.errors import CatalogError, SurveyError
from surveykit.processes import LOST


def bench(plan: Path, results: Path, **options: Any) -> Bench:
    return surveykit.bench(str(plan), results=results, device="cpu", **{"executor": "here", **options})


def files(results: Path) -> list[Path]:
    return sorted(results.glob("*/cpu/*.json"))


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Bench]:
    """A plan, its results, and what running it gave."""
    folder = tmp_path_factory.mktemp("bench")
    plan = bench_plans.plan(folder, seeds=[0, 1])
    return plan, folder / "results", bench(plan, folder / "results")


def test_a_run_measures_every_cell_once(done: tuple[Path, Path, Bench]) -> None:
    _, results, found = done
    assert (found.cells, found.done, found.new, found.passed) == (4, 4, 4, True)
    assert len(files(results)) == 4
    assert not [*results.rglob(".*")], "no lock and no half-written file is left"
    rows = {row.configuration: row for row in found.rows}
    assert rows["lora/qv-r8"].trainable == 2 * 3 * 8 * (16 + 8)
    for row in rows.values():
        assert (row.weights, row.runs, row.failed, row.score) == ("random", 2, 0, None)
        assert row.peak_bytes > 0
        assert abs(row.error_percent) < 10, "the prediction, against the CPU's own allocator"
        assert row.tokens_low <= row.tokens_per_second <= row.tokens_high


def test_each_file_says_what_was_measured_where_and_when(done: tuple[Path, Path, Bench]) -> None:
    for path in files(done[1]):
        result = read_result(path)
        assert result is not None
        assert result.id == path.stem
        assert result.memory.loaded <= result.memory.peak
        assert result.memory.peak == max(
            result.memory.loaded, *(getattr(result.memory, p) for p in ("forward", "backward", "optimizer"))
        )
        assert len(result.speed.step_seconds) == 1, "neither the step that warms up nor the one whose memory is watched"
        assert len(result.losses) == 3
        assert result.started <= result.ended
        assert {"python", "torch", "transformers", "surveykit"} <= result.machine.versions.keys()


def test_a_second_run_starts_nothing(done: tuple[Path, Path, Bench]) -> None:
    plan, results, first = done
    before = {path: path.read_bytes() for path in files(results)}
    again = bench(plan, results)
    assert (again.done, again.new, again.rows) == (4, 0, first.rows)
    assert {path: path.read_bytes() for path in files(results)} == before
    quick = f"import sys, surveykit; surveykit.bench({str(plan)!r}, results={str(results)!r}, device='cpu')"
    subprocess.run([sys.executable, "-c", f"{quick}; assert 'torch' not in sys.modules"], check=True, cwd=ROOT)


def test_what_is_torn_or_of_another_cell_is_measured_again(tmp_path: Path) -> None:
    plan = bench_plans.plan(tmp_path)
    bench(plan, tmp_path / "results")
    torn, other = files(tmp_path / "results")
    torn.write_text(torn.read_text(encoding="utf-8")[:100], encoding="utf-8")
    other.write_text(other.read_text(encoding="utf-8").replace(other.stem, "0" * 16), encoding="utf-8")
    again = bench(plan, tmp_path / "results")
    assert (again.done, again.new) == (2, 2)


def cells(plan: Path) -> tuple[BenchCell, ...]:
    catalog = load_once(CATALOG, measured=False)
    return cells_of(catalog, read_plan(catalog.root, str(plan)))


def test_a_cell_follows_all_that_decides_what_it_measures(tmp_path: Path) -> None:
    sdpa = {"training": {"dtype": "float32", "attention": "sdpa"}}
    changes = ({}, {"batch": 3}, {"rates": [0.002]}, {"seeds": [1]}, {"steps": 4}, sdpa)
    ids = {cell.id for changed in changes for cell in cells(bench_plans.plan(tmp_path, **changed))}
    assert len(ids) == len(changes) * 2
    assert ids >= {cell.id for cell in cells(bench_plans.plan(tmp_path, minutes=7, says="The same, said otherwise."))}


def test_a_failure_is_a_result_with_its_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = bench_plans.plan(tmp_path, rates=[1e30], configurations=["full-tuning"], steps=6)
    found = bench(plan, tmp_path / "results")
    (reason,) = found.failed.values()
    assert "the loss is not a number in step" in reason
    assert not found.passed
    assert main(["bench", str(plan), "--results", str(tmp_path / "results"), "--device", "cpu"]) == 1
    assert "failed: full-tuning/all on t5-tiny, random tokens, seed 0, rate 1e+30: the loss" in capsys.readouterr().err


def test_a_cell_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    found = bench(bench_plans.plan(tmp_path, minutes=1e-9), tmp_path / "results")
    assert all("took longer than 1e-09 minutes" in reason for reason in found.failed.values())
    assert len(found.failed) == 2


def test_what_cannot_fit_is_not_started_unless_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from surveykit.engine.bench import work

    monkeypatch.setattr(work, "memory_of", lambda device: 1000)
    plan = bench_plans.plan(tmp_path)
    found = bench(plan, tmp_path / "results")
    assert (found.done, len(found.not_started)) == (0, 2)
    assert all("predicted to need" in reason for reason in found.not_started.values())
    assert bench(plan, tmp_path / "results", even_if_too_large=True).done == 2


def test_two_runs_at_once_do_not_run_a_cell_twice(tmp_path: Path) -> None:
    plan = bench_plans.plan(tmp_path)
    bench(plan, tmp_path / "results")
    first, second = files(tmp_path / "results")
    first.unlink()
    second.unlink()
    with alone_in(first.parent, f".{first.stem}.lock", wait=False) as alone:
        assert alone
        found = bench(plan, tmp_path / "results")
    assert (found.done, found.elsewhere) == (1, 1)
    assert bench(plan, tmp_path / "results").done == 2


def test_a_process_that_is_lost_costs_its_cell_a_second_try(tmp_path: Path) -> None:
    from surveykit.engine.bench import work

    plan, lost = bench_plans.plan(tmp_path), []

    def loses(make: Any, arguments: Any, tasks: Any, *, stop: Any) -> Any:
        one = make(*arguments)
        for task in tasks:
            gone = task.configuration.startswith("lora") and len(lost) < most
            if gone:
                lost.append(task)
            yield task, LOST if gone else one(task)

    there = cells(plan)
    told = running.Work(Results(tmp_path / "results" / "tiny", "cpu"), "cpu", None, None, False)
    most = 1
    ran = running.run(there, loses, loses, work.worker, work.failed, told)
    assert [result.status for result in ran.results.values()] == ["finished", "finished"]
    for path in files(tmp_path / "results"):
        path.unlink()
    lost, most = [], 2
    ran = running.run(there, loses, loses, work.worker, work.failed, told)
    failed = next(result for result in ran.results.values() if result.status == "failed")
    assert failed.reason == running.LOST_TWICE
    assert read_result(tmp_path / "results" / "tiny" / "cpu" / f"{failed.id}.json") == failed


@pytest.mark.skipif(not Path("/dev/full").exists(), reason=needs.LINUX)
def test_a_full_disk_is_said_and_leaves_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SurveyError, match="cannot be written: No space left on device"):
        bench(bench_plans.plan(tmp_path), tmp_path / "results")
    assert not files(tmp_path / "results")
    monkeypatch.undo()
    assert bench(tmp_path / "tiny.yaml", tmp_path / "results").passed


def started(plan: Path, results: Path, *further: str) -> subprocess.Popen[str]:
    words = ["-m", "surveykit", "bench", str(plan), "--results", str(results), "--device", "cpu", "--quiet", *further]
    return subprocess.Popen(
        [sys.executable, *words], cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )


def until(condition: Any, seconds: float = 120) -> None:
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.02)


@pytest.mark.skipif(os.name != "posix", reason=needs.POSIX)
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_whatever_ends_a_run_leaves_whole_files_and_the_next_completes_it(tmp_path: Path, how: int) -> None:
    plan, results = bench_plans.plan(tmp_path, seeds=[*range(2)], steps=12), tmp_path / "results"
    process = started(plan, results, "--executor", "here")
    until(lambda: files(results))
    process.send_signal(how)
    _, said = process.communicate(timeout=120)
    there = files(results)
    assert all(read_result(path) is not None for path in there)
    if how == signal.SIGINT:
        assert process.returncode == 1
        assert f"stopped: {4 - len(there)} cells are left" in said or len(there) == 4
    before = {path: path.read_bytes() for path in there}
    found = bench(plan, results)
    assert (found.done, found.new) == (4, 4 - len(there))
    assert all(path.read_bytes() == content for path, content in before.items()), "nothing finished was run twice"


def test_texts_are_learned_scored_and_compared(tmp_path: Path) -> None:
    data = bench_plans.texts(tmp_path / "data")
    plan = bench_plans.with_texts(
        tmp_path, configurations=["full-tuning", "ln-tuning"], steps=60, batch=8, rates=[0.01, 1e-6]
    )
    found = bench(plan, tmp_path / "results", data=data)
    rows = {row.configuration: row for row in found.rows}
    full, norms = rows["full-tuning/all"], rows["ln-tuning/norms"]
    assert full.rate == 0.01, "the rate that is better on the development examples"
    assert full.score > 0.9
    assert full.above_chance
    assert full.score_low <= full.score <= full.score_high
    assert (full.seeds, full.examples, full.metric) == (2, 16, "accuracy")
    assert full.relative_speed == 100
    assert {full.place, norms.place} in ({"1", "2"}, {"1–2"})
    (one,) = [r for p in files(tmp_path / "results") if (r := read_result(p)) and r.id == p.stem][:1]
    assert len(one.data) == 64
    report = bench(plan, tmp_path / "results", data=data, report=tmp_path / "report")
    assert sorted(path.name for path in report.files) == ["report.csv", "report.md", "report.tex"]
    table = [*csv.DictReader((tmp_path / "report" / "report.csv").read_text(encoding="utf-8").splitlines())]
    assert float(table[0]["score"]) == full.score
    assert r"\begin{tabular}" in (tmp_path / "report" / "report.tex").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"configurations": ["lorra"]}, "there is no method 'lorra'; did you mean 'lora'?"),
        ({"models": [{"id": "t5-larg"}]}, "there is no model 't5-larg'; did you mean 't5-large'?"),
        ({"preset": "survy"}, "there is no setting 'survy'; did you mean 'survey'?"),
        ({"training": {"autocast": True, "dtype": "bfloat16"}}, "autocast computes in bfloat16 from float32 weights"),
        ({"warm_up": 3}, "warm_up is 3, which leaves no step to measure of 3"),
        ({"rates": [0.1, 0.1]}, "rates: one appears twice"),
        ({"seeds": [-1]}, "seeds must be whole numbers of at least 0"),
        (
            {
                "tasks": [
                    {
                        "id": "a",
                        "data": {"path": "../x"},
                        "text": "{a}",
                        "target": "b",
                        "labels": {"1": "x", "2": "y"},
                        "train": 1,
                        "develop": 1,
                        "scored": 1,
                    }
                ]
            },
            "must be a path below",
        ),
        ({"modles": []}, "modles"),
        ({"models": [{"id": "x", "counts": "T5ForConditionalGeneration", "config": {"model_type": "t6"}}]}, "t6"),
        (
            {"models": [{"id": "x", "counts": "BertModel", "config": bench_plans.TINY_T5}]},
            "transformers has no BertModel",
        ),
    ],
)
def test_a_wrong_plan_is_refused_before_anything_starts(tmp_path: Path, changed: dict[str, Any], message: str) -> None:
    with pytest.raises(SurveyError) as refused:
        bench(bench_plans.plan(tmp_path, **changed), tmp_path / "results")
    problems = refused.value.problems if isinstance(refused.value, CatalogError) else [refused.value]
    assert any(message in str(problem) for problem in problems)
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ({"text": "{sentense}"}, "has no column 'sentense'; did you mean 'sentence'?"),
        ({"target": "lable"}, "has no column 'lable'; did you mean 'label'?"),
        ({"labels": {"true": "praise", "no": "complaint"}}, "has no row whose label is 'no'"),
        ({"data": {"path": "nothing.jsonl"}}, "there is no"),
        (
            {"data": {"package": "not_there", "path": "x", "install": "not-there==1"}},
            "pip install --no-deps not-there==1",
        ),
    ],
)
def test_wrong_texts_are_refused_before_anything_starts(tmp_path: Path, task: dict[str, Any], message: str) -> None:
    data = bench_plans.texts(tmp_path / "data")
    with pytest.raises(SurveyError, match=message.replace("?", r"\?")):
        bench(bench_plans.with_texts(tmp_path, task=task), tmp_path / "results", data=data)
    assert not files(tmp_path / "results")


def test_texts_that_need_a_folder_say_so(tmp_path: Path) -> None:
    with pytest.raises(SurveyError, match="name its folder with --data"):
        bench(bench_plans.with_texts(tmp_path), tmp_path / "results")


def test_names_that_a_plan_does_not_have(tmp_path: Path) -> None:
    plan = bench_plans.plan(tmp_path)
    for options, message in (
        ({"only": "ia3"}, "the plan has no 'ia3'"), ({"models": "t5-smal"}, "the plan has no 't5-smal'"),
        ({"executor": "rai"}, "did you mean 'ray'"), ({"workers": 0}, "workers is 0"),
    ):  # fmt: skip
        with pytest.raises(SurveyError, match=message):
            bench(plan, tmp_path / "results", **options)
    with pytest.raises(SurveyError, match="there is no plan 'smok'; did you mean 'smoke'"):
        surveykit.bench("smok")


def test_a_plan_reads_what_it_needs_of_a_catalog_and_no_more(tmp_path: Path) -> None:
    """A run that has nothing left to do ends in a second, and what another file says wrong does not stop it."""
    read = read_plan(CATALOG, "llms")
    part = needed_by(read, CATALOG)
    assert {*part.methods} == {name.partition("/")[0] for name in read.configurations}
    assert {*part.models} == {model.id for model in read.models}
    (tmp_path / "methods").mkdir()
    (tmp_path / "methods" / "broken.yaml").write_text("id: [", encoding="utf-8")
    assert cells_of(needed_by(read, tmp_path), read) == cells_of(part, read)
    (tmp_path / "methods" / "lora.yaml").write_text("id: [", encoding="utf-8")
    with pytest.raises(CatalogError, match=r"methods/lora\.yaml"):
        needed_by(read, tmp_path)


def test_the_plans_of_the_catalog_are_whole() -> None:
    catalog = load_once(CATALOG, measured=False)
    assert {"smoke", "survey-table5", "survey-scores", "llms"} <= plans(catalog.root).keys()
    for name in plans(catalog.root):
        read = read_plan(catalog.root, name)
        of_plan = cells_of(catalog, read)
        assert of_plan == cells_of(needed_by(read, catalog.root), read)
        assert len({cell.id for cell in of_plan}) == len(of_plan)
    table5 = cells_of(catalog, read_plan(catalog.root, "survey-table5"))
    claimed = {(c.configuration, c.model) for c in catalog.claims if c.table == "table5" and c.configuration}
    assert {(cell.configuration, cell.model.id) for cell in table5} == {*claimed} & {(c, m) for c, m in claimed if m}


def test_results_of_a_plan_are_json(done: tuple[Path, Path, Bench]) -> None:
    for path in files(done[1]):
        assert (
            BenchResult.model_validate_json(path.read_text(encoding="utf-8")).id == json.loads(path.read_bytes())["id"]
        )


def test_a_new_plan_runs_as_it_stands(tmp_path: Path) -> None:
    (path,) = surveykit.new("plan", "my-plan", catalog=tmp_path / "catalog")
    found = surveykit.bench(
        "my-plan", catalog=tmp_path / "catalog", results=tmp_path / "results", device="cpu", dry_run=True
    )
    assert (found.plan, found.cells, found.done) == (path.stem, 3, 0)
    assert found.estimate.largest_bytes > 0


@pytest.mark.parametrize(
    ("said", "seen", "names"),
    [("", 2, ["0", "1"]), ("3", 1, ["3"]), ("1,GPU-ab", 2, ["1", "GPU-ab"]), ("5", 2, ["0", "1"])],
)
def test_a_device_is_taken_by_the_name_that_the_machine_gives_it(
    monkeypatch: pytest.MonkeyPatch, said: str, seen: int, names: list[str]
) -> None:
    """On a cluster every process sees its own device as the first: by that number all would wait for one another."""
    from surveykit.engine.bench.work import _visible

    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", said)
    assert _visible(seen) == names


def test_time_is_judged_by_cells_that_take_as_long(tmp_path: Path) -> None:
    from surveykit.engine.bench.estimate import _kind

    short, long = (cells(bench_plans.plan(tmp_path, steps=steps))[0] for steps in (3, 300))
    assert _kind(short) != _kind(long)
