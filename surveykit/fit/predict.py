"""Predictions for a model: each configuration is traced, in as many processes as are worth it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Union

from surveykit.catalog.load import Catalog
from surveykit.catalog.models import Model
from surveykit.catalog.peft_arguments import PeftArguments, peft_arguments
from surveykit.catalog.peft_file import PeftFile
from surveykit.catalog.selection import refuse_unknown
from surveykit.catalog.training import Training
from surveykit.errors import MissingExtra, SurveyError, nearest
from surveykit.fit.candidates import Candidate, MemoryBreakdown, Question
from surveykit.fit.code import Adapter, code
from surveykit.fit.options import Judge, Options, options
from surveykit.fit.ranking import allowed, largest_batch
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
class _OnModel:
    """What one configuration is on the model, by our edits or by PEFT's modules."""

    inference: InferenceCost
    trainable: int
    trainable_last_stage: int
    stored_bytes: int
    steps: Callable[[int, int, int, Training], Sequence[TrainingCost]]
    """Traces a training step of each stage: of so many texts, positions of each, positions of a target, run so."""
    size: str | None
    peft: Callable[[], PeftArguments | PeftFile]
    """The same as PEFT's configuration. Raises SurveyError where PEFT cannot say it."""


class Predictor:
    """Traces configurations on one model. The model is built once.

    Raises:
        SurveyError: the model cannot be built.
    """

    def __init__(self, catalog: Catalog, model: Opened) -> None:
        from surveykit.engine.trace.compute import BesideFullTuning
        from surveykit.engine.trace.costs import Costs

        self._catalog = catalog
        plan = plan_of(model)
        self._instance = plan.build()
        self._costs = Costs(plan)
        self._known: dict[str, _OnModel] = {}
        self._compute = BesideFullTuning(self._costs)
        self._traced: dict[object, list[TrainingCost]] = {}

    def predict(self, question: Question, wanted: Wanted) -> Outcome:
        """Trace one configuration."""
        configuration = wanted[0]
        try:
            known = self._on_model(wanted)
            inference = known.inference
            if not allowed(inference.unmerged.overhead, inference.merged.overhead, question):
                return Unwanted(configuration)
            if not known.trainable:
                return Unable(configuration, NOTHING_TO_TRAIN)
            parts = self._breakdown(wanted, question)
            fitting = self._batch_that_fits(wanted, question, parts)
            compute = self._compute.compute(self._steps(wanted, question)[-1], *_step(question))
        except SurveyError as error:
            return Unable(configuration, str(error))
        bare = inference.bare_flops
        method = self._catalog.methods.get(configuration.partition("/")[0])
        return Candidate(
            configuration=configuration,
            name=configuration.partition(" ")[0] if method is None else method.name,
            parts=parts,
            trainable=known.trainable,
            trainable_last_stage=known.trainable_last_stage,
            stored_bytes=known.stored_bytes,
            overhead=inference.unmerged.overhead,
            overhead_merged=inference.merged.overhead,
            flops_percent=100 * (inference.unmerged.flops - bare) / bare,
            merged_flops_percent=100 * (inference.merged.flops - bare) / bare,
            model_parameters=self._instance.parameters,
            compute=compute,
            batch_that_fits=fitting,
            size=known.size,
            is_reconstruction=method is not None and method.reconstruction is not None,
        )

    def options(self, question: Question, wanted: Wanted, judge: Judge) -> Options:
        """What could be done with a configuration that was traced."""
        return options(question, lambda asked: self._breakdown(wanted, asked).peak, judge)

    def code(self, question: Question, wanted: Wanted, model: str) -> str:
        """Python that trains a configuration as a question states it.

        Args:
            model: its name on the hub, or its folder.
        """
        from surveykit.engine.models.peft_modules import task_type

        adapter: Adapter | str
        try:
            adapter = Adapter.of(self._on_model(wanted).peft())
        except SurveyError as error:
            adapter = f"{wanted[0]} is no configuration of PEFT: {error}"
        return code(question, model, task_type(self._instance.model), adapter)

    def _on_model(self, wanted: Wanted) -> _OnModel:
        configuration, recipe, budget = wanted
        if configuration not in self._known:
            if isinstance(recipe, PeftFile):
                self._known[configuration] = self._by_peft(recipe)
            else:
                self._known[configuration] = self._by_recipe(configuration, recipe, budget)
        return self._known[configuration]

    def _by_recipe(self, configuration: str, stated: Recipe, budget: Fraction | None) -> _OnModel:
        from surveykit.engine import count
        from surveykit.engine.budget import sized
        from surveykit.engine.models.peft_modules import parts_of, task_type

        instance = self._instance
        recipe, size = sized(instance, configuration, stated, budget)
        inference, counts = self._costs.inference(recipe), count(recipe, instance)

        def steps(batch: int, length: int, target_length: int, training: Training) -> list[TrainingCost]:
            return [self._costs.training(stage, batch, length, target_length, training) for stage in recipe.stages]

        def peft() -> PeftArguments:
            return peft_arguments(recipe, parts_of(instance), task_type(instance.model))

        return _OnModel(inference, counts.trainable, counts.trainable_task, counts.stored_bytes, steps, size, peft)

    def _by_peft(self, file: PeftFile) -> _OnModel:
        from surveykit.engine.models.peft_modules import peft_counts
        from surveykit.engine.trace.peft_costs import PeftCosts

        plan = self._instance.blueprint
        costs, counts = PeftCosts(plan, file), peft_counts(plan, file)
        trainable = counts.trainable
        return _OnModel(
            costs.inference(), trainable, trainable, counts.stored_bytes, lambda *how: [costs.training(*how)], None,
            lambda: file,
        )  # fmt: skip

    def _steps(self, wanted: Wanted, question: Question) -> list[TrainingCost]:
        """A step of each stage. Raises SurveyError where it cannot run."""
        asked = wanted[0], _step(question)
        if asked not in self._traced:
            self._traced[asked] = [*self._on_model(wanted).steps(*_step(question))]
        return self._traced[asked]

    def _breakdown(self, wanted: Wanted, question: Question) -> MemoryBreakdown:
        """Memory of the stage that needs most."""
        most = max((step.memory for step in self._steps(wanted, question)), key=lambda memory: memory.peak)
        return MemoryBreakdown(most.weights, most.gradients, most.optimizer, most.saved, most.peak, vars(most.parts))

    def _batch_that_fits(self, wanted: Wanted, question: Question, parts: MemoryBreakdown) -> int | None:
        """What the answer to "a smaller batch, then?" is, where what was asked for does not fit."""
        if question.standing(parts.peak) == "fits":
            return None
        if question.batch == 1 or parts.least > question.room:
            return 0
        one = self._breakdown(wanted, replace(question, batch=1)).peak
        return largest_batch(one, parts.peak, question.batch, question)


