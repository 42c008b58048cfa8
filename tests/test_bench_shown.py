"""What the bench measured, where it is shown: tables of the database, `surveykit verify`, and what is left out and why."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import bench_plans
import pytest
import site_config
import small_catalog
import yaml
from conftest import SURVEY

import surveykit
from surveykit.bench.cells import cells_of, read_plan
from surveykit.bench.results import BenchResult, Results, read_result
from surveykit.bench.results import files as result_files
from surveykit.beside import temporary
from surveykit.catalog.load import load
from surveykit.catalog.plans import Plan
from surveykit.cli import main
from surveykit.database.build import build
from surveykit.database.reading import AnswerRow, reading
from surveykit.errors import CatalogError
from surveykit.site.build import build as build_site
from surveykit.site.inputs import Surroundings
from surveykit.site.pages.bench import plan_contexts
from surveykit.site.rendering import Page, render

METHODS = ["full-tuning", "lora"]
DEVICES = ("NVIDIA H200", "Another: device")


Ask = Callable[[str], list[AnswerRow]]


@contextmanager
def asking(root: Path) -> Iterator[Ask]:
    """Ask the database of a catalog, which is built once."""
    with temporary("asked") as folder:
        build(load(root), folder / "asked.duckdb")
        with reading(folder / "asked.duckdb") as reader:
            yield reader.all


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A catalog with two plans that were run, and one that was not, and what the bench says of them."""
    folder = tmp_path_factory.mktemp("shown")
    root = small_catalog.write(folder / "catalog")
    (root / "plans").mkdir()
    bench_plans.plan(root / "plans", configurations=METHODS, seeds=[0, 1])
    bench_plans.with_texts(root / "plans", configurations=METHODS)
    bench_plans.plan(root / "plans", "nobody-s", configurations=METHODS, beside=BESIDE)
    data = bench_plans.texts(folder / "data")
    found = {
        name: surveykit.bench(name, catalog=root, data=data, device="cpu", executor="here")
        for name in ("tiny", "worded")
    }
    return root, found


@pytest.fixture(scope="module")
def ask(ran: tuple[Path, dict[str, Any]]) -> Iterator[Ask]:
    with asking(ran[0]) as ask:
        yield ask


@pytest.fixture
def copy(ran: tuple[Path, dict[str, Any]], tmp_path: Path) -> Path:
    """That catalog, to be changed."""
    return Path(shutil.copytree(ran[0], tmp_path / "catalog"))


def files(root: Path, plan: str = "tiny") -> list[Path]:
    return sorted((root / "measured" / "bench" / plan / "cpu").glob("*.json"))


def test_the_database_has_what_the_bench_says(ran: tuple[Path, dict[str, Any]], ask: Ask) -> None:
    found = ran[1]
    assert found.keys() < {plan.id for plan in ask("FROM plan")}
    for plan in ask("FROM plan WHERE id <> 'nobody-s'"):
        assert (plan.cells, plan.says) == (found[plan.id].cells, found[plan.id].says)
        shown = ask(f"FROM bench WHERE plan = '{plan.id}' ORDER BY position")
        assert [(row.device, row.tier) for row in shown] == [("cpu", "measured here")] * len(METHODS)
        for row, said in zip(shown, found[plan.id].rows, strict=True):
            assert {name: getattr(row, name) for name in type(said).model_fields} == said.model_dump()
    assert {row.task for row in ask("FROM bench")} == {None, "praised"}
    assert all(row.score is not None for row in ask("FROM bench WHERE task IS NOT NULL"))


def test_every_file_is_a_row(ran: tuple[Path, dict[str, Any]], ask: Ask) -> None:
    root, found = ran
    runs = {(row.plan, row.id): row for row in ask("FROM bench_run")}
    surveykit.validate(catalog=root)
    assert len(runs) == sum(bench.done for bench in found.values())
    for plan in found:
        for path in files(root, plan):
            result, row = read_result(path), runs[plan, path.stem]
            assert result is not None
            assert (row.folder, row.device, row.is_stale, row.status) == ("cpu", "cpu", False, "finished")
            assert (row.peak_bytes, row.trainable, row.seed) == (result.memory.peak, result.trainable, result.seed)
            assert row.torch == result.machine.versions["torch"]
            assert row.tokens_per_second > 0 < row.inference_tokens_per_second
            assert row.score == (None if result.score is None else result.score.value)


def test_a_catalog_without_plans_has_empty_tables(tmp_path: Path) -> None:
    with asking(small_catalog.write(tmp_path / "catalog")) as ask:
        assert [ask(f"FROM {table}") for table in ("plan", "bench", "bench_run")] == [[], [], []]


