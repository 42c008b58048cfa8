"""catalog/plans: what `surveykit bench` runs. A plan names models, methods, tasks, seeds and learning rates; its cells follow."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any, Literal, Self

from pydantic import Field, JsonValue, model_validator

from surveykit.catalog.measurements import Whole
from surveykit.catalog.training import Training
from surveykit.record import ID_PATTERN, MODEL_ID_PATTERN, Record

Metric = Literal["accuracy", "rouge-l"]
Figure = Literal["peak_bytes", "reserved_bytes", "relative_speed", "relative_inference", "score"]
"""What the bench measures and sources print: a column of its rows."""


class Located(Record):
    """A file or folder that a plan needs: inside an installed package, or below the folder that `--data` names."""

    package: str | None = Field(default=None, pattern=r"^[A-Za-z_][\w.]*$")
    """The Python package that holds it; null where `--data` does."""
    path: str = Field(min_length=1)
    """Where it is, with / between folders."""
    install: str | None = None
    """What pip installs to have the package, with its version."""

    @model_validator(mode="after")
    def _stays_inside(self) -> Self:
        path = PurePosixPath(self.path)
        if path.is_absolute() or ".." in path.parts:
            raise ValueError(f"'{self.path}' must be a path below the package's or the data's folder")
        if (self.package is None) != (self.install is None):
            raise ValueError("give both a package and what pip installs for it, or neither")
        return self


class PlanModel(Record):
    """A model of a plan: one of the catalog, or a small one whose configuration stands here."""

    id: str = Field(pattern=MODEL_ID_PATTERN)
    """A model of the catalog; a new name where `config` is given."""
    config: Mapping[str, JsonValue] | None = None
    """Its configuration, as config.json has it; null for the catalog's."""
    counts: str | None = None
    """The class of transformers that is built of `config`; null for the catalog's."""
    weights: Located | None = None
    """The folder with its weights; null: random ones, which is said wherever a figure of it stands."""
    tokenizer: Located | None = None
    """The folder with its tokenizer; null: that of the weights."""
    batch: Whole | None = None
    """Examples at once on this model; null for the plan's."""
    accumulation: Whole = 1
    """Batches of a step on this model, whose gradients are added up."""

    @model_validator(mode="after")
    def _has_a_class(self) -> Self:
        if (self.config is None) != (self.counts is None):
            raise ValueError("give both `config` and `counts`, or neither")
        return self


class PlanTask(Record):
    """Labelled texts, or texts with a text to write; a table with a header or lines of JSON."""

    id: str = Field(pattern=ID_PATTERN)
    data: Located
    """The table that is trained on, and split where there is no other."""
    test: Located | None = None
    """The table that is scored; null: a part of `data` is held out."""
    text: str = Field(min_length=1)
    """What the model reads: words, and columns in braces, `premise: {premise} hypothesis: {hypothesis}`."""
    target: str = Field(min_length=1)
    """The column with the label, or with the text to write."""
    labels: Mapping[str, str] | None = None
    """What the model writes for each label; rows with another label are left out. Null: the column's own text is written."""
    group: str | None = None
    """A column whose rows of one value stay together when a part is held out; null where rows are apart."""
    metric: Metric = "accuracy"
    train: Whole
    """Examples that are trained on, at most."""
    develop: Whole
    """Examples by which the learning rate is chosen, at most."""
    scored: Whole
    """Examples that the score is of, at most."""
    steps: Whole | None = None
    """Of each stage; null for the plan's."""
    length: Whole | None = None
    """Positions of a text, at most; null for the plan's."""
    target_length: Whole | None = None
    """Positions of a target, at most; null for the plan's."""
    rates: tuple[float, ...] | None = None
    """Learning rates; null for the plan's."""
    seeds: tuple[int, ...] | None = None
    """Null for the plan's."""

    @model_validator(mode="after")
    def _has_labels(self) -> Self:
        if (self.metric == "accuracy") != (self.labels is not None):
            raise ValueError("accuracy needs `labels`; a task that writes text has none")
        if self.labels is not None and len({*self.labels.values()}) < 2:
            raise ValueError("a task needs at least two labels, each with its own text")
        return self


