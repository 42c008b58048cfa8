"""The pages about the survey's own tables and sentences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from markupsafe import Markup

from surveykit.database.reading import Reader
from surveykit.site.pages.audit import DATA_AUDIT, STATEMENTS, data_audit_context, statements_context
from surveykit.site.pages.measured import COVERAGE, MEMORY, coverage_context, memory_context
from surveykit.site.pages.printed import (
    PAPERS,
    TABLES12,
    TABLES36,
    papers_context,
    tables12_context,
    tables36_context,
)  # fmt: skip
from surveykit.site.pages.raw_results import APPENDIX_B, TABLE4, appendix_b_context, table4_context
from surveykit.site.pages.table5 import TABLE5, table5_context
from surveykit.site.text.markdown import joined, link


class SurveyPage(NamedTuple):
    """One of these pages."""

    path: str
    template: str
    title: str
    context: Callable[[Reader], dict[str, Any]]
    source: str | None = None
    """The file of the survey's folder that a correction goes to."""


SURVEY_PAGES = (
    SurveyPage(TABLES12, "tables12", "Tables 1 and 2", tables12_context),
    SurveyPage(TABLES36, "tables36", "Tables 3 and 6", tables36_context, "tables/table6.csv"),
    SurveyPage(TABLE4, "table4", "Table 4, recomputed", table4_context),
    SurveyPage(TABLE5, "table5", "Table 5, checked", table5_context, "tables/table5.csv"),
    SurveyPage(MEMORY, "memory", "Memory of Table 5, predicted", memory_context, "tables/table5.csv"),
    SurveyPage(APPENDIX_B, "appendix_b", "Appendix B", appendix_b_context, "tables/appendix_b.csv"),
    SurveyPage(STATEMENTS, "statements", "Statements, checked", statements_context, "statements.yaml"),
    SurveyPage(DATA_AUDIT, "data_audit", "Data audit", data_audit_context, "data_checks.yaml"),
    SurveyPage(COVERAGE, "coverage", "Coverage", coverage_context),
    SurveyPage(PAPERS, "papers", "Bibliography", papers_context),
)
"""In the order in which they name each other."""


def siblings(page: str) -> Markup:
    """Links to the other pages about the survey, for a page whose navigation is hidden or folded."""
    return joined(
        (link(p.title, p.path, page) if p.path != page else Markup(f"**{p.title}**") for p in SURVEY_PAGES), " · "
    )
