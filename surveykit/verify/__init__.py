"""Claim × measurement → verdict."""

from surveykit.verify.again import Checked, sample
from surveykit.verify.findings import Finding
from surveykit.verify.judge import judge
from surveykit.verify.report import Report, verify_all, verify_counts
from surveykit.verify.verdicts import Summary, Verdict, summaries

__all__ = ["Checked", "Finding", "Report", "Summary", "Verdict", "judge", "sample", "summaries", "verify_all",
           "verify_counts"]  # fmt: skip
