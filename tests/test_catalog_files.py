"""Loading is strict and complete: every fault of every file, with its place and what would be right."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest
import small_catalog
import yaml
from conftest import CATALOG
from hypothesis import given, settings
from hypothesis import strategies as st

from surveykit import query, validate
from surveykit.catalog.files import read_text
from surveykit.catalog.load import Catalog, load
from surveykit.catalog.locate import ENVIRONMENT, locate
from surveykit.catalog.validation import read_yaml
from surveykit.catalog.yaml12 import MAX_DEPTH, parse
from surveykit.errors import CatalogError, SurveyError
from surveykit.record import Record

SURVEY = "sources/lialin2023scaling"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A catalog of three methods on two backbones, to be spoilt."""
    return small_catalog.write(tmp_path / "catalog")


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text, f"{path.name} no longer contains {old!r}"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def problems(root: Path) -> list[str]:
    with pytest.raises(CatalogError) as caught:
        load(root)
    return [str(problem) for problem in caught.value.problems]


def test_the_catalog_is_valid(catalog: Catalog) -> None:
    table5 = [claim for claim in catalog.claims if (claim.source, claim.table) == ("lialin2023scaling", "table5")]
    assert len({claim.row for claim in table5}) == 15
    assert len(table5) == 45 * 6


def records(catalog: Catalog) -> Iterator[Record]:
    """What each YAML file of the catalog says, or an entry of it."""
    yield from catalog.methods.values()
    yield from catalog.models.values()
    yield from catalog.settings.values()
    yield catalog.quantities
    for folder in catalog.sources.values():
        yield from (folder.source, folder.names, *(table.meaning for table in folder.tables.values()))
        yield from (*folder.explanations, *folder.statements, *folder.data_checks)


def test_every_file_round_trips(catalog: Catalog) -> None:
    for entry in records(catalog):
        text = yaml.safe_dump(json.loads(entry.model_dump_json()), allow_unicode=True, sort_keys=False)
        again, _, found = read_yaml(text, "a file", type(entry))
        assert not found
        assert again == entry


# JSON escapes characters beyond U+FFFF as surrogate pairs, which YAML does not have; those are left out.
words = st.text(st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs", "Cc"]), max_size=12)
scalars = st.none() | st.booleans() | st.integers(-(10**9), 10**9) | words
trees = st.recursive(scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4))


@given(tree=st.dictionaries(words, trees, min_size=1, max_size=4))
@settings(deadline=None)
def test_what_json_can_say_is_read_back_as_it_was(tree: dict[str, object]) -> None:
    document, found = parse(json.dumps(tree, ensure_ascii=True), "tree.yaml")
    assert not found
    assert document is not None
    assert document.data == tree


