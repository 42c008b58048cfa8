"""The taxonomy: families that overlap, as a picture whose names are links, and a page to browse by family."""

from __future__ import annotations

import re
from html import escape as escape_xml
from types import MappingProxyType
from typing import Any

from surveykit.database.reading import Reader
from surveykit.site.drawing.canvas import FAMILY_MARKS
from surveykit.site.drawing.svg import Picture, as_csv, colour, text_at
from surveykit.site.text.markdown import joined, link
from surveykit.site.text.words import FAMILIES, type_words, words

TAXONOMY = "taxonomy.md"
_GLYPHS = MappingProxyType({"o": "●", "s": "■", "P": "✚", "D": "◆", "^": "▲", "X": "✖", "*": "★"})
_LINE = 19
_ADDITIVE = (("adapter", "adapters"), ("soft_prompt", "soft prompts"), ("other_additive", "other additive"), ("hybrid", "hybrids of these"))  # fmt: skip


def taxonomy_picture(reader: Reader) -> Picture:
    """Figure 2 of the survey, drawn from the types in the database: every method in the region of its letters."""
    rows = reader.all("SELECT id, name, family, type, after_survey FROM methods ORDER BY lower(name), id")
    counted = {letter: sum(letter in (r.type or "") for r in rows if r.type != "none") for letter in "ASR"}
    alone = sum(r.type in (None, "none") for r in rows)
    return Picture(
        name="taxonomy",
        title="Taxonomy",
        caption="After the survey's Figure 2: the three approaches overlap, and each method is in the region for the "
        "letters of its type. Marks and colours show its family. Names are links; names in italics are methods that are not in "
        "the survey.",
        alt=f"Three overlapping regions. Additive: {counted['A']} methods, among them adapters and soft prompts. Selective: "
        f"{counted['S']}. Reparametrization-based: {counted['R']}. Methods of several types are where regions overlap; "
        f"{alone} are outside. The list by family says the same in words.",
        drawing=_drawn(rows),
        data=as_csv(
            ("id", "name", "family", "type", "after_survey"),
            [(r.id, r.name, r.family, r.type, r.after_survey) for r in rows],
        ),
    )


def taxonomy_context(reader: Reader) -> dict[str, Any]:
    """Each family with its methods: name, type and the first sentence of the idea."""
    groups: dict[str, list[Any]] = {}
    for m in reader.all(
        "SELECT m.id, m.name, m.family, s.type, s.after_survey, m.idea FROM method m JOIN methods s USING (id)"
        " ORDER BY lower(m.name), m.id"
    ):
        m.link = link(m.name, f"methods/{m.id}.md", TAXONOMY)
        m.type_words = "type not stated" if m.type is None else type_words(m.type).partition(":")[0]
        m.type_words += ", not in the survey" if m.after_survey else ""
        m.sentence = re.split(r"(?<=[a-z)])[.:;] ", m.idea, maxsplit=1)[0].rstrip(".")
        groups.setdefault(m.family, []).append(m)
    families = [(name, words(name, FAMILIES), groups[name]) for name in FAMILIES if name in groups]
    return {"families": families, "ways": joined((link(f"{word} ({len(own)})", f"{TAXONOMY}#{name.replace('_', '-')}", TAXONOMY)
                                                  for name, word, own in families), " · ")}  # fmt: skip


