"""Claims × evidence → verdicts: every printed cell beside what we measure. Pure: no files, no torch.

The quantity of a claim says how it is compared; the ways to compare are `figures`, `ticks` and `memory`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from surveykit.catalog.claims import Claim
from surveykit.catalog.records import Method
from surveykit.catalog.sources import Explanation
from surveykit.verify import figures, predictions, ticks
from surveykit.verify.evidence import Evidence
from surveykit.verify.memory import Memory
from surveykit.verify.verdicts import NEEDS_EXPLANATION, SETTLED, Found, Verdict


def judge(claims: Iterable[Claim], evidence: Evidence) -> tuple[Verdict, ...]:
    """Give every claim that prints something its verdict, in their order."""
    memory = Memory(evidence)
    verdicts = []
    for claim in claims:
        if claim.printed is None:
            continue
        found = _look(claim, evidence, memory)
        verdicts.append(Verdict(claim, found, None if found.word in SETTLED else explanation_of(claim, evidence)))
    return tuple(verdicts)


def explanation_of(claim: Claim, evidence: Evidence) -> Explanation | None:
    """The explanation that quotes this very figure, if there is one."""
    source = evidence.catalog.sources.get(claim.source)
    for explanation in source.explanations if source else ():
        if (explanation.table, explanation.row) != (claim.table, claim.row) or claim.printed is None:
            continue
        if explanation.quotes(claim.model, claim.column, claim.printed):
            return explanation
    return None


def _look(claim: Claim, evidence: Evidence, memory: Memory) -> Found:
    quantity = evidence.catalog.quantities.by_id[claim.quantity]
    if quantity.compare == "shown":
        return Found("not_comparable", None, None, quantity.reason or "")
    if claim.unknown is not None:
        return Found("not_measured", None, None, claim.unknown)
    method = evidence.catalog.methods.get(claim.method or "")
    if method is None:
        if quantity.compare == "rounding" and claim.configuration and claim.model:  # a library's configuration
            return figures.named(claim, evidence, quantity, claim.configuration, claim.model)
        return Found("not_comparable", None, None, "The row names no method.")
    if method.default is None:
        return Found("not_measured", None, None, method.not_instantiated or "no configuration")
    if quantity.compare == "predicted":
        return predictions.look(claim, evidence) if claim.stated else memory.look(claim)
    if quantity.compare in ("tick", "set"):
        found = ticks.look(claim, evidence, method)
    else:
        found = figures.look(claim, evidence, method, quantity)
    return found if claim.configuration else _unless_reconstructed(found, method)


def _unless_reconstructed(found: Found, method: Method) -> Found:
    """What we filled in ourselves is no evidence against a source, nor for it."""
    if not method.reconstruction or found.word not in NEEDS_EXPLANATION | SETTLED:
        return found
    if any(
        f"{method.id}/{c.id}" == found.configuration and c.basis == "paper" and found.model in c.also_on
        for c in method.configurations
    ):  # the paper states the configuration, and it was counted on the paper's own model
        return found
    reason = f"Our recipe is a reconstruction, so nothing is judged; it gives {found.measured}. {found.reason}"
    return replace(
        Found("not_comparable", found.measured, found.sense, reason),
        configuration=found.configuration,
        model=found.model,
    )
