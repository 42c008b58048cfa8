"""SVG for pages and for download: drawn once, in the light colours; the other variants are made from that text.

On a page colours are custom properties of the style sheet, so that one picture follows the reader's scheme; a file to
download has the colours of one scheme written out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape
from types import MappingProxyType

from markupsafe import Markup

from surveykit.output import render
from surveykit.record import Record

PALETTE: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "text": ("#212121", "#e6e6e6"),
        "quiet": ("#616161", "#b0b0b0"),
        "grid": ("#d5d5d5", "#484b57"),
        "grey": ("#777777", "#a0a0a0"),
        "panel": ("#f4f6f8", "#262a36"),
        "paper": ("#fefefe", "#1e2129"),
        "blue": ("#0072b2", "#56b4e9"),
        "orange": ("#c27a00", "#f0b429"),
        "green": ("#00805e", "#2fc79d"),
        "purple": ("#a8538a", "#de9bc1"),
        "red": ("#c44e00", "#ff8a4c"),
        "sky": ("#2f86c0", "#8fd0f5"),
        "yellow": ("#8a7b00", "#f0e442"),
    }
)
"""Each colour on a light and on a dark ground: those of Okabe and Ito, which colour-blind readers tell apart, darkened
or lightened until lines and letters have contrast enough."""
_FONTS = "'DejaVu Sans', Verdana, sans-serif"
_NAMES = {light: name for name, (light, _) in PALETTE.items()}
_COLOUR = re.compile("|".join(_NAMES), re.IGNORECASE)


class Picture(Record):
    """A picture with what stands around it."""

    name: str
    """Part of file names and anchors."""
    title: str
    caption: str
    alt: str
    """What it shows, in words."""
    drawing: str
    """SVG in the light colours; the addresses of its links are those of Markdown pages, from the site's root."""
    data: str = ""
    """What is drawn, as CSV; empty for a picture of a recipe, whose data are its file in the catalog."""

    def files(self) -> dict[str, bytes]:
        """What there is to download, by path."""
        drawn = {f"figures/{self.name}-{s}.svg": standalone(self.drawing, s) for s in ("light", "dark")}
        return drawn | ({f"figures/{self.name}.csv": self.data.encode()} if self.data else {})


def as_csv(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """The data of a picture, as RFC 4180 has it."""
    return render(columns, rows, "csv") + "\r\n"


def colour(name: str) -> str:
    """A colour of the palette, as drawings have it."""
    return PALETTE[name][0]


def text_at(
    x: int, y: int, text: str, ink: str, size: int, anchor: str = "", *, rotate: bool = False, bold: bool = False,
    slanted: bool = False,
) -> str:  # fmt: skip
    """A line of text; `anchor` says which end of it, or its middle, the place is of."""
    anchored, turned = f' text-anchor="{anchor}"' * bool(anchor), f' transform="rotate(90 {x} {y})"' * rotate
    style = f"fill: {colour(ink)}{'; font-weight: 700' * bold}{'; font-style: italic' * slanted}"
    return f'<text x="{x}" y="{y}" font-size="{size}"{anchored}{turned} style="{style}">{escape(text)}</text>'


def inline(picture: Picture, links: str) -> Markup:
    """A picture as part of a page; `links` is the way from the page's folder to the site's root (`../` or nothing)."""
    text = _COLOUR.sub(lambda match: f"var(--pic-{_NAMES[match[0].lower()]}, {match[0]})", picture.drawing)
    text = re.sub(r'(<a href=")(?!#)', lambda match: match[1] + links, text)
    role = "group" if "<a " in text else "img"  # what is an image has no parts, so no links either
    head = f'<svg class="picture" role="{role}" aria-label="{escape(picture.alt)}"'
    return Markup(text.replace("<svg", head, 1))


def standalone(drawing: str, scheme: str) -> bytes:
    """The same as a file of its own, without links, which would lead nowhere from there."""
    if scheme == "dark":
        drawing = _COLOUR.sub(lambda match: PALETTE[_NAMES[match[0].lower()]][1], drawing)
    drawing = re.sub(r"<a [^>]*>", "<g>", drawing).replace("</a>", "</g>")
    return ('<?xml version="1.0" encoding="utf-8"?>\n' + drawing.strip() + "\n").encode()


def from_matplotlib(svg: str, name: str, points: Sequence[tuple[str, str]]) -> str:
    """What matplotlib writes, made fit to stand in a page among others.

    Args:
        name: put before every identifier, of which a page has each once.
        points: address and text of each mark that was drawn with the address `point:N`, by number.
    """
    svg = re.sub(r"^.*?(?=<svg)", "", svg, flags=re.DOTALL)
    svg = re.sub(r"\s*<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"\s*<style[^>]*>.*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<!--.*?-->\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r'<svg [^>]*?(viewBox="[^"]*")[^>]*>', r'<svg xmlns="http://www.w3.org/2000/svg" \1 '
                 'style="stroke-linejoin: round; stroke-linecap: butt">', svg, count=1, flags=re.DOTALL)  # fmt: skip
    svg = re.sub(r'(<(?:g|a)) id="[a-zA-Z0-9_.]+"', r"\1", svg)  # nothing refers to groups
    svg = svg.replace("xlink:href", "href")
    svg = re.sub(r'id="(?=[a-z])', f'id="{name}-', svg)
    svg = re.sub(r'(url\(|href=")#', rf"\1#{name}-", svg)
    svg = svg.replace("font-family: 'DejaVu Sans'", f"font-family: {_FONTS}")
    svg = re.sub(r' transform="rotate\(-0 [^"]*"', "", svg)
    # A mark's outline has the colour of its line; each use of it need not repeat it.
    svg = re.sub(r'(<use [^>]*style=")([^"]*?)(?:; )?stroke: #[0-9a-f]{6}; stroke-width: [\d.]+"', r'\1\2"', svg)
    svg = svg.replace("fill-opacity: 0", "fill: none")
    svg = re.sub(r'="[^"]*"', _shorter, svg)
    svg = re.sub(r'<a href="point:(\d+)"[^>]*>', lambda match: _point(*points[int(match[1])]), svg)
    return re.sub(r">\s*\n\s*<", ">\n<", svg)


def _shorter(attribute: re.Match[str]) -> str:
    """An attribute with its numbers to a hundredth of a point, which is finer than any screen."""
    return re.sub(r"(\d+\.\d\d)\d+", r"\1", attribute[0])


def _point(address: str, text: str) -> str:
    return f'<a href="{escape(address)}" aria-label="{escape(text)}"><title>{escape(text)}</title>'