def _drawn(rows: list[Any]) -> str:
    """Additive and reparametrization-based beside each other, selective below both; regions grow with what is in them."""

    def of(*letters: str) -> list[Any]:
        return [r for r in rows if r.type and r.type != "none" and set(r.type) == set(letters)]

    additive = [(title, [r for r in of("A") if r.family == family]) for family, title in _ADDITIVE]
    additive += [("others", [r for r in of("A") if r.family not in dict(_ADDITIVE)])]
    additive = [entry for entry in additive if entry[1]]
    left, middle, right = 16, 368, 540  # where the three columns begin
    pairs = [additive[n : n + 2] for n in range(0, len(additive), 2)]
    heights = [max(len(own) for _, own in pair) * _LINE + 30 for pair in pairs]
    top, first = 64, max(sum(heights) + 8 * len(heights), _lines(of("R"), 2), _lines(of("A", "R"), 1), 60)
    second = max(_lines(of("A", "S"), 2), _lines(of("A", "R", "S"), 1), _lines(of("R", "S"), 2), 40)
    third = max(_lines(of("S"), 4), 40)
    below = top + first + second + third + 34
    outside = [r for r in rows if r.type in (None, "none")]
    height = below + 46 + _lines(outside, 4)
    parts = [
        _region(left, 30, 508, top - 30 + first + second, "orange", "Additive", left + 12, 52),
        _region(middle - 8, 30, 404, top - 30 + first + second, "blue", "Reparametrization-based", right + 8, 52),
        _region(
            left + 8,
            top + first - 2,
            732,
            second + third + 22,
            "red",
            "Selective",
            left + 20,
            top + first + second + third + 12,
        ),
    ]
    y = top
    for pair, tall in zip(pairs, heights, strict=True):
        for n, (title, own) in enumerate(pair):
            x = left + 10 + n * 168
            parts.append(
                f'<rect x="{x}" y="{y}" width="160" height="{tall}" rx="6" style="fill: {colour("paper")}; stroke: {colour("grid")}"/>'
            )
            parts.append(text_at(x + 8, y + 16, title, "quiet", 11))
            parts += _names(x + 8, y + 34, own, 1, 150)
        y += tall + 8
    parts += _names(middle + 2, top + 18, of("A", "R"), 1, 156)
    parts += _names(right + 8, top + 18, of("R"), 2, 108)
    parts += _names(left + 20, top + first + 20, of("A", "S"), 2, 160)
    parts += _names(middle + 2, top + first + 20, of("A", "R", "S"), 1, 156)
    parts += _names(right + 8, top + first + 20, of("R", "S"), 2, 104)
    parts += _names(left + 20, top + first + second + 20, of("S"), 4, 172)
    if outside:
        parts.append(text_at(left + 8, below + 18, "None of these", "text", 13, bold=True))
        parts += _names(left + 20, below + 40, outside, 4, 172)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 22 780 {height - 22}" '
            "font-family=\"'DejaVu Sans', Verdana, sans-serif\">\n" + "\n".join(parts) + "\n</svg>\n")  # fmt: skip


def _lines(own: list[Any], columns: int) -> int:
    return -(-len(own) // columns) * _LINE + 16


def _region(x: int, y: int, width: int, height: int, ink: str, title: str, at: int, title_y: int) -> str:
    shape = f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="18" style="fill: {colour(ink)}; fill-opacity: .1; '
    return f'{shape}stroke: {colour(ink)}; stroke-width: 2"/>' + text_at(at, title_y, title, "text", 14, bold=True)


def _names(x: int, y: int, own: list[Any], columns: int, width: int) -> list[str]:
    """Names in columns, each a link with the mark of its family."""
    tall = -(-len(own) // columns)
    found = []
    for n, r in enumerate(own):
        shape, ink = FAMILY_MARKS[r.family]
        left, line = x + (n // tall) * width, y + (n % tall) * _LINE
        size = 12 if len(r.name) * 7 <= width - 18 else 10
        longest = (width - 16) // 6
        name = r.name if len(r.name) <= longest else f"{r.name[: longest - 1]}…"
        beyond = ", not in the survey" if r.after_survey else ""
        title = escape_xml(f"{r.name}: {words(r.family, FAMILIES)}{beyond}")
        found.append(
            f'<a href="methods/{r.id}.md" aria-label="{escape_xml(r.name)}"><title>{title}</title>'
            f"{text_at(left, line, _GLYPHS[shape], ink, 11)}{text_at(left + 15, line, name, 'text', size, slanted=bool(r.after_survey))}</a>"
        )
    return found
