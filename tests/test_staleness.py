"""What makes a recorded measurement stale: each thing changed in a copy, and nothing else."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from conftest import CATALOG, ROOT

import surveykit.catalog.staleness as staleness
from surveykit.catalog.load import Catalog, load
from surveykit.catalog.measured import Cell, cells, current_key, stale
from surveykit.catalog.package_code import PackageCode
from surveykit.catalog.shelves import method_of
from surveykit.catalog.staleness import ENTRIES, Measure
from surveykit.errors import SurveyError

MEASURES: tuple[Measure, ...] = get_args(Measure)
Edit = Callable[[Path], object]


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of what measurements may rest on."""
    package = tmp_path / "surveykit"
    for folder in ("engine", "recipes", "catalog", "verify", "fit"):
        shutil.copytree(ROOT / "surveykit" / folder, package / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for path in (ROOT / "surveykit").glob("*.py"):
        shutil.copy(path, package)
    return package


@pytest.fixture(scope="module")
def keys(catalog: Catalog) -> dict[Measure, dict[Cell, str]]:
    """A cell of each configuration, with its key: code decides over all backbones alike."""
    chosen = {measure: {cell.configuration: cell for cell in cells(catalog, measure)} for measure in MEASURES}
    return {m: {cell: current_key(catalog, cell) for cell in chosen[m].values()} for m in MEASURES}


@pytest.fixture
def stale_in(
    monkeypatch: pytest.MonkeyPatch, catalog: Catalog, package: Path, keys: dict[Measure, dict[Cell, str]]
) -> Iterator[Callable[[], dict[str, set[str]]]]:
    """The methods whose key is another one with the code of the copy, by measure."""

    def changed() -> dict[str, set[str]]:
        monkeypatch.setattr(staleness, "CODE", PackageCode(package))
        staleness._code.cache_clear()
        return {
            m: {method_of(c.configuration) for c, key in keys[m].items() if current_key(catalog, c) != key}
            for m in MEASURES
        }

    yield changed
    staleness._code.cache_clear()


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text, f"{path.name} no longer contains {old!r}"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def append(module: str, text: str) -> Edit:
    def change(package: Path) -> None:
        with (package / module).open("a", encoding="utf-8") as file:
            file.write(text)

    return change


def respelt(package: Path) -> None:
    """Every module of the engine with another first docstring, comments, and blank lines."""
    for path in (package / "engine").rglob("*.py"):
        text = re.sub(r'\A"""', '"""Said otherwise. ', path.read_text(encoding="utf-8"))
        text = re.sub(r"\n\n\n", "\n\n\n# a remark\n\n\n", text)
        path.write_text(text.replace("from surveykit.errors import (", "from surveykit.errors import(  # so"), "utf-8")


WITHOUT_A_RESULT: tuple[Edit, ...] = (
    append("engine/edits/attach.py", "\n# a remark\n"),
    append("engine/edits/attach.py", '\n"""A string that nothing reads."""\n'),
    append("recipes/ladder.py", "\n# a remark\n"),
    append("engine/train/pretrained_trial.py", "\nX = 1\n"),
    append("engine/on_model.py", "\nX = 1\n"),
    append("catalog/load.py", "\nX = 1\n"),
    append("catalog/staleness.py", "\nX = 1\n"),
    append("verify/ticks.py", "\nX = 1\n"),
    append("__init__.py", '\nX = "another version"\n'),
    respelt,
)


def test_what_changes_no_result_makes_nothing_stale(package: Path, stale_in: Callable[[], dict[str, set[str]]]) -> None:
    """All of it at once: of no change is anything seen."""
    for change in WITHOUT_A_RESULT:
        change(package)
    assert stale_in() == {measure: set() for measure in MEASURES}


@pytest.mark.sampled(depend=lambda measures: tuple(sorted(measures)))
@pytest.mark.parametrize(
    ("module", "depend"),
    [
        ("engine/edits/attach.py", {*MEASURES}),
        ("engine/measure_counts.py", {"counts"}),
        ("engine/trace/memory.py", {"costs", "predictions"}),
        ("engine/trace/flops.py", {"costs", "predictions"}),
        ("engine/measure_costs.py", {"costs"}),
        ("engine/measure_predictions.py", {"predictions"}),
        ("engine/measure_files.py", {"files"}),
        ("catalog/peft_arguments.py", {"files"}),
        ("engine/edits/saving.py", {"trials"}),
        ("engine/models/tiny.py", {"trials"}),
        ("engine/train/objectives.py", {"costs", "predictions", "trials"}),
        ("engine/__init__.py", {*MEASURES}),
        ("catalog/models.py", {*MEASURES}),
        ("catalog/dimensions.py", {*MEASURES}),
        ("catalog/model_folder.py", set()),
        ("recipes/base.py", {*MEASURES}),
        ("record.py", {*MEASURES}),
    ],
)
def test_a_statement_makes_all_that_depends_on_it_stale(
    package: Path, stale_in: Callable[[], dict[str, set[str]]], catalog: Catalog, module: str, depend: set[str]
) -> None:
    append(module, "\nX = 1\n")(package)
    assert stale_in() == {m: measured(catalog, m) if m in depend else set() for m in MEASURES}


def measured(catalog: Catalog, measure: Measure) -> set[str]:
    """The methods of which something is measured: all, but predictions only of those whose memory sources print."""
    return {method_of(cell.configuration) for cell in cells(catalog, measure)}


def test_of_the_kinds_of_edits_only_those_count_that_a_recipe_uses(
    package: Path, stale_in: Callable[[], dict[str, set[str]]], catalog: Catalog
) -> None:
    append("recipes/soft_prompt.py", "\nX = 1\n")(package)
    found = stale_in()
    # other kinds build on it: their modules take something from it
    users = {
        name for name, method in catalog.methods.items() for c in method.configurations for s in c.recipe.stages
        for e in s.edits for used in vars(sys.modules[type(e).__module__]).values()
        if getattr(used, "__module__", None) == "surveykit.recipes.soft_prompt"
    }  # fmt: skip
    assert {"prompt-tuning", "ipt"} <= users < set(catalog.methods)
    assert found.pop("files") == measured(catalog, "files"), "what puts a recipe to PEFT knows all kinds"
    assert found == {measure: users & measured(catalog, measure) for measure in MEASURES if measure != "files"}


def test_a_module_that_is_gone_is_an_error(package: Path, stale_in: Callable[[], dict[str, set[str]]]) -> None:
    (package / "engine" / "edits" / "tensors.py").rename(package / "engine" / "edits" / "pieces.py")
    with pytest.raises(SurveyError, match=r"names the module surveykit\.engine\.edits\.tensors, which does not exist"):
        stale_in()


def test_a_module_taken_from_its_package_that_is_gone_is_an_error(
    package: Path, stale_in: Callable[[], dict[str, set[str]]]
) -> None:
    train = package / "engine" / "train"
    assert "from surveykit.engine.train import movement" in (train / "trial.py").read_text()
    (train / "movement.py").rename(train / "moves.py")
    with pytest.raises(
        SurveyError, match=r"engine\.train\.trial takes 'movement' from surveykit\.engine\.train, which has no such"
    ):
        stale_in()


def test_an_entry_that_is_gone_is_an_error(package: Path, stale_in: Callable[[], dict[str, set[str]]]) -> None:
    (package / "engine" / "measure_costs.py").rename(package / "engine" / "tracing_costs.py")
    with pytest.raises(SurveyError, match=r"names the module surveykit\.engine\.measure_costs, which does not exist"):
        stale_in()


LOADED = """
import json, sys
from importlib import import_module

loaded = {}
for measure, entries in json.loads(sys.argv[1]).items():
    for name in [name for name in sys.modules if name.startswith("surveykit")]:
        del sys.modules[name]
    for entry in entries:
        import_module(entry)
    loaded[measure] = [name for name in sys.modules if name.startswith("surveykit.")]
print(json.dumps(loaded))
"""


ASKED_FOR = {"surveykit.descriptions"}
"""Loaded only where somebody asks a record for its schema."""


def test_what_is_followed_is_what_python_loads() -> None:
    """Kinds of edits are loaded by name, all of them; keys have those that a recipe uses."""
    words = [sys.executable, "-c", LOADED, json.dumps(dict(ENTRIES))]
    loaded = json.loads(subprocess.run(words, capture_output=True, text=True, check=True, cwd=ROOT).stdout)
    assert set(loaded) == set(MEASURES)
    for measure in MEASURES:
        followed = set(staleness.CODE.reached(ENTRIES[measure]))
        assert followed - ASKED_FOR <= set(loaded[measure])
        more = set(loaded[measure]) - followed
        assert all(name.startswith("surveykit.recipes.") or name == "surveykit.arithmetic" for name in more), more


BY_NAME = {"surveykit.recipes", "surveykit.engine.models.kinds", "surveykit.engine.models.peft_modules"}
"""The first loads kinds of edits, which keys have by themselves; the second transformers' modules, whose version keys have; the
third asks whether PEFT is installed."""


def test_no_module_that_is_followed_loads_another_by_name() -> None:
    followed = {name for measure in MEASURES for name in staleness.CODE.reached(ENTRIES[measure])}
    by_name = [
        name for name in followed - BY_NAME
        if "importlib" in staleness.CODE._module(name, "a test").path.read_text(encoding="utf-8")
    ]  # fmt: skip
    assert not by_name


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(CATALOG, tmp_path / "catalog"))


