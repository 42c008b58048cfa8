"""Claim × measurement → verdict."""

from surveykit.verify.checks import Report, verify
from surveykit.verify.findings import Finding
from surveykit.verify.verdicts import CellVerdict, Summary, judge, summarise

__all__ = ["CellVerdict", "Finding", "Report", "Summary", "judge", "summarise", "verify"]
