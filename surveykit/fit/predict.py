"""Predictions for a model: each configuration is traced, in as many processes as are worth it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from surveykit.catalog.load import Catalog
from surveykit.errors import RecipeError, SurveyError
from surveykit.fit.candidates import Candidate, Evidence, Parts, Question
from surveykit.fit.ranking import allowed, largest_batch, standing

_AT_ONCE = 10
"""Configurations for which one more process is worth its imports."""

Watch = Callable[[str], None]
"""Called with each configuration that is done; a progress bar, for instance."""


@dataclass(frozen=True)
class Unable:
    """A configuration that cannot be put on the model, or cannot run on it."""

    configuration: str
    reason: str


@dataclass(frozen=True)
class Unwanted:
    """A configuration whose inference overhead is not allowed; its training was not traced."""

    configuration: str


Outcome = Candidate | Unable | Unwanted


class Predictor:
    """Traces configurations on one model for one question. The model is built once."""

    def __init__(self, catalog: Catalog, source: str, question: Question) -> None:
        from surveykit.engine import build
        from surveykit.engine.costs import Costs

        self.catalog = catalog
        self.question = question
        record = catalog.backbones[source]
        self._instance = build(record)
        self._costs = Costs(record)
        self.parameters = sum(parameter.numel() for parameter in self._instance.pretrained)

    def predict(self, configuration: str) -> Outcome:
        """Trace one configuration."""
        from surveykit.engine import count

        method = self.catalog.methods[configuration.partition("/")[0]]
        recipe = self.catalog.recipe(configuration)
        try:
            inference = self._costs.inference(recipe)
            if not allowed(inference.unmerged.overhead, inference.merged.overhead, self.question):
                return Unwanted(configuration)
            parts = self._parts(configuration, self.question.batch)
            counts = count(recipe, self._instance)
            fitting = self._batch_that_fits(configuration, parts)
        except RecipeError as error:
            return Unable(configuration, str(error))
        bare = inference.bare_flops
        return Candidate(
            configuration=configuration,
            name=method.name,
            parts=parts,
            trainable=counts.trainable,
            trainable_percent=100 * counts.trainable / self.parameters,
            stored_bytes=counts.stored_bytes,
            overhead=inference.unmerged.overhead,
            overhead_merged=inference.merged.overhead,
            flops_percent=100 * (inference.unmerged.flops - bare) / bare,
            merged_flops_percent=100 * (inference.merged.flops - bare) / bare,
            batch_that_fits=fitting,
            is_reconstruction=method.reconstruction is not None,
        )

    def _parts(self, configuration: str, batch: int) -> Parts:
        """Memory of the stage that needs most."""
        stages = self.catalog.recipe(configuration).stages
        traced = [self._costs.training(s, batch, self.question.length).memory[self.question.dtype] for s in stages]
        most = max(traced, key=lambda memory: memory.peak)
        return Parts(most.weights, most.gradients, most.optimizer, most.saved, most.peak)

    def _batch_that_fits(self, configuration: str, parts: Parts) -> int | None:
        """What the answer to "a smaller batch, then?" is, where what was asked for does not fit clearly."""
        batch = self.question.batch
        if standing(parts.peak, self.question) == "fits":
            return None
        if batch == 1 or standing(parts.weights, self.question) != "fits":
            return 0
        return largest_batch(self._parts(configuration, 1).peak, parts.peak, batch, self.question)


def predictions(
    catalog: Catalog, source: str, question: Question, configurations: Sequence[str], watch: Watch = lambda name: None
) -> Iterator[Outcome]:
    """Candidates in the order in which they are done, without evidence.

    Args:
        source: the model: a backbone of the catalog.
        configurations: `method/configuration`.

    Raises:
        MissingExtra: torch or transformers is not installed.
    """
    import os

    workers = min(os.cpu_count() or 1, -(-len(configurations) // _AT_ONCE))
    if workers < 2:
        predictor = Predictor(catalog, source, question)
        for name in configurations:
            yield predictor.predict(name)
            watch(name)
        return
    yield from _in_processes(catalog, source, question, configurations, watch, workers)


def _in_processes(
    catalog: Catalog, source: str, question: Question, configurations: Sequence[str], watch: Watch, workers: int
) -> Iterator[Outcome]:
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor, as_completed

    context = multiprocessing.get_context("spawn")  # torch's threads do not survive a fork
    with ProcessPoolExecutor(workers, context, _start, (catalog, source, question)) as pool:
        running = [pool.submit(_predict, name) for name in configurations]
        try:
            for done in as_completed(running):
                outcome = done.result()
                yield outcome
                watch(outcome.configuration)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


_predictor: Predictor | None = None
"""Of a worker process."""


def _start(catalog: Catalog, source: str, question: Question) -> None:
    global _predictor
    _predictor = Predictor(catalog, source, question)


def _predict(configuration: str) -> Outcome:
    assert _predictor is not None, "the worker was not started"
    return _predictor.predict(configuration)


def size_of(catalog: Catalog, source: str) -> int:
    """Parameters of a model.

    Raises:
        SurveyError: there is no such model.
    """
    from surveykit.errors import nearest

    if source not in catalog.backbones:
        raise SurveyError(f"there is no backbone '{source}'{nearest(source, catalog.backbones)}")
    return catalog.backbones[source].parameters


def with_evidence(candidate: Candidate, evidence: Mapping[str, Evidence]) -> Candidate:
    """The same with what the survey says of it."""
    from dataclasses import replace

    return replace(candidate, evidence=evidence.get(candidate.configuration, Evidence()))


def chosen(catalog: Catalog, methods: Sequence[str] | None, *, every: bool) -> list[str]:
    """Configurations of the named methods, or all: the default ones, or every one; a configuration may be named itself.

    Raises:
        SurveyError: a name is not in the catalog.
    """
    from surveykit.errors import nearest

    everything = list(catalog.configurations())
    names = [name for name, _, _ in everything]
    for name in methods or ():
        if name not in catalog.methods and name not in names:
            raise SurveyError(f"there is no method '{name}'{nearest(name, [*catalog.methods, *names])}")
    return [
        name
        for name, method, configuration in everything
        if (not methods and (every or configuration.default))
        or (methods and (name in methods or (method.id in methods and (every or configuration.default))))
    ]
