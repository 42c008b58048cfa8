"""Everything that `surveykit verify` judges: Tables 1, 2 and 5, and what the recipes did when they were run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from surveykit.catalog.load import Catalog
from surveykit.catalog.measured import stale
from surveykit.catalog.measurements import Measurement, Recorded, Run
from surveykit.catalog.staleness import Measure
from surveykit.verify.again import differences
from surveykit.verify.cells import TableVerdict, judge_cells
from surveykit.verify.checks import Report, verify
from surveykit.verify.evidence import Evidence
from surveykit.verify.explanations import check_cell_explanations
from surveykit.verify.findings import Finding
from surveykit.verify.memory import MemoryPrediction, Setting, predictions, sentences, settings
from surveykit.verify.verdicts import summarise

_RECORDED: tuple[Measure, ...] = ("costs", "trials")


@dataclass(frozen=True)
class WholeReport:
    """The outcome of verifying the three tables."""

    parameters: Report
    cells: tuple[TableVerdict, ...]
    memory: tuple[MemoryPrediction, ...]
    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        return not self.findings

    @property
    def settings(self) -> tuple[Setting, ...]:
        return settings(self.memory)

    def sentences(self) -> list[str]:
        """Lines that can be quoted: the parameter figures, the cells of Tables 1 and 2, the memory of Table 5."""
        lines = [summarise(self.parameters.verdicts).sentence(), cell_sentence(self.cells)]
        return [*lines, *sentences(self.settings)]


def cell_sentence(cells: Iterable[TableVerdict]) -> str:
    """How the cells of Tables 1 and 2 ended, in a line; what agrees is told apart by how it was found."""
    cells = tuple(cells)
    words = Counter(v.verdict for v in cells)
    parts = []
    for word, count in words.most_common():
        part = f"{count} {word.replace('_', ' ')}"
        searched = sum(v.verdict == word and v.found_by == "search" for v in cells)
        if searched:
            part += f" ({count - searched} with the default configuration, {searched} found by search)"
        parts.append(part)
    return f"Tables 1 and 2: {len(cells)} cells: {'; '.join(parts)}."


def verify_whole(
    catalog: Catalog, fresh: Iterable[Measurement], again: Iterable[Recorded] = (), run: Run | None = None
) -> WholeReport:
    """Judge every cell. Counts are fresh; costs and trials are those recorded, which must be current.

    Args:
        again: costs, memory and trials that were measured again, and must be as recorded.
        run: the environment that measured them.
    """
    fresh = tuple(fresh)
    parameters = verify(catalog, fresh)
    evidence = Evidence(catalog, fresh, catalog.costs, catalog.memory)
    cells = judge_cells(evidence)
    explained = check_cell_explanations(evidence, cells)
    findings = [*parameters.findings, *_cells(cells), *explained, *_stale(catalog), *_trials(catalog)]
    findings += differences(catalog, again, run)
    return WholeReport(parameters, cells, predictions(catalog), tuple(sorted(findings)))


def _cells(cells: Iterable[TableVerdict]) -> Iterator[Finding]:
    for v in cells:
        if v.unexplained:
            message = f"printed {v.printed}, measured {v.measured}: {v.verdict}; add it to cell_explanations of methods/{v.method}.yaml"
            yield Finding("unexplained", v.locator, message)


def _stale(catalog: Catalog) -> Iterator[Finding]:
    for measure in _RECORDED:
        for cell in stale(catalog, measure):
            message = (
                f"its {measure} are missing or of another recipe, backbone, setting or code; run surveykit measure"
            )
            yield Finding("stale", str(cell), message)


def _trials(catalog: Catalog) -> Iterator[Finding]:
    for t in catalog.trials:
        if t.status != "run":
            continue
        faults = {
            "some steps do not lower the loss": t.loss_falls == "no",
            f"{t.stray} moved and should not have": t.stray is not None,
            "merged outputs differ from unmerged ones": t.merge == "differs",
            "what is stored does not give the outputs": t.restored == "no",
            "more entries changed than can change": (t.changed_random or 0) > (t.changed or 0),
            "the change has a higher rank than it can have": (t.rank or 0) > (t.update_rank or 0),
        }
        for message, holds in faults.items():
            if holds:
                yield Finding("trial", t.configuration, message)