def test_what_a_plan_measured_before_it_changed_is_stale_and_sums_up_to_nothing(copy: Path) -> None:
    bench_plans.plan(copy / "plans", configurations=METHODS, seeds=[0, 1], batch=3)
    with asking(copy) as ask:
        assert {row.is_stale for row in ask("FROM bench_run WHERE plan = 'tiny'")} == {True}
        assert ask("FROM bench WHERE plan = 'tiny'") == []
        assert ask("FROM bench WHERE plan = 'worded'")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda path: path.write_text(path.read_text()[:100]), "this is not a complete bench result"),
        (lambda path: path.write_bytes(b"\xff\x00"), "this is not a complete bench result"),
        (lambda path: path.rename(path.with_stem("0" * 16)), "this result belongs in tiny/cpu/"),
        (lambda path: path.write_text(path.read_text().replace('"cpu"', '"gpu"')), "this result belongs in tiny/gpu/"),
        (lambda path: path.write_text(path.read_text().replace('"full-tuning/all"', '"lora/none"').replace(
            '"lora/qv-r8"', '"lora/none"')), "this measures 'lora/none', which is not in the catalog"),
    ],
)  # fmt: skip
def test_a_file_at_fault_is_left_out_and_named(copy: Path, damage: Any, said: str) -> None:
    whole = len(files(copy))
    damage(files(copy)[0])
    with asking(copy) as ask:
        assert len(ask("FROM bench_run WHERE plan = 'tiny'")) == whole - 1
    with pytest.raises(CatalogError) as error:
        surveykit.validate(catalog=copy)
    (problem,) = error.value.problems
    assert said in problem.message
    assert problem.file.startswith("catalog/measured/bench/tiny")


BESIDE = {
    "source": SURVEY, "table": "table5",
    "columns": {"ram_gb": "peak_bytes", "throughput_train": "relative_speed", "throughput_infer": "relative_inference"},
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"configurations": ["lora", "lorra"]}, "there is no method 'lorra'; did you mean 'lora'?"),
        ({"beside": {**BESIDE, "source": "lialin"}}, "beside: there is no source 'lialin'"),
        ({"beside": {**BESIDE, "table": "table6b"}}, "beside: lialin2023scaling has no table 'table6b'"),
        ({"beside": {**BESIDE, "columns": {"ram": "peak_bytes"}}}, "beside: table5 has no column 'ram'"),
        ({"beside": {**BESIDE, "tasks": {"row": {"Houlsby": "rte"}}}}, "beside: the plan has no task 'rte'"),
        ({"beside": {**BESIDE, "columns": {"ram_gb": "memory"}}}, "peak_bytes"),
    ],
)  # fmt: skip
def test_a_plan_at_fault_is_a_fault_of_the_catalog(copy: Path, change: dict[str, Any], said: str) -> None:
    bench_plans.plan(copy / "plans", **{"configurations": METHODS, **change})
    with pytest.raises(CatalogError, match=r"tiny\.yaml") as error:
        surveykit.validate(catalog=copy)
    assert said in str(error.value)


def repeat(root: Path, name: str, content: dict[str, Any], devices: tuple[str, ...]) -> list[BenchResult]:
    """Write a plan of catalogued models, and give its cells results of the tiny one, on some devices."""
    (root / "plans" / f"{name}.yaml").write_text(yaml.safe_dump({"id": name, **content}), encoding="utf-8")
    catalog, written = load(root), []
    like = {bool(result.task): result for plan in ("tiny", "worded") if (result := read_result(files(root, plan)[0]))}
    for number, cell in enumerate(cells_of(catalog, read_plan(root, name)), start=1):
        for device in devices:
            tiny = like[cell.task is not None]
            scored = tiny.score and tiny.score.model_copy(update={"each": (*[1.0] * number, *[0.0] * (4 - number))})
            result = tiny.model_copy(
                update={
                    "id": cell.id, "plan": name, "configuration": cell.configuration, "model": cell.model.id,
                    "seed": cell.seed, "rate": cell.rate, "task": cell.task and cell.task.id, "score": scored,
                    "machine": tiny.machine.model_copy(update={"device": device}),
                    "memory": tiny.memory.model_copy(update={"peak": number * 10**9 + len(device)}),
                }
            )  # fmt: skip
            Results(root / "measured" / "bench" / name, device).write(result)
            written.append(result)
    return written