def _step(question: Question) -> tuple[int, int, int, Training]:
    """What a step is traced with."""
    return question.batch, question.length, question.target_length, question.training


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
    catalog: Catalog, model: Opened, questions: Sequence[Question], configurations: Sequence[Wanted],
    watch: Watch = unwatched,
) -> tuple[list[list[Outcome]], Callable[[], Predictor]]:  # fmt: skip
    """What comes of every configuration for each question, without evidence, in the order in which they are done; and what
    makes a predictor for further questions, or has it already."""
    import os

    tasks = [(number, wanted) for wanted in configurations for number in range(len(questions))]
    watch(0, len(tasks))
    workers = min(os.cpu_count() or 1, -(-len(tasks) // _AT_ONCE))
    found: list[list[Outcome]] = [[] for _ in questions]
    make = functools.cache(lambda: Predictor(catalog, model))
    outcomes: Iterable[tuple[tuple[int, Wanted], Outcome]]
    if workers < 2:
        outcomes = ((task, make().predict(questions[task[0]], task[1])) for task in tasks)
    else:
        outcomes = in_processes(_predict, (catalog, model, tuple(questions)), tasks, workers)
    for done, ((number, _), outcome) in enumerate(outcomes, start=1):
        found[number].append(outcome)
        watch(done, len(tasks))
    return found, make


def _predict(
    catalog: Catalog, model: Opened, questions: Sequence[Question]
) -> Callable[[tuple[int, Wanted]], Outcome]:  # fmt: skip
    """The work of a worker process."""
    from surveykit.engine.one_core import use_one_thread

    use_one_thread()
    predictor = Predictor(catalog, model)
    return lambda task: predictor.predict(questions[task[0]], task[1])


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
