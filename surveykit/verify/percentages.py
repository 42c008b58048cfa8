"""The two percentages of the survey's Table 2 beside ours. Pure: no files, no torch.

One rule for all of them: our figure agrees when it is the printed one at the printed rounding (`Figure.covers`). First
comes one figure that is fixed before anything is compared: the default configuration, on the base model of its paper
where the configuration names one and else on the one that ticks are judged on, in the sense that the column names. Only
where it does not agree are other configurations, base models and senses searched, and the verdict says so, with how many
were compared and how many agree: of many figures one may agree by chance.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from surveykit.catalog.figures import Figure, parse_figure
from surveykit.catalog.measurements import Measurement
from surveykit.catalog.records import Configuration, Method
from surveykit.verify.evidence import CellWord, Evidence, Found

PAPERS_BELOW = 10**9
"""Parameters of the largest T5 on which a printed percentage is looked for."""
SENSES = {
    "trainable_percent": {
        "trainable": "held by the optimizer in the largest stage",
        "trainable_task": "held by the optimizer in the task's last stage",
        "effective": "that may move under the mask",
        "stored": "stored for a task",
    },
    "changed_percent": {
        "changed_expanded": "changed entries and new ones, products written out",
        "changed": "changed entries alone",
        "changed_added": "changed entries and new parameters as trained",
        "added": "new parameters as trained",
        "stored": "stored for a task",
    },
}
"""By column, what our percentage may count; the first is what the column names."""
_SUMS = {"changed_expanded": ("changed", "expanded"), "changed_added": ("changed", "added")}
_DIGITS = Decimal("0.0001")


@dataclass(frozen=True)
class Candidate:
    """One percentage of ours."""

    configuration: str
    backbone: str
    sense: str
    percent: Decimal
    own: bool
    """On a base model that the configuration names as its paper's."""

    @property
    def shown(self) -> str:
        return f"{self.percent.quantize(_DIGITS):f}"


def judge_percentage(evidence: Evidence, method: Method, column: str, printed: str) -> Found:
    """Compare a printed percentage with ours."""
    default = method.default
    assert default is not None
    figure = parse_figure(printed)
    fixed = _fixed(evidence, method, default, column)
    candidates = [*([fixed] if fixed else []), *(c for c in _search(evidence, method, default, column) if c != fixed)]
    if not candidates:
        name = f"{method.id}/{default.id}"
        return Found("not_measured", None, None, f"no count of {name} on {evidence.judging.judged_on} is recorded")
    fitting = [c for c in candidates if figure.covers(c.percent)]
    by_default = fixed is not None and fixed in fitting
    best = fitting[0] if fitting else next((c for c in candidates if c.own), candidates[0])
    return Found(
        _word(figure, best, bool(fitting)),
        best.shown,
        best.sense,
        _reason(figure, best, SENSES[column][best.sense], len(candidates), len(fitting), by_default),
        best.configuration,
        best.backbone,
        ("default" if by_default else "search") if fitting else None,
        len(candidates),
        len(fitting),
    )


def fits(evidence: Evidence, column: str, printed: str, configuration: str, backbone: str) -> bool:
    """Whether a configuration on a base model gives a printed percentage in any of the column's senses."""
    found = (percentage(evidence, configuration, backbone, sense) for sense in SENSES[column])
    return any(percent is not None and parse_figure(printed).covers(percent) for percent in found)


def percentage(evidence: Evidence, configuration: str, backbone: str, sense: str) -> Decimal | None:
    """A count in percent of the bare base model; None where it was not counted."""
    counted = evidence.counts.get((configuration, backbone))
    model = evidence.catalog.models[backbone]
    return None if counted is None or model.size is None else model.percent(_in_sense(counted, sense))


def _word(figure: Figure, best: Candidate, fits: bool) -> CellWord:
    exact = figure.bound == "exact" and not figure.is_range
    if fits:
        return "match" if exact else "within_range"
    if not best.own:
        return "not_comparable"
    return "differs" if exact else "outside_range"


def _reason(figure: Figure, best: Candidate, sense: str, compared: int, fit: int, by_default: bool) -> str:
    text = (
        f"{best.configuration} on {best.backbone} gives {best.shown} % ({sense}). The print stands for {figure.span()}."
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
    return f"{text} The survey's figure was made on another base model, and {searched}, which does not show that it is wrong."


def _places(
    evidence: Evidence, method: Method, default: Configuration
) -> Iterator[list[tuple[Configuration, str, bool]]]:
    """Where a figure is looked for, those first that speak most for it: the paper's own base model before T5, the
    default configuration before others."""
    ordered = [default, *(c for c in method.configurations if c is not default)]
    yield [(c, b, True) for c in ordered for b in c.also_on]
    yield [(default, evidence.judging.judged_on, False)]
    # Sizes as those of most papers, and no mere variants: a small share of something else may fit by chance.
    models = evidence.catalog.models.values()
    sizes = {m.id: m.size for m in models if m.dimensions.model_type == "t5" and m.size and m.size < PAPERS_BELOW}
    stated = [c for c in ordered if c.default or c.basis != "variant"]
    for name in sorted(sizes, key=lambda name: sizes[name], reverse=True):
        yield [(c, name, False) for c in stated]


def _fixed(evidence: Evidence, method: Method, default: Configuration, column: str) -> Candidate | None:
    """The figure that is compared before any other; None where it was not counted, or where we filled in its shape."""
    if method.reconstruction:
        return None
    backbone = default.also_on[0] if default.also_on else evidence.judging.judged_on
    return _candidate(
        evidence, f"{method.id}/{default.id}", backbone, next(iter(SENSES[column])), bool(default.also_on)
    )


def _search(evidence: Evidence, method: Method, default: Configuration, column: str) -> Iterator[Candidate]:
    """Our percentages, each once, in the order in which they speak for the figure."""
    seen = set()
    for places in _places(evidence, method, default):
        for sense in SENSES[column]:
            for configuration, backbone, own in places:
                found = _candidate(evidence, f"{method.id}/{configuration.id}", backbone, sense, own)
                if found is not None and (found.configuration, backbone, sense) not in seen:
                    seen.add((found.configuration, backbone, sense))
                    yield found


def _candidate(evidence: Evidence, name: str, backbone: str, sense: str, own: bool) -> Candidate | None:
    percent = percentage(evidence, name, backbone, sense)
    return None if percent is None else Candidate(name, backbone, sense, percent, own)


def _in_sense(counted: Measurement, sense: str) -> int:
    return sum(getattr(counted, name) for name in _SUMS.get(sense, (sense,)))
