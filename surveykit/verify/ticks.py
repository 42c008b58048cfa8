"""Ticks and words beside what we measure: what a method saves, and what inference costs. Pure: no files, no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal

from surveykit.catalog.claims import Claim
from surveykit.catalog.records import Method
from surveykit.recipes.base import canonical
from surveykit.verify.evidence import Evidence
from surveykit.verify.verdicts import Found, FoundBy


def look(claim: Claim, evidence: Evidence, method: Method) -> Found:
    """Judge a tick or an overhead by the configuration and model of the claim, or else by the default one on the model
    that ticks are judged on."""
    assert method.default is not None
    configuration = claim.configuration or f"{method.id}/{method.default.id}"
    return judge_tick(claim, evidence, configuration, claim.model or evidence.judging.judged_on)


def judge_tick(claim: Claim, evidence: Evidence, configuration: str, model: str) -> Found:
    """Judge a tick or an overhead by one configuration on one model."""
    return _LOOKS[claim.quantity](claim, evidence, configuration, model)


def _missing(configuration: str, model: str, what: str) -> Found:
    return Found("not_measured", None, None, f"no {what} of {configuration} on {model} is recorded")


def _tick(claim: Claim, saves: bool, reason: str, configuration: str, model: str) -> Found:
    """The verdict on a tick that is true or false."""
    agrees = ((claim.means or claim.printed) in ("✓", "yes")) == saves
    found_by: FoundBy = "named" if claim.configuration else "default"
    return Found(
        "match" if agrees else "differs", "yes" if saves else "no", None, reason, configuration, model,
        found_by if agrees else None, 1, int(agrees),
    )  # fmt: skip


def _disk(claim: Claim, evidence: Evidence, configuration: str, model: str) -> Found:
    counted = evidence.counts.get((configuration, model))
    whole = evidence.parameters(model)
    if counted is None or counted.stored_bytes is None or not whole:
        return _missing(configuration, model, "count")
    at_most = evidence.catalog.quantities.at_most("disk")
    share = Decimal(counted.stored_bytes) / (evidence.judging.stored_value_bytes * whole)
    reason = (
        f"A task stores {_percentage(share)} of the base model's bytes; at most {_percentage(at_most)} counts as saved."
    )
    return _tick(claim, share <= at_most, reason, configuration, model)


def _ram(claim: Claim, evidence: Evidence, configuration: str, model: str) -> Found:
    ratios = evidence.ram_ratios(configuration, model)
    if not ratios:
        return _missing(configuration, model, "memory")
    at_most = evidence.catalog.quantities.at_most("ram")
    setting = (evidence.judging.length, evidence.judging.dtype)
    central = ratios.get(setting, next(iter(ratios.values())))
    low, high = min(ratios.values()), max(ratios.values())
    reason = (
        f"Predicted peak: {central:.2f} × full tuning's ({low:.2f} to {high:.2f} over lengths and precisions); "
        f"at most {at_most} counts as saved."
    )
    if low <= at_most < high:
        reason += " The answer depends on length or precision, so nothing is judged."
        return Found("not_comparable", f"{central:.2f}", None, reason, configuration, model)
    return _tick(claim, central <= at_most, reason, configuration, model)


def _bp(claim: Claim, evidence: Evidence, configuration: str, model: str) -> Found:
    cost = evidence.costs.get((configuration, model))
    if cost is None or cost.backward is None:
        return _missing(configuration, model, "cost")
    reason = f"Backward runs in {cost.blocks_backward} of {cost.blocks} blocks; {cost.blocks_input_gradient} inputs of blocks receive a gradient."
    if cost.backward == "partial":
        return Found("partly", cost.backward, None, reason, configuration, model, None, 1, 0)
    return replace(_tick(claim, cost.backward == "none", reason, configuration, model), measured=cost.backward)


def _overhead(claim: Claim, evidence: Evidence, configuration: str, model: str) -> Found:
    cost = evidence.costs.get((configuration, model))
    if cost is None or cost.overhead_unmerged is None or cost.overhead_merged is None:
        return _missing(configuration, model, "cost")
    claimed = canonical((claim.means or "").split("+"))
    states = {"unmerged": cost.overhead_unmerged, "merged": cost.overhead_merged}
    equal = [state for state, kinds in states.items() if kinds == claimed]
    same = cost.overhead_unmerged == cost.overhead_merged
    measured = cost.overhead_unmerged if same else f"{cost.overhead_unmerged}, merged {cost.overhead_merged}"
    reason = f"Read as {claimed}. Before merging, the overhead is {cost.overhead_unmerged}; after merging, {cost.overhead_merged}."
    compared = 1 if same else 2
    if equal:
        sense = "merged or not" if same else equal[0]
        found_by: FoundBy = "default" if "unmerged" in equal else "search"
        return Found("match", measured, sense, reason, configuration, model, found_by, compared, 1)
    wanted = set(claimed.split("+")) - {"none"}
    overlap = any(wanted & set(kinds.split("+")) for kinds in states.values())
    return Found("partly" if overlap else "differs", measured, None, reason, configuration, model, None, compared, 0)


_LOOKS: Mapping[str, Callable[[Claim, Evidence, str, str], Found]] = {
    "disk": _disk,
    "ram": _ram,
    "bp": _bp,
    "overhead": _overhead,
}


def _percentage(share: Decimal) -> str:
    return f"{share * 100:.2f} %"
