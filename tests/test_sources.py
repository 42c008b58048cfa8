"""Sources: what is wrong with one is said in a line each, and what the bundled ones print is counted."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from extract.transcribe_sources import TABLES, transcribed

from surveykit.catalog.claims import claims
from surveykit.catalog.load import Catalog, load
from surveykit.catalog.measured import Cell
from surveykit.catalog.variations import varied_name, varied_recipe
from surveykit.engine.measure import measure
from surveykit.errors import CatalogError, SurveyError
from surveykit.verify import judge
from surveykit.verify.evidence import Evidence
from surveykit.verify.explanations import check_explanations
from surveykit.verify.verdicts import Verdict

SOURCE = "name: A draft\nkind: draft\ndate: 2026-01-02\nread: Written here for this test.\ntier: printed\n"
TABLE = """locator: Table 1
says: Sizes of methods
row: method
model: model
columns:
  millions: {quantity: trainable, unit: million}
"""
CELLS = "method,model,millions\nOurs,Large,2.36\nOurs,Small,9.99\n"
NAMES = """models:
- {printed: Large, model: t5-large}
- {printed: Small, model: t5-small}
methods:
- printed: Ours
  method: lora
  configuration: lora/qv-r8
  evidence: Rank 8 on query and value.
"""
EXPLANATIONS = """explanations:
- table: table1
  row: Ours
  figures:
  - {model: t5-small, printed: {millions: "9.99"}}
  cause: unresolved
  text: The printed figure is far from every count that was tried.
  innocent: It may be a slip of the pen in a draft.
  tried: [lora/qv-r8, lora/qv-r4, lora/all-linear-r8]
"""
FILES = {
    "source.yaml": SOURCE,
    "tables/table1.yaml": TABLE,
    "tables/table1.csv": CELLS,
    "names.yaml": NAMES,
    "explanations.yaml": EXPLANATIONS,
}


def written(root: Path, source: str = "draft", **changed: tuple[str, str]) -> Path:
    """A source in a user's folder; `changed` replaces a text in a file, which is named by its last word."""
    for name, text in FILES.items():
        stem = name.replace("tables/table1", "table").replace(".", "_")
        old, new = changed.get(stem, ("", ""))
        assert old in text
        path = root / "sources" / source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace(old, new, 1) if old else text, encoding="utf-8")
    return root


def test_a_folder_with_one_source_is_enough(tmp_path: Path) -> None:
    catalog = load(written(tmp_path))
    large, small = claims(catalog, "draft")
    assert (large.configuration, large.model, large.printed) == ("lora/qv-r8", "t5-large", "2.36")
    verdicts = judge([large, small], Evidence(catalog, catalog.measurements, (), ()))
    assert [v.outcome for v in verdicts] == ["match", "unresolved"]


BAD = {
    "unknown quantity": (
        {"table_yaml": ("quantity: trainable", "quantity: trainible")},
        "tables/table1.yaml:6:24: no quantity 'trainible'; did you mean 'trainable'?",
    ),
    "a row that nobody maps": (
        {"table_csv": ("Ours,Large", "Our,Large")},
        "tables/table1.csv:2:1: names.yaml has no method for the label 'Our'; did you mean 'Ours'?",
    ),
    "a model that nobody maps": (
        {"table_csv": ("Ours,Large", "Ours,large")},
        "tables/table1.csv:2:1: names.yaml has no model for the label 'large'; did you mean 'Large'?",
    ),
    "two maps for one name": (
        {
            "names_yaml": (
                "methods:\n",
                "methods:\n- {printed: Ours, when: {model: Large}, method: lora, evidence: Read anew.}\n",
            )
        },
        "tables/table1.csv:2:1: names.yaml reads the method 'Ours' in 2 ways; tell them apart by `when`",
    ),
    "two maps for one model": (
        {"names_yaml": ("models:\n", "models:\n- {printed: Large, model: t5-base}\n")},
        "tables/table1.csv:2:1: names.yaml reads the model 'Large' in 2 ways; tell them apart by `when`",
    ),
    "a missing column": (
        {"table_csv": (CELLS, "method,model\nOurs,Large\nOurs,Small\n")},
        "tables/table1.csv:1:1: the declared column 'millions' is missing",
    ),
    "a figure that does not parse": (
        {"table_csv": ("2.36", "2.3.6")},
        "tables/table1.csv:2:1: millions: '2.3.6' is not a figure like 12.69, 0.05-0.07, 147K or >0.5",
    ),
    "a figure that is not printed": (
        {"explanations_yaml": ('"9.99"', '"9.98"')},
        "explains the figure 9.98 in millions, but the table prints 9.99; did you mean '9.99'?",
    ),
    "a row that is not there": (
        {"explanations_yaml": ("row: Ours", "row: Hours")},
        "no row 'Hours'; did you mean 'Ours'?",
    ),
    "an unknown hyper-parameter": (
        {"names_yaml": ("  evidence", "  set: {ranc: 4}\n  evidence")},
        "no edit has a hyper-parameter 'ranc'; did you mean 'rank'?",
    ),
    "too little tried": (
        {"explanations_yaml": (", lora/qv-r4, lora/all-linear-r8", "")},
        "an unresolved difference needs at least 3 different tried configurations",
    ),
}


