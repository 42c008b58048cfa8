"""On how many model types of transformers do methods work? Every type with a class for text, counted, traced, compared.

A small model (few layers, of its default configuration's widths) of every model type that has a causal, seq2seq, masked
or classification class is made without weights, by transformers alone and by us. Each method is counted and traced on it,
or says why not; counts are compared with PEFT's and with sums over the modules. What is found is written to
benchmarks/breadth.json, which a page of the site and the README show. It ends with code 1 where there is a fault of
ours: an exception that is meant for no user, a message that blames transformers for what transformers builds, a count
that differs from another answer without a known reason. Some minutes on two cores; tests try a sample.

    python benchmarks/breadth.py [TYPE …]      # with types, nothing is written
"""

from __future__ import annotations

import datetime
import logging
import re
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import peft
import torch
import transformers
from every_type import built, line, types
from other_answers import METHODS, Comparison, comparisons, recipes
from tqdm import tqdm

from surveykit.engine import Instance, count
from surveykit.engine.models.model import Blueprint, blueprint_of
from surveykit.engine.on_model import measure_on
from surveykit.errors import RecipeError, SurveyError
from surveykit.processes import in_processes
from surveykit.recipes import Recipe
from surveykit.site.data.breadth import Breadth, ModelType, Tried

WRITTEN = Path(__file__).with_suffix(".json")
LENGTH = 64
"""Positions of the traced sequence."""
SECONDS = 60
"""For one type. They are of the processor's time, so that a busy machine refuses no type."""


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    def stop(*_: Any) -> None:
        raise TimeoutError(f"over {seconds} s")

    signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


def examined(model_type: str, *, traced: bool = True) -> ModelType:
    """Count, trace and compare on one type. Raises nothing: what should not happen is a fault."""
    made_by_transformers = built(model_type)
    if isinstance(made_by_transformers, str):
        return _row(model_type, refused=made_by_transformers)
    kind, config, plain = made_by_transformers
    about = {"kind": kind, "architecture": type(plain).__name__, "parameters": plain.num_parameters()}
    tried: dict[str, Tried] = {}
    compared: list[Comparison] = []
    try:
        with at_most(SECONDS):
            blueprint = blueprint_of(config)
            instance = blueprint.build()
            wanted = recipes()
            tried |= {method: _counted(instance, method, recipe) for method, recipe in wanted.items()}
            compared += comparisons(instance, plain, {method: row.trainable for method, row in tried.items()})
            if traced:
                tried |= _traced(blueprint, {name: wanted[name] for name, row in tried.items() if row.trainable}, tried)
    except SurveyError as error:
        message = line(error)
        blamed = re.search(r"transformers (cannot build|has no model)", message)
        fault = [f"transformers builds {type(plain).__name__}, but: {message}"] if blamed else []
        return _row(model_type, **about, tried=tried.values(), refused=message, faults=fault)
    except Exception as error:
        return _row(model_type, **about, tried=tried.values(), faults=[f"{type(error).__name__}: {line(error)}"])
    return _row(model_type, **about, tried=tried.values(), **_sorted(compared))


def _row(name: str, **said: Any) -> ModelType:
    nothing: dict[str, Any] = {"kind": None, "architecture": None, "parameters": None, "refused": None}
    several = {field: tuple(said.pop(field, ())) for field in ("tried", "compared", "known", "faults")}
    return ModelType(name=name, **{**nothing, **said}, **several)


def _counted(instance: Instance, method: str, wanted: Recipe) -> Tried:
    trainable, reason = None, None
    try:
        trainable = count(wanted, instance).trainable
    except RecipeError as error:
        reason = line(error)
    if trainable == 0:
        reason = "the model has no such parameters"
    return Tried(method=method, trainable=trainable, peak_bytes=None, reason=reason)


def _traced(blueprint: Blueprint, wanted: dict[str, Recipe], counted: dict[str, Tried]) -> dict[str, Tried]:
    found = zip(wanted, measure_on(blueprint, wanted.items(), batch=1, length=LENGTH), strict=True)
    return {
        method: counted[method].model_copy(update={"peak_bytes": costs.peak_bfloat16, "reason": costs.reason})
        for method, costs in found
    }


def _sorted(compared: list[Comparison]) -> dict[str, list[str]]:
    """Comparisons by how they came out, those that differ in words."""
    found: dict[str, list[str]] = {"compared": [], "known": [], "faults": []}
    for name, ours, theirs in compared:
        if isinstance(theirs, str):
            found["known"].append(f"{name}: {theirs}")
        elif ours == theirs:
            found["compared"].append(name)
        else:
            found["faults"].append(f"{name}: {ours} is ours, {theirs} the other answer")
    return found


def quiet() -> Callable[[str], ModelType]:
    """In a worker: one thread, and no warnings of what transformers deprecates."""
    warnings.simplefilter("ignore")
    logging.disable(logging.ERROR)
    torch.set_num_threads(1)
    return examined


def main() -> int:
    wanted = sys.argv[1:] or types()
    found = {}
    work = in_processes(quiet, (), wanted, 2)
    for name, row in tqdm(work, total=len(wanted), unit="type", disable=None):
        found[name] = row
    breadth = Breadth(
        date=datetime.date.today(), torch=torch.__version__.partition("+")[0], transformers=transformers.__version__,
        peft=peft.__version__, methods=tuple(METHODS), types=tuple(found[name] for name in sorted(found)),
    )  # fmt: skip
    for row in breadth.types:
        print(f"{row.name:28} {row.architecture or ''} {row.refused or ''}")
        for t in row.tried:
            print(f"    {t.method:24} {'–' if t.trainable is None else f'{t.trainable:,}':>15} {t.reason or ''}")
        print(*(f"    fault: {words}" for words in row.faults), sep="\n", end="\n" if row.faults else "")
    for method in METHODS:
        print(f"{method:28} counted {breadth.counted[method]}, traced {breadth.traced[method]}")
    print(", ".join(f"{name} equal on {number}" for name, number in breadth.equal.items()))
    print(breadth.sentence)
    if not sys.argv[1:]:
        WRITTEN.write_text(_written(breadth), encoding="utf-8")
    return 1 if breadth.faults else 0


def _written(breadth: Breadth) -> str:
    """A line for each type, so that a change of one is one line."""
    around = breadth.model_copy(update={"types": ()}).model_dump_json()
    lines = ",\n".join(row.model_dump_json() for row in breadth.types)
    return around.replace('"types":[]', f'"types":[\n{lines}\n]') + "\n"


if __name__ == "__main__":
    sys.exit(main())
