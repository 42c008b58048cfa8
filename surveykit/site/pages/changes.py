"""The changelog as a page, and what it says of the data as an Atom feed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from typing import Any
from xml.etree import ElementTree

from markupsafe import Markup

from surveykit.database.reading import Reader
from surveykit.record import Record
from surveykit.site.inputs import Surroundings

CHANGES = "changes.md"
FEED = "changes.xml"
_RELEASE = re.compile(r"^## (?P<version>\S+)(?: \((?P<date>[^)]*)\))?$", re.MULTILINE)
_DATA = re.compile(r"^### Data\n(?P<items>.*?)(?=^### |\Z)", re.MULTILINE | re.DOTALL)
_ATOM = "http://www.w3.org/2005/Atom"


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
    measured = reader.one("SELECT max(date) AS newest FROM run").newest
    entries = [(r, r.date or measured) for r in releases(around.changelog or "") if r.data]
    newest = max((when for _, when in entries), default=measured)
    root = ElementTree.Element("feed", xmlns=_ATOM)
    _add(root, "id", f"{around.repository}#data")
    _add(root, "title", "surveykit: changes of the data")
    _add(root, "subtitle", "What is new in the catalog of fine-tuning methods that checks what sources claim")
    _add(root, "updated", _moment(newest))
    _add(_add(root, "author"), "name", "surveykit")
    _add(root, "link", rel="alternate", type="text/html", href=_address(around, "changes/"))
    if around.address:
        _add(root, "link", rel="self", type="application/atom+xml", href=around.address + FEED)
    for release, when in entries:
        entry = _add(root, "entry")
        _add(entry, "id", f"{around.repository}#data-{release.version}")
        _add(entry, "title", f"Data of {release.version}{'' if release.date else ' (not released yet)'}")
        _add(entry, "updated", _moment(when))
        _add(entry, "link", rel="alternate", type="text/html", href=_address(around, f"changes/#{release.anchor}"))
        _add(entry, "content", "\n\n".join(f"• {item}" for item in release.data), type="text")
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def _add(parent: ElementTree.Element, name: str, text: str | None = None, **attributes: str) -> ElementTree.Element:
    element = ElementTree.SubElement(parent, name, attributes)
    element.text = text
    return element


def _address(around: Surroundings, path: str) -> str:
    """An absolute address where the site's is known; else one that readers resolve against the feed's own."""
    return (around.address or "") + path


def _moment(when: date | None) -> str:
    return f"{(when or date(1970, 1, 1)).isoformat()}T00:00:00Z"  # a feed must have one, also of a catalog without runs