def test_three_faults_in_two_files_are_three_messages(copy: Path) -> None:
    edit(copy / "methods" / "lora.yaml", "family: reparametrization", "family: reparametrisation")
    edit(copy / "methods" / "lora.yaml", "basis: library_default", "basiss: library_default")
    edit(copy / "methods" / "lora.yaml", "default: true", "default: yes")
    found = problems(copy)
    assert len(found) == 4  # the misspelt key is unknown, and the right one is missing
    assert any("default: 'yes' is text in YAML 1.2; write true or false" in line for line in found)
    family = [line for line in found if ": family:" in line]
    assert family[0].startswith("catalog/methods/lora.yaml:5:9: family: 'reparametrisation' is not allowed")
    assert "did you mean 'reparametrization'?" in family[0]
    assert any("unknown key 'basiss'; did you mean 'basis'?" in line for line in found)
    assert any("configurations.0.basis: this key is missing" in line for line in found)


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("methods/lora.yaml", "id: lora", "id: lora2", "lora.yaml:1:5: the id 'lora2' must be the file's name"),
        ("methods/lora.yaml", "name: LoRA\n", "name: LoRA\nname: LoRA\n", "the key 'name' appears twice (first on line 2)"),
        ("methods/lora.yaml", "name: LoRA\n", "name: &n LoRA\nidea2: *n\n", "aliases are not allowed here"),
        ("methods/lora.yaml", "name: LoRA\n", "name: !!python/object:os.system LoRA\n", "tags are not allowed here"),
        ("methods/lora.yaml", "name: LoRA\n", "name: [LoRA\n", "not YAML"),
        ("methods/lora.yaml", "kind: low_rank", "kind: lowrank", "unknown kind 'lowrank'; did you mean 'low_rank'?"),
        ("methods/lora.yaml", "rank: 8", "rank: 0", "rank: input should be greater than or equal to 1, not 0"),
        ("methods/lora.yaml", "rank: 8", "rnak: 8", "unknown key 'rnak'; did you mean 'rank'?"),
        ("methods/lora.yaml", "roles: [query, value]", "roles: [query, norm]", "low_rank goes on"),
        ("methods/lora.yaml", "trainable: A*r*(2*d + I + Kv)", "trainable: A*r*(2*d + J + Kv)", "unknown symbol 'J'"),
        ("methods/lora.yaml", "paper: hu2022lora", "paper: hu2022", "papers.bib has no 'hu2022'"),
        (f"{SURVEY}/explanations.yaml", "row: LoRa (q and v)", "row: LoRA (q and v)", "no row 'LoRA (q and v)'; did you mean 'LoRa (q and v)'?"),
        (f"{SURVEY}/explanations.yaml", "table: table5", "table: table4", "no table 'table4'; did you mean 'table"),
        (f"{SURVEY}/explanations.yaml", "model: t5-3b", "model: t5-3bb", "no model 't5-3bb'; did you mean 't5-3b'?"),
        (f"{SURVEY}/explanations.yaml", "configuration: lora/self", "configuration: lora/slef", "no configuration 'lora/slef"),
        (f"{SURVEY}/explanations.yaml", "cause: other_module_set", "cause: other_modules", "did you mean 'other_module_set'?"),
        (f"{SURVEY}/explanations.yaml", "params_millions: '3.93'", "params_millions: 3.93", "3.93 must be text; put it in quotes"),
        (f"{SURVEY}/names.yaml", "method: lora\n", "method: lorra\n", "no method 'lorra'; did you mean 'lora'?"),
        (f"{SURVEY}/names.yaml", "model: t5-3b\n", "model: t5-3bb\n", "no model 't5-3bb'; did you mean 't5-3b'?"),
        (f"{SURVEY}/source.yaml", "paper: lialin2023scaling", "paper: lialin2023", "no entry of papers.bib 'lialin2023'; did you mean"),
        (f"{SURVEY}/source.yaml", "  lora:", "  lorra:", "no method 'lorra'; did you mean 'lora'?"),
        (f"{SURVEY}/tables/table5.yaml", "setting: survey", "setting: surveys", "no setting 'surveys'; did you mean 'survey'?"),
        (f"{SURVEY}/tables/table5.yaml", "model: model", "model: model\non: t5-large", "give only one of them"),
        ("methods/lora.yaml", "    default: true", "    default: false", "exactly one configuration must be the default, not 0"),
        ("models/t5-3b/config.json", '"d_kv": 128', '"d_kv": 64', "config.json gives"),
        (f"{SURVEY}/tables/table5.csv", "T5Large,Prefix tuning,,", "T5Large,Prefix tuning,", "this line has 7 cells, not 8"),
        (f"{SURVEY}/tables/table5.csv", "T5Large,Prefix tuning,", "T5Large,Prefix tunnig,", "has no method for the label 'Prefix tunnig'; did you mean"),
        (f"{SURVEY}/tables/table5.csv", "model,row,", "modell,row,", "table5.yaml declares no column 'modell'; did you mean 'model'?"),
        (f"{SURVEY}/tables/table5.csv", "model,row,", "model,model,", "the column 'model' appears twice"),
        ("papers.bib", "hu2022lora,", "hu2022lora,\n  title = {Twice},", "papers.bib"),
    ],
)  # fmt: skip
def test_a_fault_is_reported_with_its_place(copy: Path, file: str, old: str, new: str, message: str) -> None:
    edit(copy / file, old, new)
    found = problems(copy)
    assert any(message in line for line in found), "\n".join(found)
    assert all(line.startswith("catalog/") for line in found)


def test_bounded_in_size_and_depth(tmp_path: Path) -> None:
    _, found = parse("a: " + "[" * (MAX_DEPTH + 2) + "]" * (MAX_DEPTH + 2), "deep.yaml")
    assert "nested deeper" in found[0].message
    _, found = parse("[" * 100_000, "bomb.yaml")
    assert "nested deeper" in found[0].message
    (tmp_path / "large.yaml").write_text("a: " + "x" * 600_000, encoding="utf-8")
    text, problem = read_text(tmp_path / "large.yaml", "large.yaml")
    assert text is None
    assert problem is not None
    assert "larger than 512 kB" in problem.message


