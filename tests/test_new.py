"""`surveykit new`: what it writes loads at once over the bundled catalog, replaces nothing, and is never half there."""

from __future__ import annotations

from pathlib import Path

import pytest
import small_models

import surveykit
from surveykit import scaffold
from surveykit.catalog.load import Catalog, load
from surveykit.catalog.locate import ENVIRONMENT
from surveykit.cli import main
from surveykit.errors import SurveyError
from surveykit.scaffold import KINDS, Kind

NAMES: dict[Kind, str] = {"source": "my-draft", "method": "my-method", "model": "my-model-3.2", "plan": "my-plan"}
FILES = {
    "source": ["names.yaml", "source.yaml", "tables/results.csv", "tables/results.yaml"],
    "method": ["my-method.yaml"],
    "model": ["config.json", "model.yaml"],
    "plan": ["my-plan.yaml"],
}


@pytest.fixture(autouse=True)
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, of whoever begins."""
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_in_an_empty_folder_validates_at_once(
    kind: Kind, empty: Path, catalog: Catalog, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["new", kind, NAMES[kind]]) == 0
    *written, told = capsys.readouterr().out.splitlines()
    then = "surveykit bench my-plan --dry-run" if kind == "plan" else "surveykit validate"
    assert told == f"next: fill it in, then {then}"
    assert sorted(written) == sorted(str(path.relative_to(empty)) for path in empty.rglob("*") if path.is_file())
    folder = Path("catalog", f"{kind}s") if kind in ("method", "plan") else Path("catalog", f"{kind}s", NAMES[kind])
    assert [Path(name).relative_to(folder).as_posix() for name in sorted(written)] == FILES[kind]
    own = surveykit.validate()
    for field in ("methods", "models", "sources"):
        added = {NAMES[kind]} if field == f"{kind}s" else set()
        assert set(getattr(own, field)) == set(getattr(catalog, field)) | added


def test_the_figures_of_the_written_source_are_right(empty: Path) -> None:
    """Whoever starts from it sees a source all of whose claims match."""
    surveykit.new("source", "my-draft")
    report = surveykit.verify(source="my-draft", sample=0)
    assert {v.claim.source for v in report.verdicts} == {"my-draft"}
    assert [v.word for v in report.verdicts] == ["match"] * 4
    assert report.passed


def test_a_model_s_own_configuration_is_copied_as_it_is(empty: Path) -> None:
    small_models.CONFIGS["llama"]().save_pretrained(empty)
    surveykit.new("model", "my-model", config=empty / "config.json")
    assert (empty / "catalog/models/my-model/config.json").read_bytes() == (empty / "config.json").read_bytes()
    assert load(empty / "catalog").models["my-model"].dimensions.d_model == 60
    (count,) = surveykit.count(["lora"], model="my-model")
    assert count.trainable


def test_every_comment_of_a_template_stands_in_what_is_written(empty: Path) -> None:
    """The name is filled in, and nothing of the example's own name is left."""
    for kind in KINDS:
        for path in surveykit.new(kind, NAMES[kind]):
            text = path.read_text(encoding="utf-8")
            assert "example-" not in text
            assert "Example" not in text
            assert "# " in text or path.suffix in (".json", ".csv")


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_replaced(kind: Kind, empty: Path, capsys: pytest.CaptureFixture[str]) -> None:
    surveykit.new(kind, NAMES[kind])
    files = {path: path.read_bytes() for path in empty.rglob("*") if path.is_file()}
    assert main(["new", kind, NAMES[kind]]) == 2
    shown = capsys.readouterr()
    assert (shown.out, shown.err.count("\n")) == ("", 1)
    assert "already exists; choose another name, or edit it" in shown.err
    assert {path: path.read_bytes() for path in empty.rglob("*") if path.is_file()} == files


@pytest.mark.parametrize(
    "name", ["", "My-Draft", "my_draft", "-draft", "draft-", "a/b", "../a", "draft.1", "x\ny", "é"]
)
def test_a_bad_name_is_refused(name: str, empty: Path) -> None:
    for kind in ("source", "method"):
        with pytest.raises(
            SurveyError, match=f"is not a name for a {kind}: use lower-case letters, digits and hyphens"
        ):
            scaffold.write(kind, name, empty / "catalog")  # type: ignore[arg-type]
    if name != "draft.1":
        with pytest.raises(SurveyError, match="lower-case letters, digits, dots and hyphens"):
            surveykit.new("model", name)
    assert not list(empty.iterdir())


def test_a_source_begins_with_a_letter(empty: Path) -> None:
    """Tables of the database are named by it."""
    with pytest.raises(SurveyError, match="'2026-draft' is not a name for a source"):
        surveykit.new("source", "2026-draft")
    assert surveykit.new("method", "2026-method")


def test_what_does_not_go_together(empty: Path) -> None:
    with pytest.raises(SurveyError, match=r"a source has no config\.json"):
        surveykit.new("source", "my-draft", config="config.json")
    with pytest.raises(SurveyError, match=r"kind is 'sauce'; it must be one of .*; did you mean 'source'\?"):
        surveykit.new("sauce", "my-draft")  # type: ignore[arg-type]
    with pytest.raises(SurveyError, match=r"nowhere\.json"):
        surveykit.new("model", "my-model", config="nowhere.json")
    (empty / "latin.json").write_bytes(b"\xff")
    with pytest.raises(SurveyError, match="not UTF-8"):
        surveykit.new("model", "my-model", config="latin.json")
    assert [path.name for path in empty.iterdir()] == ["latin.json"]


@pytest.mark.parametrize("config", ["{", "[]", '{"model_type": "x"}'])
def test_a_configuration_that_would_not_load_is_told_by_validate(
    empty: Path, config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (empty / "config.json").write_text(config, encoding="utf-8")
    assert main(["new", "model", "my-model", "--config", "config.json"]) == 0
    assert main(["validate"]) == 2
    assert "catalog/models/my-model/config.json" in capsys.readouterr().err


@pytest.mark.parametrize("kind", KINDS)
def test_what_fails_half_way_leaves_nothing(kind: Kind, empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write, calls = Path.write_text, []

    def full(self: Path, *arguments: object, **others: object) -> int:
        calls.append(self)
        if len(calls) == len(FILES[kind]):  # the last of its files
            raise OSError(28, "No space left on device", str(self))
        return write(self, *arguments, **others)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_text", full)
        with pytest.raises(SurveyError, match="No space left on device"):
            surveykit.new(kind, NAMES[kind])
    assert not [path for path in empty.rglob("*") if path.is_file()]
    assert len(surveykit.new(kind, NAMES[kind])) == len(FILES[kind])


def test_where_nothing_can_be_written(empty: Path) -> None:
    (empty / "catalog").write_text("a file", encoding="utf-8")
    with pytest.raises(SurveyError, match="cannot be written"):
        surveykit.new("source", "my-draft")
    assert [path.name for path in empty.iterdir()] == ["catalog"]
