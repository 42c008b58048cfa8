"""Claim × measurement → verdict, for the cells of the survey's Tables 1 and 2. Pure: no files, no torch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from surveykit.catalog.claims import OVERHEAD_PRINTED
from surveykit.catalog.figures import Figure, parse_figure
from surveykit.catalog.load import Catalog
from surveykit.catalog.measurements import Cost, Measurement, MemoryUse
from surveykit.catalog.records import CellCause, CellExplanation, Method
from surveykit.recipes.base import OVERHEAD_KINDS

CellWord = Literal[
    "match", "within_range", "outside_range", "partly", "differs", "predicted", "not_comparable", "not_measured"
]
NEEDS_EXPLANATION: frozenset[CellWord] = frozenset({"partly", "differs", "outside_range"})
SETTLED: frozenset[CellWord] = frozenset({"match", "within_range"})
"""Verdicts that leave nothing to explain. What is not comparable may have an explanation, and needs none."""
JUDGED_ON = "t5-large"
PAPERS_BELOW = 10**9
"""Parameters of the largest backbone on which a printed percentage is looked for."""
"""Ticks and overheads are read from the default configuration on this backbone."""
FULL_TUNING = "full-tuning/all"
VALUE_BYTES = 4
DISK_SHARE = Decimal("0.5")
"""Disk is saved where what is stored for a task takes at most this share of the backbone's bytes."""
RAM_SHARE = Decimal("0.9")
"""Memory is saved where the predicted peak is at most this share of full tuning's."""
_PERCENT_DIGITS = Decimal("0.0001")

TRAINABLE_SENSES = {
    "trainable": "held by the optimizer in the largest stage",
    "trainable_task": "held by the optimizer in the task's last stage",
    "effective": "that may move under the mask",
    "stored": "stored for a task",
}
CHANGED_SENSES = {
    "changed_expanded": "changed entries and new ones, products written out",
    "changed": "changed entries alone",
    "changed_added": "changed entries and new parameters as trained",
    "added": "new parameters as trained",
    "stored": "stored for a task",
}


@dataclass(frozen=True)
class TableVerdict:
    """One printed cell beside what we measure."""

    table: int
    method: str
    row: str
    column: str
    printed: str
    configuration: str | None
    """The configuration that was looked at."""
    backbone: str | None
    measured: str | None
    """Our figure or word; None when nothing was measured."""
    verdict: CellWord
    sense: str | None
    """What our figure counts, or which state of the edits it speaks of."""
    reason: str
    """What was looked at, or why there is nothing to compare."""
    cause: CellCause | None
    explanation: str | None

    @property
    def locator(self) -> str:
        return f"Table {self.table}, row {self.row}, {self.column}"

    @property
    def unexplained(self) -> bool:
        return self.verdict in NEEDS_EXPLANATION and self.explanation is None


@dataclass(frozen=True)
class _Found:
    word: CellWord
    measured: str | None
    sense: str | None
    reason: str
    configuration: str | None = None
    backbone: str | None = None


class Evidence:
    """What was measured, by configuration and backbone."""

    def __init__(
        self, catalog: Catalog, counts: Iterable[Measurement], costs: Iterable[Cost], memory: Iterable[MemoryUse]
    ) -> None:
        self.catalog = catalog
        self.counts = {(m.configuration, m.backbone): m for m in counts if m.status == "counted"}
        self.costs = {(c.configuration, c.backbone): c for c in costs if c.status == "traced"}
        self._memory: dict[tuple[str, str], list[MemoryUse]] = {}
        for m in memory:
            if m.status == "traced":
                self._memory.setdefault((m.configuration, m.backbone), []).append(m)

    def ram_ratios(self, configuration: str, backbone: str) -> dict[tuple[int, str], Decimal]:
        """Predicted peak as a share of full tuning's, by length and width of numbers."""
        whole = {(m.batch, m.length, m.dtype): m.peak for m in self._memory.get((FULL_TUNING, backbone), ())}
        found: dict[tuple[int, str], Decimal] = {}
        for m in self._memory.get((configuration, backbone), ()):
            full = whole.get((m.batch, m.length, m.dtype))
            if m.peak is not None and full:
                found[m.length, m.dtype] = Decimal(m.peak) / full
        return found


def judge_cells(evidence: Evidence) -> tuple[TableVerdict, ...]:
    """Give every cell of Tables 1 and 2 its verdict."""
    verdicts = []
    for method in evidence.catalog.methods.values():
        for table, row in ((1, method.survey.table1), (2, method.survey.table2)):
            if row is None:
                continue
            for column, printed in row.model_dump(exclude={"row", "note"}).items():
                found = _judge(evidence, method, column, printed)
                explained = _explanation(method, table, column) if found.word not in SETTLED else None
                verdicts.append(
                    TableVerdict(
                        table=table,
                        method=method.id,
                        row=row.row,
                        column=column,
                        printed=printed,
                        configuration=found.configuration,
                        backbone=found.backbone,
                        measured=found.measured,
                        verdict=found.word,
                        sense=found.sense,
                        reason=found.reason,
                        cause=explained.cause if explained else None,
                        explanation=explained.text if explained else None,
                    )
                )
    return tuple(verdicts)


