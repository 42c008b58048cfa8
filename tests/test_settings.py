"""Settings that have a name: where each of their fields stands, what cannot be combined, and where they are shown."""

from __future__ import annotations

from pathlib import Path

import altered
import duckdb
import pytest

from surveykit.catalog.load import Catalog, load
from surveykit.catalog.settings import Setting, setting_of
from surveykit.catalog.training import SURVEYS, Training
from surveykit.errors import CatalogError, SurveyError
from surveykit.site.rendering import Page

NAMED = ("survey", "peft-benchmark", "trainer", "trl", "qlora", "litgpt", "fms")


@pytest.mark.parametrize("name", NAMED)
def test_whatever_a_setting_states_beside_the_surveys_has_a_source(catalog: Catalog, name: str) -> None:
    setting = setting_of(catalog, name)
    if setting.training == SURVEYS:
        return
    stated = {*setting.training.differences(SURVEYS)}
    stated |= ({"batch"} if setting.batch else set()) | ({"lengths"} if setting.lengths else set())
    assert stated <= {field for source in setting.sources for field in source.fields}


def test_a_name_that_there_is_not_gets_the_nearest_and_all(catalog: Catalog) -> None:
    with pytest.raises(SurveyError, match=r"no setting 'qlra'; did you mean 'qlora'\?; there are survey, .*fms"):
        setting_of(catalog, "qlra")


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("      double_quant: true\n", "      double_quant: true\n      base_bits: 16\n", "base_bits: 16", "twice|duplicate"),
        ("      base_bits: 4\n", "      base_bits: 8\n", "training:", "double_quant is about the scales of 4-bit weights"),
        ("      attention: flash\n", "      attention: flush\n", "attention: flush", "flash"),
        ("fields: [base_bits,", "fields: [base_bit,", "- fields: [base_bit,", "'base_bit' is no field of a setting; did you mean 'base_bits'"),
        ("  - id: fms\n", "  - id: trl\n", "settings:", "the setting 'trl' stands twice"),
        ("checked: 2026-11-29", "checked: 2026-11-31", "checked: 2026-11-31", "no day"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said_with_file_and_line(tmp_path: Path, old: str, new: str, line: str, message: str) -> None:
    root = altered.copied(tmp_path)
    file = root / "settings.yaml"
    text = file.read_text(encoding="utf-8")
    assert old in text
    changed = text.replace(old, new, 1)
    file.write_text(changed, encoding="utf-8")
    with pytest.raises(CatalogError, match=message) as raised:
        load(root)
    (problem,) = [p for p in raised.value.problems if p.file.endswith("settings.yaml")]
    lines = [number for number, text in enumerate(changed.splitlines(), start=1) if line in text]
    assert any(problem.line - 1 <= number <= problem.line for number in lines), problem


@pytest.mark.parametrize(("name", "leaves"), [("trainer", "the length")])
def test_claims_are_judged_in_a_setting_that_states_its_text(tmp_path: Path, name: str, leaves: str) -> None:
    root = altered.copied(tmp_path)
    file = root / "quantities.yaml"
    text = file.read_text(encoding="utf-8")
    assert "setting: survey" in text
    file.write_text(text.replace("setting: survey", f"setting: {name}"), encoding="utf-8")
    with pytest.raises(CatalogError, match=f"setting '{name}' leaves {leaves} to people: nothing can be judged in it"):
        load(root)


def test_the_database_lists_every_setting_as_the_catalog_has_it(catalog: Catalog, database: Path) -> None:
    with duckdb.connect(str(database), read_only=True) as connection:
        cursor = connection.execute("SELECT * FROM setting")
        names = [column[0] for column in cursor.description]
        rows = {row[0]: dict(zip(names, row, strict=True)) for row in cursor.fetchall()}
        sources = connection.execute("SELECT count(*) FROM setting_source").fetchone()
    assert rows.keys() == set(catalog.settings) >= set(NAMED)
    for name, setting in catalog.settings.items():
        row = rows[name]
        assert Training(**{field: row[field] for field in Training.model_fields}) == setting.training
        assert (row["batch"], row["length"]) == (setting.batch, next(iter(setting.lengths), None))
    assert sources == (sum(len(s.sources) for s in catalog.settings.values()),)


def test_the_site_explains_each_setting_and_field_and_the_page_about_memory_leads_there(
    pages: dict[str, Page], catalog: Catalog
) -> None:
    page = pages["settings.md"].content
    assert isinstance(page, str)
    for name in catalog.settings:
        assert f"{{ #{name} }}" in page
    for field in Training.model_fields:
        assert f"&#45;&#45;{field.replace('_', '-')}" in page
    assert "(settings.md)" in str(pages["choose.md"].content)


def test_precisions_that_are_recorded_begin_with_the_settings_own() -> None:
    setting = Setting(
        id="any", says="a setting of a test", training=Training(dtype="float32"), also_dtypes=("bfloat16",)
    )
    assert setting.dtypes == ("float32", "bfloat16")
