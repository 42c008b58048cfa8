"""What was measured, as verdicts look it up, and what a look at one printed cell found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from surveykit.catalog.load import Catalog
from surveykit.catalog.measurements import Cost, Measurement, MemoryUse

CellWord = Literal[
    "match", "within_range", "outside_range", "partly", "differs", "predicted", "not_comparable", "not_measured"
]
FoundBy = Literal["default", "search"]
SETTLED: frozenset[CellWord] = frozenset({"match", "within_range"})
"""Verdicts that leave nothing to explain. What is not comparable may have an explanation, and needs none."""


@dataclass(frozen=True)
class Found:
    """One look at a cell: the verdict, and the figure, configuration, base model and sense that it judged."""

    word: CellWord
    measured: str | None
    sense: str | None
    reason: str
    configuration: str | None = None
    backbone: str | None = None
    found_by: FoundBy | None = None
    """`default`: the default configuration agrees, looked at in the one way that was fixed before; `search`: another
    configuration, base model or sense does. None where nothing agrees."""
    candidates: int | None = None
    """How many figures of ours were compared with the printed one; None where nothing was."""
    fitting: int | None = None
    """How many of them agree with it."""


class Evidence:
    """What was measured, by configuration and backbone."""

    def __init__(
        self, catalog: Catalog, counts: Iterable[Measurement], costs: Iterable[Cost], memory: Iterable[MemoryUse]
    ) -> None:
        self.catalog = catalog
        self.judging = catalog.quantities.judging
        self.counts = {(m.configuration, m.backbone): m for m in counts if m.status == "counted"}
        self.costs = {(c.configuration, c.backbone): c for c in costs if c.status == "traced"}
        self._memory: dict[tuple[str, str], list[MemoryUse]] = {}
        for m in memory:
            if m.status == "traced":
                self._memory.setdefault((m.configuration, m.backbone), []).append(m)

    def ram_ratios(self, configuration: str, backbone: str) -> dict[tuple[int, str], Decimal]:
        """Predicted peak as a share of full tuning's, by length and width of numbers."""
        full_tuning = self._memory.get((self.judging.full_tuning, backbone), ())
        whole = {(m.batch, m.length, m.dtype): m.peak for m in full_tuning}
        found: dict[tuple[int, str], Decimal] = {}
        for m in self._memory.get((configuration, backbone), ()):
            full = whole.get((m.batch, m.length, m.dtype))
            if m.peak is not None and full:
                found[m.length, m.dtype] = Decimal(m.peak) / full
        return found
