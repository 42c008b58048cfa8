"""Formulas of memory for the page that helps to choose: `python benchmarks/coefficients.py [ARCHITECTURE…]`.

Each configuration is traced on a model whose dimensions are told apart by their prime factors, so that every moment of a
training step is a polynomial in them. Those moments are kept that can be the peak; formulas are checked against a direct trace
of another model, and left out where they are off. What is found goes to `benchmarks/coefficients/<architecture>.json`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from random import Random
from typing import Any

import torch
import transformers

from surveykit.catalog.load import Catalog, load
from surveykit.catalog.peft_arguments import peft_arguments
from surveykit.engine.coefficients.derive import Reader, Reading
from surveykit.engine.coefficients.prime_models import PRIME_MODELS, PrimeModel
from surveykit.engine.coefficients.prune import peaks, samples
from surveykit.engine.models.model import Blueprint
from surveykit.engine.models.peft_modules import parts_of, task_type
from surveykit.engine.trace.costs import Costs
from surveykit.engine.trace.sized import Monomial, Terms, UnknownSizeError, added
from surveykit.errors import SurveyError
from surveykit.fit.code import Adapter
from surveykit.fit.formulas import RUNS, at_model, polynomial_at
from surveykit.recipes import Recipe

ROOT = Path(__file__).parents[1]
FOLDER = Path(__file__).parent / "coefficients"
CONFIGURATIONS = (
    "lora/qv-r8", "full-tuning/all", "qlora/all-linear-r64", "ia3/kv-ff", "adapters/rf16", "dora/qkv-feed-forward-r32",
    "prompt-tuning/p100", "prefix-tuning/mlp-p30-h512", "ln-tuning/norms", "vera/qv-r256", "lora-fa/qv-r8",
)  # fmt: skip
LARGEST_ERROR = 0.01
"""Of a formula, against a direct trace; beyond it the configuration is left out."""


class Names:
    """Numbers for monomials, in the order in which they come."""

    def __init__(self) -> None:
        self.numbers: dict[Monomial, int] = {}

    def short(self, terms: Terms) -> list[float | int]:
        """A polynomial as a flat list: number of a monomial, its factor, and so on."""
        found: list[float | int] = []
        for key, factor in sorted(terms.items()):
            rounded = float(f"{factor:.9g}")
            if rounded:
                found += [
                    self.numbers.setdefault(key, len(self.numbers)),
                    int(rounded) if rounded.is_integer() else rounded,
                ]
        return found

    def written(self) -> list[str]:
        return ["*".join(f"{name}" for name, power in key for _ in range(power)) for key in self.numbers]


def main(asked: list[str]) -> None:
    torch.set_num_threads(1)
    catalog = load(ROOT / "catalog", measured=False)
    known = {primes.id: primes for primes in PRIME_MODELS}
    for name in asked or known:
        primes = known[name]
        text = json.dumps(derived(catalog, primes), separators=(",", ":"))
        FOLDER.mkdir(exist_ok=True)
        (FOLDER / f"{name}.json").write_text(f"{text}\n", encoding="utf-8")


def derived(catalog: Catalog, primes: PrimeModel) -> dict[str, Any]:
    """All formulas of an architecture."""
    reader, names, random = Reader(primes), Names(), Random(primes.id)
    check = Costs(primes.another().blueprint())
    found, left_out = {}, {}
    parameters: Terms = {}
    for name in CONFIGURATIONS:
        recipe = catalog.recipe(name)
        reason = reader.why_not(recipe)
        if reason is None:
            try:
                stage = recipe.stages[0]
                trained, parameters = reader.counts(stage)
                if not trained:
                    raise SurveyError("it would train nothing on such a model")
                inference = check.inference(recipe)
                if "p" in primes.sizes and "input" in inference.unmerged.overhead.split("+"):
                    raise SurveyError("its prompt takes some of the model's few positions, which formulas do not count")
                runs = dict(_runs(reader, recipe, primes))
                if not runs:
                    raise SurveyError("it cannot be traced")
                off = {}
                for run in random.sample(sorted(runs), min(2, len(runs))):
                    b, length = random.choice((1, 2, 4, 7)), random.choice((96, 300, 700, 1500))
                    at = at_model(primes.another().config, b, length)
                    true = check.training(stage, b, length, 8, RUNS[run]).memory.peak
                    off[run, b, length] = _peak(runs[run], at) / true - 1
                    print(primes.id, name, run, b, length, f"{100 * off[run, b, length]:+.2f} %", flush=True)
                wrong = [error for error in off.values() if abs(error) > LARGEST_ERROR]
                if wrong:
                    raise SurveyError(f"a formula is off by {100 * max(wrong, key=abs):.1f} %")
            except (SurveyError, UnknownSizeError) as error:
                reason = (
                    str(error)
                    if isinstance(error, SurveyError)
                    else "its sizes are no products of the model's dimensions"
                )
        if reason is not None:
            print(primes.id, name, reason, flush=True)
            left_out[name] = reason
            continue
        found[name] = {
            "adapter": _adapter(check.blueprint, recipe),
            "trained": names.short(trained),
            "overhead": [inference.unmerged.overhead, inference.merged.overhead],
            "runs": {run: _written(reading, names) for run, reading in runs.items()},
        }
    return {
        "architecture": primes.id, "task": task_type(check.blueprint.build().model), "date": str(date.today()), "torch": torch.__version__.partition("+")[0],
        "transformers": transformers.__version__, "parameters": names.short(parameters), "monomials": names.written(),
        "left_out": left_out, "configurations": found,
    }  # fmt: skip


def _adapter(plan: Blueprint, recipe: Recipe) -> dict[str, Any]:
    """What PEFT is told, or why it cannot be."""
    instance = plan.build()
    try:
        adapter = Adapter.of(peft_arguments(recipe, parts_of(instance), task_type(instance.model)))
    except SurveyError as error:
        return {"none": str(error)}
    return {"needs": adapter.needs, "assigned": adapter.assigned, "notes": list(adapter.notes)}


def _runs(reader: Reader, recipe: Recipe, primes: PrimeModel) -> Iterator[tuple[str, Reading]]:
    at = samples([*primes.sizes])
    for name, training in RUNS.items():
        try:
            reading = reader.read(recipe.stages[0], training)
        except SurveyError:
            continue
        kept = peaks([*reading.moments, (reading.optimizer,)], added(reading.weights, reading.state), at)
        moments = tuple(reading.moments[i] for i in kept if i < len(reading.moments))
        yield name, Reading(reading.weights, reading.state, reading.gradients, moments, reading.optimizer)


def _peak(reading: Reading, at: dict[str, float]) -> float:
    beyond = [sum(polynomial_at(part, at) for part in parts) for parts in reading.moments]
    held = polynomial_at(reading.weights, at) + polynomial_at(reading.state, at)
    return (
        held + max(*beyond, polynomial_at(reading.optimizer, at))
        if beyond
        else held + polynomial_at(reading.optimizer, at)
    )


def _written(reading: Reading, names: Names) -> dict[str, Any]:
    return {
        "weights": names.short(reading.weights), "state": names.short(reading.state),
        "gradients": names.short(reading.gradients), "optimizer": names.short(reading.optimizer),
        "moments": [[names.short(part) for part in parts] for parts in reading.moments],
    }  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1:])
