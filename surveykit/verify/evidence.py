"""What was measured, as verdicts look it up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from surveykit.catalog.load import Catalog
from surveykit.catalog.measurements import Cost, Measurement, MemoryUse, Prediction
from surveykit.catalog.quantities import Sense
from surveykit.catalog.saved_files import FILE, Held, SavedFile
from surveykit.catalog.sources import Unit
from surveykit.catalog.steps import Step

FACTORS: dict[Unit, int] = {
    "parameters": 1, "thousand": 10**3, "million": 10**6, "billion": 10**9, "bytes": 1,
    "KB": 10**3, "KiB": 2**10, "MB": 10**6, "MiB": 2**20, "GB": 10**9, "GiB": 2**30,
}  # fmt: skip
"""What one of each unit is; a percentage has the parameters of its model as the whole."""


class Evidence:
    """What was measured, by configuration and model."""

    def __init__(
        self,
        catalog: Catalog,
        counts: Iterable[Measurement],
        costs: Iterable[Cost],
        memory: Iterable[MemoryUse],
        predictions: Iterable[Prediction] = (),
        sizes: Mapping[str, int] | None = None,
        files: Iterable[SavedFile] = (),
    ) -> None:
        """
        Args:
            sizes: parameters of bare models that the catalog does not have.
        """
        self.catalog = catalog
        self._sizes = sizes or {}
        self.judging = catalog.quantities.judging
        self.counts = {(m.configuration, m.backbone): m for m in counts if m.status == "counted"}
        self.costs = {(c.configuration, c.backbone): c for c in costs if c.status == "traced"}
        self._memory: dict[tuple[str, str], list[MemoryUse]] = {}
        for m in memory:
            if m.status == "traced":
                self._memory.setdefault((m.configuration, m.backbone), []).append(m)

        self._files = {(f.configuration, f.backbone, f.held): f.size for f in files}
        self._steps = {(p.configuration, p.backbone, p.step): p for p in predictions if p.status == "traced"}

    def step(self, configuration: str, model: str, step: Step) -> Prediction | None:
        """Memory of a step as a source states it; None where it was not traced."""
        return self._steps.get((configuration, model, step.key))

    def count(self, configuration: str, model: str, sense: Sense, held: Held | None = None) -> int | None:
        """A count in one sense; None where the configuration was not counted on the model, or not all of it.

        Args:
            held: the precisions of a run, for the size of the file that it saves.
        """
        counted = self.counts.get((configuration, model))
        if counted is None:
            return None
        other = {"model": self.parameters(model), FILE: self._files.get((configuration, model, held)) if held else None}
        parts = [other[name] if name in other else getattr(counted, name) for name in sense.counts]
        known = [part for part in parts if part is not None]
        return sum(known) if len(known) == len(parts) else None

    def figure(
        self, configuration: str, model: str, sense: Sense, unit: Unit | None, held: Held | None = None
    ) -> Decimal | None:
        """A count in one sense and in a unit, unrounded; None where it was not counted, or the unit has no whole. Argument as
        of `count`."""
        count = self.count(configuration, model, sense, held)
        return None if count is None else self.in_unit(count, model, unit)

    def in_unit(self, count: int, model: str, unit: Unit | None) -> Decimal | None:
        """An amount in a unit; None where a percentage has no whole."""
        if unit == "percent":
            whole = self.parameters(model)
            return Decimal(count) * 100 / whole if whole else None
        return Decimal(count) / FACTORS[unit or "parameters"]

    def parameters(self, model: str) -> int | None:
        """Parameters of the bare model; None where neither a source nor a formula gives them."""
        return self._sizes[model] if model in self._sizes else self.catalog.models[model].size

    def peaks(self, configuration: str, model: str) -> list[MemoryUse]:
        """Memory that was traced, in every setting."""
        return self._memory.get((configuration, model), [])

    def ram_ratios(self, configuration: str, model: str) -> dict[tuple[int, str], Decimal]:
        """Predicted peak as a share of full tuning's, by length and precision."""
        whole = {(m.batch, m.length, m.dtype): m.peak for m in self.peaks(self.judging.full_tuning, model)}
        found: dict[tuple[int, str], Decimal] = {}
        for m in self.peaks(configuration, model):
            full = whole.get((m.batch, m.length, m.dtype))
            if m.peak is not None and full:
                found[m.length, m.dtype] = Decimal(m.peak) / full
        return found
