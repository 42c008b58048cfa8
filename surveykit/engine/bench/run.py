"""One cell of the bench for real: a model, a method, its training, what it took, and what it scores."""

from __future__ import annotations

import copy
import hashlib
import json
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase

import surveykit
from surveykit.bench.cells import BenchCell
from surveykit.bench.results import BenchResult, Machine, Memory, Score, Speed
from surveykit.catalog.training import Training
from surveykit.engine.bench.scoring import chance, scores
from surveykit.engine.bench.texts import Texts, found_at, read_texts
from surveykit.engine.bench.watch import PHASES, Stopwatch, refuse_what_the_bench_lacks
from surveykit.engine.models.configs import config_of
from surveykit.engine.models.model import Blueprint, Instance, blueprint_of
from surveykit.engine.models.objective import loss_of
from surveykit.engine.models.weights import load_tokenizer, load_weights
from surveykit.engine.trace.checkpointing import checkpointed
from surveykit.engine.trace.costs import Costs, prepare
from surveykit.engine.trace.inputs import inputs_of
from surveykit.engine.trace.memory import Memory as NoMemory
from surveykit.engine.trace.on_device import (
    attention_on_device,
    described,
    enough_memory,
    given_on,
    numbers_of,
    refuse_what_cannot_run,
)
from surveykit.engine.train.loop import Trained, train
from surveykit.engine.train.objectives import Answer, Batch, Objective
from surveykit.engine.train.tasks import BatchEncoder, Form, form_of
from surveykit.errors import RecipeError, SurveyError
from surveykit.recipes import Recipe

WEIGHTS = ("model.safetensors", "pytorch_model.bin")


class OnTokens(Objective):
    """Random tokens: what is differentiated is what traces differentiate."""

    def answer(self, model: nn.Module, batch: Batch) -> Answer:
        loss = loss_of(model(**batch))
        return Answer(loss, loss[None], loss[None])


@dataclass(frozen=True)
class Ready:
    """A model that cells begin with, and how its texts become tokens."""

    instance: Instance
    tokenizer: PreTrainedTokenizerBase | None
    weights: str


def machine(device: torch.device) -> Machine:
    """What runs here."""
    versions = {
        "python": platform.python_version(), "torch": torch.__version__, "transformers": transformers.__version__,
        "surveykit": surveykit.__version__,
    }  # fmt: skip
    driver = None
    if device.type == "cuda":
        driver = f"CUDA {torch.version.cuda}"
    return Machine(
        device=described(device), driver=driver, processor=_processor(),
        threads=torch.get_num_threads(), versions=versions,
    )  # fmt: skip