def other_keys(before: Catalog, root: Path) -> dict[Measure, set[Cell]]:
    """The cells whose key is another one with the catalog as it is now."""
    after = load(root, measured=False)
    return {m: {c for c in cells(before, m) if current_key(before, c) != current_key(after, c)} for m in MEASURES}


def test_another_batch_makes_costs_stale_and_nothing_else(copy: Path, catalog: Catalog) -> None:
    edit(copy / "sources" / "lialin2023scaling" / "tables" / "table3.csv", "T53B,RTE,4", "T53B,RTE,1")
    on_that_model = {cell for cell in cells(catalog, "costs") if cell.backbone == "t5-3b"}
    assert other_keys(catalog, copy) == {m: on_that_model if m == "costs" else set() for m in MEASURES}


def test_another_length_makes_costs_stale_and_nothing_else(copy: Path, catalog: Catalog) -> None:
    """The default configuration of a method is traced at more lengths than others."""
    text = (copy / "methods" / "bitfit.yaml").read_text(encoding="utf-8")
    swapped = re.sub(
        r"default: (true|false)", lambda m: f"default: {'false' if m[1] == 'true' else 'true'}", text, count=2
    )
    (copy / "methods" / "bitfit.yaml").write_text(swapped, encoding="utf-8")
    found = other_keys(catalog, copy)
    assert (found["counts"], found["trials"]) == (set(), set())
    assert {method_of(cell.configuration) for cell in found["costs"]} == {"bitfit"}


def test_prose_makes_nothing_stale(copy: Path, catalog: Catalog) -> None:
    edit(copy / "methods" / "lora.yaml", "idea: >-\n", "idea: >-\n  Another first sentence.\n")
    edit(
        copy / "models" / "t5-large" / "model.yaml", "parameters_source: >-\n", "parameters_source: >-\n  As before:\n"
    )
    assert other_keys(catalog, copy) == {measure: set() for measure in MEASURES}


def test_a_row_of_memory_that_is_gone_makes_its_costs_stale(catalog: Catalog) -> None:
    def current(row: Any) -> Any:
        return row.model_copy(update={"key": current_key(catalog, Cell(row.backbone, row.configuration, "costs"))})

    costs, memory = tuple(map(current, catalog.costs)), tuple(map(current, catalog.memory))
    assert stale(dataclasses.replace(catalog, costs=costs, memory=memory), "costs") == []
    gone = next(row for row in memory if (row.configuration, row.backbone) == ("lora/qv-r8", "t5-3b"))
    without = tuple(row for row in memory if row is not gone)
    found = stale(dataclasses.replace(catalog, costs=costs, memory=without), "costs")
    assert [str(cell) for cell in found] == ["lora/qv-r8 on t5-3b"]