class Beside(Record):
    """The table of a source that a plan repeats; what is measured stands beside its figures, and judges none of them."""

    source: str
    """Key of the source."""
    table: str
    columns: Mapping[str, Figure] = Field(min_length=1)
    """What is measured for each of its columns. A score is shown in percent."""
    tasks: Mapping[str, Mapping[str, str]] = {}
    """By the column with the data set, the plan's task for each as it is printed; without it figures are of no task."""
    seed: str | None = None
    """The column with the random seed; null where figures are of all seeds."""

    @model_validator(mode="after")
    def _has_one_column_of_tasks(self) -> Self:
        if len(self.tasks) > 1:
            raise ValueError("only one column can name the task")
        return self

    @property
    def named(self) -> tuple[str, ...]:
        """The columns of the table that it speaks of."""
        return (*self.columns, *self.tasks, *((self.seed,) if self.seed else ()))


class Plan(Record):
    """What is run: every configuration on every model, on every task, with every seed and learning rate."""

    id: str = Field(pattern=ID_PATTERN)
    """The name of its file."""
    says: str = Field(min_length=20)
    """What it is for, in a sentence or two."""
    beside: Beside | None = None
    """The table of a source that it repeats; null where it repeats none."""
    models: tuple[PlanModel, ...] = Field(min_length=1)
    configurations: tuple[str, ...] = Field(min_length=1)
    """Methods (their default) or method/configuration."""
    baseline: str = "full-tuning/all"
    """The configuration whose throughput is 100."""
    tasks: tuple[PlanTask, ...] = ()
    """None: random tokens are read, and speed and memory alone are measured."""
    preset: str | None = None
    """A setting of settings.yaml from which `training` starts; null for plain defaults."""
    training: Mapping[str, JsonValue] = {}
    """How steps run, beyond the preset: fields of `Training`."""
    batch: Whole
    """Examples at once."""
    length: Whole
    """Positions of each, at most."""
    target_length: Whole = 8
    """Positions of a target, at most, where there is a decoder behind an encoder."""
    steps: Whole
    """Steps of each stage that trains, those of `warm_up` among them."""
    warm_up: int = Field(default=3, ge=0)
    """First steps that speed is not measured on."""
    seeds: tuple[int, ...] = Field(default=(0,), min_length=1)
    """Each gives the added parameters, the order of examples and random weights of their own."""
    rates: tuple[float, ...] = Field(min_length=1)
    """Learning rates: the same for every method. With tasks, each method's best on the development examples is scored."""
    minutes: float = Field(default=60.0, gt=0)
    """A cell that takes longer is ended, and fails with that reason."""

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.warm_up >= self.steps:
            raise ValueError(f"warm_up is {self.warm_up}, which leaves no step to measure of {self.steps}")
        for name, values in (
            ("models", [model.id for model in self.models]), ("tasks", [task.id for task in self.tasks]),
            ("configurations", self.configurations), ("seeds", self.seeds), ("rates", self.rates),
        ):  # fmt: skip
            if len({*values}) < len(values):
                raise ValueError(f"{name}: one appears twice")
        if any(
            not 0 < rate < float("inf")
            for rates in (self.rates, *(task.rates for task in self.tasks))
            for rate in rates or ()
        ):
            raise ValueError("rates must be numbers above 0")
        if self.tasks and any(model.weights is None and model.tokenizer is None for model in self.models):
            raise ValueError("a task needs tokens: each model needs weights with a tokenizer, or a tokenizer")
        if any(seed < 0 for seeds in (self.seeds, *(task.seeds for task in self.tasks)) for seed in seeds or ()):
            raise ValueError("seeds must be whole numbers of at least 0")
        return self

    def located(self) -> tuple[Located, ...]:
        """The files and folders that it needs."""
        places = [place for model in self.models for place in (model.weights, model.tokenizer)]
        places += [place for task in self.tasks for place in (task.data, task.test)]
        return tuple(place for place in places if place is not None)

    def trained_as(self, preset: Training) -> Training:
        """How steps run. Raises pydantic's ValidationError."""
        given: dict[str, Any] = {**preset.model_dump(), **self.training}
        return Training.model_validate(given)
