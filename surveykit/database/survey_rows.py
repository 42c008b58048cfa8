"""Rows of the tables that hold what the survey prints beyond Tables 1, 2 and 5."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from surveykit.catalog.load import Catalog
from surveykit.catalog.second_reading import digest, signable

Row = tuple[Any, ...]


def survey_tables(catalog: Catalog) -> Iterator[tuple[str, Iterable[Row]]]:
    """Table name and rows, in an order that satisfies the foreign keys."""
    survey = catalog.survey
    backbones = {b.survey_label: b.id for b in catalog.models.values() if b.survey_label}
    yield "citation", [(c.key, c.section, c.times) for c in survey.citations]
    yield "printed_name", [(n.table, n.printed, n.method, n.configuration, n.evidence) for n in survey.names]
    yield (
        "microbatch",
        [(backbones[m.backbone_label], m.backbone_label, m.dataset, m.microbatch) for m in survey.table3],
    )
    yield (
        "category_cell",
        [
            (i, c.aspect, c.detail, c.category, c.subcategory, c.printed, c.status)
            for i, c in enumerate(survey.table6, start=1)
        ],
    )
    labels = catalog.appendix_b_labels()
    yield (
        "raw_score",
        [(s.position, labels[s.model], s.model, s.method, s.dataset, s.seed, s.score) for s in survey.appendix_b],
    )
    yield "prompt", [(p.dataset, p.prompt) for p in survey.prompts]
    yield "missing_in_source", [(m.what, m.locator, m.reason) for m in survey.missing]
    yield "said", [(s.topic, s.locator, s.printed, s.value and float(s.value)) for s in survey.said]
    findings = signable(catalog)
    yield (
        "second_reading",
        [
            (r.finding, r.date, r.outcome, r.digest, now := digest(findings[r.finding]), now == r.digest)
            for r in survey.second_readings
        ],
    )
    yield (
        "statement",
        [
            (
                i,
                s.id,
                s.locator,
                s.says,
                s.headline,
                s.status,
                s.note,
                s.reason,
                s.correction,
                s.innocent,
                s.evidence,
                s.remark,
            )
            for i, s in enumerate(survey.statements, start=1)
        ],
    )
    yield (
        "statement_reading",
        [(s.id, i, r.reading, r.sql) for s in survey.statements for i, r in enumerate(s.readings, start=1)],
    )
    yield (
        "data_check",
        [
            (i, c.id, c.looks_for, c.sql, c.found, c.note, c.innocent, c.evidence)
            for i, c in enumerate(survey.data_checks, start=1)
        ],
    )
