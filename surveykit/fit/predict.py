"""Predictions for a model: each configuration is traced, in as many processes as are worth it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Union

from surveykit.catalog.load import Catalog
from surveykit.catalog.models import Model
from surveykit.catalog.peft_file import PeftFile
from surveykit.catalog.selection import refuse_unknown
from surveykit.catalog.training import Training
from surveykit.errors import MissingExtra, SurveyError, nearest
from surveykit.fit.candidates import Candidate, MemoryBreakdown, Question
from surveykit.fit.ranking import allowed, largest_batch, standing
from surveykit.processes import Watch, in_processes, unwatched
from surveykit.recipes import Recipe

if TYPE_CHECKING:
    from surveykit.engine.models.model import Blueprint
    from surveykit.engine.trace.costs import InferenceCost, TrainingCost

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
Wanted = tuple[str, Recipe | PeftFile, Fraction | None]
"""A configuration by its full name, its recipe (or what PEFT's own modules are to do), and how many parameters it may train,
which its size is set to."""
Outcome = Candidate | Unable | Unwanted


@dataclass(frozen=True)
class _Traced:
    """What one configuration is on the model, by our edits or by PEFT's modules."""

    inference: InferenceCost
    trainable: int
    trainable_last_stage: int
    stored_bytes: int
    steps: Callable[[int, int, int], Sequence[TrainingCost]]
    """Traces a training step of each stage, of so many texts, positions of each, and positions of a target."""
    size: str | None


class Predictor:
    """Traces configurations on one model for one question. The model is built once.

    Raises:
        SurveyError: the model cannot be built.
    """

    def __init__(self, catalog: Catalog, model: Opened, question: Question) -> None:
        from surveykit.engine.trace.costs import Costs

        self.catalog = catalog
        self.question = question
        plan = plan_of(model)
        self._instance = plan.build()
        self._costs = Costs(plan)

    def predict(self, wanted: Wanted) -> Outcome:
        """Trace one configuration."""
        configuration, recipe, budget = wanted
        try:
            if isinstance(recipe, PeftFile):
                traced = self._by_peft(recipe)
            else:
                traced = self._by_recipe(configuration, recipe, budget)
            inference = traced.inference
            if not allowed(inference.unmerged.overhead, inference.merged.overhead, self.question):
                return Unwanted(configuration)
            if not traced.trainable:
                return Unable(configuration, NOTHING_TO_TRAIN)
            parts = self._parts(traced, self.question.batch)
            fitting = self._batch_that_fits(traced, parts)
        except SurveyError as error:
            return Unable(configuration, str(error))
        bare = inference.bare_flops
        method = self.catalog.methods.get(configuration.partition("/")[0])
        return Candidate(
            configuration=configuration,
            name=configuration.partition(" ")[0] if method is None else method.name,
            parts=parts,
            trainable=traced.trainable,
            trainable_last_stage=traced.trainable_last_stage,
            stored_bytes=traced.stored_bytes,
            overhead=inference.unmerged.overhead,
            overhead_merged=inference.merged.overhead,
            flops_percent=100 * (inference.unmerged.flops - bare) / bare,
            merged_flops_percent=100 * (inference.merged.flops - bare) / bare,
            model_parameters=self._instance.parameters,
            batch_that_fits=fitting,
            size=traced.size,
            is_reconstruction=method is not None and method.reconstruction is not None,
        )

    def _by_recipe(self, configuration: str, recipe: Recipe, budget: Fraction | None) -> _Traced:
        from surveykit.engine import count
        from surveykit.engine.budget import sized

        recipe, size = sized(self._instance, configuration, recipe, budget)
        inference, counts = self._costs.inference(recipe), count(recipe, self._instance)

        training = Training(dtype=self.question.dtype)

        def steps(batch: int, length: int, target_length: int) -> list[TrainingCost]:
            return [self._costs.training(stage, batch, length, target_length, training) for stage in recipe.stages]

        return _Traced(inference, counts.trainable, counts.trainable_task, counts.stored_bytes, steps, size)

    def _by_peft(self, file: PeftFile) -> _Traced:
        from surveykit.engine.models.peft_modules import peft_counts
        from surveykit.engine.trace.peft_costs import PeftCosts

        plan = self._instance.blueprint
        costs, counts = PeftCosts(plan, file), peft_counts(plan, file)
        trainable = counts.trainable
        return _Traced(
            costs.inference(),
            trainable,
            trainable,
            counts.stored_bytes,
            lambda b, n, t: [costs.training(b, n, t, Training(dtype=self.question.dtype))],
            None,
        )

    def _parts(self, traced: _Traced, batch: int) -> MemoryBreakdown:
        """Memory of the stage that needs most."""
        asked = self.question
        steps = [step.memory for step in traced.steps(batch, asked.length, asked.target_length)]
        most = max(steps, key=lambda memory: memory.peak)
        return MemoryBreakdown(most.weights, most.gradients, most.optimizer, most.saved, most.peak)

    def _batch_that_fits(self, traced: _Traced, parts: MemoryBreakdown) -> int | None:
        """What the answer to "a smaller batch, then?" is, where what was asked for does not fit clearly."""
        batch = self.question.batch
        if standing(parts, self.question) == "fits":
            return None
        if batch == 1 or parts.least > self.question.memory:
            return 0
        return largest_batch(self._parts(traced, 1).peak, parts.peak, batch, self.question)


def opened(catalog: Catalog, source: str, head: int | None = None) -> Opened:
    """A model by what a user calls it: a backbone of the catalog, else what `surveykit.engine.models.model` opens.

    Args:
        head: labels of a task's head that it gets in place of its output layer.

    Raises:
        SurveyError: there is no such model, or it is of no kind that is known.
        MissingExtra: torch or transformers is not installed.
    """
    import os
    from importlib.util import find_spec

    for package in ("torch", "transformers"):
        if find_spec(package) is None:
            raise MissingExtra(package, "measure")
    catalogued = source in catalog.models and not os.path.exists(source)
    if catalogued and head is None:
        return catalog.models[source]  # a worker builds it: this process needs no torch
    from surveykit.engine.on_model import model_named

    try:
        return model_named(source, catalog.root, head)
    except SurveyError as error:
        hint = "" if catalogued else nearest(source, catalog.models, 0.8)
        raise SurveyError(f"{error}{hint}") from error


def predictions(
    catalog: Catalog, model: Opened, question: Question, configurations: Sequence[Wanted], watch: Watch = unwatched
) -> Iterator[Outcome]:
    """Candidates in the order in which they are done, without evidence."""
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


def _predict(catalog: Catalog, model: Opened, question: Question) -> Callable[[Wanted], Outcome]:
    """The work of a worker process."""
    return Predictor(catalog, model, question).predict


def size_and_biases(model: Opened) -> tuple[int, bool]:
    """Parameters of the bare model, and whether it has biases of its own, which the default of some methods depends on.

    Raises:
        SurveyError: it cannot be built.
    """
    if isinstance(model, Model) and model.dimensions.has_symbols:  # this process needs no torch
        symbols = model.symbols()
        return symbols["N"], symbols["B"] + symbols["Bn"] > 0
    instance = plan_of(model).build()
    return instance.parameters, instance.has_biases


def plan_of(model: Opened) -> Blueprint:
    """What a model is built from.

    Raises:
        SurveyError: it is not supported.
    """
    from surveykit.engine.models.catalogued import blueprint

    return blueprint(model) if isinstance(model, Model) else model


def chosen(catalog: Catalog, methods: Sequence[str] | None, *, every: bool, biases: bool = False) -> list[str]:
    """Configurations of the named methods, or (None) all: the default ones, or every one; a configuration may be named itself.

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
        or ((methods is None or method.id in methods) and (every or configuration is method.default_on(biases=biases)))
    ]
