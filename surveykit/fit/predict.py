"""Predictions for a model: each configuration is traced, in as many processes as are worth it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Union

from surveykit.catalog.load import Catalog
from surveykit.catalog.models import Model
from surveykit.catalog.selection import refuse_unknown
from surveykit.errors import MissingExtra, SurveyError, nearest
from surveykit.fit.candidates import Candidate, MemoryBreakdown, Question
from surveykit.fit.ranking import allowed, largest_batch, standing
from surveykit.processes import Watch, in_processes, unwatched

if TYPE_CHECKING:
    from surveykit.engine.models.model import Blueprint

_AT_ONCE = 10
"""Configurations for which one more process is worth its imports."""

NOTHING_TO_TRAIN = "it would train nothing: the model has no such parameters (biases, for instance)"


@dataclass(frozen=True)
class Unable:
    """A configuration that cannot be put on the model, or cannot run on it."""

    configuration: str
    reason: str


@dataclass(frozen=True)
class Unwanted:
    """A configuration whose inference overhead is not allowed; its training was not traced."""

    configuration: str


Opened = Union[Model, "Blueprint"]
Outcome = Candidate | Unable | Unwanted


class Predictor:
    """Traces configurations on one model for one question. The model is built once.

    Raises:
        SurveyError: the model cannot be built.
    """

    def __init__(self, catalog: Catalog, model: Opened, question: Question) -> None:
        from surveykit.engine.models.catalogued import blueprint
        from surveykit.engine.trace.costs import Costs

        self.catalog = catalog
        self.question = question
        plan = blueprint(model) if isinstance(model, Model) else model
        self._instance = plan.build()
        self._costs = Costs(plan)

    def predict(self, configuration: str) -> Outcome:
        """Trace one configuration."""
        from surveykit.engine import count

        method = self.catalog.methods[configuration.partition("/")[0]]
        recipe = self.catalog.recipe(configuration)
        try:
            inference = self._costs.inference(recipe)
            if not allowed(inference.unmerged.overhead, inference.merged.overhead, self.question):
                return Unwanted(configuration)
            counts = count(recipe, self._instance)
            if not counts.trainable:
                return Unable(configuration, NOTHING_TO_TRAIN)
            parts = self._parts(configuration, self.question.batch)
            fitting = self._batch_that_fits(configuration, parts)
        except SurveyError as error:
            return Unable(configuration, str(error))
        bare = inference.bare_flops
        return Candidate(
            configuration=configuration,
            name=method.name,
            parts=parts,
            trainable=counts.trainable,
            trainable_last_stage=counts.trainable_task,
            stored_bytes=counts.stored_bytes,
            overhead=inference.unmerged.overhead,
            overhead_merged=inference.merged.overhead,
            flops_percent=100 * (inference.unmerged.flops - bare) / bare,
            merged_flops_percent=100 * (inference.merged.flops - bare) / bare,
            model_parameters=self._instance.parameters,
            batch_that_fits=fitting,
            is_reconstruction=method.reconstruction is not None,
        )

    def _parts(self, configuration: str, batch: int) -> MemoryBreakdown:
        """Memory of the stage that needs most."""
        stages = self.catalog.recipe(configuration).stages
        asked = self.question
        steps = [self._costs.training(s, batch, asked.length, asked.target_length) for s in stages]
        traced = [step.memory[asked.dtype] for step in steps]
        most = max(traced, key=lambda memory: memory.peak)
        return MemoryBreakdown(most.weights, most.gradients, most.optimizer, most.saved, most.peak)

    def _batch_that_fits(self, configuration: str, parts: MemoryBreakdown) -> int | None:
        """What the answer to "a smaller batch, then?" is, where what was asked for does not fit clearly."""
        batch = self.question.batch
        if standing(parts, self.question) == "fits":
            return None
        if batch == 1 or parts.least > self.question.memory:
            return 0
        return largest_batch(self._parts(configuration, 1).peak, parts.peak, batch, self.question)


def opened(catalog: Catalog, source: str) -> Opened:
    """A model by what a user calls it: a backbone of the catalog, else what `surveykit.engine.models.model` opens.

    Raises:
        SurveyError: there is no such model, or it is of no kind that is known.
        MissingExtra: torch or transformers is not installed.
    """
    import os
    from importlib.util import find_spec

    for package in ("torch", "transformers"):
        if find_spec(package) is None:
            raise MissingExtra(package, "measure")
    if source in catalog.models and not os.path.exists(source):
        return catalog.models[source]  # a worker builds it: this process needs no torch
    from surveykit.engine.models.model import blueprint_of

    try:
        return blueprint_of(source)
    except SurveyError as error:
        raise SurveyError(f"{error}{nearest(source, catalog.models, 0.8)}") from error


def predictions(
    catalog: Catalog, model: Opened, question: Question, configurations: Sequence[str], watch: Watch = unwatched
) -> Iterator[Outcome]:
    """Candidates in the order in which they are done, without evidence.

    Args:
        configurations: `method/configuration`.
    """
    import os

    total = len(configurations)
    watch(0, total)
    workers = min(os.cpu_count() or 1, -(-total // _AT_ONCE))
    outcomes: Iterator[Outcome]
    if workers < 2:
        outcomes = map(Predictor(catalog, model, question).predict, configurations)
    else:
        shared = in_processes(_predict, (catalog, model, question), configurations, workers)
        outcomes = (outcome for _, outcome in shared)
    for done, outcome in enumerate(outcomes, start=1):
        yield outcome
        watch(done, total)


def _predict(catalog: Catalog, model: Opened, question: Question) -> Callable[[str], Outcome]:
    """The work of a worker process."""
    return Predictor(catalog, model, question).predict


def size_and_biases(model: Opened) -> tuple[int, bool]:
    """Parameters of the bare model, and whether it has biases of its own, which the default of some methods depends on.

    Raises:
        SurveyError: it cannot be built.
    """
    if isinstance(model, Model):
        if model.dimensions.has_symbols:  # this process needs no torch
            symbols = model.symbols()
            return symbols["N"], symbols["B"] + symbols["Bn"] > 0
        from surveykit.engine.models.catalogued import blueprint

        model = blueprint(model)
    instance = model.build()
    return instance.parameters, instance.has_biases


def chosen(catalog: Catalog, methods: Sequence[str] | None, *, every: bool, biases: bool = False) -> list[str]:
    """Configurations of the named methods, or all: the default ones, or every one; a configuration may be named itself.

    Args:
        biases: whether the model that they are for has any.

    Raises:
        SurveyError: a name is not in the catalog.
    """
    refuse_unknown(catalog, methods or ())
    return [
        name
        for name, method, configuration in catalog.configurations()
        if (methods and name in methods)
        or ((not methods or method.id in methods) and (every or configuration is method.default_on(biases=biases)))
    ]
