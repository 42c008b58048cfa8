"""Claim × measurement → verdict, for the cells of the survey's Tables 1 and 2. Pure: no files, no torch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from surveykit.catalog.claims import OVERHEAD_PRINTED
from surveykit.catalog.records import CellCause, CellExplanation, Method
from surveykit.recipes.base import OVERHEAD_KINDS
from surveykit.verify.evidence import SETTLED, CellWord, Evidence, Found, FoundBy
from surveykit.verify.percentages import judge_percentage

NEEDS_EXPLANATION: frozenset[CellWord] = frozenset({"partly", "differs", "outside_range"})
PERCENTAGES = ("trainable_percent", "changed_percent")


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
    found_by: FoundBy | None
    """Whether the default configuration agrees with the print, or a search found one that does; None where none does."""
    candidates: int | None
    """How many figures of ours were compared with the printed one; None where nothing was."""
    fitting: int | None
    """How many of them agree with it."""
    cause: CellCause | None
    explanation: str | None
    fits_setup: str | None
    """Another configuration, which gives the printed cell."""

    @property
    def locator(self) -> str:
        return f"Table {self.table}, row {self.row}, {self.column}"

    @property
    def unexplained(self) -> bool:
        return self.verdict in NEEDS_EXPLANATION and self.explanation is None


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
                        found_by=found.found_by,
                        candidates=found.candidates,
                        fitting=found.fitting,
                        cause=explained.cause if explained else None,
                        explanation=explained.text if explained else None,
                        fits_setup=explained.fits_setup.configuration if explained and explained.fits_setup else None,
                    )
                )
    return tuple(verdicts)


def _explanation(method: Method, table: int, column: str) -> CellExplanation | None:
    return next((e for e in method.cell_explanations if (e.table, e.column) == (table, column)), None)


def _judge(evidence: Evidence, method: Method, column: str, printed: str) -> Found:
    if column == "type":
        return Found("not_comparable", None, None, "A type is a place in the survey's taxonomy, not a quantity.")
    if column.startswith(("under_", "over_")):
        return Found("not_comparable", None, None, "It says on which models papers evaluated the method.")
    if method.default is None:
        return Found("not_measured", None, None, method.not_instantiated or "no configuration")
    if column in PERCENTAGES:
        found = judge_percentage(evidence, method, column, printed)
    else:
        found = judge_tick(evidence, f"{method.id}/{method.default.id}", evidence.judging.judged_on, column, printed)
    if (
        method.reconstruction
        and not _as_in_the_paper(method, found)
        and found.word in NEEDS_EXPLANATION | {"match", "within_range"}
    ):
        reason = f"Our recipe is a reconstruction, so nothing is judged; it gives {found.measured}. {found.reason}"
        found = Found("not_comparable", found.measured, found.sense, reason, found.configuration, found.backbone)
    return found


def judge_tick(evidence: Evidence, configuration: str, backbone: str, column: str, printed: str) -> Found:
    """Judge a tick or an overhead of Table 1 by one configuration on one base model."""
    judges = {"disk": _disk, "ram": _ram, "bp": _bp, "overhead": _overhead}
    return judges[column](evidence, configuration, backbone, printed)


def _as_in_the_paper(method: Method, found: Found) -> bool:
    """Whether the paper states the configuration and it was counted on the paper's own backbone: nothing was filled in."""
    return any(
        f"{method.id}/{c.id}" == found.configuration and c.basis == "paper" and found.backbone in c.also_on
        for c in method.configurations
    )


def _missing(configuration: str, backbone: str, what: str) -> Found:
    return Found("not_measured", None, None, f"no {what} of {configuration} on {backbone} is recorded")


def _tick(printed: str, saves: bool, reason: str, configuration: str, backbone: str) -> Found:
    """The verdict on a tick that is true or false."""
    agrees = (printed == "✓") == saves
    return Found(
        "match" if agrees else "differs", _yes(saves), None, reason, configuration, backbone,
        "default" if agrees else None, 1, int(agrees),
    )  # fmt: skip


