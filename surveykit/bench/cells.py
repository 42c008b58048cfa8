"""A plan as cells, each of which one process runs. A cell's id is a hash of all that decides what it measures."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from surveykit.catalog.files import read_text
from surveykit.catalog.layers import entries
from surveykit.catalog.plans import Plan, PlanModel, PlanTask
from surveykit.catalog.selection import refuse_unknown
from surveykit.catalog.settings import setting_of
from surveykit.catalog.training import Training
from surveykit.catalog.validation import read_yaml
from surveykit.errors import CatalogError, Problem, SurveyError, nearest
from surveykit.recipes import Recipe

if TYPE_CHECKING:
    from surveykit.catalog.load import Catalog


@dataclass(frozen=True)
class BenchCell:
    """One run: a configuration on a model, in a setting, on a task or on random tokens, with a seed and a learning rate."""

    plan: str
    configuration: str
    recipe: Recipe
    model: PlanModel
    config: str
    """The model's configuration, as JSON."""
    counts: str
    """The class of transformers that is built of it."""
    task: PlanTask | None
    training: Training
    batch: int
    length: int
    target_length: int
    steps: int
    warm_up: int
    seed: int
    rate: float
    minutes: float

    @cached_property
    def content(self) -> dict[str, Any]:
        """All that decides what is measured: neither the plan's name nor how long it may take."""
        return {
            "configuration": self.configuration, "recipe": self.recipe.model_dump(mode="json"),
            "model": self.model.model_dump(mode="json", exclude={"config", "batch", "accumulation"}),
            "config": json.loads(self.config), "counts": self.counts,
            "task": None if self.task is None else self.task.model_dump(mode="json"),
            "training": self.training.model_dump(mode="json"), "batch": self.batch, "length": self.length,
            "target_length": self.target_length, "steps": self.steps, "warm_up": self.warm_up, "seed": self.seed,
            "rate": self.rate,
        }  # fmt: skip

    @cached_property
    def id(self) -> str:
        """16 hexadecimal digits."""
        text = json.dumps(self.content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def words(self) -> str:
        """What it is, for messages."""
        task = "random tokens" if self.task is None else self.task.id
        return f"{self.configuration} on {self.model.id}, {task}, seed {self.seed}, rate {self.rate:g}"


def plans(root: Path) -> dict[str, Path]:
    """The plans of a catalog: file by name."""
    return {path.stem: path for path in entries(root, "plans").values() if path.suffix == ".yaml"}


def read_plan(root: Path, name: str) -> Plan:
    """A plan by its name in the catalog, or by its file.

    Raises:
        SurveyError: there is none; it names the nearest.
        CatalogError: its file is at fault, with every fault.
    """
    there = plans(root)
    path = there.get(name, Path(name))
    if name not in there and not (path.suffix == ".yaml" and path.is_file()):
        hint = nearest(name, there) or f"; there are {', '.join(there)}, or name a file that ends with .yaml"
        raise SurveyError(f"there is no plan '{name}'{hint}")
    text, problem = read_text(path, str(path) if name not in there else f"plans/{path.name}")
    if text is None:
        raise SurveyError(str(problem))
    plan, _, problems = read_yaml(text, path.name, Plan)
    if plan is None:
        raise CatalogError(problems)
    if plan.id != path.stem:
        raise CatalogError([Problem(path.name, 1, 1, f"the id '{plan.id}' must be the file's name")])
    return plan


def needed_by(plan: Plan, root: Path) -> Catalog:
    """What a plan needs of a catalog; all of it where it lacks a name, so that a message can name the nearest.

    Raises:
        CatalogError: what is read is invalid.
    """
    from surveykit.catalog.load import load_named
    from surveykit.catalog.load_once import load_once

    methods = {name.partition("/")[0] for name in (*plan.configurations, plan.baseline)}
    models = {model.id for model in plan.models if model.config is None}
    part = load_named(root, methods, models)
    return part if methods == {*part.methods} and models == {*part.models} else load_once(root, measured=False)


def cells_of(catalog: Catalog, plan: Plan) -> tuple[BenchCell, ...]:
    """The cells of a plan, in its order.

    Raises:
        SurveyError: it names a method, a model or a setting that the catalog does not have, or a setting that
            contradicts itself.
    """
    refuse_unknown(catalog, (*plan.configurations, plan.baseline))
    preset = setting_of(catalog, plan.preset).training if plan.preset else Training()
    try:
        training = plan.trained_as(preset)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, ("training", *first["loc"])))
        raise SurveyError(f"plan {plan.id}: {where}: {first['msg'].removeprefix('Value error, ')}") from None
    names = [_full(catalog, name) for name in plan.configurations]
    return tuple(
        BenchCell(
            plan.id, name, catalog.recipe(name), model, *_built(catalog, plan, model), task,
            training.model_copy(update={"accumulation": model.accumulation}), model.batch or plan.batch,
            (task and task.length) or plan.length, (task and task.target_length) or plan.target_length,
            (task and task.steps) or plan.steps, plan.warm_up, seed, rate, plan.minutes,
        )
        for model in plan.models for task in plan.tasks or (None,) for name in names
        for seed in (task and task.seeds) or plan.seeds for rate in (task and task.rates) or plan.rates
    )  # fmt: skip


def _full(catalog: Catalog, name: str) -> str:
    if "/" in name:
        return name
    default = catalog.methods[name].default
    if default is None:
        raise SurveyError(f"{name} has no configuration to run: {catalog.methods[name].not_instantiated}")
    return f"{name}/{default.id}"


def _built(catalog: Catalog, plan: Plan, model: PlanModel) -> tuple[str, str]:
    """Configuration, as JSON, and class of a plan's model."""
    if model.config is not None and model.counts is not None:
        return json.dumps(model.config, sort_keys=True), model.counts
    if model.id not in catalog.models:
        raise SurveyError(f"plan {plan.id}: there is no model '{model.id}'{nearest(model.id, catalog.models)}")
    known = catalog.models[model.id]
    return json.dumps(known.config, sort_keys=True), known.counts


def selected(cells: tuple[BenchCell, ...], only: tuple[str, ...], models: tuple[str, ...]) -> tuple[BenchCell, ...]:
    """The cells of some methods (or method/configuration) and models; all where nothing is named.

    Raises:
        SurveyError: the plan has no such method or model.
    """
    methods = {name for cell in cells for name in (cell.configuration, cell.configuration.partition("/")[0])}
    for name, there in [*((n, methods) for n in only), *((n, {c.model.id for c in cells}) for n in models)]:
        if name not in there:
            raise SurveyError(f"the plan has no '{name}'{nearest(name, there)}; it has {', '.join(sorted(there))}")
    return tuple(
        cell for cell in cells
        if (not only or {cell.configuration, cell.configuration.partition("/")[0]} & {*only})
        and (not models or cell.model.id in models)
    )  # fmt: skip


def in_order(cells: tuple[BenchCell, ...]) -> Iterator[BenchCell]:
    """In the order in which they are best run: every configuration once before any again, so that a report fills evenly."""
    rounds: dict[tuple[int, float], list[BenchCell]] = {}
    for cell in cells:
        rounds.setdefault((cell.seed, cell.rate), []).append(cell)
    for group in rounds.values():
        yield from group
