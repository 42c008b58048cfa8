"""Thresholds, settings and rank correlation stand once: a change of the data changes verdicts and database together."""

from __future__ import annotations

import re
from pathlib import Path

import altered
import duckdb
import pytest
import small_catalog
from conftest import ROOT

from surveykit.catalog.load import Catalog, load
from surveykit.database.build import build
from surveykit.errors import CatalogError
from surveykit.ranks import rank_correlation
from surveykit.verify import judge
from surveykit.verify.evidence import Evidence


def verdicts(catalog: Catalog, column: str) -> dict[str, tuple[str, str | None]]:
    claims = [claim for claim in catalog.claims if claim.quantity == column]
    found = judge(claims, Evidence(catalog, catalog.measurements, catalog.costs, catalog.memory))
    return {v.claim.method or "": (v.word, v.found.measured) for v in found}


@pytest.mark.parametrize(
    ("column", "old", "new"),
    [("disk", "at_most: 0.5", "at_most: 0.0001"), ("ram", "at_most: 0.9", "at_most: 0.01")],
)
def test_a_threshold_changes_verdicts_and_database_together(
    catalog: Catalog, tmp_path: Path, column: str, old: str, new: str
) -> None:
    root = altered.copied(tmp_path)
    file = root / "quantities.yaml"
    text = file.read_text(encoding="utf-8")
    assert text.count(old) == 1
    before = verdicts(catalog, column)
    file.write_text(text.replace(old, new), encoding="utf-8")
    changed = load(root)
    after = verdicts(changed, column)
    assert before["lora"] == ("match", "yes")
    assert after["lora"] == ("differs", "no")
    build(changed, tmp_path / "altered.duckdb")
    with duckdb.connect(str(tmp_path / "altered.duckdb"), read_only=True) as connection:
        shown = dict(connection.execute(f"SELECT id, {column}_measured FROM methods").fetchall())
        stored = connection.execute(
            "SELECT claim.method, measured FROM claim JOIN verdict USING (source, table_name, position, column_name)"
            " WHERE claim.quantity = ? AND measured IN ('yes', 'no')",
            [column],
        ).fetchall()
    assert stored
    assert {method: "yes" if shown[method] else "no" for method, _ in stored} == dict(stored)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("  - id: disk\n", "  - id: disc\n", "the quantity disk needs at_most"),
        ("at_most: 0.9", "at_most: null", "the quantity ram needs at_most"),
        ("at_most: 0.9", "at_most: 9", "less than or equal to 1"),
        ("  - id: ram\n", "  - id: disk\n", "the quantity disk appears twice"),
    ],
)
def test_a_wrong_threshold_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    root = small_catalog.write(tmp_path / "catalog")
    file = root / "quantities.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    with pytest.raises(CatalogError, match=message):
        load(root)


def test_equal_values_share_the_mean_of_their_ranks() -> None:
    assert rank_correlation([1, 2, 2, 3], [10, 20, 30, 40]) == pytest.approx(0.9486832980505138)
    assert rank_correlation([1, 2, 3], [30, 20, 10]) == pytest.approx(-1)
    assert rank_correlation([1, 1, 1], [1, 2, 3]) is None
    assert rank_correlation([1], [2]) is None


def test_settings_of_judging_stand_in_their_file_alone() -> None:
    """No view has a threshold, a setting or a rank correlation of its own."""
    copies = re.compile(r"full-tuning/all|'t5-large'|bfloat16'|\bcorr\(|\b\* (9|10)\b|\bat_most\s*=")
    for path in (ROOT / "surveykit" / "database" / "views").glob("*.sql"):
        code = re.sub(r"--.*", "", path.read_text(encoding="utf-8"))
        assert not copies.search(code), f"{path.name}: {copies.search(code)}"
    for path in (ROOT / "surveykit").rglob("*.py"):
        code = path.read_text(encoding="utf-8")
        if path.name != "ranks.py":
            assert not re.search(r"statistics import .*correlation|corr\(", code), path
