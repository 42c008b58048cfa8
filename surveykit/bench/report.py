"""What the results of a plan say: a row for each configuration on each model and task."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Literal

from surveykit.bench.results import BenchResult
from surveykit.bench.statistics import Interval, Place, places, spread
from surveykit.catalog.plans import Plan
from surveykit.record import InDatabase, Record

Count = Annotated[int, InDatabase(type="BIGINT")]


class BenchRow(Record):
    """One configuration on one model and task, over its seeds. What was not measured is None."""

    model: str
    """Id of the model: one of the catalog, or one whose configuration is in the plan."""
    weights: Literal["random", "pretrained"]
    """Initial weights of the model; memory and speed do not depend on them."""
    task: str | None
    """Id of the task in the plan; None where random tokens were read."""
    configuration: str
    """The method and how it was made, method/configuration."""
    runs: int
    """Finished cells: one for each seed and learning rate."""
    failed: int
    """Cells that failed: out of memory, loss not a number, too slow."""
    trainable: Count | None
    """Parameters that the optimizer updated."""
    peak_bytes: Count | None
    """Peak bytes that the allocator gave out, in the worst of all cells."""
    reserved_bytes: Count | None
    """Peak bytes that the allocator reserved on the device; None on a CPU."""
    predicted_bytes: Count | None
    """Predicted bytes at the peak for this device."""
    error_percent: float | None
    """How far the prediction is above the measured peak, in percent of it."""
    tokens_per_second: float | None
    """Training speed in tokens per second: median over the steps after warm-up."""
    tokens_low: float | None
    """Tokens per second: lower quartile over steps."""
    tokens_high: float | None
    """Tokens per second: upper quartile over steps."""
    examples_per_second: float | None
    """Training speed in examples per second, median."""
    relative_speed: float | None
    """Training speed in tokens per second, with the plan's baseline as 100."""
    relative_inference: float | None
    """Forward speed in tokens per second after training, before merging, with the plan's baseline as 100."""
    relative_inference_low: float | None
    """Forward speed: lower quartile over passes, with the median of the plan's baseline as 100."""
    relative_inference_high: float | None
    """Forward speed: upper quartile over passes, with the median of the plan's baseline as 100."""
    rate: float | None
    """The learning rate that was best on the development examples; None without a task."""
    seeds: int | None
    """Number of seeds with that learning rate; the score is their mean."""
    examples: int | None
    """How many examples each seed is scored on."""
    metric: str | None
    """What the score is: accuracy, or rouge-l (its F)."""
    score: float | None
    """Mean over seeds and scored examples, from 0 to 1."""
    score_low: float | None
    """Lower end of the interval of 95 % over seeds and examples."""
    score_high: float | None
    """Upper end of the interval of 95 % over seeds and examples."""
    chance: float | None
    """Score of always predicting the most frequent label; None for tasks that write text."""
    above_chance: bool | None
    """Whether the whole interval of the score lies above chance."""
    place: str | None
    """Rank among the configurations of its group by score, such as 1 or 2–4, as far as the scores settle it."""
    not_told_apart: str | None
    """Configurations whose scores do not differ clearly from its own."""
    reason: str | None
    """Why cells failed."""


COLUMNS = tuple(BenchRow.model_fields)


def rows_of(plan: Plan, results: Iterable[BenchResult]) -> list[BenchRow]:
    """The rows of the results on one device, in the plan's order."""
    groups: dict[tuple[str, str | None], dict[str, list[BenchResult]]] = defaultdict(lambda: defaultdict(list))
    for result in results:
        groups[result.model, result.task][result.configuration].append(result)
    models = [model.id for model in plan.models]
    order = sorted(groups, key=lambda key: (models.index(key[0]) if key[0] in models else len(models), key[1] or ""))
    return [row for key in order for row in _group(plan, *key, groups[key])]


def _group(plan: Plan, model: str, task: str | None, found: Mapping[str, Sequence[BenchResult]]) -> Iterator[BenchRow]:
    same = _same_examples(result for results in found.values() for result in results)
    chosen = {name: _best_rate([r for r in results if _examples(r) == same]) for name, results in found.items()}
    scored = {name: [_each(result) for result in results] for name, results in chosen.items() if results}
    whole = max((len(values) for values in scored.values()), default=0)
    stand = places({name: values for name, values in scored.items() if len(values) == whole})
    speeds = {name: _speed(results) for name, results in found.items()}
    forward = {name: _inference(results) for name, results in found.items()}
    baseline = _of_method(plan.baseline, found)
    for name in sorted(found, key=lambda name: _order(plan, name)):
        yield _row(
            model,
            task,
            name,
            found[name],
            chosen[name],
            stand.get(name),
            speeds[name],
            relative(speeds[name], speeds.get(baseline)),
            relative(forward[name], forward.get(baseline)),
        )