TABLE5 = {
    "says": "Memory and speed as the survey measured them.", "beside": BESIDE, "models": [{"id": "t5-large"}],
    "configurations": ["full-tuning/all", "lora/qv-r8"], "batch": 2, "length": 6, "steps": 3, "warm_up": 1,
    "rates": [0.001],
}  # fmt: skip


def verified(root: Path, *more: str) -> None:
    """The command; findings are of counts that the small catalog does not have."""
    main(["verify", "--catalog", str(root), "--source", SURVEY, "--table", "table5", "--sample", "0", "--quiet", *more])


def test_verify_shows_what_was_measured_beside_the_printed_figures(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    verified(copy, "--format", "markdown")
    before = capsys.readouterr().out
    assert "measured_here" not in before
    results = repeat(copy, "again", TABLE5, DEVICES)
    verified(copy, "--format", "json")
    said = json.loads(capsys.readouterr().out)
    shown = {(row["row"], row["column"], row["device"]): row for row in said if row["device"]}
    labels = {"full-tuning/all": "Full tuning on t5-large", "lora/qv-r8": "LoRa (q and v) on t5-large"}
    for result in results:
        own = {
            column: shown[labels[result.configuration], column, result.machine.device] for column in BESIDE["columns"]
        }
        assert own["ram_gb"]["measured_here"] == result.memory.peak / 10**9
        assert own["throughput_train"]["measured_here"] == pytest.approx(100), "all have the same times"
        assert own["throughput_infer"]["measured_here"] == pytest.approx(100)
        assert {row["tier"] for row in own.values()} == {"measured here"}
    assert len(shown) == len(results) * len(BESIDE["columns"])
    others = [row for row in said if not row["device"]]
    assert {(row["measured_here"], row["tier"]) for row in others} == {(None, None)}
    verified(copy, "--format", "markdown")
    after = capsys.readouterr().out
    assert after.count("NVIDIA H200") == len(shown) / len(DEVICES)
    assert after.splitlines()[-1] == before.splitlines()[-1], "nothing is judged by it"
    report = surveykit.verify(source=SURVEY, sample=0, catalog=copy)
    assert sum(len(verdict.here) for verdict in report.verdicts) == len(shown)


def test_a_plans_page_has_them_too(copy: Path, tmp_path: Path) -> None:
    results = repeat(copy, "again", TABLE5, DEVICES)
    build(load(copy), tmp_path / "site.duckdb")
    with reading(tmp_path / "site.duckdb") as reader:
        rows = reader.all("FROM bench_claim")
        (context,) = (context for plan, context in plan_contexts(reader, {}, Surroundings()) if plan.id == "again")
    assert len(rows) == len(results) * len(BESIDE["columns"])
    tables = {device["name"]: str(device["beside"]).splitlines() for device in context["devices"]}
    assert tables.keys() == {*DEVICES}
    labels = {"full-tuning/all": "Full tuning", "lora/qv-r8": "LoRa (q and v)"}
    for result in results:
        head, _, *lines = tables[result.machine.device]
        (line,) = (line for line in lines if labels[result.configuration] in line)
        heads, cells = ([cell.strip() for cell in row.strip("|").split("|")] for row in (head, line))
        here = heads.index("here", heads.index("Peak memory, GB: printed"))
        assert cells[here] == f"{result.memory.peak / 10**9:.1f}"
        assert "100.0" in line


def test_scores_stand_beside_their_task_and_seed(copy: Path) -> None:
    from surveykit.verify.here import with_figures
    from surveykit.verify.verdicts import Found, Verdict

    tables = copy / "sources" / SURVEY / "tables"
    (tables / "appendix_b.csv").write_text(
        "model,method,dataset,seed,score\nT5 Large,LoRA (q and v),RTE,0,80.1\nT5 Large,LoRA (q and v),RTE,,81.2\n"
        "T5 Large,LoRA (q and v),RTE,7,82.1\nT5 Large,LoRA (q and v),COPA,0,70\n",
        encoding="utf-8",
    )
    task = yaml.safe_load((copy / "plans" / "worded.yaml").read_text())["tasks"][0]
    content = {
        **TABLE5, "tasks": [{**task, "id": "rte"}], "configurations": ["lora/qv-r8"], "seeds": [0, 1],
        "models": [{"id": "t5-large", "tokenizer": {"path": "tokenizer"}}],
        "beside": {"source": SURVEY, "table": "appendix_b", "columns": {"score": "score"}, "seed": "seed",
                   "tasks": {"dataset": {"RTE": "rte"}}},
    }  # fmt: skip
    names = yaml.safe_load((copy / "sources" / SURVEY / "names.yaml").read_text())
    names["methods"].append({"printed": "LoRA (q and v)", "tables": ["appendix_b"], "method": "lora",
                             "configuration": "lora/qv-r8", "evidence": "The name that the appendix gives it."})  # fmt: skip
    (copy / "sources" / SURVEY / "names.yaml").write_text(yaml.safe_dump(names), encoding="utf-8")
    repeat(copy, "scores", content, ("cpu",))
    catalog = load(copy)
    claims = [claim for claim in catalog.claims if claim.table == "appendix_b"]
    nothing = Found("not_comparable", None, None, "")
    shown = with_figures(catalog, [Verdict(claim, nothing, None) for claim in claims])
    seeds = [25.0, pytest.approx((25 + 50) / 2), None, None]
    assert [verdict.here[0].value if verdict.here else None for verdict in shown] == seeds


def test_the_survey_s_plans_say_whose_tables_they_repeat(catalog: Any) -> None:
    plans: list[Plan] = [read_plan(catalog.root, name) for name in ("survey-table5", "survey-scores")]
    for plan in plans:
        assert plan.beside is not None
        printed = {
            (claim.configuration, claim.model)
            for claim in catalog.claims
            if (claim.source, claim.table) == (plan.beside.source, plan.beside.table)
        }
        cells = {(cell.configuration, cell.model.id) for cell in cells_of(catalog, plan)}
        assert printed <= cells
        assert {name for name, _ in printed} == {name for name, _ in cells}


@pytest.fixture(scope="module")
def pages(ran: tuple[Path, dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Page]:
    """The pages of that catalog."""
    database = tmp_path_factory.mktemp("pages") / "site.duckdb"
    build(load(ran[0]), database)
    return {page.path: page for page in render(database, around=Surroundings(bench=result_files(ran[0])))}


def test_every_plan_has_a_page_with_what_was_measured(pages: dict[str, Page], ran: tuple[Path, dict[str, Any]]) -> None:
    for plan, bench in ran[1].items():
        page = str(pages[f"bench/{plan}.md"].content)
        assert f"]({plan}.md)" in str(pages["bench/index.md"].content)
        assert f"surveykit bench {plan}" in page
        for row in bench.rows:
            line = next(line for line in page.splitlines() if f"[{row.configuration}]" in line)
            assert f"{row.trainable:,}" in line
            if row.score is not None:
                assert f"{100 * row.score:.1f} ({100 * row.score_low:.1f} to {100 * row.score_high:.1f})" in line
                assert f"| {100 * row.chance:.1f} |" in line
        drawing = pages[f"figures/bench-{plan}-cpu-light.svg"].content
        assert isinstance(drawing, bytes)
        assert all(row.configuration in drawing.decode() for row in bench.rows)


def test_raw_files_are_on_the_site(pages: dict[str, Page], ran: tuple[Path, dict[str, Any]]) -> None:
    for plan in ran[1]:
        text = str(pages[f"bench/{plan}.md"].content)
        for path in files(ran[0], plan):
            assert f"[{path.stem}](results/{plan}/cpu/{path.name})" in text
            assert pages[f"bench/results/{plan}/cpu/{path.name}"].content == path


def test_a_plan_that_nobody_ran_says_so(pages: dict[str, Page], catalog: Any, database: Path) -> None:
    assert "Nobody has run this plan" not in str(pages["bench/tiny.md"].content)
    assert "Nobody has run this plan yet: Table 5 of [" in str(pages["bench/nobody-s.md"].content)
    with reading(database) as reader:
        contexts = {plan.id: context for plan, context in plan_contexts(reader, {}, Surroundings())}
    assert contexts.keys() == {path.stem for path in (catalog.root / "plans").glob("*.yaml")}
    assert "scattertext==0.2.2" in contexts["smoke"]["steps"]
    assert "--data FOLDER" in contexts["survey-scores"]["steps"]
    assert "--data" not in contexts["survey-table5"]["steps"]
    for context in contexts.values():
        assert len(context["steps"].splitlines()) <= 10
        assert "peft-metamathqa" in context["elsewhere"]


def test_the_whole_site_is_built_with_them(ran: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    site = build_site(site_config.write(tmp_path, ran[0]), strict=True)  # a broken link is an error
    for plan in ran[1]:
        for path in files(ran[0], plan):
            assert (site / "bench" / "results" / plan / "cpu" / path.name).read_bytes() == path.read_bytes()
