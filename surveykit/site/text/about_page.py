"""What a page says of itself to search engines and to whoever shares a link to it: the front matter of its Markdown."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from types import MappingProxyType

_FRONT_MATTER = re.compile(r"\A---\n(.*?)^---\n", re.MULTILINE | re.DOTALL)
_LONGEST = 200
_ENOUGH = 70
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)(?:\{[^}]*\})?")
_MARKUP = re.compile(r"<!--.*?-->|<[^>]+>|\{[^{}]*\}|\*\*|(?<!\w)[*_]|[*_](?!\w)|`", re.DOTALL)
_APART = re.compile(r"^(#|\||!!!|\?\?\?|- |\d+\. |```|!\[|<div|<script|<svg)|^\{")
BOOSTS: Mapping[str, float] = MappingProxyType({"glossary.md": 8, "settings.md": 2, "which-should-i-use.md": 2})
"""How much more a page counts in the search than others with the same words."""
_METHOD = 3
"""The same of a method's page. One over the number of words in its name comes on top, so that LoRA is found before LoRA-FA."""
CARDS: Mapping[str, str] = MappingProxyType({"methods/": "methods", "sources/": "sources", "survey/": "sources"})
"""Which picture is shown beside a link to a page, by the start of the page's path; a method and a source have one of their own."""
_OWN_CARD = re.compile(r"((?:methods|sources)/(?!index\.)[^/]+)\.md")
CARD = "site"
"""The picture of all other pages."""


def about_page(path: str, title: str | None, text: str) -> dict[str, object]:
    """The facts of a page.

    Args:
        path: of its Markdown, below the site's root.
        title: what the navigation calls it; without one, its heading.
    """
    facts: dict[str, object] = {"description": description(text, None if path == "index.md" else title)}
    if boost := _boost(path, title or ""):
        facts["search"] = {"boost": boost}
    own = _OWN_CARD.fullmatch(path)
    facts["card"] = own[1] if own else next((card for start, card in CARDS.items() if path.startswith(start)), CARD)
    return facts


def _boost(path: str, title: str) -> float | None:
    if re.fullmatch(r"methods/(?!index\.).*\.md", path):
        return round(_METHOD + 1 / len(re.split(r"[\s-]+", title)), 2)
    return BOOSTS.get(path)


def description(text: str, title: str | None = None) -> str:
    """The first sentences of a page of Markdown as plain text, after its title where they do not name it."""
    body = _FRONT_MATTER.sub("", text)
    heading = re.search(r"^# (.+?)(?: \{[^}]*\})?$", body, re.MULTILINE)
    name = title or (plain(heading[1]) if heading else "")
    paragraphs = (block.strip() for block in body[heading.end() if heading else 0 :].split("\n\n"))
    said = next((words for block in paragraphs if not _APART.match(block) and _is_sentence(words := plain(block))), "")
    short = _first_sentences(said)
    return _cut(short if name.lower() in short.lower() else f"{name}: {short}" if short else name)


def plain(markdown: str) -> str:
    """Markdown of a paragraph without its markup."""
    return " ".join(html.unescape(_MARKUP.sub("", _LINK.sub(r"\1", markdown))).split())


def _is_sentence(words: str) -> bool:
    return len(words) > 30 and re.search(r"[.:?](\s|$)", words) is not None


def _first_sentences(text: str) -> str:
    shown = ""
    for sentence in re.split(r"(?<=[.?!])(?<!al\.)(?<!e\.g\.)\s+(?=[A-Z0-9(])", text):
        if shown and (len(shown) >= _ENOUGH or len(shown) + len(sentence) > _LONGEST):
            break
        shown = f"{shown} {sentence}".strip()
    return shown


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1].rsplit(' ', 1)[0]}…"


def with_front_matter(text: str, facts: Mapping[str, object]) -> str:
    """The page with these facts added to those that it begins with. JSON is YAML, so values need no quoting of their own."""
    found = _FRONT_MATTER.match(text)
    lines = [f"{name}: {json.dumps(value, ensure_ascii=False)}\n" for name, value in facts.items()]
    return f"---\n{found[1] if found else ''}{''.join(lines)}---\n{text[found.end() :] if found else chr(10) + text}"
