"""`surveykit check`: a plain table of claims beside what we count, and everything that can be wrong with such a table."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

import pytest
import small_catalog
import small_models
import yaml

import surveykit
from surveykit.api.checking import CheckedClaim
from surveykit.cli import main
from surveykit.errors import CatalogError

HEADER = "method,column,printed,model,unit,rank,roles,note\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small catalog, and a small model beside it."""
    folder = tmp_path_factory.mktemp("check")
    small_catalog.write(folder / "catalog")
    small_models.CONFIGS["t5"]().save_pretrained(folder / "t5")
    small_models.CONFIGS["llama"]().save_pretrained(folder / "llama")
    return folder


@pytest.fixture(scope="module")
def counts(folder: Path) -> dict[str, int]:
    """What the configurations of LoRA train on the small T5."""
    names = ["lora/qv-r8", "lora/qv-r4", "lora/all-linear-r8"]
    found = surveykit.count(names, model=folder / "t5", catalog=folder / "catalog")
    return {count.configuration: count.trainable or 0 for count in found}


def checked(folder: Path, text: str, model: str | None = "t5") -> list[CheckedClaim]:
    table = folder / "claims.csv"
    table.write_text(text, encoding="utf-8")
    return surveykit.check(table, model=None if model is None else folder / model, catalog=folder / "catalog")


def test_a_figure_that_agrees(folder: Path, counts: dict[str, int]) -> None:
    exact, rounded, bound = checked(
        folder,
        "method,column,unit,printed\n"
        f'lora,trainable,,"{counts["lora/qv-r8"]:,}"\n'
        f"lora/all-linear-r8,trainable,thousand,{counts['lora/all-linear-r8'] / 1000:.1f}\n"
        "lora,trainable,percent,<99\n",
    )
    assert (exact.verdict.word, exact.difference_percent, exact.would_give) == ("match", 0, ())
    assert exact.verdict.found.configuration == "lora/qv-r8"  # the default configuration of a method named alone
    assert rounded.verdict.word == "match"
    assert rounded.difference_percent != 0
    assert bound.verdict.word == "within_range"


def test_a_figure_that_differs_names_what_would_give_it(folder: Path, counts: dict[str, int]) -> None:
    other, none = checked(
        folder, f"method,column,printed\nlora,trainable,{counts['lora/qv-r4']}\nlora,trainable,1\n"
    )  # fmt: skip
    assert other.verdict.word == none.verdict.word == "differs"
    assert other.verdict.found.value == counts["lora/qv-r8"]
    assert other.difference_percent == pytest.approx(-50)
    assert (other.would_give[0].configuration, other.would_give[0].sense) == ("lora/qv-r4", "trainable")
    assert none.would_give == ()


def test_another_method_s_configuration_is_found_after_the_method_s_own(folder: Path) -> None:
    """All of the model: what full tuning trains, and the one configuration of this catalog that does."""
    (whole,) = surveykit.count(["full-tuning"], model=folder / "t5", catalog=folder / "catalog")
    (found,) = checked(folder, f"method,column,printed\nlora,trainable,{whole.trainable}\n")
    assert [setup.configuration for setup in found.would_give] == ["full-tuning/all"]


def test_columns_of_hyper_parameters(folder: Path, counts: dict[str, int]) -> None:
    r8, r4 = counts["lora/qv-r8"], counts["lora/qv-r4"]
    rank, roles, spaced, empty = checked(
        folder,
        HEADER.replace(",note", "")
        + f"lora,trainable,{r4},,,4,\nlora,trainable,{r8},,,,query+key\nlora,trainable,{r8},,,8,query key\nlora,trainable,{r8},,,,\n",
    )
    assert [one.verdict.word for one in (rank, roles, spaced, empty)] == ["match"] * 4
    assert rank.verdict.claim.configuration == "lora/qv-r8 · rank=4"
    assert roles.verdict.claim.configuration == "lora/qv-r8 · roles=query,key"
    assert empty.verdict.claim.configuration == "lora/qv-r8"


