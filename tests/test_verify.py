"""The verdicts on the survey's Table 5, and what makes the check fail."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from xml.etree import ElementTree

import pytest

from surveykit.catalog.load import Catalog
from surveykit.catalog.measured import stale
from surveykit.verify import Report, Verdict, summaries, verify_counts
from surveykit.verify.ci_formats import github, junit

PRINTED = 45 * 2
"""Rows of Table 5, each with its parameters in millions and in percent."""


@pytest.fixture(scope="module")
def report(catalog: Catalog) -> Report:
    return verify_counts(catalog, catalog.measurements)


@pytest.fixture(scope="module")
def verdicts(report: Report) -> list[Verdict]:
    return [v for v in report.verdicts if (v.claim.source, v.claim.table) == ("lialin2023scaling", "table5")]


def test_the_recorded_measurements_are_current(catalog: Catalog) -> None:
    assert not stale(catalog), "run surveykit measure and commit catalog/measured"


def test_the_catalog_verifies(report: Report) -> None:
    assert [str(finding) for finding in report.findings] == []
    assert report.passed


def test_every_printed_parameter_figure_has_a_verdict(catalog: Catalog, verdicts: list[Verdict]) -> None:
    assert len(verdicts) == len({v.claim.place for v in verdicts}) == PRINTED
    (summary,) = summaries(verdicts, catalog)
    allowed = {"match", "fits_another_setup", "inconsistent", "unresolved"}
    assert set(summary.outcomes) <= allowed
    assert sum(summary.outcomes.values()) == summary.cells == PRINTED
    assert summary.rows_match <= summary.rows == PRINTED // 2


def test_figures_of_the_survey_that_we_know_by_heart(verdicts: list[Verdict]) -> None:
    found = {(v.claim.row, v.claim.model, v.claim.column): v for v in verdicts}
    lora = found["LoRa (q and v)", "t5-3b", "params_millions"]
    assert (lora.found.value, lora.outcome, lora.cause) == (
        Decimal("5.89824"),
        "fits_another_setup",
        "other_module_set",
    )
    prompt = found["Prompt tuning", "t5-11b", "params_millions"]
    assert (prompt.outcome, prompt.fits_setup) == ("fits_another_setup", "prefix-tuning/flat-p30")
    assert found["IA3", "t5-11b", "params_millions"].outcome == "unresolved"
    assert found["Full tuning", "t5-11b", "params_millions"].found.value == Decimal("11307.321344")
    assert Counter(v.outcome for v in verdicts if v.claim.row == "Houlsby") == {"match": 6}


def test_only_what_was_measured_is_judged(catalog: Catalog) -> None:
    some = [m for m in catalog.measurements if m.configuration.startswith("lora/") and m.backbone == "t5-large"]
    report = verify_counts(catalog, some)
    assert {v.claim.configuration for v in report.verdicts} == {"lora/qv-r8", "lora/all-linear-r8"}
    assert {v.claim.model for v in report.verdicts} == {"t5-large"}
    assert report.passed


def test_forms_for_continuous_integration(catalog: Catalog) -> None:
    wrong = [
        m.model_copy(update={"trainable": 1}) if m.configuration == "lora/qv-r8" else m for m in catalog.measurements
    ]
    report = verify_counts(catalog, wrong)
    suite = ElementTree.fromstring(junit(report))
    assert int(suite.get("failures", "0")) == len(report.findings) == len(suite.findall("testcase/failure")) > 0
    assert len(suite.findall("testcase")) == int(suite.get("tests", "0"))
    lines = github(report).splitlines()
    errors = [line for line in lines if line.startswith("::error ")]
    assert len(errors) == len(report.findings)
    assert lines[-len(report.sentences()) :] == report.sentences()
    assert all(line.count("::") >= 2 for line in lines[: -len(report.sentences())])
