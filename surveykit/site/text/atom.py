"""Atom feeds (RFC 4287)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple
from xml.etree import ElementTree

from surveykit.database.reading import Reader
from surveykit.site.inputs import Surroundings

_ATOM = "http://www.w3.org/2005/Atom"


class Entry(NamedTuple):
    """An entry of a feed."""

    name: str
    """Tells it from all others, for good."""
    title: str
    when: date | None
    """The day on which it changed last."""
    path: str
    """Of its page, below the site's root."""
    text: str


def newest_measurement(reader: Reader) -> date | None:
    """The day of the newest measurement; None without any."""
    newest: date | None = reader.one("SELECT max(date) AS newest FROM run").newest
    return newest


def atom(
    around: Surroundings, file: str, name: str, title: str, subtitle: str, page: str, without: date | None,
    entries: Sequence[Entry],
) -> str:  # fmt: skip
    """A feed.

    Args:
        file: its path below the site's root.
        name: tells it from the site's other feeds, for good.
        page: the page that shows the same to people.
        without: its day where it has no entry.
    """
    root = ElementTree.Element("feed", xmlns=_ATOM)
    _add(root, "id", f"{around.repository}#{name}")
    _add(root, "title", title)
    _add(root, "subtitle", subtitle)
    _add(root, "updated", _moment(max((e.when for e in entries if e.when), default=without)))
    _add(_add(root, "author"), "name", "surveykit")
    _add(root, "link", rel="alternate", type="text/html", href=_address(around, page))
    if around.address:
        _add(root, "link", rel="self", type="application/atom+xml", href=around.address + file)
    for one in entries:
        entry = _add(root, "entry")
        _add(entry, "id", f"{around.repository}#{one.name}")
        _add(entry, "title", one.title)
        _add(entry, "updated", _moment(one.when))
        _add(entry, "link", rel="alternate", type="text/html", href=_address(around, one.path))
        _add(entry, "content", one.text, type="text")
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
