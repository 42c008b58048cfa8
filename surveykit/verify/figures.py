"""Printed counts beside ours. Pure: no files, no torch.

One rule for all of them: our figure agrees when it is the printed one at the printed rounding (`Figure.covers`). Where a
claim names configuration and model, that one figure is compared. Else comes one figure that is fixed before anything is
compared: the default configuration, on the model of its paper where the configuration names one and else on the one that
ticks are judged on, in the sense that the quantity names. Only where it does not agree are other configurations, models
and senses searched, and the verdict says so, with how many were compared and how many agree: of many figures one may agree
by chance.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from surveykit.catalog.claims import Claim
from surveykit.catalog.figures import Figure, parse_figure
from surveykit.catalog.quantities import Quantity, Sense
from surveykit.catalog.records import Configuration, Method
from surveykit.catalog.saved_files import FILE, held_in
from surveykit.catalog.sources import Unit
from surveykit.verify.evidence import Evidence
from surveykit.verify.verdicts import Found, Word

_DIGITS = Decimal("0.0001")
_SHOWN_UNITS: dict[Unit | None, str] = {"percent": " %", "million": " M", "billion": " B", "thousand": " K"}


@dataclass(frozen=True)
class Candidate:
    """One figure of ours."""

    configuration: str
    model: str
    sense: Sense
    figure: Decimal
    own: bool
    """On a model that the configuration names as its paper's."""

    @property
    def shown(self) -> str:
        return f"{self.figure.quantize(_DIGITS):f}"


def look(claim: Claim, evidence: Evidence, method: Method, quantity: Quantity) -> Found:
    """Compare a printed count with ours."""
    if claim.configuration and claim.model:
        return named(claim, evidence, quantity, claim.configuration, claim.model)
    return _searched(claim, evidence, method, quantity)


def gives(claim: Claim, evidence: Evidence, quantity: Quantity, configuration: str, model: str) -> bool | None:
    """Whether a configuration on a model gives the printed figure, where the claim names its own in the first sense, else
    in any; None where it was not counted."""
    if claim.configuration:
        known = [figure for _, figure in _own(claim, evidence, quantity, configuration, model)[:1]]
    else:
        figures = [evidence.figure(configuration, model, sense, claim.unit) for sense in quantity.senses]
        known = [figure for figure in figures if figure is not None]
    return any(covers(claim, quantity, figure) for figure in known) if known else None


def covers(claim: Claim, quantity: Quantity, figure: Decimal) -> bool:
    """Whether a figure of ours agrees with the printed one."""
    return parse_figure(claim.printed or "").covers(figure, quantity.tolerance or Decimal(0))


def named(claim: Claim, evidence: Evidence, quantity: Quantity, configuration: str, model: str) -> Found:
    known = _own(claim, evidence, quantity, configuration, model)
    if not known:
        reason = f"no count of {configuration} on {model} is recorded"
        return Found("not_measured", None, None, reason, configuration, model)
    sense, value = known[0]
    figure = parse_figure(claim.printed or "")
    fits = covers(claim, quantity, value)
    shown = f"{value.normalize():f}" if value == value.to_integral() else f"{value:.6g}"
    reason = f"{configuration} on {model} gives {shown}{_SHOWN_UNITS.get(claim.unit, '')} ({sense.says})."
    return Found(_word(figure, fits), shown, sense.id, reason, configuration, model, "named", 1, int(fits), value)


def _own(
    claim: Claim, evidence: Evidence, quantity: Quantity, configuration: str, model: str
) -> list[tuple[Sense, Decimal]]:
    """What the claim's own configuration gives, the sense that speaks most for the claim first: the file that its run saves,
    where it says how it ran, else what the quantity's name says."""
    of_file = [sense for sense in quantity.senses if FILE in sense.counts]
    found = [
        (sense, evidence.figure(configuration, model, sense, claim.unit, held_in(claim)))
        for sense in (*of_file, *quantity.senses[:1])
    ]
    return [(sense, figure) for sense, figure in found if figure is not None]


