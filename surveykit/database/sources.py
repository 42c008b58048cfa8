"""Sources as the database counts them: what `surveykit sources` prints."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from surveykit.database.reading import Reader


@dataclass(frozen=True)
class CountedSource:
    """A source, and how its printed cells ended."""

    source: str
    """Key: the name of its folder."""
    name: str
    kind: str
    tier: str
    """`printed`: its figures are claims; `measured_elsewhere`: it measured them itself."""
    date: date
    """Of the version that was read."""
    tables: int
    claims: int
    """Printed cells."""
    match: int
    within_range: int
    outside_range: int
    partly: int
    differs: int
    predicted: int
    not_comparable: int
    """Shown, and not judged."""
    not_measured: int
    """Of a method or model that the catalog cannot measure yet."""
    unexplained: int
    """Differing without a reviewed reason: these fail `surveykit verify`."""


def counted_sources(reader: Reader) -> list[CountedSource]:
    """Every source, by its key."""
    _, rows = reader.listing("SELECT * FROM sources ORDER BY source")
    return [CountedSource(*row) for row in rows]
