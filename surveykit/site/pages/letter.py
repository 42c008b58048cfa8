"""The findings in which the survey contradicts itself, as a letter to its authors."""

from __future__ import annotations

import json
from textwrap import fill
from typing import Any

from surveykit import __version__
from surveykit.database.reading import Reader
from surveykit.output import shown
from surveykit.site.pages.audit import survey_of
from surveykit.site.text.words import COLUMNS, words

LETTER = "downloads/errata.txt"
NO_CORRECTION = "We suggest no figure; please check this one against its source."
_WIDTH = 100


def errata(reader: Reader) -> list[Any]:
    """The findings that are errata of the survey, in the order of its text."""
    found = reader.all(
        "SELECT errata.*, finding.headline AS title FROM finding JOIN errata USING (source, id)"
        " WHERE source = ? AND errata.weight = 'erratum' ORDER BY number",
        survey_of(reader),
    )
    for e in found:
        e.where = _where(reader, e)
        e.suggestion = e.correction or NO_CORRECTION
    return found


def _where(reader: Reader, e: Any) -> str:
    """The place; columns and backbones are named as a reader of the survey knows them."""
    if e.kind != "figure":
        return str(e.locator)
    v = reader.one(
        "SELECT v.row_label, v.column_name, b.name FROM table5_verdict v JOIN backbone b ON b.id = v.backbone WHERE locator = ?",
        e.locator,
    )
    return f"Table 5, {v.name}, row {v.row_label}, {words(v.column_name, COLUMNS)}"


def _result(reader: Reader, e: Any) -> list[str]:
    """What the queries of a sentence give, in a line each."""
    if e.kind != "sentence":
        return []
    rows = reader.all(
        "SELECT r.reading, result.figures FROM statement_reading r JOIN statement_result result USING (statement, position)"
        " WHERE r.statement = ? ORDER BY r.position",
        e.id,
    )
    return [f"{r.reading}: {_figures(r.figures)}" for r in rows]


def _figures(text: str | None) -> str:
    return ", ".join(f"{name} = {_value(value)}" for name, value in json.loads(text or "{}").items()) or "no figures"


def _value(value: Any) -> str:
    return "; ".join(map(shown, value)) if isinstance(value, list) else shown(value)


def letter(reader: Reader) -> str:
    """The errata, without the remarks, as plain text that is also Markdown, ready to be sent."""
    entries = errata(reader)
    date = reader.one("SELECT max(date) AS newest FROM run").newest
    parts = [
        f"# Suggested errata for {_source(reader)}",
        _filled(
            "Dear authors, surveykit stores the tables and checkable sentences of your survey as data and checks them against "
            f"each other. {len(entries)} places disagree with other places in the same text, or with what follows from them. Each entry "
            "names the place, what it says, what other places say, an innocent explanation, and a suggested text. A suggestion "
            "takes the tables as they are; it does not say that they are right and the sentence is wrong, and no entry is about "
            "the experiments themselves. We read version 2 as text, which lacks some figures and formulas; if we misread "
            "something, please tell us."
            + (" A second reader, not their author, has checked all entries." if all(e.signed for e in entries) else "")
        ),
    ]
    for e in entries:
        said = f"printed: {e.printed}" if e.printed else f"says, in our words: {e.says}"
        parts += [
            f"## {e.number}. {e.title}",
            "\n".join(
                _filled(text, "- ", "  ")
                for text in (
                    f"place: {e.where}", said, f"found: {e.finding}", *(f"result, {r}" for r in _result(reader, e)),
                    f"an innocent explanation: {e.innocent}",
                    f"suggestion: {e.suggestion}",
                )
            ) + f"\n- to run it again: `{e.rerun}`",
        ]  # fmt: skip
    newest = f", newest measurement {date}" if date else ""
    parts.append(_filled(f"Made by surveykit {__version__}{newest}, from the table `finding` of its database."))
    return "\n\n".join(parts) + "\n"


def _source(reader: Reader) -> str:
    """The paper that the letter is about, with the version that was read."""
    paper = reader.one(
        "SELECT paper.* FROM source JOIN paper ON paper.key = source.paper JOIN judging ON source.key = word_of"
    )
    return f"arXiv {paper.arxiv}" if paper.arxiv else str(paper.title)


def _filled(text: str, first: str = "", further: str = "") -> str:
    """Text in lines of one width, which begin with `first` and `further`."""
    return fill(
        " ".join(text.split()), _WIDTH, initial_indent=first, subsequent_indent=further,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