def test_a_row_may_name_its_own_model(folder: Path, counts: dict[str, int]) -> None:
    """A config.json, a folder, or an id of the catalog; others speak of the one model of all."""
    r8 = counts["lora/qv-r8"]
    rows = f"lora,trainable,{folder}/t5/config.json,{r8}\nlora,trainable,t5-large,2359296\nlora,trainable,,{r8}\n"
    found = checked(folder, f"method,column,model,printed\n{rows}")
    assert [one.verdict.word for one in found] == ["match"] * 3
    assert [one.verdict.claim.model for one in found] == [f"{folder}/t5/config.json", "t5-large", f"{folder}/t5"]


def test_what_is_not_counted_is_not_judged(folder: Path) -> None:
    shown, traced, misfit = checked(
        folder, "method,column,printed,roles\nlora,score,71.2,\nlora,peak_memory,20,\nlora,trainable,1,feed_forward_gate\n"
    )  # fmt: skip
    assert [one.verdict.word for one in (shown, traced, misfit)] == ["not_comparable", "not_comparable", "not_measured"]
    assert "A score needs a trained model" in shown.verdict.found.reason
    assert "no place for low_rank" in misfit.verdict.found.reason
    assert {one.difference_percent for one in (shown, traced, misfit)} == {None}


def test_what_a_task_stores(folder: Path) -> None:
    right, wrong = checked(folder, "method,column,printed\nlora,disk,✓\nfull-tuning,disk,yes\n")
    assert (right.verdict.word, wrong.verdict.word) == ("match", "differs")


def test_a_table_as_a_spreadsheet_writes_it(folder: Path, counts: dict[str, int]) -> None:
    (found,) = checked(folder, f"\ufeffmethod,column,printed\r\n lora ,trainable, {counts['lora/qv-r8']}\r\n\r\n")
    assert found.verdict.word == "match"


def run(folder: Path, text: str, *words: str, name: str = "claims.csv") -> int:
    (folder / name).write_text(text, encoding="utf-8")
    model = ["--model", str(folder / "t5" / "config.json")]
    return main(["--catalog", str(folder / "catalog"), "check", str(folder / name), *model, *words])


def test_the_command(folder: Path, counts: dict[str, int], capsys: pytest.CaptureFixture[str]) -> None:
    """Data on stdout, the sentence on stderr where stdout is for programs; 1 where a figure differs."""
    good = f"method,column,printed\nlora,trainable,{counts['lora/qv-r8']}\nlora,score,1\n"
    bad = f"{good}lora,trainable,{counts['lora/qv-r4']}\n"
    assert run(folder, good) == 0
    assert "1 of 2 agree, 0 differ, 1 not compared" in capsys.readouterr().out
    assert run(folder, bad, "--format", "json") == 1
    shown = capsys.readouterr()
    rows = json.loads(shown.out)
    assert [row["verdict"] for row in rows] == ["match", "not_comparable", "differs"]
    assert rows[2]["would_give"].startswith("lora/qv-r4 (trainable)")
    assert rows[2]["difference_percent"] == -50
    assert "1 of 3 agree, 1 differ, 1 not compared" in shown.err
    assert run(folder, bad, "--format", "csv") == 1
    header, *lines = csv.reader(io.StringIO(capsys.readouterr().out))
    assert header[-1] == "reason"
    assert len(lines) == 3
    assert run(folder, good, name="claims.txt") == 0  # whatever the file is called
    capsys.readouterr()