def test_a_broken_file_is_never_skipped(copy: Path) -> None:
    (copy / "methods" / "notes.txt").write_text("x", encoding="utf-8")
    (copy / "methods" / "empty.yaml").write_text("", encoding="utf-8")
    (copy / "methods" / "latin.yaml").write_bytes(b"name: \xff")
    (copy / SURVEY / "tables" / "table5.csv").unlink()
    (copy / SURVEY / "tables" / "table1.yaml").unlink()
    (copy / SURVEY / "source.yaml").unlink()
    found = "\n".join(problems(copy))
    for part in ("notes.txt: only files named <id>.yaml", "empty.yaml: the file is empty", "latin.yaml:1:7: not UTF-8",
                 "tables/table5.yaml: table5.csv is missing", "tables/table1.csv: table1.yaml is missing",
                 "source.yaml: this file is missing"):  # fmt: skip
        assert part in found


def test_where_the_catalog_is_looked_for(copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    assert locate().chosen_by == "bundled with the package"
    monkeypatch.chdir(copy.parent)
    assert (locate().root, locate().chosen_by) == (copy, "./catalog")
    monkeypatch.setenv(ENVIRONMENT, str(CATALOG))
    assert (locate().root, locate().chosen_by) == (CATALOG, ENVIRONMENT)
    assert locate(str(copy)).chosen_by == "--catalog"
    with pytest.raises(SurveyError, match="is not a catalog"):
        locate(str(empty))


def _append(file: str, text: bytes) -> Callable[[Path], None]:
    def change(root: Path) -> None:
        path = root / file
        path.write_bytes((path.read_bytes() if path.exists() else b"") + text)

    return change


def _again(file: str, line: int) -> Callable[[Path], None]:
    """A line of a CSV file appears twice, as after a merge."""

    def change(root: Path) -> None:
        lines = (root / file).read_bytes().splitlines(keepends=True)
        (root / file).write_bytes(b"".join([*lines, lines[line]]))

    return change


def _edited(file: str, old: str, new: str) -> Callable[[Path], None]:
    return lambda root: edit(root / file, old, new)


SPOILT: dict[str, tuple[Callable[[Path], None], str]] = {
    "a row twice": (
        _append(f"{SURVEY}/missing.csv", b"what,locator,reason\n" + 2 * b"Table 4,Table 4,Not in the text that we used.\n"),
        "missing.csv:3:1: Table 4 appears twice (first on line 2)",
    ),
    "a label that no model has": (
        _append(f"{SURVEY}/tables/table3.csv", b"T53b,RTE,4\n"),
        "table3.csv:2:1: names.yaml has no model for the label 'T53b'; did you mean 'T53B'?",
    ),
    "a number of 5,000 digits in a table": (
        _append(f"{SURVEY}/tables/table5.csv", b"T53B,Full tuning,," + b"9" * 5000 + b",,,,\n"),
        "is not a figure like",
    ),
    "a stray quote in a header": (_append(f"{SURVEY}/tables/new.csv", b'dataset,"pro"mpt\n'), "new.csv: new.yaml is missing"),
    "a stray quote in a row": (_append(f"{SURVEY}/tables/appendix_a.csv", b'RTE,"pro"mpt\n'), "appendix_a.csv:2:1: not CSV"),
    "no UTF-8 in the bibliography": (_append("papers.bib", b"\n\xff"), "not UTF-8: the byte 0xff"),
    "no BibTeX": (_append("papers.bib", b"\n@article{x, title = {"), "not a BibTeX entry"),
    "a control character": (_append("methods/lora.yaml", b"# \x1b[2J\n"), "the control character U+001B"),
    "a control character, escaped": (
        _edited("methods/lora.yaml", "name: LoRA\n", 'name: "Lo\\eRA"\n'),
        "methods/lora.yaml:2:7: the control character U+001B is not allowed",
    ),
    "a whole number of 5,000 digits": (
        _edited("models/t5-large/config.json", 'heads": 16', f'heads": {"1" * 5000}'),
        "not valid JSON: a whole number has at most 18 digits",
    ),
    "a width of more than 32 bits": (
        _edited("models/t5-large/config.json", 'heads": 16', 'heads": 4294967296'),
        "num_heads is 4294967296; allowed are whole numbers from 1 to 2,147,483,647",
    ),
    "a tower of powers": (_edited("methods/lora.yaml", "trainable: ", "trainable: (((9**8)**8)**8)**8 + "), "grows beyond 64 bits"),
    "thousands of unknown keys": (
        _append("methods/lora.yaml", b"".join(b"key%d: 1\n" % i for i in range(5000))),
        "and 4,950 more problems in this file",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", SPOILT)
def test_what_cannot_be_built_is_refused_with_its_place(copy: Path, case: str) -> None:
    change, message = SPOILT[case]
    change(copy)
    found = problems(copy)
    assert any(message in line for line in found), found[:5]


def test_a_word_twice_in_a_list_is_refused(copy: Path) -> None:
    path = copy / "methods" / "lora.yaml"
    text = re.sub(r"^also_called:.*\n", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    path.write_text(text.replace("\npaper:", "\nalso_called: [Low rank, Low rank]\npaper:", 1), encoding="utf-8")
    assert [line for line in problems(copy) if line.endswith("'Low rank' appears twice")]


def test_a_rule_that_only_the_database_has_is_told_by_validate(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from surveykit.database import build

    def fails(*_: object) -> None:
        raise duckdb.ConstraintException("Duplicate key\n  at line 1")

    monkeypatch.setattr(build, "_insert", fails)
    with pytest.raises(CatalogError, match=r"table paper: Duplicate key$"):
        build.check_that_it_builds(load(copy))


@pytest.mark.parametrize("there", ["an empty folder", "a file"])
def test_a_broken_catalog_in_the_working_directory_is_not_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: str
) -> None:
    if there == "a file":
        (tmp_path / "catalog").touch()
    else:
        (tmp_path / "catalog").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    with pytest.raises(SurveyError, match=r"^\./catalog: 'catalog' is not a catalog"):
        locate()
    assert locate("bundled").folder == str(CATALOG)


VIEW = "-- {0} of a source\nCREATE VIEW {0} AS\nSELECT id FROM method;\n"
ONLY_THE_DATABASE_TELLS: dict[str, tuple[str, str, str]] = {
    "no SQL": ("views/mine.sql", VIEW.format("mine").replace("FROM", "FORM"), "syntax error at or near"),
    "no such table": ("views/mine.sql", VIEW.format("mine").replace("method", "methot"), "methot"),
    "a column twice": ("views/mine.sql", VIEW.format("mine").replace("SELECT id", "SELECT id, id"), "id_1"),
    "another name": ("views/mine.sql", VIEW.format("other"), "the file must begin with comments and CREATE VIEW mine AS"),
    "a name that is taken": ("views/methods.sql", VIEW.format("methods"), "a table or view of this name already exists"),
    "no view": ("views/mine.sql", "DROP TABLE method;\n", "the file must begin with comments and CREATE VIEW mine AS"),
}  # fmt: skip


@pytest.mark.parametrize("case", ONLY_THE_DATABASE_TELLS)
def test_a_view_that_a_source_brings_is_told_with_its_file(copy: Path, case: str) -> None:
    file, text, message = ONLY_THE_DATABASE_TELLS[case]
    (copy / SURVEY / file).write_text(text, encoding="utf-8")
    with pytest.raises(CatalogError, match=re.escape(message)) as caught:
        validate(catalog=copy)
    assert [problem.file for problem in caught.value.problems] == [f"catalog/{SURVEY}/{file}"]


def test_names_of_a_source_s_tables_and_columns_are_names_in_the_database(copy: Path) -> None:
    """Words of SQL may be columns; what would have a name of ours may not."""
    tables = copy / "sources" / "data" / "tables"
    tables.mkdir(parents=True)
    (copy / "sources" / "data" / "source.yaml").write_text(
        'name: Data\nkind: draft\ndate: "2026-01-02"\nread: Written for this test.\ntier: printed\n', encoding="utf-8"
    )
    for name, column in (("order", "group"), ("check", "select")):
        (tables / f"{name}.yaml").write_text(f"locator: Here\nsays: Something\ntext: {{{column}: A word}}\n", "utf-8")
        (tables / f"{name}.csv").write_text(f"{column}\nx\n", encoding="utf-8")
    with pytest.raises(CatalogError, match=r"data/tables/check\.yaml: the database has data_check already"):
        validate(catalog=copy)
    for path in tables.glob("check.*"):
        path.unlink()
    assert "data" in validate(catalog=copy).sources
    assert query(sql='SELECT "group" AS word FROM data_order', catalog=copy).rows == [["x"]]
    edit(tables / "order.yaml", "group:", "position:")
    edit(tables / "order.csv", "group", "position")
    assert any("no column can be called 'position'" in line for line in problems(copy))
    (copy / "sources" / "data").rename(copy / "sources" / "2data")
    assert any("sources/2data: the key of a source is" in line for line in problems(copy))
