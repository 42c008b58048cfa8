"""A folder of one's own lies over the bundled catalog: one source, one method or one model alone is enough."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

import pytest
import resealed
import small_catalog
from conftest import CATALOG

import surveykit
from surveykit.bench.cells import plans
from surveykit.catalog.layers import entries, first, layers, name_of
from surveykit.catalog.load import Catalog, load
from surveykit.catalog.locate import ENVIRONMENT, HOLDS, locate
from surveykit.cli import main
from surveykit.errors import CatalogError, SurveyError
from surveykit.scaffold import KINDS, Kind, write

OWN = {"source": "my-draft", "method": "my-method", "model": "my-model", "plan": "my-plan"}


@pytest.fixture(scope="module")
def overlays(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder with one thing alone, for each kind of thing."""
    found = {}
    for kind in KINDS:
        found[kind] = tmp_path_factory.mktemp(f"one-{kind}") / "mine"
        write(kind, OWN[kind], found[kind])
        assert [path.name for path in found[kind].iterdir()] == [f"{kind}s"]
    return found


def run(root: Path, *words: str) -> int:
    return main(["--catalog", str(root), *words])


def answer(root: Path, sql: str, capsys: pytest.CaptureFixture[str]) -> list[dict[str, str]]:
    assert run(root, "query", "--sql", sql, "--format", "csv") == 0
    return list(csv.DictReader(io.StringIO(capsys.readouterr().out)))