WRONG = {
    "lorra,trainable,1,,,,,": "there is no method 'lorra'; did you mean 'lora'?",
    "lora/qv-r9,trainable,1,,,,,": "lora has no configuration 'qv-r9'; did you mean 'qv-r8'?",
    "lora,trainible,1,,,,,": "there is no quantity 'trainible'; did you mean 'trainable'?",
    "lora,trainable,many,,,,,": "'many' is not a figure like 12.69",
    "lora,trainable,,,,,,": "'' is not a figure like",
    "lora,trainable,9-1,,,,,": "'9-1' is a range that ends below its start",
    "lora,disk,perhaps,,,,,": "'perhaps' is not a tick",
    "lora,trainable,1,,milion,,,": "there is no unit 'milion'; did you mean 'million'?",
    "lora,trainable,1,,,0,,": "rank is 0; it must be a whole number from 1",
    "lora,trainable,1,,,many,,": "rank is many; it must be a whole number from 1",
    "lora,trainable,1,,,,queries,": "did you mean 'query'?",
    "lora,trainable,1,,,,norm,": "no edit can go on norm: its edits can go on attention_output, ",
    "lora,trainable,1,,,,,some": "no edit has a hyper-parameter 'note'; did you mean 'gate'?",
    "lora,trainable,1": "this line has not 8 cells",
    "lora,trainable,1,,,,,,": "this line has not 8 cells",
}  # fmt: skip


@pytest.fixture(scope="module")
def problems(folder: Path) -> list[str]:
    """What is said of one table with all that can be wrong."""
    with pytest.raises(CatalogError) as caught:
        checked(folder, HEADER + "\n".join(WRONG) + "\n")
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize("line", WRONG)
def test_a_wrong_line_is_told_with_its_place(problems: list[str], line: str) -> None:
    number = [*WRONG].index(line) + 2
    (found,) = [problem for problem in problems if problem.startswith(f"claims.csv:{number}:1: ")]
    assert WRONG[line] in found


def test_all_wrong_lines_are_told_at_once(problems: list[str]) -> None:
    assert len(problems) == len(WRONG)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ["the column 'method' is missing", "the column 'column' is missing", "the column 'printed' is missing"]),
        ("methods,column,printed\n", ["the column 'method' is missing; did you mean 'methods'?"]),
        ("method,column,printed,printed\nlora,trainable,1,2\n", ["the column 'printed' appears twice"]),
        ("method,column,printed\n", ["the table has no rows"]),
        ('method,column,printed\nlora,trainable,"1"2\n', ["not CSV"]),
        ("method,column,printed\nlora,trainable,\x1b[2J\n", ["the control character U+001B is not allowed"]),
        ("method,column,printed,model\nlora,trainable,1,./no\nlora,trainable,1,/nowhere\n", ["./no", "/nowhere"]),
    ],
)
def test_a_wrong_table(folder: Path, text: str, said: list[str]) -> None:
    with pytest.raises(CatalogError) as caught:
        checked(folder, text, None)
    assert str(caught.value).startswith("the table has ")
    assert len(caught.value.problems) == len(said)
    for problem, part in zip(sorted(caught.value.problems, key=lambda p: p.message), sorted(said), strict=True):
        assert part in str(problem)


def test_a_row_without_a_model(folder: Path) -> None:
    with pytest.raises(
        CatalogError, match=r"claims\.csv:2:1: no model: name one in the row's column .* or for all rows with --model"
    ):
        checked(folder, "method,column,printed\nlora,trainable,1\n", None)


def test_a_method_that_was_never_instantiated_says_why(folder: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(folder / "catalog", tmp_path / "catalog"))
    method = yaml.safe_load((root / "methods" / "lora.yaml").read_text(encoding="utf-8"))
    method |= {"id": "unseen", "also_called": [], "configurations": [], "not_instantiated": "The paper has no recipe."}
    (root / "methods" / "unseen.yaml").write_text(yaml.safe_dump(method), encoding="utf-8")
    (tmp_path / "claims.csv").write_text("method,column,printed\nunseen,trainable,1\n", encoding="utf-8")
    with pytest.raises(CatalogError, match=r"unseen has no configuration: The paper has no recipe\."):
        surveykit.check(tmp_path / "claims.csv", model=folder / "t5", catalog=root)


def test_a_mistake_of_usage_is_one_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--catalog", str(folder / "catalog"), "check", str(folder / "no.csv"), "--model", "x"]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err == "surveykit: the table has 1 problem:\nno.csv: cannot be read: No such file or directory\n"