def _disk(evidence: Evidence, configuration: str, backbone: str, printed: str) -> Found:
    counted, size = evidence.counts.get((configuration, backbone)), evidence.catalog.models[backbone].size
    if counted is None or counted.stored_bytes is None or size is None:
        return _missing(configuration, backbone, "count")
    at_most = evidence.catalog.quantities.saved_at_most("disk")
    share = Decimal(counted.stored_bytes) / (evidence.judging.stored_value_bytes * size)
    reason = (
        f"A task stores {_percentage(share)} of the backbone's bytes; at most {_percentage(at_most)} counts as saved."
    )
    return _tick(printed, share <= at_most, reason, configuration, backbone)


def _ram(evidence: Evidence, configuration: str, backbone: str, printed: str) -> Found:
    ratios = evidence.ram_ratios(configuration, backbone)
    if not ratios:
        return _missing(configuration, backbone, "memory")
    at_most = evidence.catalog.quantities.saved_at_most("ram")
    setting = (evidence.judging.length, evidence.judging.dtype)
    central = ratios.get(setting, next(iter(ratios.values())))
    low, high = min(ratios.values()), max(ratios.values())
    reason = (
        f"Predicted peak: {central:.2f} × full tuning's ({low:.2f} to {high:.2f} over lengths and widths of numbers); "
        f"at most {at_most} counts as saved."
    )
    if low <= at_most < high:
        reason += " The answer depends on length or width, so nothing is judged."
        return Found("not_comparable", f"{central:.2f}", None, reason, configuration, backbone)
    return _tick(printed, central <= at_most, reason, configuration, backbone)


def _bp(evidence: Evidence, configuration: str, backbone: str, printed: str) -> Found:
    cost = evidence.costs.get((configuration, backbone))
    if cost is None or cost.backward is None:
        return _missing(configuration, backbone, "cost")
    reason = f"Backward runs in {cost.blocks_backward} of {cost.blocks} blocks; {cost.blocks_input_gradient} inputs of blocks receive a gradient."
    if cost.backward == "partial":
        return Found("partly", cost.backward, None, reason, configuration, backbone, None, 1, 0)
    found = _tick(printed, cost.backward == "none", reason, configuration, backbone)
    return replace(found, measured=cost.backward)


def _overhead(evidence: Evidence, configuration: str, backbone: str, printed: str) -> Found:
    cost = evidence.costs.get((configuration, backbone))
    if cost is None or cost.overhead_unmerged is None or cost.overhead_merged is None:
        return _missing(configuration, backbone, "cost")
    claimed = "+".join(k for k in OVERHEAD_KINDS if k in OVERHEAD_PRINTED[printed]) or "none"
    states = {"unmerged": cost.overhead_unmerged, "merged": cost.overhead_merged}
    equal = [state for state, kinds in states.items() if kinds == claimed]
    same = cost.overhead_unmerged == cost.overhead_merged
    measured = cost.overhead_unmerged if same else f"{cost.overhead_unmerged}, merged {cost.overhead_merged}"
    reason = f"Read as {claimed}. Edits beside the weights cost {cost.overhead_unmerged}; with all merged that can be, {cost.overhead_merged}."
    compared = 1 if same else 2
    if equal:
        sense = "merged or not" if same else equal[0]
        found_by: FoundBy = "default" if "unmerged" in equal else "search"
        return Found("match", measured, sense, reason, configuration, backbone, found_by, compared, 1)
    wanted = set(claimed.split("+")) - {"none"}
    overlap = any(wanted & set(kinds.split("+")) for kinds in states.values())
    return Found("partly" if overlap else "differs", measured, None, reason, configuration, backbone, None, compared, 0)


def _percentage(share: Decimal) -> str:
    return f"{share * 100:.2f} %"


def _yes(value: bool) -> str:
    return "yes" if value else "no"
