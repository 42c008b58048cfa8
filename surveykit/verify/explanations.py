"""An explanation is checked like a claim: it must speak of a difference, and its evidence must hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from surveykit.catalog.claims import Claim
from surveykit.catalog.figures import parse_figure
from surveykit.catalog.shelves import method_of
from surveykit.catalog.sources import Explanation
from surveykit.recipes import Recipe
from surveykit.verify.evidence import Evidence
from surveykit.verify.figures import covers, gives
from surveykit.verify.findings import Finding
from surveykit.verify.ticks import judge_tick
from surveykit.verify.verdicts import SETTLED, Verdict


def check_explanations(evidence: Evidence, verdicts: Iterable[Verdict]) -> Iterator[Finding]:
    """Check every explanation of a figure that was judged."""
    judged: dict[tuple[str, str, str], list[Verdict]] = {}
    for verdict in verdicts:
        claim = verdict.claim
        judged.setdefault((claim.source, claim.table, claim.row), []).append(verdict)
    for folder in evidence.catalog.sources.values():
        for explanation in folder.explanations:
            row = judged.get((folder.key, explanation.table, explanation.row), [])
            if row:
                yield from _Check(evidence, folder.key, explanation, row).findings()


class _Check:
    """One explanation, and the verdicts of the rows with its label."""

    def __init__(self, evidence: Evidence, source: str, explanation: Explanation, row: list[Verdict]) -> None:
        self.evidence = evidence
        self.explanation = explanation
        self.row = row
        self.where = f"{source}/explanations.yaml, {explanation.name}"

    def findings(self) -> Iterator[Finding]:
        by_model: dict[str | None, list[Verdict]] = {}
        for verdict in self.row:
            claim = verdict.claim
            if verdict.word != "not_measured" and self.explanation.quotes(
                claim.model, claim.column, claim.printed or ""
            ):
                by_model.setdefault(claim.model, []).append(verdict)
                yield from self._figure(verdict)
        for verdicts in by_model.values():
            yield from self._together(verdicts)

    def _figure(self, verdict: Verdict) -> Iterator[Finding]:
        claim, explanation = verdict.claim, self.explanation
        if verdict.word in SETTLED:
            yield Finding("explanation", verdict.name, f"the verdict is {verdict.word} now; remove its explanation")
        setup = explanation.fits_setup
        if setup is not None:
            model = setup.model or claim.model or verdict.found.model or self.evidence.judging.judged_on
            fits = self._gives(claim, setup.configuration, model)
            if not fits:
                found = "was not measured" if fits is None else "does not give it"
                message = f"printed {claim.printed}: {setup.configuration} on {model} {found}"
                yield Finding("explanation", verdict.name, message)
            yield from self._cause(claim, verdict, setup.configuration, setup.model)
        if explanation.cause == "stored_not_trained" and not self._stored(claim):
            yield Finding("explanation", verdict.name, f"the stored parameters do not give the printed {claim.printed}")
        if explanation.cause == "truncated" and not self._truncated(verdict):
            message = f"{claim.printed} is not our figure cut off after the last printed digit"
            yield Finding("explanation", verdict.name, message)

    def _together(self, verdicts: list[Verdict]) -> Iterator[Finding]:
        """What holds for all figures of a row on one model."""
        named = [v for v in verdicts if v.claim.configuration]
        if self.explanation.cause == "source_inconsistent" and named and not self._another_matches(named):
            message = "source_inconsistent needs another figure of the same row that matches"
            yield Finding("explanation", named[0].name, message)
        for name in self.explanation.tried:
            if named and all(self._gives(v.claim, name, v.claim.model or "") for v in named):
                message = f"{name} gives every printed figure; name it in fits_setup"
                yield Finding("explanation", named[0].name, message)

    def _another_matches(self, named: list[Verdict]) -> bool:
        """Whether another figure of the same row and quantity confirms our count, so that the two contradict."""
        return any(
            other.word in SETTLED
            for other in self.row
            if other.claim.position == named[0].claim.position
            and other.claim.quantity == named[0].claim.quantity
            and other not in named
        )

    def _gives(self, claim: Claim, configuration: str, model: str) -> bool | None:
        """Whether a configuration on a model gives a printed cell; None where it was not measured."""
        quantity = self.evidence.catalog.quantities.by_id[claim.quantity]
        if quantity.compare in ("tick", "set"):
            found = judge_tick(claim, self.evidence, configuration, model)
            return None if found.word == "not_measured" else found.word in SETTLED
        return gives(claim, self.evidence, quantity, configuration, model)

    def _stored(self, claim: Claim) -> bool:
        counted = self.evidence.counts.get((claim.configuration or "", claim.model or ""))
        if counted is None or counted.stored is None or claim.model is None:
            return False
        figure = self.evidence.in_unit(counted.stored, claim.model, claim.unit)
        return figure is not None and covers(claim, self.evidence.catalog.quantities.by_id[claim.quantity], figure)

    def _truncated(self, verdict: Verdict) -> bool:
        value = verdict.found.value
        return value is not None and parse_figure(verdict.claim.printed or "").truncates(value)

    def _cause(self, claim: Claim, verdict: Verdict, other: str, model: str | None) -> Iterator[Finding]:
        """A cause says in what the setup that fits differs from the row's own; compare the two."""
        own = claim.configuration or self._default(claim)
        if own is not None and not self._describes(own, other, model):
            message = f"the cause {self.explanation.cause} does not describe how {other} differs from {own}"
            yield Finding("explanation", verdict.name, message)

    def _describes(self, own: str, other: str, model: str | None) -> bool:
        """Whether the cause is that in which the setup that fits differs from the row's own."""
        claimed, setup = (self.evidence.catalog.configuration(name) for name in (own, other))
        same_method, same_edits = method_of(own) == method_of(other), _bare(claimed.recipe) == _bare(setup.recipe)
        match self.explanation.cause:
            case "other_model":
                return other == own and model is not None
            case "other_row":
                return not same_method
            case "other_module_set":
                return same_method and same_edits and claimed.recipe != setup.recipe
            case "library_default" if all(oracle.trainable is not None for oracle in setup.oracles):
                return False
        return same_method and not same_edits

    def _default(self, claim: Claim) -> str | None:
        method = self.evidence.catalog.methods.get(claim.method or "")
        return f"{method.id}/{method.default.id}" if method and method.default else None


def _bare(recipe: Recipe) -> list[object]:
    """The edits of a recipe without where they go."""
    return [edit.model_dump(exclude={"where"}) for stage in recipe.stages for edit in stage.edits]