def _explanation(method: Method, table: int, column: str) -> CellExplanation | None:
    return next((e for e in method.cell_explanations if (e.table, e.column) == (table, column)), None)


def _judge(evidence: Evidence, method: Method, column: str, printed: str) -> _Found:
    if column == "type":
        return _Found("not_comparable", None, None, "A type is a place in the survey's taxonomy, not a quantity.")
    if column.startswith(("under_", "over_")):
        return _Found("not_comparable", None, None, "It says on which models papers evaluated the method.")
    if method.default is None:
        return _Found("not_measured", None, None, method.not_instantiated or "no configuration")
    configuration = f"{method.id}/{method.default.id}"
    if column in ("trainable_percent", "changed_percent"):
        found = _percent(evidence, method, column, printed)
    else:
        judges = {"disk": _disk, "ram": _ram, "bp": _bp, "overhead": _overhead}
        found = judges[column](evidence, configuration, printed)
    if (
        method.reconstruction
        and not _as_in_the_paper(method, found)
        and found.word in NEEDS_EXPLANATION | {"match", "within_range"}
    ):
        reason = f"Our recipe is a reconstruction, so nothing is judged; it gives {found.measured}. {found.reason}"
        found = _Found("not_comparable", found.measured, found.sense, reason, found.configuration, found.backbone)
    return found


def _as_in_the_paper(method: Method, found: _Found) -> bool:
    """Whether the paper states the configuration and it was counted on the paper's own backbone: nothing was filled in."""
    return any(
        f"{method.id}/{c.id}" == found.configuration and c.basis == "paper" and found.backbone in c.also_on
        for c in method.configurations
    )


def _missing(configuration: str, what: str) -> _Found:
    return _Found("not_measured", None, None, f"no {what} of {configuration} on {JUDGED_ON} is recorded")


def _tick(printed: str, saves: bool) -> CellWord:
    return "match" if (printed == "✓") == saves else "differs"


def _disk(evidence: Evidence, configuration: str, printed: str) -> _Found:
    counted = evidence.counts.get((configuration, JUDGED_ON))
    if counted is None or counted.stored_bytes is None:
        return _missing(configuration, "count")
    share = Decimal(counted.stored_bytes) / (VALUE_BYTES * evidence.catalog.backbones[JUDGED_ON].parameters)
    reason = f"A task stores {_percentage(share)} of the backbone's bytes; at most {_percentage(DISK_SHARE)} counts as saved."
    word = _tick(printed, share <= DISK_SHARE)
    return _Found(word, _yes(share <= DISK_SHARE), None, reason, configuration, JUDGED_ON)


def _ram(evidence: Evidence, configuration: str, printed: str) -> _Found:
    ratios = evidence.ram_ratios(configuration, JUDGED_ON)
    if not ratios:
        return _missing(configuration, "memory")
    central = ratios.get(CENTRAL, next(iter(ratios.values())))
    low, high = min(ratios.values()), max(ratios.values())
    reason = (
        f"Predicted peak: {central:.2f} × full tuning's ({low:.2f} to {high:.2f} over lengths and widths of numbers); "
        f"at most {RAM_SHARE} counts as saved."
    )
    if low <= RAM_SHARE < high:
        reason += " The answer depends on length or width, so nothing is judged."
        return _Found("not_comparable", f"{central:.2f}", None, reason, configuration, JUDGED_ON)
    saves = central <= RAM_SHARE
    return _Found(_tick(printed, saves), _yes(saves), None, reason, configuration, JUDGED_ON)


CENTRAL = (256, "bfloat16")
"""Length and width of numbers of the declared setting."""


def backward_word(cost: Cost) -> Literal["none", "partial", "full"]:
    """How far backward reaches: into no block, into some, into all."""
    if not cost.blocks_backward:
        return "none"
    return "full" if cost.blocks_backward == cost.blocks else "partial"


def _bp(evidence: Evidence, configuration: str, printed: str) -> _Found:
    cost = evidence.costs.get((configuration, JUDGED_ON))
    if cost is None:
        return _missing(configuration, "cost")
    word = backward_word(cost)
    reason = f"Backward runs in {cost.blocks_backward} of {cost.blocks} blocks; {cost.blocks_input_gradient} inputs of blocks receive a gradient."
    verdict: CellWord = "partly" if word == "partial" else _tick(printed, word == "none")
    return _Found(verdict, word, None, reason, configuration, JUDGED_ON)