@pytest.fixture(scope="module")
def problems(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """All that is said of one folder with a source for each case."""
    root = tmp_path_factory.mktemp("bad")
    for case, (changed, _) in BAD.items():
        written(root, case.replace(" ", "-"), **changed)
    with pytest.raises(CatalogError) as caught:
        load(root, measured=False)
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_with_a_source_is_said_in_a_line(problems: list[str], case: str) -> None:
    own = [line for line in problems if f"sources/{case.replace(' ', '-')}/" in line]
    assert len(own) == 1, own
    assert BAD[case][1] in own[0]


def test_all_that_is_wrong_is_said_at_once(problems: list[str]) -> None:
    assert len(problems) == len(BAD)


def test_an_explanation_of_a_claim_that_matches_is_found(tmp_path: Path) -> None:
    large = ('{model: t5-small, printed: {millions: "9.99"}}', '{model: t5-large, printed: {millions: "2.36"}}')
    catalog = load(written(tmp_path, explanations_yaml=large))
    evidence = Evidence(catalog, catalog.measurements, (), ())
    found = [str(f) for f in check_explanations(evidence, judge(claims(catalog, "draft"), evidence))]
    assert any("the verdict is match now; remove its explanation" in line for line in found)
    assert any("gives every printed figure; name it in fits_setup" in line for line in found)


def test_a_model_is_told_by_the_size_beside_its_name(tmp_path: Path) -> None:
    names = "- {printed: T5, when: {size: L}, model: t5-large}\n- {printed: T5, when: {size: S}, model: t5-small}\n"
    root = written(
        tmp_path,
        table_yaml=("says: Sizes of methods\n", "says: Sizes of methods\ntext: {size: Size of the model}\n"),
        table_csv=(CELLS, "method,model,size,millions\nOurs,T5,L,2.36\nOurs,T5,S,9.99\n"),
        names_yaml=("- {printed: Large, model: t5-large}\n- {printed: Small, model: t5-small}\n", names),
    )
    assert [claim.model for claim in claims(load(root, measured=False), "draft")] == ["t5-large", "t5-small"]


def test_hyper_parameters_change_in_all_edits_or_in_one(catalog: Catalog) -> None:
    recipe = catalog.recipe("ia3/kv-ff")
    roles = [edit.where.roles for edit in varied_recipe(recipe, {"roles": ["value"]}).stages[0].edits]
    assert roles == [("value",), ("value",)]
    one = varied_recipe(recipe, {"roles@2": ["feed_forward_in"]}).stages[0].edits
    assert [edit.where.roles for edit in one] == [("key", "value"), ("feed_forward_in",)]
    last = varied_recipe(catalog.recipe("top-layer-tuning/decoder-1"), {"layers@1": [-2, -1]}).stages[0].train
    assert [where.layers for where in last] == [(-2, -1), None]
    assert varied_name("a/b", {"size": None, "roles@2": ["x", "y"]}) == "a/b · roles@2=x,y · size=none"
    with pytest.raises(SurveyError, match="there is no edit '3' in 'roles@3'; there are 2, counted from 1"):
        varied_recipe(recipe, {"roles@3": ["value"]})


@pytest.fixture(scope="module")
def judged(catalog: Catalog) -> tuple[Verdict, ...]:
    """Every count that the sources beside the survey print of a named configuration, beside the engine's."""
    wanted = [
        claim for claim in catalog.claims
        if claim.source != "lialin2023scaling" and claim.configuration and claim.model
        and catalog.quantities.by_id[claim.quantity].compare == "rounding"
    ]  # fmt: skip
    cells = {Cell(c.model, c.configuration) for c in wanted if c.model and c.configuration}
    return judge(wanted, Evidence(catalog, measure(catalog, cells), (), ()))


def test_what_sources_count_is_exact_or_explained(judged: tuple[Verdict, ...]) -> None:
    left = [v for v in judged if v.outcome in ("unexplained", "not_measured")]
    assert not [v.name for v in left if v.claim.quantity != "file_size"], "files are measured apart (test_saved_files)"
    exact: dict[tuple[str, str], list[bool]] = {}
    for verdict in judged:
        if verdict.claim.quantity == "trainable":
            exact.setdefault((verdict.claim.source, verdict.claim.table), []).append(verdict.word == "match")
    assert all(exact["peft-metamathqa", "results"])
    assert len(exact["peft-metamathqa", "results"]) >= 19
    assert exact["peft-metamathqa", "history"].count(False) == 1, "OFT of June 2025, which trained whole blocks"
    assert all(exact["litgpt-resources", "finetuning"])
    assert {v.claim.printed for v in judged if v.claim.source == "litgpt-resources"} == {
        "2,097,152", "4,194,304", "6,553,600",
    }  # fmt: skip


def test_explanations_of_the_sources_hold(catalog: Catalog, judged: tuple[Verdict, ...]) -> None:
    tried = {
        Cell(model, name)
        for folder in catalog.sources.values() if folder.key != "lialin2023scaling"
        for explanation in folder.explanations
        for name in explanation.configurations for model in explanation.counted_on
    }  # fmt: skip
    named = {Cell(v.found.model, v.found.configuration) for v in judged if v.found.model and v.found.configuration}
    evidence = Evidence(catalog, measure(catalog, tried | named), (), ())
    assert list(check_explanations(evidence, judged)) == []


def test_repeated_runs_agree_in_memory_and_differ_in_accuracy(catalog: Catalog) -> None:
    import duckdb

    table = catalog.sources["peft-metamathqa"].tables["history"]
    view = next(path for path in catalog.sources["peft-metamathqa"].views)
    with duckdb.connect() as connection:
        columns = list(table.rows[0])
        connection.execute(f"CREATE TABLE peft_metamathqa_history ({', '.join(f'{c} VARCHAR' for c in columns)})")
        marks = ", ".join("nullif(?, '')" for _ in columns)
        connection.executemany(
            f"INSERT INTO peft_metamathqa_history VALUES ({marks})", [list(row.values()) for row in table.rows]
        )
        connection.execute(view.read_text(encoding="utf-8"))
        experiments, memory, accuracy, worst = (
            connection.execute(
                "SELECT count(*), median(peak_spread_percent), median(accuracy_spread), max(accuracy_spread)"
                " FROM peft_metamathqa_spread"
            ).fetchone()
            or ()
        )
    assert experiments >= 30
    assert memory < 0.2
    assert 1 < accuracy < 3
    assert 5 < worst < 6


def rows(name: str) -> Iterator[dict[str, str]]:
    """One run of each shape that is transcribed."""
    at = "owner/name@0123abc:folder/file.json"
    yield {
        "peft-metamathqa": {"test_metric": json.dumps({"test accuracy": 0.25}), "source": at},
        "lora-paper": {"table": "Table 3", "model": "M", "method": "LoRA", "printed_millions": "23.0"},
        "litgpt-resources": {
            "section": "Finetuning with LoRA", "trainable": "2097152", "max_gpu_ram_gb": "", "oom": "OOM",
            "minutes_1k_iter": "",
        },
        "fourierft-paper": {
            "model": "M", "lora_r": "4", "lora_printed": "147K", "lora_bytes_printed": "574KB",
            "fourier_n_printed": "200", "fourier_printed": "4.8K", "fourier_bytes_printed": "18.8KB",
        },
        "qlora-paper": {
            "table": "text", "model": "M", "component": "all", "memory": "780", "unit": "GB (more than)",
            "source": "arXiv 2305.14314 abstract",
        },
    }[name]  # fmt: skip


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("peft-metamathqa/results", {"test_accuracy": "0.25", "forgetting": "", "file": "folder/file.json"}),
        ("peft-metamathqa/history", {"revision": "0123abc"}),
        ("lora-paper/e2e", {"method": "LoRA", "trainable": "23.00"}),
        ("litgpt-resources/finetuning", {"trainable": "2,097,152", "max_gpu_ram": "OOM", "minutes": "-"}),
        ("qlora-paper/text", {"memory": ">780GB", "place": "abstract"}),
    ],
)
def test_cells_are_transcribed_as_they_are_printed(table: str, expected: dict[str, str]) -> None:
    columns, line = transcribed(table, (defaultdict(str, row) for row in rows(table.partition("/")[0])))
    found = dict(zip(columns, line, strict=True))
    assert {name: found[name] for name in expected} == expected


def test_groups_of_columns_become_rows() -> None:
    _, lora, fourier = transcribed("fourierft-paper/table1", rows("fourierft-paper"))
    assert lora == ["M", "LoRA", "4", "147K", "574KB"]
    assert fourier == ["M", "FourierFT", "200", "4.8K", "18.8KB"]


def test_the_transcription_has_the_columns_of_the_tables(catalog: Catalog) -> None:
    for table in TABLES:
        source, _, name = table.partition("/")
        assert next(transcribed(table, ())) == list(catalog.sources[source].tables[name].rows[0])
