"""What is new since the survey: a page of the methods that it does not have, and an Atom feed of those that came in."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from surveykit.database.reading import Reader
from surveykit.site.inputs import Surroundings
from surveykit.site.text import numbers
from surveykit.site.text.atom import Entry, atom, newest_measurement
from surveykit.site.text.markdown import Cell, link, span, table
from surveykit.site.text.words import IDEAS, words, yes_no

NEW = "new.md"
METHODS_FEED = "methods.xml"


def new_context(reader: Reader) -> dict[str, Any]:
    """What the page shows: the methods that the survey does not have, the newest first."""
    found = reader.all("SELECT * FROM methods WHERE after_survey ORDER BY year DESC, added DESC, lower(name), id")
    newest = max((m.added for m in found if m.added), default=None)
    rows: list[list[Cell]] = [
        [
            Markup(f"**{link(m.name, f'methods/{m.id}.md', NEW)}**") + _badge(m.added == newest),
            str(m.year),
            ", ".join(words(name, IDEAS) for name in m.families),
            numbers.percent(m.trainable_percent_measured),
            yes_no(m.in_peft),
            numbers.ABSENT if m.added is None else m.added.isoformat(),
        ]
        for m in found
    ]
    heads = ["Method", "Year", "Idea", "Trainable, % of T5-Large", "In PEFT", "In the catalog since"]
    first, last = min((m.year for m in found), default=None), max((m.year for m in found), default=None)
    return {
        "count": len(found),
        "years": f"of {last}" if first == last else f"from {first} to {last}",
        "methods": table(heads, rows, "lllrll"),
        "feed": METHODS_FEED,
    }


def _badge(new: bool) -> Markup:
    return Markup(" ") + span("new", "badge") if new else Markup("")


def methods_feed(reader: Reader, around: Surroundings) -> str:
    """The feed: an entry for each method that says when it was added, the newest first."""
    added = reader.all(
        "SELECT id, method.name, method.added, idea, families, year FROM method JOIN methods USING (id)"
        " WHERE method.added IS NOT NULL ORDER BY method.added DESC, lower(method.name), id"
    )
    return atom(
        around, METHODS_FEED, "methods", "surveykit: new methods",
        "New parameter-efficient fine-tuning methods in the catalog", "methods/", newest_measurement(reader),
        [
            Entry(
                f"method-{m.id}", f"{m.name} ({m.year})", m.added, f"methods/{m.id}/",
                f"{m.idea}\n\nIdeas: {', '.join(words(name, IDEAS) for name in m.families)}.",
            )
            for m in added
        ],
    )  # fmt: skip
