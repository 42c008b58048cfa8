"""Pages of HTML as the tests ask about them: elements, rows, words, links."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr", "path"}
REFERRING = ("href", "src", "data", "poster", "action", "xlink:href")


class Html(HTMLParser):
    """What the tests ask of one page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.scripts: list[str] = []
        self.headings: list[str] = []
        self.rows: list[list[str]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th") and self.rows:
            self.rows[-1].append("")
        elif tag == "h1":
            self.headings.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag in self._open:
            while self._open.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        if "script" in self._open or "style" in self._open:
            self.scripts.append(data)
            return
        self.words.append(data)
        if "td" in self._open or "th" in self._open:
            self.rows[-1][-1] += data
        if self._open and "h1" in self._open and "a" not in self._open:
            self.headings[-1] += data

    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def identifiers(self) -> list[str]:
        return [attributes["id"] for _, attributes in self.elements if "id" in attributes]

    def harmless(self) -> bool:
        """Whether nothing here would run that only hostile texts bring."""
        return not any("alert" in script or "taken" in script for script in self.scripts) and not any(
            name.startswith("on") or (name in ("href", "src", "action") and value.lower().startswith("javascript"))
            for _, attributes in self.elements
            for name, value in attributes.items()
        )


def read(path: Path) -> Html:
    return Html(path.read_text(encoding="utf-8"))


def internal_links(path: str, page: Html) -> Iterator[tuple[str, str]]:
    """Files and fragments that a page refers to, below the root."""
    base = f"http://site/{path}"
    for _, attributes in page.elements:
        for name in REFERRING:
            if name not in attributes:
                continue
            parts = urlsplit(urljoin(base, attributes[name]))
            if parts.netloc == "site":
                file = unquote(parts.path.lstrip("/"))
                fragment = (
                    "" if parts.fragment.startswith("q=") else unquote(parts.fragment)
                )  # a query for the SQL page
                yield (f"{file}index.html" if file == "" or file.endswith("/") else file), fragment