def _row(
    model: str, task: str | None, name: str, results: Sequence[BenchResult], chosen: Sequence[BenchResult],
    place: Place | None, speed: Interval | None, relative: Interval | None, inference: Interval | None,
) -> BenchRow:  # fmt: skip
    finished = [result for result in results if result.status == "finished"]
    memory = [result.memory for result in finished if result.memory is not None]
    peak = max((one.peak for one in memory), default=None)
    predicted = max((one.predicted for one in memory if one.predicted is not None), default=None)
    scores = [result.score for result in chosen if result.score is not None]
    reasons = dict.fromkeys(result.reason for result in results if result.reason)
    lengths = [result.speed for result in finished if result.speed is not None]
    chance = scores[0].chance if scores else None
    return BenchRow(
        model=model, weights="random" if results[0].weights == "random" else "pretrained", task=task, configuration=name,
        runs=len(finished), failed=len(results) - len(finished),
        trainable=max((r.trainable for r in finished if r.trainable is not None), default=None),
        peak_bytes=peak, reserved_bytes=max((one.reserved for one in memory if one.reserved is not None), default=None),
        predicted_bytes=predicted,
        error_percent=100 * (predicted / peak - 1) if peak and predicted else None,
        tokens_per_second=speed.mean if speed else None, tokens_low=speed.low if speed else None,
        tokens_high=speed.high if speed else None,
        examples_per_second=speed.mean * lengths[0].examples / lengths[0].tokens if speed and lengths else None,
        relative_speed=relative.mean if relative else None, relative_inference=inference.mean if inference else None,
        relative_inference_low=inference.low if inference else None,
        relative_inference_high=inference.high if inference else None,
        rate=chosen[0].rate if chosen else None, seeds=len(chosen) or None,
        examples=len(scores[0].each) if scores else None, metric=scores[0].metric if scores else None,
        score=place.score.mean if place else None, score_low=place.score.low if place else None,
        score_high=place.score.high if place else None, chance=chance,
        above_chance=place.score.low > chance if place and chance is not None else None,
        place=_place(place), not_told_apart=", ".join(place.like) or None if place else None,
        reason="; ".join(map(str, reasons)) or None,
    )  # fmt: skip


def _place(place: Place | None) -> str | None:
    if place is None:
        return None
    return str(place.best) if place.best == place.worst else f"{place.best}–{place.worst}"


def _examples(result: BenchResult) -> tuple[str | None, int] | None:
    """Which texts a result is scored on, and on how many of them; None where it has no score."""
    return None if result.score is None else (result.data, len(result.score.each))


def _same_examples(results: Iterable[BenchResult]) -> tuple[str | None, int]:
    """The texts that most results are scored on: scores on others cannot be put beside them."""
    found = Counter(examples for result in results if (examples := _examples(result)) is not None)
    return max(found, key=lambda examples: (found[examples], str(examples)), default=(None, 0))


def _best_rate(results: Sequence[BenchResult]) -> list[BenchResult]:
    """The results of the learning rate that is best on the development examples, on average over seeds."""
    by_rate: dict[float, list[BenchResult]] = defaultdict(list)
    for result in results:
        by_rate[result.rate].append(result)
    if not by_rate:
        return []
    seeds = max(len(some) for some in by_rate.values())
    whole = {rate: some for rate, some in by_rate.items() if len(some) == seeds}
    best = max(whole, key=lambda rate: (sum(_develop(r) for r in whole[rate]) / seeds, -rate))
    return sorted(whole[best], key=lambda result: result.seed)


def _develop(result: BenchResult) -> float:
    assert result.score is not None
    return result.score.develop


def _each(result: BenchResult) -> tuple[float, ...]:
    assert result.score is not None
    return result.score.each


def _speed(results: Sequence[BenchResult]) -> Interval | None:
    """Tokens a second over the steps of all finished cells."""
    speeds = [
        r.speed.tokens / seconds for r in results if r.speed is not None for seconds in r.speed.step_seconds
    ]  # fmt: skip
    return spread(speeds) if speeds else None


def _inference(results: Sequence[BenchResult]) -> Interval | None:
    """Tokens a second of forward passes."""
    speeds = [
        r.speed.tokens / seconds for r in results if r.speed is not None for seconds in r.speed.inference_seconds
    ]  # fmt: skip
    return spread(speeds) if speeds else None


def relative(speed: Interval | None, base: Interval | None) -> Interval | None:
    """With the median of a baseline as 100, which the baseline's own is to the last bit: the ratio is taken first."""
    if speed is None or base is None:
        return None
    return Interval(*(100 * (one / base.mean) for one in (speed.mean, speed.low, speed.high)))


def _of_method(name: str, found: Iterable[str]) -> str:
    return next((other for other in found if other.partition("/")[0] == name.partition("/")[0]), name)


def _order(plan: Plan, name: str) -> int:
    method = name.partition("/")[0]
    return next((i for i, said in enumerate(plan.configurations) if said in (name, method)), len(plan.configurations))
