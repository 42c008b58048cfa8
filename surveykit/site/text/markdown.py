"""Markdown that catalog text cannot break: every piece is either escaped text or markup made here.

Text becomes `Markup` by `escape`, which writes each character that Markdown or HTML could read as markup as a numeric
entity. Templates and tables take both kinds: a plain string is escaped, `Markup` stands as it is.
"""

from __future__ import annotations

import json
import posixpath
import re
import unicodedata
from collections.abc import Iterable, Sequence
from textwrap import indent
from urllib.parse import quote, urlsplit

from markupsafe import Markup

Cell = str | int
"""Plain text (escaped when written), markup, or a number without a format."""

# Letters, digits and these mean nothing alone; `.`, `-` and `+` mean something only at the start of a line.
_MEANS = re.compile(r"[^\w ,;:/%()\x80-\U0010ffff]|_")
_INSIDE = frozenset(".-+")


def escape(text: object) -> Markup:
    """Text as one line of Markdown that shows exactly this text."""
    if isinstance(text, Markup):
        return text
    line = str(text)
    if not line.isprintable():
        line = "".join(_visible(c) for c in line)
    return Markup(_MEANS.sub(_entity, re.sub(" {2,}", " ", line)))


def _visible(character: str) -> str:
    """Drop control characters and those that turn the direction of text; line breaks become spaces."""
    if character.isspace():
        return " "
    return "" if unicodedata.category(character) in ("Cc", "Cf", "Cs") else character


def _entity(found: re.Match[str]) -> str:
    line, i, character = found.string, found.start(), found[0]
    before, after = line[i - 1 : i] if i else "", line[i + 1 : i + 2]
    if character == "?" and "?" not in (before, after):  # three in a row would open a block
        return character
    if character in _INSIDE and before.isalnum() and (after.isalnum() or (character == "." and before.isalpha())):
        return character
    return f"&#{ord(character)};"


def code(text: str) -> Markup:
    """Text in the typeface of code, within a line."""
    return Markup(f"<code>{escape(text)}</code>")


def fence(text: str, language: str = "") -> Markup:
    """A block of code, whatever it contains."""
    lines = [line.rstrip() for line in text.strip("\n").splitlines()]
    shown = "\n".join("".join(c for c in line if c == "\t" or _visible(c)) for line in lines)
    longest = max((len(run) for run in re.findall("`+", shown)), default=0)
    mark = "`" * max(3, longest + 1)
    return Markup(f"{mark}{language}\n{shown}\n{mark}")


def folded(title: str, sql: str) -> Markup:
    """A query in a block that opens; the title is ours."""
    return Markup(f'??? note "{title}"\n\n' + indent(fence(sql), "    "))


def span(text: object, kind: str, *, identifier: str | None = None, title: str | None = None) -> Markup:
    """Text in a class of the style sheet, perhaps with an anchor."""
    anchor = f' id="{identifier}"' if identifier else ""
    tip = f' title="{escape(title)}"' if title else ""
    return Markup(f'<span class="{kind}"{anchor}{tip}>{escape(text)}</span>')


def target(address: str, page: str) -> str:
    """The address of a place on the site as a page writes it. Both are paths below the site's root."""
    file, mark, anchor = address.partition("#")
    path = posixpath.relpath(file, posixpath.dirname(page) or ".") if file and (file != page or not anchor) else ""
    return f"{path}{mark}{anchor}"


def link(text: object, address: str, page: str) -> Markup:
    """A link from one page to another; the address may end in an anchor."""
    return Markup(f"[{escape(text)}]({target(address, page)})")


def external(text: object, url: str | None) -> Markup:
    """A link to another site; plain text unless the address is one of the web."""
    parts = urlsplit(url or "")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return escape(text)
    address = quote(url or "", safe=":/?#=&%,;~.-@")
    return Markup(f"[{escape(text)}]({address.replace('&', '&#38;')})")


def slug(text: str) -> str:
    """Text as part of an anchor."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower().replace("+", "-plus")).strip("-") or "x"


def table(heads: Sequence[Cell], rows: Iterable[Sequence[Cell]], align: str) -> Markup:
    """A table of Markdown; `align` has `l` or `r` for each column. Nothing is written for no rows."""
    lines = [[escape(cell) or Markup("&#8211;") for cell in row] for row in rows]
    if not lines:
        return Markup("")
    marks = [Markup("---:" if side == "r" else ":---") for side in align]
    written = [f"| {' | '.join(cells)} |" for cells in ([escape(head) for head in heads], marks, *lines)]
    return Markup("\n".join(written))


def bullets(items: Iterable[Markup]) -> Markup:
    """A list."""
    return Markup("\n".join(f"- {item}" for item in items))


def joined(parts: Iterable[object], between: str = ", ") -> Markup:
    """Pieces in a row, each escaped unless it is markup."""
    return Markup(between).join(escape(part) for part in parts)


def inert(data: object) -> Markup:
    """JSON that no HTML can come out of, and that Markdown leaves alone."""
    text = json.dumps(data, ensure_ascii=True, separators=(",", ":"))
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)
