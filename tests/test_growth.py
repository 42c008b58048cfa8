"""The catalog grows beyond its first source: the database tells which methods that source does not have."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
import small_catalog
from conftest import CATALOG

from surveykit.catalog.load import Catalog, load
from surveykit.database.build import fill

SURVEY = "sources/lialin2023scaling"
Change = Callable[[Path], object]


def _without_a_section(root: Path) -> None:
    """The survey names LoRA in its tables, and has no section on it."""
    path = root / SURVEY / "source.yaml"
    kept = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("  lora:")]
    path.write_text("\n".join(kept) + "\n", encoding="utf-8")


def _unnamed(root: Path) -> None:
    """No section and no name in a table: the survey says nothing of LoRA."""
    _without_a_section(root)
    names = root / SURVEY / "names.yaml"
    names.write_text(names.read_text(encoding="utf-8").replace("method: lora", "method: null"), encoding="utf-8")
    text = names.read_text(encoding="utf-8").splitlines()
    names.write_text("\n".join(line for line in text if "configuration: lora/" not in line) + "\n", encoding="utf-8")
    (root / SURVEY / "explanations.yaml").unlink()


def _without_a_survey(root: Path) -> None:
    quantities = root / "quantities.yaml"
    text = quantities.read_text(encoding="utf-8")
    quantities.write_text(text.replace("  word_of: lialin2023scaling\n", ""), encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "lora"),
    [(lambda root: None, False), (_without_a_section, False), (_unnamed, True), (_without_a_survey, None)],
)
def test_a_method_is_after_the_survey_where_that_says_nothing_of_it(
    tmp_path: Path, change: Change, lora: bool | None
) -> None:
    root = small_catalog.write(tmp_path / "catalog")
    change(root)
    with duckdb.connect() as connection:
        fill(connection, load(root))
        found = dict(connection.execute("SELECT id, after_survey FROM methods").fetchall())
        counted = connection.execute("SELECT methods, methods_after_survey FROM summary").fetchone()
    others = None if lora is None else False
    assert found == {"full-tuning": others, "lora": lora, "prefix-tuning": others}
    assert counted == (3, int(lora is True))


def test_ideas_keep_their_order_and_are_a_list(tmp_path: Path) -> None:
    root = small_catalog.write(tmp_path / "catalog")
    path = root / "methods" / "lora.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("families: [low_rank]", "families: [structured, low_rank, adapter]"), encoding="utf-8")
    with duckdb.connect() as connection:
        fill(connection, load(root))
        asked = "SELECT id, families FROM methods WHERE 'low_rank' IN families"
        assert connection.execute(asked).fetchall() == [("lora", ["structured", "low_rank", "adapter"])]


def test_sentences_of_the_survey_count_its_own_methods(tmp_path: Path) -> None:
    """A method that is not in the survey, of a paper that the survey cites, changes no reading of its sentences."""
    root = Path(shutil.copytree(CATALOG, tmp_path / "catalog"))
    answers = "SELECT statement, position, holds, figures FROM statement_result ORDER BY ALL"

    def answered() -> list[tuple[object, ...]]:
        with duckdb.connect() as connection:
            fill(connection, load(root, measured=False))
            return connection.execute(answers).fetchall()

    before = answered()
    text = (root / "methods" / "lora.yaml").read_text(encoding="utf-8")
    (root / "methods" / "lora-again.yaml").write_text(text.replace("id: lora\n", "id: lora-again\n"), encoding="utf-8")
    assert before
    assert answered() == before


def test_a_method_that_the_survey_does_not_have_says_when_it_was_added(catalog: Catalog) -> None:
    survey = catalog.sources["lialin2023scaling"]
    known = {*survey.source.sections, *(name.method for name in survey.names.methods)}
    assert {m.id for m in catalog.methods.values() if m.added is None} == known & catalog.methods.keys()
