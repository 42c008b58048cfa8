"""Claim × measurement → verdict."""

from surveykit.verify.checks import Report, verify
from surveykit.verify.findings import Finding
from surveykit.verify.verdicts import CellVerdict, Summary, judge, summarise
from surveykit.verify.whole import WholeReport, verify_whole

__all__ = ["CellVerdict", "Finding", "Report", "Summary", "WholeReport", "judge", "summarise", "verify", "verify_whole"]
