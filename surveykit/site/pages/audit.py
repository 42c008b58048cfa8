"""The sentences of sources beside their own tables, and what looks odd in these: the survey's have pages of their own."""

from __future__ import annotations

import json
from textwrap import indent
from typing import Any

from markupsafe import Markup

from surveykit.database.reading import Reader
from surveykit.site.text import numbers
from surveykit.site.text.markdown import code, fence, joined, link, slug, span, table
from surveykit.site.text.words import words

STATEMENTS = "survey/statements.md"
DATA_AUDIT = "survey/data-audit.md"
ROWS_SHOWN = 12
STATUSES = {
    "contradicted": ("contradicted", "The figures do not bear it out under any reading that we tried."),
    "depends_on_reading": ("depends on reading", "The figures bear it out under one fair reading but not under another."),
    "holds": ("holds", "The figures bear it out under every reading that we tried."),
    "not_checkable": ("not checkable", "No figures can decide it; the reason is given."),
    "failed": ("query failed", "A query failed, so there is no verdict. The checks of this catalog then fail."),
}  # fmt: skip
"""Word and meaning of each."""
_READINGS = """
SELECT r.*, result.holds, result.figures, result.error FROM statement_reading r
LEFT JOIN statement_result result USING (statement, position) ORDER BY r.statement, r.position
"""
_COLOURS = {"contradicted": "unresolved", "depends_on_reading": "partly", "holds": "match", "failed": "unexplained"}


def status_badge(status: str) -> Markup:
    """A status in its colour, with its meaning as a tip."""
    word, meaning = STATUSES[status]
    return span(word, f"outcome {_COLOURS.get(status, 'neutral')}", title=meaning)


def survey_of(reader: Reader) -> str:
    """The key of the survey, which has pages of its own; what is found in other sources stands on theirs."""
    return str(reader.one("SELECT word_of FROM judging").word_of)


def statement_counts(reader: Reader) -> dict[str, int]:
    """Statements of the survey by status, and how many were checked."""
    of_survey = "SELECT status, count(*) AS n FROM statements WHERE source = ? GROUP BY status"
    counts = {r.status: r.n for r in reader.all(of_survey, survey_of(reader))}
    found = {status: counts.get(status, 0) for status in STATUSES}
    return found | {"all": sum(counts.values()), "checked": sum(counts.values()) - found["not_checkable"]}


def checked_statements(reader: Reader, source: str) -> list[Any]:
    """The statements of a source, with their readings as a table and their queries."""
    entries = reader.all("SELECT * FROM statements WHERE source = ? ORDER BY position", source)
    for s in entries:
        own = reader.of("statement", s.id, _READINGS)
        s.anchor = f"statement-{s.id}"
        s.badge = status_badge(s.status)
        s.reviewed = words(s.status_reviewed, STATUSES) if s.status_reviewed != s.status else None
        s.table = table(
            ["Reading", "Result", "Figures"], [[r.reading, _result(r), _figures(r.figures)] for r in own], "lll"
        )
        s.sql = _collapsed("Query" if len(own) == 1 else "Queries", s.id, [r.sql for r in own]) if own else None
    return entries


def statements_context(reader: Reader) -> dict[str, Any]:
    """What the page of the survey's statements shows."""
    entries = checked_statements(reader, survey_of(reader))
    groups = [
        (status, slug(status), words(status, STATUSES).capitalize(), found)
        for status in STATUSES
        if (found := [s for s in entries if s.status == status])
    ]
    counts = statement_counts(reader)
    return {
        "counts": counts,
        "groups": groups,
        "overview": table(
            ["Status", "Meaning", "Statements"],
            [
                [status_badge(status), STATUSES[status][1], link(len(found), f"{STATEMENTS}#{anchor}", STATEMENTS)]
                for status, anchor, _, found in groups
            ],
            "llr",
        ),
    }


def _result(reading: Any) -> Markup:
    if reading.error is not None or reading.holds is None:
        return joined([status_badge("failed"), reading.error or "no result"], " ")
    return span("holds", "yes") if reading.holds else span("does not hold", "no")


def _figures(text: str | None) -> Markup:
    """`name = value` for each figure of a JSON object."""
    found = json.loads(text) if text else {}
    return joined((Markup(f"{code(name)} = ") + joined([numbers.figure(v)]) for name, v in found.items()), "<br>")


def _collapsed(title: str, identifier: str, queries: list[str]) -> Markup:
    """Queries in a block that opens, with the command that runs them again. The title is ours."""
    command = Markup("Run it again: ") + code(f"surveykit audit --id {identifier}")
    parts = [command, *(fence(sql) for sql in queries)]
    return Markup(f'??? note "{title}"\n\n' + indent("\n\n".join(parts), "    "))


def data_checks(reader: Reader, source: str) -> list[Any]:
    """The data checks of a source, with the rows that they find as a table."""
    checks = reader.all("SELECT * FROM data_audit WHERE source = ? ORDER BY position", source)
    for c in checks:
        rows = json.loads(c.rows) if c.rows else []
        heads = list(dict.fromkeys(name for row in rows for name in row))
        shown = [[numbers.figure(row.get(name)) for name in heads] for row in rows[:ROWS_SHOWN]]
        sides = ("r" if all(_is_number(row.get(name)) for row in rows) else "l" for name in heads)
        c.anchor = f"check-{c.id}"
        c.table = table([words(name, {}) for name in heads], shown, "".join(sides))
        c.more = max((c.found or 0) - len(shown), 0)
        c.query = _collapsed("Query", c.id, [c.sql])
    return checks


def data_audit_context(reader: Reader) -> dict[str, Any]:
    """What the page of the survey's data checks shows."""
    checks = data_checks(reader, survey_of(reader))
    return {
        "checks": checks,
        "finding": sum(1 for c in checks if c.found),
        "overview": table(
            ["Looks for", "Rows found"],
            [[link(c.looks_for, f"{DATA_AUDIT}#{c.anchor}", DATA_AUDIT), numbers.count(c.found)] for c in checks],
            "lr",
        ),
    }


def _is_number(value: object) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))