@pytest.mark.sampled
@pytest.mark.parametrize("kind", KINDS)
def test_one_thing_alone_is_a_catalog(
    kind: Kind, overlays: dict[str, Path], catalog: Catalog, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every command that reads finds it, and all that is bundled beside it."""
    root, name = overlays[kind], OWN[kind]
    assert run(root, "sources", "--format", "json") == 0
    listed = {row["source"] for row in json.loads(capsys.readouterr().out)}
    assert listed == {*catalog.sources, *([name] if kind == "source" else [])}
    table, column = {"source": ("source", "key"), "model": ("backbone", "id")}.get(kind, (kind, "id"))
    rows = answer(root, f"SELECT {column} AS id FROM {table}", capsys)
    bundled = plans(CATALOG) if kind == "plan" else getattr(catalog, f"{kind}s")
    assert {row["id"] for row in rows} == {*bundled, name}
    counted = answer(root, "SELECT count(*) AS rows FROM measurement", capsys)
    assert counted == [{"rows": str(len(catalog.measurements))}]


def test_an_own_source_is_counted_listed_and_verified(
    overlays: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    root = overlays["source"]
    (mine,) = [source for source in surveykit.sources(catalog=root) if source.source == "my-draft"]
    assert (mine.kind, mine.tier, mine.tables, mine.claims) == ("draft", "printed", 1, 4)
    assert (
        run(
            root, "verify", "--source", "my-draft", "--table", "results", "--format", "json", "--sample", "0", "--quiet"
        )
        == 0
    )
    shown = capsys.readouterr()
    rows = json.loads(shown.out)
    assert [(row["source"], row["printed"], row["verdict"]) for row in rows] == [
        ("my-draft", printed, "match") for printed in ("2.36", "0.32", "4.72", "0.64")
    ]
    assert rows[2]["configuration"] == "lora/qv-r8 · alpha=16 · rank=16"
    assert "My Draft, Table 1: " in shown.err


def test_a_figure_of_an_own_source_that_differs_fails_the_check(
    overlays: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = Path(shutil.copytree(overlays["source"], tmp_path / "mine"))
    table = root / "sources" / "my-draft" / "tables" / "results.csv"
    table.write_text(table.read_text(encoding="utf-8").replace("2.36", "2.63"), encoding="utf-8")
    assert (
        run(
            root,
            "verify",
            "--source",
            "my-draft",
            "--verdict",
            "differs",
            "--format",
            "csv",
            "--sample",
            "0",
            "--quiet",
        )
        == 1
    )
    shown = capsys.readouterr()
    (row,) = csv.DictReader(io.StringIO(shown.out))
    assert (row["printed"], row["measured"]) == ("2.63", "2.359296")
    (finding,) = [line for line in shown.err.splitlines() if line.startswith("unexplained: ")]
    assert finding.startswith("unexplained: my-draft: Table 1, T5-Large, LoRA, r = 8, params_millions: printed 2.63")
    assert finding.endswith("add it to sources/my-draft/explanations.yaml")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--source", "my-drafts"], "there is no source 'my-drafts'; did you mean 'my-draft'?"),
        (["--source", "peft-metamathqua"], "did you mean 'peft-metamathqa'?"),
        (["--source", "my-draft", "--table", "result"], "no table 'result' has claims; did you mean 'results'?; there are results"),
    ],
)  # fmt: skip
def test_unknown_names_are_refused_with_the_nearest(
    overlays: dict[str, Path], words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(overlays["source"], "verify", *words, "--sample", "0", "--quiet") == 2
    shown = capsys.readouterr()
    assert said in shown.err
    assert shown.out == ""


def test_an_own_method_is_counted_and_its_records_lie_beside_it(
    overlays: dict[str, Path], tmp_path: Path, catalog: Catalog
) -> None:
    """The bundled records stay where they are, and hold."""
    root = Path(shutil.copytree(overlays["method"], tmp_path / "mine"))
    before = {path: path.stat().st_mtime_ns for path in (CATALOG / "measured").rglob("*")}
    recording = surveykit.measure("my-method", backbone="t5-small", only="counts", catalog=root)
    assert recording.cells == {"counts": 1}
    assert {path.relative_to(root).as_posix() for path in recording.files} == {
        "measured/runs.csv", "measured/counts/my-method.csv",
    }  # fmt: skip
    assert {path: path.stat().st_mtime_ns for path in (CATALOG / "measured").rglob("*")} == before
    assert surveykit.verify_params(method="my-method", backbone="t5-small", catalog=root).passed
    own = load(root)
    assert len(own.measurements) == len(catalog.measurements) + 1
    assert own.runs.keys() >= {m.run for m in own.measurements}


def test_an_own_model_can_be_counted_on(overlays: dict[str, Path]) -> None:
    count = surveykit.count("lora", model="my-model", catalog=overlays["model"])
    assert count.model.parameters > 10**9
    assert count.trainable


def test_what_is_one_s_own_hides_what_is_bundled(tmp_path: Path) -> None:
    (tmp_path / "methods").mkdir()
    text = (CATALOG / "methods" / "lora.yaml").read_text(encoding="utf-8")
    (tmp_path / "methods" / "lora.yaml").write_text(text.replace("name: LoRA\n", "name: Our LoRA\n"), encoding="utf-8")
    assert load(tmp_path, measured=False).methods["lora"].name == "Our LoRA"
    (tmp_path / "methods" / "lora.yaml").write_text(text.replace("family:", "familiy:"), encoding="utf-8")
    with pytest.raises(CatalogError) as caught:
        load(tmp_path, measured=False)
    assert {problem.file for problem in caught.value.problems} == {f"{tmp_path.name}/methods/lora.yaml"}


def test_own_papers_stand_beside_the_bundled_ones(tmp_path: Path) -> None:
    write("source", "my-draft", tmp_path)
    source = tmp_path / "sources" / "my-draft" / "source.yaml"
    source.write_text(
        source.read_text(encoding="utf-8").replace("# paper: key2026words", "paper: doe2026mine"), "utf-8"
    )
    with pytest.raises(CatalogError, match=r"source\.yaml:\d+:8: no entry of papers\.bib 'doe2026mine'"):
        load(tmp_path, measured=False)
    entry = "@article{doe2026mine,\n  title = {Mine},\n  author = {Doe, Jane},\n  year = {2026},\n  url = {https://example.org/}\n}\n"
    (tmp_path / "papers.bib").write_text(entry, encoding="utf-8")
    assert {"doe2026mine", "hu2022lora"} <= set(load(tmp_path, measured=False).papers)


def test_a_folder_with_its_own_quantities_stands_alone(tmp_path: Path) -> None:
    root = small_catalog.write(tmp_path / "catalog")
    assert layers(root) == (root,)
    alone = load(root)
    assert set(alone.methods) == set(small_catalog.METHODS)
    assert set(alone.sources) == {"lialin2023scaling"}
    (root / "settings.yaml").unlink()
    with pytest.raises(CatalogError, match=r"settings\.yaml: this file is missing: how training runs"):
        load(root)
    (root / "quantities.yaml").unlink()
    assert layers(root) == (root, CATALOG)
    assert set(load(root, measured=False).methods) > set(small_catalog.METHODS)


def test_where_a_file_is_looked_for(tmp_path: Path) -> None:
    root = tmp_path / "catalog"  # called as the bundled one is
    write("method", "my-method", root)
    assert layers(CATALOG) == (CATALOG,)
    assert first(root, "methods/my-method.yaml").is_relative_to(root)
    assert first(root, "methods/lora.yaml") == CATALOG / "methods" / "lora.yaml"
    assert first(root, "methods/none.yaml") == root / "methods" / "none.yaml"
    assert name_of(root, root / "methods" / "my-method.yaml") == "catalog/methods/my-method.yaml"
    assert name_of(root, CATALOG / "methods" / "lora.yaml") == "bundled/methods/lora.yaml"
    (root / "methods" / ".my-method.yaml.surveykit-1-x.y.partial").mkdir()
    assert set(entries(root, "methods")) == {path.name for path in (CATALOG / "methods").iterdir()} | {"my-method.yaml"}


def test_records_at_fault_are_told_as_whose_they_are(tmp_path: Path) -> None:
    write("method", "my-method", tmp_path)
    (tmp_path / "measured" / "counts").mkdir(parents=True)
    (row, *_) = resealed.read(CATALOG / "measured" / "counts" / "lora.csv")
    path = tmp_path / "measured" / "counts" / "my-method.csv"
    resealed.write(path, [row | {"configuration": "my-method/q-r4"}])
    with pytest.raises(CatalogError) as caught:
        load(tmp_path)
    (problem,) = caught.value.problems
    assert problem.file == f"{tmp_path.name}/measured/counts/my-method.csv"
    assert "edited by hand or damaged" in problem.message


@pytest.mark.parametrize("holds", HOLDS)
def test_what_makes_a_folder_a_catalog(holds: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "catalog").mkdir()
    with pytest.raises(
        SurveyError, match=r"is not a catalog, since it has none of methods, models, sources, plans, quantities\.yaml"
    ):
        locate()
    if holds == "quantities.yaml":
        shutil.copy(CATALOG / holds, tmp_path / "catalog")
    else:
        (tmp_path / "catalog" / holds).mkdir()
    assert locate().chosen_by == "./catalog"
