"""The changelog as a page, and what it says of the data as an Atom feed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from typing import Any

from markupsafe import Markup

from surveykit.database.reading import Reader
from surveykit.record import Record
from surveykit.site.inputs import Surroundings
from surveykit.site.text.atom import Entry, atom, newest_measurement

CHANGES = "changes.md"
FEED = "changes.xml"
_RELEASE = re.compile(r"^## (?P<version>\S+)(?: \((?P<date>[^)]*)\))?$", re.MULTILINE)
_DATA = re.compile(r"^### Data\n(?P<items>.*?)(?=^### |\Z)", re.MULTILINE | re.DOTALL)


class Release(Record):
    """A section of the changelog."""

    version: str
    date: date | None
    """None while it is not released."""
    text: str
    """Its Markdown, without the heading."""

    @property
    def anchor(self) -> str:
        return f"v{self.version.replace('.', '-')}"

    @property
    def data(self) -> list[str]:
        """What changed in the catalog, an entry each."""
        found = _DATA.search(self.text)
        entries = re.split(r"^- ", found["items"] if found else "", flags=re.MULTILINE)
        return [" ".join(entry.split()) for entry in entries if entry.strip()]


def releases(changelog: str) -> Iterator[Release]:
    """The sections of a changelog, newest first as they stand there."""
    heads = list(_RELEASE.finditer(changelog))
    ends = [*(head.start() for head in heads[1:]), len(changelog)]
    for head, end in zip(heads, ends, strict=False):  # without a section there is an end too many
        text = changelog[head.end() : end].strip()
        when = date.fromisoformat(head["date"]) if re.fullmatch(r"\d{4}-\d\d-\d\d", head["date"] or "") else None
        yield Release(version=head["version"], date=when, text=text)


def changes_context(around: Surroundings) -> dict[str, Any]:
    """What the page of changes shows."""
    found = list(releases(around.changelog or ""))
    return {"releases": [(release, Markup(release.text)) for release in found], "feed": FEED}


def feed(reader: Reader, around: Surroundings) -> str:
    """An Atom feed with an entry for each version whose data changed.

    An entry that is not released yet has the date of the newest measurement: the last day on which its data changed.
    """
    measured = newest_measurement(reader)
    return atom(
        around, FEED, "data", "surveykit: changes to the data",
        "What is new in the catalog of fine-tuning methods that checks what sources claim", "changes/", measured,
        [
            Entry(
                f"data-{release.version}", f"Data of {release.version}{'' if release.date else ' (not released yet)'}",
                release.date or measured, f"changes/#{release.anchor}", "\n\n".join(f"• {item}" for item in release.data),
            )
            for release in releases(around.changelog or "") if release.data
        ],
    )  # fmt: skip