def _processor() -> str:
    """The name that the processor gives itself, where the system tells it; else its kind."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or platform.processor() or platform.machine()


def blueprint_of_cell(cell: BenchCell) -> Blueprint:
    """The model of a cell, without weights.

    Raises:
        SurveyError: transformers cannot build it.
    """
    return blueprint_from(json.loads(cell.config), cell.counts, cell.model.id)


def blueprint_from(content: Mapping[str, Any], counts: str, name: str) -> Blueprint:
    """What transformers builds from the content of a config.json.

    Args:
        counts: the class of transformers that is built.
        name: of the model, for messages.

    Raises:
        SurveyError: transformers has no such class for it, or its architecture is not supported.
    """
    config = config_of(content, name)
    config.architectures = [counts]
    plan = blueprint_of(config, name=name)
    if plan.model_class.__name__ != counts:
        raise SurveyError(f"{name}: transformers has no {counts} for '{config.model_type}' configurations")
    return plan


@dataclass(frozen=True)
class Traced:
    """A step of a cell as it is predicted, in the stage in which it takes most."""

    peak: int
    flops: int


def traced(cell: BenchCell, device: torch.device) -> Traced:
    """Predict a step.

    Raises:
        SurveyError: the method does not fit the model, or it cannot be traced.
    """
    text = (cell.batch, cell.length, cell.target_length)
    return _traced(
        cell.recipe.model_dump_json(), cell.config, cell.counts, cell.model.id, device.type, text, cell.training
    )


@lru_cache(maxsize=1024)
def _traced(
    recipe: str, config: str, counts: str, name: str, device: str, text: tuple[int, int, int], training: Training
) -> Traced:
    costs = _costs(config, counts, name, device)
    steps = [costs.training(stage, *text, training) for stage in Recipe.model_validate_json(recipe).stages]
    return Traced(
        max(step.memory.peak for step in steps), max(step.forward_flops + step.backward_flops for step in steps)
    )


@lru_cache(maxsize=4)
def _costs(config: str, counts: str, name: str, device: str) -> Costs:
    return Costs(blueprint_from(json.loads(config), counts, name), "cpu" if device == "cpu" else "cuda")


def run_cell(cell: BenchCell, data: Path | None, device: torch.device) -> BenchResult:
    """Run a cell. What it cannot do is a result with its reason: out of memory, no number for the loss, too slow.

    Raises:
        SurveyError: files that it needs are not there or at fault.
    """
    started, clock = datetime.now(UTC), time.monotonic()
    texts = None if cell.task is None else _texts(cell.task.model_dump_json(), data)
    ready = _ready(cell, data)
    done: dict[str, Any] = {}
    reason: str | None = None
    try:
        with enough_memory(device), torch.random.fork_rng(devices=() if device.type == "cpu" else [device]):
            done = _measured(cell, ready, texts, device)
    except RecipeError as error:
        reason = str(error)
    finally:
        if device.type == "cuda":
            torch.cuda.empty_cache()
    return BenchResult(
        id=cell.id, plan=cell.plan, configuration=cell.configuration, model=cell.model.id, weights=ready.weights,
        task=None if cell.task is None else cell.task.id, data=None if texts is None else texts.digest, seed=cell.seed,
        rate=cell.rate, status="finished" if reason is None else "failed", reason=reason,
        started=_utc(started), ended=_utc(datetime.now(UTC)), seconds=time.monotonic() - clock,
        machine=machine(device), **done,
    )  # fmt: skip


def _measured(cell: BenchCell, ready: Ready, texts: Texts | None, device: torch.device) -> dict[str, Any]:
    refuse_what_cannot_run(cell.training, device)
    refuse_what_the_bench_lacks(cell.training)
    torch.manual_seed(cell.seed)
    instance = _instance(cell, ready, device)
    batches, objective, form = _task(cell, ready, instance, texts)
    batches = [{name: tensor.to(device) for name, tensor in batch.items()} for batch in batches]
    for parameter in objective.parameters():
        parameter.data = parameter.data.to(device)
    watching = Stopwatch(device, cell.training, cell.warm_up, cell.minutes)
    prepare(instance, cell.training)
    with (
        attention_on_device(instance, cell.training),
        checkpointed(instance, NoMemory(), cell.training),
        torch.autocast(device.type, torch.bfloat16, enabled=cell.training.autocast),
    ):
        trained = train(
            cell.recipe, instance, *batches, objective=objective, steps=cell.steps, rate=cell.rate, watching=watching,
            remember=False,
        )  # fmt: skip
        inference = watching.inference(instance, batches[0], objective)
        score = None if form is None or texts is None else _score(cell, form, objective, trained, texts, device)
    return {
        "trainable": trained.held, "memory": _memory(cell, watching, device), "speed": _speed(cell, watching, inference),
        "losses": tuple(loss for losses in trained.losses for loss in losses[:-1]), "score": score,
    }  # fmt: skip


def _instance(cell: BenchCell, ready: Ready, device: torch.device) -> Instance:
    """A model of the cell's own: a copy of what was loaded, or one with random weights of the seed."""
    if cell.model.weights is not None:
        instance = copy.deepcopy(ready.instance)
        instance.model.to(device)
        return instance
    with numbers_of(getattr(torch, cell.training.dtype)):
        return ready.instance.blueprint.build(device=str(device), seed=cell.seed)


def _task(
    cell: BenchCell, ready: Ready, instance: Instance, texts: Texts | None
) -> tuple[Sequence[Batch], Objective, Form | None]:
    if texts is None or ready.tokenizer is None or cell.task is None:
        return [_tokens(cell, instance)], OnTokens(), None
    encoder = BatchEncoder(ready.tokenizer, cell.length, padded_to=cell.length, target_length=cell.target_length)
    labels = None if cell.task.labels is None else sorted({*cell.task.labels.values()})
    form = form_of(instance, encoder, labels)
    order = texts.shuffled(cell.seed)
    needed = cell.batch * cell.steps * cell.training.accumulation
    while len(order) < needed:  # again from the start
        order += texts.shuffled(cell.seed + len(order))
    parts = [order[at : at + cell.batch] for at in range(0, needed, cell.batch)]
    return [form.encode(part) for part in parts], form.objective, form