def _overhead(evidence: Evidence, configuration: str, printed: str) -> _Found:
    cost = evidence.costs.get((configuration, JUDGED_ON))
    if cost is None or cost.overhead_unmerged is None or cost.overhead_merged is None:
        return _missing(configuration, "cost")
    claimed = "+".join(k for k in OVERHEAD_KINDS if k in OVERHEAD_PRINTED[printed]) or "none"
    states = {"unmerged": cost.overhead_unmerged, "merged": cost.overhead_merged}
    equal = [state for state, kinds in states.items() if kinds == claimed]
    same = cost.overhead_unmerged == cost.overhead_merged
    measured = cost.overhead_unmerged if same else f"{cost.overhead_unmerged}, merged {cost.overhead_merged}"
    reason = f"Read as {claimed}. Edits beside the weights cost {cost.overhead_unmerged}; with all merged that can be, {cost.overhead_merged}."
    if equal:
        sense = "merged or not" if same else equal[0]
        return _Found("match", measured, sense, reason, configuration, JUDGED_ON)
    wanted = set(claimed.split("+")) - {"none"}
    overlap = any(wanted & set(kinds.split("+")) for kinds in states.values())
    return _Found("partly" if overlap else "differs", measured, None, reason, configuration, JUDGED_ON)


@dataclass(frozen=True)
class _Candidate:
    configuration: str
    backbone: str
    sense: str
    percent: Decimal
    own: bool
    """On a backbone that the configuration names as its paper's."""


def _percent(evidence: Evidence, method: Method, column: str, printed: str) -> _Found:
    figure = parse_figure(printed)
    candidates = list(_candidates(evidence, method, column))
    if not candidates:
        assert method.default is not None
        return _missing(f"{method.id}/{method.default.id}", "count")
    senses = TRAINABLE_SENSES if column == "trainable_percent" else CHANGED_SENSES
    fitting = [c for c in candidates if _fits(figure, c.percent)]
    if fitting:
        best = fitting[0]
        where = "on the paper's own backbone" if best.own else "though the survey's figure was made on another backbone"
        reason = (
            f"{best.configuration} on {best.backbone} gives {_shown(best.percent)} % ({senses[best.sense]}), {where}."
        )
        word: CellWord = "within_range" if figure.is_range or figure.bound != "exact" else "match"
        return _Found(word, _shown(best.percent), best.sense, reason, best.configuration, best.backbone)
    own = [c for c in candidates if c.own]
    shown = own[0] if own else candidates[0]
    text = f"{shown.configuration} on {shown.backbone} gives {_shown(shown.percent)} % ({senses[shown.sense]})"
    if own:
        reason = f"{text}, on the paper's own backbone; no other sense that we count gives the figure either."
        return _Found("outside_range", _shown(shown.percent), shown.sense, reason, shown.configuration, shown.backbone)
    reason = (
        f"{text}. The survey's figure was made on another backbone; none of our configurations gives it on a T5 in any "
        "sense that we count, which does not show that it is wrong."
    )
    return _Found("not_comparable", _shown(shown.percent), shown.sense, reason, shown.configuration, shown.backbone)


def _candidates(evidence: Evidence, method: Method, column: str) -> Iterator[_Candidate]:
    """Our percentages in the order in which they speak for the figure: the paper's own backbone before T5, the default
    configuration before others, the sense that the column names before others."""
    senses = TRAINABLE_SENSES if column == "trainable_percent" else CHANGED_SENSES
    default = method.default
    assert default is not None
    ordered = [default, *(c for c in method.configurations if c is not default)]
    own = [(c, b) for c in ordered for b in c.also_on]
    judged = [(default, JUDGED_ON)]
    # Sizes as those of most papers, and no mere variants: a small share of something else may fit by chance.
    sizes = [b for b in evidence.catalog.backbones.values() if b.architecture == "t5" and b.parameters < PAPERS_BELOW]
    sizes.sort(key=lambda b: b.parameters, reverse=True)
    stated = [c for c in ordered if c.default or c.basis != "variant"]
    rest = [([(c, b.id) for c in stated], False) for b in sizes]
    for places, is_own in ((own, True), (judged, False), *rest):
        for sense in senses:
            for configuration, backbone in places:
                name = f"{method.id}/{configuration.id}"
                counted = evidence.counts.get((name, backbone))
                if counted is not None:
                    total = evidence.catalog.backbones[backbone].parameters
                    yield _Candidate(name, backbone, sense, Decimal(_in_sense(counted, sense)) * 100 / total, is_own)


def _in_sense(counted: Measurement, sense: str) -> int:
    sums = {
        "changed_expanded": ("changed", "expanded"),
        "changed_added": ("changed", "added"),
    }
    return sum(getattr(counted, name) for name in sums.get(sense, (sense,)))


def _fits(figure: Figure, percent: Decimal) -> bool:
    if figure.bound == "above":
        return percent > figure.low
    if figure.bound == "below":
        return percent < figure.low
    return figure.low - figure.half_unit() <= percent <= figure.high + figure.half_unit()


def _shown(percent: Decimal) -> str:
    return f"{percent.quantize(_PERCENT_DIGITS):f}"


def _percentage(share: Decimal) -> str:
    return f"{share * 100:.2f} %"


def _yes(value: bool) -> str:
    return "yes" if value else "no"
