"""Claim × measurement → verdict."""

from surveykit.verify.again import Checked, sample
from surveykit.verify.checks import Report, verify
from surveykit.verify.findings import Finding
from surveykit.verify.verdicts import CellVerdict, Summary, judge, summarise
from surveykit.verify.whole import WholeReport, verify_whole

__all__ = ["CellVerdict", "Checked", "Finding", "Report", "Summary", "WholeReport", "judge", "sample", "summarise",
           "verify", "verify_whole"]  # fmt: skip