def _tokens(cell: BenchCell, instance: Instance) -> Batch:
    """Random tokens in the shape that a trace reads."""
    made = inputs_of(instance, cell.batch, cell.length, cell.target_length, padded=cell.training.padding)
    given = given_on(torch.device("cpu"), {name: value for name, value in made.items() if isinstance(value, Tensor)})
    generator = torch.Generator().manual_seed(cell.seed)
    known = getattr(instance.model.config, "vocab_size", 2)
    for name, value in given.items():
        if name in ("input_ids", "labels", "decoder_input_ids") and value.dim() == 2:
            given[name] = torch.randint(0, known, value.shape, generator=generator)
    return given


def _score(
    cell: BenchCell, form: Form, objective: Objective, trained: Trained, texts: Texts, device: torch.device
) -> Score:
    assert cell.task is not None
    instance, labels = trained.attached.instance, form.labels
    develop, each = (
        scores(instance, form, objective, some, cell.task.metric, cell.batch, device, cell.target_length)
        for some in (texts.develop, texts.scored)
    )
    return Score(
        metric=cell.task.metric, develop=sum(develop) / len(develop), each=tuple(each),
        chance=chance(texts.scored, labels) if labels is not None else None,
    )  # fmt: skip


def _memory(cell: BenchCell, watching: Stopwatch, device: torch.device) -> Memory | None:
    if not {*PHASES} <= watching.most.keys():
        return None  # nothing was trained
    try:
        expected: int | None = traced(cell, device).peak
    except SurveyError:
        expected = None
    phases = {name: watching.most[name] for name in PHASES}
    return Memory(
        loaded=watching.most["loaded"], **phases, peak=max(watching.most.values()), reserved=watching.reserved,
        predicted=expected,
    )  # fmt: skip


def _speed(cell: BenchCell, watching: Stopwatch, inference: Sequence[float]) -> Speed | None:
    if not watching.seconds:
        return None
    tokens = round(sum(watching.tokens) / len(watching.tokens))
    return Speed(
        step_seconds=tuple(watching.seconds),
        tokens=tokens,
        examples=cell.batch * cell.training.accumulation,
        inference_seconds=tuple(inference),
    )


@lru_cache(maxsize=8)
def _texts(task: str, data: Path | None) -> Texts:
    from surveykit.catalog.plans import PlanTask

    return read_texts(PlanTask.model_validate_json(task), data)


_LOADED: dict[str, Ready] = {}
"""Of this process: the model of the last cell, so that the next need not load it again."""


def _ready(cell: BenchCell, data: Path | None) -> Ready:
    key = json.dumps([cell.model.model_dump(mode="json"), cell.config, str(data)])
    if key not in _LOADED:
        _LOADED.clear()
        weights, digest = cell.model.weights, "random"
        plan = blueprint_of_cell(cell)
        if weights is None:
            instance = plan.build()
        else:
            folder = found_at(weights, data)
            instance = load_weights(folder).instance
            if instance.parameters != (here := plan.build().parameters):
                raise SurveyError(
                    f"{folder} has a model of {instance.parameters:,} parameters, but {cell.model.id} has {here:,}"
                )
            digest = _digest(folder)
        place = cell.model.tokenizer or weights
        tokenizer = None if place is None or cell.task is None else load_tokenizer(found_at(place, data), instance)
        _LOADED[key] = Ready(instance, tokenizer, digest)
    return _LOADED[key]


def check(cell: BenchCell, data: Path | None) -> None:
    """Look whether all that a cell needs is there and fits.

    Raises:
        SurveyError: it is not.
    """
    if cell.task is not None:
        _texts(cell.task.model_dump_json(), data)
    _ready(cell, data)


def _digest(folder: Path) -> str:
    path = next((folder / name for name in WEIGHTS if (folder / name).is_file()), None)
    if path is None:
        return "in several files"
    found = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(1 << 20):
            found.update(part)
    return found.hexdigest()


def _utc(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
