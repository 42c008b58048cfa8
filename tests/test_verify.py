"""The verdicts of Table 5, and what makes the check fail."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from xml.etree import ElementTree

from surveykit.catalog.load import Catalog
from surveykit.catalog.measured import stale
from surveykit.verify import judge, summarise, verify
from surveykit.verify.ci_formats import github, junit


def test_the_recorded_measurements_are_current(catalog: Catalog) -> None:
    assert not stale(catalog), "run surveykit measure and commit catalog/measured"


def test_the_catalog_verifies(catalog: Catalog) -> None:
    report = verify(catalog, catalog.measurements)
    assert [str(finding) for finding in report.findings] == []


def test_every_printed_parameter_figure_has_a_verdict(catalog: Catalog) -> None:
    verdicts = judge(catalog, catalog.measurements)
    assert len(verdicts) == 90
    assert len({(v.backbone, v.row, v.column) for v in verdicts}) == 90
    summary = summarise(verdicts)
    assert summary.not_measured == summary.unexplained == 0
    assert summary.match + summary.fits_another_setup + summary.inconsistent + summary.unresolved == 90


def test_figures_of_the_survey_that_we_know_by_heart(catalog: Catalog) -> None:
    verdicts = {(v.row, v.backbone, v.column): v for v in judge(catalog, catalog.measurements)}
    lora = verdicts["LoRa (q and v)", "t5-3b", "params_millions"]
    assert (lora.measured, lora.outcome, lora.cause) == (Decimal("5.89824"), "fits_another_setup", "other_module_set")
    prompt = verdicts["Prompt tuning", "t5-11b", "params_millions"]
    assert (prompt.outcome, prompt.fits_setup) == ("fits_another_setup", "prefix-tuning/flat-p30")
    assert verdicts["IA3", "t5-11b", "params_millions"].outcome == "unresolved"
    assert verdicts["Full tuning", "t5-11b", "params_millions"].measured == Decimal("11307.321344")
    outcomes = Counter(v.outcome for v in verdicts.values() if v.row == "Houlsby")
    assert outcomes == {"match": 6}


def test_only_what_was_measured_is_judged(catalog: Catalog) -> None:
    some = [m for m in catalog.measurements if m.configuration.startswith("lora/") and m.backbone == "t5-large"]
    report = verify(catalog, some)
    assert {v.configuration for v in report.verdicts} == {"lora/qv-r8", "lora/all-linear-r8"}
    assert report.passed


def test_forms_for_continuous_integration(catalog: Catalog) -> None:
    wrong = [
        m.model_copy(update={"trainable": 1}) if m.configuration == "lora/qv-r8" else m for m in catalog.measurements
    ]
    report = verify(catalog, wrong)
    suite = ElementTree.fromstring(junit(report))
    assert int(suite.get("failures", "0")) == len(report.findings) == len(suite.findall("testcase/failure")) > 0
    assert len(suite.findall("testcase")) == int(suite.get("tests", "0"))
    lines = github(report).splitlines()
    assert sum(line.startswith("::error ") for line in lines) == len(report.findings)
    assert lines[-1].startswith("Table 5: ")
    assert all("\n" not in line and line.count("::") >= 2 for line in lines[:-1])
