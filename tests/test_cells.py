"""Verdicts of the cells of the survey's Tables 1 and 2, from what is recorded."""

from __future__ import annotations

import dataclasses
from decimal import Decimal

import pytest
from pydantic import ValidationError

from surveykit.catalog.figures import parse_figure
from surveykit.catalog.load import Catalog
from surveykit.catalog.sources import Explanation, Setup
from surveykit.verify import Verdict, judge
from surveykit.verify.evidence import Evidence
from surveykit.verify.explanations import check_explanations
from surveykit.verify.verdicts import SETTLED

SURVEY = "lialin2023scaling"


def evidence_of(catalog: Catalog) -> Evidence:
    return Evidence(catalog, catalog.measurements, catalog.costs, catalog.memory)


def verdicts(catalog: Catalog) -> dict[tuple[str | None, str, str], Verdict]:
    claims = [c for c in catalog.claims if c.source == SURVEY and c.table in ("table1", "table2")]
    return {(v.claim.method, v.claim.table, v.claim.column): v for v in judge(claims, evidence_of(catalog))}


def test_every_cell_has_a_verdict_and_a_reason(catalog: Catalog) -> None:
    found = verdicts(catalog)
    assert len(found) == 28 * 5 + 23 * 5
    assert all(len(v.found.reason) > 10 for v in found.values())


def test_lora_saves_nothing_in_backward_and_costs_nothing_merged(catalog: Catalog) -> None:
    found = verdicts(catalog)
    assert found["lora", "table1", "bp"].word == "match"
    assert found["lora", "table1", "bp"].found.measured == "full"
    overhead = found["lora", "table1", "overhead"]
    assert (overhead.word, overhead.found.sense) == ("match", "merged")
    assert found["lora", "table1", "disk"].word == "match"
    assert found["lora", "table1", "ram"].word == "match"


def test_what_is_not_recorded_is_not_measured(catalog: Catalog) -> None:
    found = verdicts(dataclasses.replace(catalog, measurements=(), costs=(), memory=()))
    assert {v.word for v in found.values()} == {"not_comparable", "not_measured"}
    assert found["lora", "table1", "disk"].word == "not_measured"


def test_a_reconstruction_is_never_judged(catalog: Catalog) -> None:
    rebuilt = {m.id for m in catalog.methods.values() if m.reconstruction}
    assert rebuilt
    own = {(name, b) for name, _, c in catalog.configurations() if c.basis == "paper" for b in c.also_on}
    # Except where a paper's own configuration was counted on its own model: there nothing was filled in.
    found = [
        v for (method, *_), v in verdicts(catalog).items()
        if method in rebuilt and (v.found.configuration, v.found.model) not in own
    ]  # fmt: skip
    assert {v.word for v in found} <= {"not_comparable", "not_measured"}


def test_every_difference_is_explained(catalog: Catalog) -> None:
    assert not [v.name for v in verdicts(catalog).values() if v.outcome == "unexplained"]


def test_taxonomy_is_not_judged(catalog: Catalog) -> None:
    assert verdicts(catalog)["lora", "table1", "type"].word == "not_comparable"


@pytest.mark.parametrize(("stored_share", "word"), [(0.4, "match"), (0.6, "differs")])
def test_disk_is_saved_below_half_of_the_model(catalog: Catalog, stored_share: float, word: str) -> None:
    total = 4 * (catalog.models[catalog.quantities.judging.judged_on].size or 0)
    rows = tuple(
        m.model_copy(update={"stored_bytes": int(stored_share * total)}) if m.configuration == "lora/qv-r8" else m
        for m in catalog.measurements
    )
    assert verdicts(dataclasses.replace(catalog, measurements=rows))["lora", "table1", "disk"].word == word


def test_a_default_that_agrees_is_told_apart_from_a_search(catalog: Catalog) -> None:
    found = verdicts(catalog)
    default = found["lora", "table2", "trainable_percent"].found
    assert (default.found_by, default.configuration, default.sense) == ("default", "lora/qv-r8", "trainable")
    searched = found["compacter", "table2", "changed_percent"].found
    assert searched.found_by == "search"
    assert searched.candidates is not None
    assert searched.fitting is not None
    assert 1 <= searched.fitting < searched.candidates
    for (method, table, _), v in found.items():
        assert (v.found.found_by is None) == (v.word not in SETTLED), v.name
        if v.found.found_by == "default" and table == "table2":
            default_configuration = catalog.methods[str(method)].default
            assert default_configuration is not None
            assert v.found.configuration == f"{method}/{default_configuration.id}"


def test_one_rule_of_comparison_for_every_printed_figure(catalog: Catalog) -> None:
    """A figure of any source agrees exactly when ours rounds to it or lies in its range: none is judged more kindly."""
    quantities = catalog.quantities.by_id
    compared = [c for c in catalog.claims if quantities[c.quantity].compare == "rounding"]
    judged = [v for v in judge(compared, evidence_of(catalog)) if v.found.value is not None]
    judged = [v for v in judged if v.word != "not_comparable"]
    assert len({v.claim.source for v in judged}) > 3
    for v in judged:
        figure = parse_figure(v.claim.printed or "")
        tolerance = quantities[v.claim.quantity].tolerance or Decimal(0)
        assert figure.covers(v.found.value or Decimal(0), tolerance) == (v.word in SETTLED), v.name
        in_words = figure.is_range or figure.bound != "exact"
        assert (v.word in ("within_range", "outside_range")) == in_words, v.name


@pytest.fixture
def explanation(catalog: Catalog) -> Explanation:
    found = [e for e in catalog.sources[SURVEY].explanations if (e.table, e.row) == ("table1", "Cross-Attn tuning")]
    return next(e for e in found if e.fits_setup is not None)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, None),
        (
            {"fits_setup": Setup(configuration="cross-attention-tuning/cross-attention", model="t5-large")},
            "does not give",
        ),
        ({"cause": "other_configuration"}, "does not describe how"),
        ({"cause": "other_model"}, "does not describe how"),
    ],
)
def test_a_cause_that_claims_a_setup_is_checked(
    catalog: Catalog, explanation: Explanation, changes: dict[str, object], message: str | None
) -> None:
    survey = catalog.sources[SURVEY]
    others = tuple(e for e in survey.explanations if e is not explanation)
    altered = dataclasses.replace(survey, explanations=(*others, explanation.model_copy(update=changes)))
    evidence = evidence_of(dataclasses.replace(catalog, sources={**catalog.sources, SURVEY: altered}))
    findings = [f.message for f in check_explanations(evidence, judge(evidence.catalog.claims, evidence))]
    assert (findings == []) if message is None else any(message in found for found in findings)


def test_a_cause_without_a_setup_cannot_claim_one(explanation: Explanation) -> None:
    with pytest.raises(ValidationError, match="needs a setup"):
        Explanation.model_validate({**explanation.model_dump(), "fits_setup": None})
    with pytest.raises(ValidationError, match="goes without a setup"):
        Explanation.model_validate({**explanation.model_dump(), "cause": "unresolved"})
