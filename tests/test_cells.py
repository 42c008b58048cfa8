"""Verdicts of the cells of Tables 1 and 2, from what is recorded."""

from __future__ import annotations

import dataclasses

import pytest

from surveykit.catalog.load import Catalog
from surveykit.verify.cells import JUDGED_ON, Evidence, TableVerdict, judge_cells


def verdicts(catalog: Catalog) -> dict[tuple[str, int, str], TableVerdict]:
    evidence = Evidence(catalog, catalog.measurements, catalog.costs, catalog.memory)
    return {(v.method, v.table, v.column): v for v in judge_cells(evidence)}


def test_every_cell_has_a_verdict_and_a_reason(catalog: Catalog) -> None:
    found = verdicts(catalog)
    assert len(found) == 28 * 5 + 23 * 5
    assert all(len(v.reason) > 10 for v in found.values())


def test_lora_saves_nothing_in_backward_and_costs_nothing_merged(catalog: Catalog) -> None:
    found = verdicts(catalog)
    assert found["lora", 1, "bp"].verdict == "match"
    assert found["lora", 1, "bp"].measured == "full"
    assert (found["lora", 1, "overhead"].verdict, found["lora", 1, "overhead"].sense) == ("match", "merged")
    assert found["lora", 1, "disk"].verdict == "match"
    assert found["lora", 1, "ram"].verdict == "match"


def test_what_is_not_recorded_is_not_measured(catalog: Catalog) -> None:
    found = verdicts(dataclasses.replace(catalog, measurements=(), costs=(), memory=()))
    assert {v.verdict for v in found.values()} == {"not_comparable", "not_measured"}
    assert found["lora", 1, "disk"].verdict == "not_measured"


def test_a_reconstruction_is_never_judged(catalog: Catalog) -> None:
    rebuilt = {m.id for m in catalog.methods.values() if m.reconstruction}
    assert rebuilt
    own = {(name, b) for name, _, c in catalog.configurations() if c.basis == "paper" for b in c.also_on}
    # Except where a paper's own configuration was counted on its own backbone: there nothing was filled in.
    found = [v for v in verdicts(catalog).values() if v.method in rebuilt and (v.configuration, v.backbone) not in own]
    assert {v.verdict for v in found} <= {"not_comparable", "not_measured"}


def test_every_difference_is_explained(catalog: Catalog) -> None:
    assert not [v.locator for v in verdicts(catalog).values() if v.unexplained]


def test_taxonomy_is_not_judged(catalog: Catalog) -> None:
    assert verdicts(catalog)["lora", 1, "type"].verdict == "not_comparable"


@pytest.mark.parametrize(("stored_share", "word"), [(0.4, "match"), (0.6, "differs")])
def test_disk_is_saved_below_half_of_the_backbone(catalog: Catalog, stored_share: float, word: str) -> None:
    total = 4 * catalog.backbones[JUDGED_ON].parameters
    rows = tuple(
        m.model_copy(update={"stored_bytes": int(stored_share * total)}) if m.configuration == "lora/qv-r8" else m
        for m in catalog.measurements
    )
    assert verdicts(dataclasses.replace(catalog, measurements=rows))["lora", 1, "disk"].verdict == word
