"""The pages about the survey's own tables and sentences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from markupsafe import Markup

from surveykit.database.reading import Reader
from surveykit.record import Record
from surveykit.site.pages.audit import DATA_AUDIT, STATEMENTS, data_audit_context, statements_context
from surveykit.site.pages.differences import TABLE5
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
from surveykit.site.text.markdown import joined, link


class SurveyPage(Record):
    """One of these pages."""

    path: str
    template: str
    title: str
    source: str | None
    context: Callable[[Reader], dict[str, Any]]


SURVEY_PAGES = tuple(
    SurveyPage(path=path, template=template, title=title, source=source, context=context)
    for path, template, title, source, context in (
        (TABLES12, "tables12", "Tables 1 and 2", None, tables12_context),
        (TABLES36, "tables36", "Tables 3 and 6", "sources/lialin2023scaling/tables/table6.csv", tables36_context),
        (TABLE4, "table4", "Table 4, recomputed", None, table4_context),
        (
            MEMORY,
            "memory",
            "Memory of Table 5, predicted",
            "sources/lialin2023scaling/tables/table5.csv",
            memory_context,
        ),
        (APPENDIX_B, "appendix_b", "Appendix B", "sources/lialin2023scaling/tables/appendix_b.csv", appendix_b_context),
        (
            STATEMENTS,
            "statements",
            "Statements, checked",
            "sources/lialin2023scaling/statements.yaml",
            statements_context,
        ),
        (DATA_AUDIT, "data_audit", "Data audit", "sources/lialin2023scaling/data_checks.yaml", data_audit_context),
        (COVERAGE, "coverage", "Coverage", None, coverage_context),
        (PAPERS, "papers", "Bibliography", "papers.bib", papers_context),
    )
)


def siblings(page: str) -> Markup:
    """Links to the other pages about the survey, for a page whose navigation is hidden or folded."""
    places = [(p.path, p.title) for p in SURVEY_PAGES]
    places.insert(3, (TABLE5, "Table 5, checked"))
    return joined(
        (link(title, path, page) if path != page else Markup(f"**{title}**") for path, title in places), " · "
    )