def _searched(claim: Claim, evidence: Evidence, method: Method, quantity: Quantity) -> Found:
    default = method.default
    assert default is not None
    fixed = _fixed(claim, evidence, method, default, quantity)
    candidates = [
        *([fixed] if fixed else []),
        *(c for c in _search(claim, evidence, method, default, quantity) if c != fixed),
    ]
    if not candidates:
        reason = f"no count of {method.id}/{default.id} on {evidence.judging.judged_on} is recorded"
        if claim.model:
            reason = f"the row does not say which configuration, and {method.id}/{default.id} is not counted on {claim.model}"
        return Found("not_measured", None, None, reason)
    figure = parse_figure(claim.printed or "")
    fitting = [c for c in candidates if covers(claim, quantity, c.figure)]
    by_default = fixed is not None and fixed in fitting
    best = fitting[0] if fitting else next((c for c in candidates if c.own), candidates[0])
    word: Word = _word(figure, bool(fitting)) if fitting or best.own else "not_comparable"
    return Found(
        word,
        best.shown,
        best.sense.id,
        _reason(claim, figure, best, len(candidates), len(fitting), by_default),
        best.configuration,
        best.model,
        ("default" if by_default else "search") if fitting else None,
        len(candidates),
        len(fitting),
        best.figure,
    )


def _word(figure: Figure, fits: bool) -> Word:
    if figure.bound == "exact" and not figure.is_range:
        return "match" if fits else "differs"
    return "within_range" if fits else "outside_range"


def _reason(claim: Claim, figure: Figure, best: Candidate, compared: int, fit: int, by_default: bool) -> str:
    text = (
        f"{best.configuration} on {best.model} gives {best.shown}{_SHOWN_UNITS.get(claim.unit, '')} ({best.sense.says}). "
        f"The print stands for {figure.span()}."
    )
    if by_default:
        return f"{text} This is the default configuration, compared before any other."
    if fit:
        return (
            f"{text} The default configuration does not give it: this is the first of {fit} that do, of {compared} "
            "combinations of configuration, base model and sense."
        )
    searched = f"none of {compared} combinations of configuration, base model and sense gives it"
    if best.own:
        return f"{text} It was made on the paper's own base model, and {searched}."
    return f"{text} The source's figure was made on another base model, and {searched}, which does not show that it is wrong."


def _places(
    claim: Claim, evidence: Evidence, method: Method, default: Configuration
) -> Iterator[list[tuple[Configuration, str, bool]]]:
    """Where a figure is looked for, those first that speak most for it: the claim's own model, then the paper's before
    T5, the default configuration before others."""
    ordered = [default, *(c for c in method.configurations if c is not default)]
    if claim.model:
        yield [(c, claim.model, True) for c in ordered]
        return
    yield [(c, model, True) for c in ordered for model in c.also_on]
    yield [(default, evidence.judging.judged_on, False)]
    # Sizes as those of most papers, and no mere variants: a small share of something else may fit by chance.
    below = evidence.judging.searched_below
    sizes = [
        b for b in evidence.catalog.models.values() if b.dimensions.model_type == "t5" and (b.size or below) < below
    ]
    stated = [c for c in ordered if c.default or c.basis != "variant"]
    for size in sorted(sizes, key=lambda b: b.size or 0, reverse=True):
        yield [(c, size.id, False) for c in stated]


def _fixed(
    claim: Claim, evidence: Evidence, method: Method, default: Configuration, quantity: Quantity
) -> Candidate | None:
    """The figure that is compared before any other; None where it was not counted, or where we filled in its shape."""
    if method.reconstruction:
        return None
    model = claim.model or (default.also_on[0] if default.also_on else evidence.judging.judged_on)
    own = claim.model is not None or bool(default.also_on)
    return _candidate(claim, evidence, f"{method.id}/{default.id}", model, quantity.senses[0], own)


def _search(
    claim: Claim, evidence: Evidence, method: Method, default: Configuration, quantity: Quantity
) -> Iterator[Candidate]:
    """Our figures, each once, in the order in which they speak for the printed one."""
    seen = set()
    for places in _places(claim, evidence, method, default):
        for sense in quantity.senses:
            for configuration, model, own in places:
                found = _candidate(claim, evidence, f"{method.id}/{configuration.id}", model, sense, own)
                if found is not None and (found.configuration, model, sense.id) not in seen:
                    seen.add((found.configuration, model, sense.id))
                    yield found


def _candidate(claim: Claim, evidence: Evidence, name: str, model: str, sense: Sense, own: bool) -> Candidate | None:
    figure = evidence.figure(name, model, sense, claim.unit)
    return None if figure is None else Candidate(name, model, sense, figure, own)
