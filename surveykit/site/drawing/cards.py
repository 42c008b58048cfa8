"""The pictures that are shown beside a shared link: what the site found, large enough to read in a preview."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import NamedTuple

from surveykit.database.reading import Reader
from surveykit.site.drawing.canvas import in_our_style
from surveykit.site.drawing.svg import colour
from surveykit.site.text.words import FAMILIES, OUTCOMES, VERDICTS, words

_GROUND, _INK, _QUIET = "#153a51", "#ffffff", "#c4d6e2"
_COLOURS = ("sky", "yellow", "red", "green", "purple", "orange", "grey")


class Card(NamedTuple):
    """One picture."""

    name: str
    title: str
    line: str
    """A sentence below the title."""
    parts: Sequence[tuple[int, str]]
    """Counts and their words, drawn as one bar."""

    @property
    def alt(self) -> str:
        """What it shows, in words."""
        return f"{self.title}. {self.line} {', '.join(f'{count:,} {word}' for count, word in self.parts)}."


def cards(reader: Reader) -> list[Card]:
    """Every card with its figures."""
    table5 = reader.one("SELECT * FROM table5_summary")
    outcomes = [(getattr(table5, name), word) for name, (word, _) in OUTCOMES.items()]
    families = reader.all("SELECT family, count(*) AS n FROM method GROUP BY family ORDER BY n DESC, family")
    verdicts = {
        v.verdict: v.n
        for v in reader.all("SELECT verdict, count(*) AS n FROM verdict GROUP BY verdict")
        if v.verdict not in ("not_comparable", "not_measured")
    }
    sources = reader.one("SELECT count(*) AS n FROM source").n
    return [
        Card("site", "A survey that checks itself", "Printed figures on fine-tuning methods, beside our counts.", outcomes),
        Card("methods", f"{sum(f.n for f in families)} fine-tuning methods", "Counted on real architectures and compared.",
             [(f.n, words(f.family, FAMILIES).lower()) for f in families]),
        Card("sources", f"What {sources} sources claim", "Every printed figure beside our measurement.",
             [(verdicts[name], word) for name, (word, _) in VERDICTS.items() if name in verdicts]),
    ]  # fmt: skip


def png(card: Card) -> bytes:
    """The card as 1200 × 630 dots, the size that previews are made for."""
    return in_our_style(lambda: _draw(card))


def _draw(card: Card) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    figure = Figure(figsize=(12, 6.3), dpi=100, facecolor=_GROUND)
    canvas = FigureCanvasAgg(figure)
    figure.text(0.06, 0.84, "surveykit", color=_QUIET, fontsize=26)
    figure.text(0.06, 0.66, card.title, color=_INK, fontsize=44, fontweight="bold")
    figure.text(0.06, 0.55, card.line, color=_QUIET, fontsize=24)
    parts = sorted((part for part in card.parts if part[0]), reverse=True)[: len(_COLOURS)]
    total, left = sum(count for count, _ in parts) or 1, 0.06
    for i, ((count, word), ink) in enumerate(zip(parts, _COLOURS, strict=False)):
        width = 0.88 * count / total
        figure.add_artist(Rectangle((left, 0.34), width, 0.11, transform=figure.transFigure, facecolor=colour(ink)))
        x, y = 0.06 + 0.3 * (i % 3), 0.24 - 0.08 * (i // 3)
        figure.add_artist(Rectangle((x, y), 0.014, 0.027, transform=figure.transFigure, facecolor=colour(ink)))
        figure.text(x + 0.022, y, f"{count:,} {word}"[:34], color=_INK, fontsize=17)
        left += width
    file = io.BytesIO()
    canvas.print_png(file, metadata={"Software": None})  # type: ignore[no-untyped-call]
    return file.getvalue()
