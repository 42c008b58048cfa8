"""Verdicts of the cells of Tables 1 and 2, from what is recorded."""

from __future__ import annotations

import dataclasses
from decimal import Decimal

import pytest
from pydantic import ValidationError
from surveykit.verify.cells import TableVerdict, judge_cells

from surveykit.catalog.figures import parse_figure
from surveykit.catalog.load import Catalog
from surveykit.catalog.records import Setup
from surveykit.verify.evidence import Evidence
from surveykit.verify.explanations import check_cell_explanations


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
    total = 4 * catalog.models[catalog.quantities.judging.judged_on].parameters
    rows = tuple(
        m.model_copy(update={"stored_bytes": int(stored_share * total)}) if m.configuration == "lora/qv-r8" else m
        for m in catalog.measurements
    )
    assert verdicts(dataclasses.replace(catalog, measurements=rows))["lora", 1, "disk"].verdict == word


def test_a_default_that_agrees_is_told_apart_from_a_search(catalog: Catalog) -> None:
    found = verdicts(catalog)
    default = found["lora", 2, "trainable_percent"]
    assert (default.found_by, default.configuration, default.sense) == ("default", "lora/qv-r8", "trainable")
    searched = found["compacter", 2, "changed_percent"]
    assert searched.found_by == "search"
    assert searched.candidates is not None
    assert searched.fitting is not None
    assert 1 <= searched.fitting < searched.candidates
    for v in found.values():
        assert (v.found_by is None) == (v.verdict not in ("match", "within_range")), v.locator
        if v.found_by == "default" and v.table == 2:
            default_configuration = catalog.methods[v.method].default
            assert default_configuration is not None
            assert v.configuration == f"{v.method}/{default_configuration.id}"


def test_one_rule_of_comparison_for_every_printed_percentage(catalog: Catalog) -> None:
    """A percentage agrees exactly when it rounds to the print or lies in its range: none is judged more kindly."""
    judged = [v for v in verdicts(catalog).values() if v.column.endswith("_percent") and v.fitting is not None]
    assert len(judged) > 30
    for v in judged:
        assert v.measured is not None
        assert parse_figure(v.printed).covers(Decimal(v.measured)) == (v.verdict in ("match", "within_range")), (
            v.locator
        )
        if v.verdict in ("within_range", "outside_range"):
            assert parse_figure(v.printed).is_range or parse_figure(v.printed).bound != "exact", v.locator
        if v.verdict in ("match", "differs"):
            assert not parse_figure(v.printed).is_range, v.locator


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, None),
        (
            {"fits_setup": Setup(configuration="cross-attention-tuning/cross-attention", backbone="t5-large")},
            "does not give",
        ),
        ({"cause": "other_configuration"}, "does not describe how"),
        ({"cause": "other_backbone"}, "does not describe how"),
    ],
)
def test_a_cause_that_claims_a_setup_is_checked(
    catalog: Catalog, changes: dict[str, object], message: str | None
) -> None:
    method = catalog.methods["cross-attention-tuning"]
    (true,) = method.cell_explanations
    altered = method.model_copy(update={"cell_explanations": (true.model_copy(update=changes),)})
    changed = dataclasses.replace(catalog, methods={**catalog.methods, method.id: altered})
    evidence = Evidence(changed, changed.measurements, changed.costs, changed.memory)
    findings = [f.message for f in check_cell_explanations(evidence, judge_cells(evidence))]
    assert (findings == []) if message is None else any(message in found for found in findings)


def test_a_cause_without_a_setup_cannot_claim_one(catalog: Catalog) -> None:
    (true,) = catalog.methods["cross-attention-tuning"].cell_explanations
    with pytest.raises(ValidationError, match="needs a setup"):
        type(true).model_validate({**true.model_dump(), "fits_setup": None})
    with pytest.raises(ValidationError, match="goes without a setup"):
        type(true).model_validate({**true.model_dump(), "cause": "unresolved"})
