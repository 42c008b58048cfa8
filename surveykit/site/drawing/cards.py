"""The pictures that are shown beside a shared link: what the site found, large enough to read in a preview."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from surveykit.database.reading import Reader
from surveykit.site.drawing.canvas import family_word, in_our_style
from surveykit.site.drawing.svg import colour
from surveykit.site.text.numbers import percent
from surveykit.site.text.words import FAMILIES, OUTCOMES, VERDICTS, words

_GROUND, _INK, _QUIET, _EMPTY = "#153a51", "#ffffff", "#c4d6e2", "#2b5672"
_NOT_JUDGED = ("not_comparable", "not_measured")
_FITS = 30
"""Letters of a title that fit at full size."""
_COLOURS = ("sky", "yellow", "red", "green", "purple", "orange", "grey")


class Card(NamedTuple):
    """One picture."""

    name: str
    title: str
    line: str
    """A sentence below the title."""
    parts: Sequence[tuple[int, str]] = ()
    """Counts and their words, drawn as one bar."""
    shares: Sequence[tuple[float, str]] = ()
    """Percentages and what they are of, each drawn within a bar of the whole."""

    @property
    def alt(self) -> str:
        """What it shows, in words."""
        said = [f"{count:,} {word}" for count, word in self.parts] + [f"{percent(p)} % {of}" for p, of in self.shares]
        return " ".join([f"{self.title}.", self.line, *([f"{', '.join(said)}."] if said else [])])


def cards(reader: Reader) -> list[Card]:
    """Every card with its figures: one for each method and each source, and three for all other pages."""
    return [*_of_all(reader), *_of_methods(reader), *_of_sources(reader)]


def _of_methods(reader: Reader) -> Iterator[Card]:
    found = reader.all(
        "SELECT m.id, m.name, m.family, m.year, b.name AS model, o.trainable_percent_measured AS trained, 100 * o.ram_ratio AS memory"
        " FROM methods m LEFT JOIN (method_on_backbone o JOIN judging ON o.backbone = judging.judged_on"
        " JOIN backbone b ON b.id = o.backbone) ON o.id = m.id ORDER BY m.id"
    )
    for m in found:
        shares = [(m.trained, f"of {m.model} is trained"), (m.memory, "of full tuning's memory (predicted)")]
        line = ", ".join([family_word(m.family).capitalize(), *([str(m.year)] if m.year else [])])
        yield Card(f"methods/{m.id}", m.name, f"{line}.", shares=[each for each in shares if each[0] is not None])


def _of_sources(reader: Reader) -> Iterator[Card]:
    counted = "SELECT source, verdict, count(*) AS n FROM verdict GROUP BY ALL"
    for source in reader.all("SELECT key, name FROM source ORDER BY key"):
        verdicts = {v.verdict: v.n for v in reader.of("source", source.key, counted)}
        yield Card(
            f"sources/{source.key}", source.name, "Every printed figure beside our measurement.", _judged(verdicts)
        )


def _judged(verdicts: Mapping[str, int]) -> list[tuple[int, str]]:
    return [
        (verdicts[name], word) for name, (word, _) in VERDICTS.items() if name in verdicts and name not in _NOT_JUDGED
    ]


def _of_all(reader: Reader) -> list[Card]:
    table5 = reader.one("SELECT * FROM table5_summary")
    outcomes = [(getattr(table5, name), word) for name, (word, _) in OUTCOMES.items()]
    families = reader.all("SELECT family, count(*) AS n FROM method GROUP BY family ORDER BY n DESC, family")
    verdicts = {v.verdict: v.n for v in reader.all("SELECT verdict, count(*) AS n FROM verdict GROUP BY verdict")}
    sources = reader.one("SELECT count(*) AS n FROM source").n
    return [
        Card("site", "A survey that checks itself", "Printed figures on fine-tuning methods, beside our counts.", outcomes),
        Card("methods", f"{sum(f.n for f in families)} fine-tuning methods", "Counted on real architectures and compared.",
             [(f.n, words(f.family, FAMILIES).lower()) for f in families]),
        Card("sources", f"What {sources} sources claim", "Every printed figure beside our measurement.",
             _judged(verdicts)),
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
    figure.text(0.06, 0.66, card.title, color=_INK, fontsize=min(44, 44 * _FITS / len(card.title)), fontweight="bold")
    figure.text(0.06, 0.55, card.line, color=_QUIET, fontsize=24)
    parts = sorted((part for part in card.parts if part[0]), reverse=True)[: len(_COLOURS)]
    total, left = sum(count for count, _ in parts) or 1, 0.06

    def bar(x: float, y: float, width: float, height: float, ink: str) -> None:
        figure.add_artist(Rectangle((x, y), width, height, transform=figure.transFigure, facecolor=ink))

    for i, ((count, word), ink) in enumerate(zip(parts, _COLOURS, strict=False)):
        width = 0.88 * count / total
        bar(left, 0.36, width, 0.11, colour(ink))
        x, y = 0.06 + 0.45 * (i % 2), 0.26 - 0.07 * (i // 2)
        bar(x, y, 0.014, 0.027, colour(ink))
        figure.text(x + 0.022, y, f"{count:,} {word}", color=_INK, fontsize=18)
        left += width
    for i, (share, of) in enumerate(card.shares):
        y = 0.3 - 0.2 * i
        figure.text(0.06, y + 0.085, f"{percent(share)} % {of}", color=_INK, fontsize=24)
        bar(0.06, y, 0.88, 0.05, _EMPTY)
        bar(0.06, y, 0.88 * min(max(share / 100, 0.003), 1), 0.05, colour("yellow"))
    file = io.BytesIO()
    canvas.print_png(file, metadata={"Software": None})  # type: ignore[no-untyped-call]
    return file.getvalue()
