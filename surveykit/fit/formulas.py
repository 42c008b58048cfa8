"""Memory of a training step by formulas in the dimensions of a model: no torch, any model of a known architecture.

The formulas are read from traces by `benchmarks/coefficients.py`. `site/docs/assets/js/choose/formulas.js` does the same in
the browser; a test compares the two, and both with direct traces.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any

from surveykit.catalog.training import Training
from surveykit.fit.candidates import MemoryBreakdown
from surveykit.record import Record

PRECISIONS = ("16", "4")
ATTENTIONS = ("sdpa", "flash", "eager")
CHECKPOINTING = ("none", "full")
RUNS: dict[str, Training] = {
    f"{bits}.{attention}.{checkpointing}": Training.model_validate({
        "dtype": "bfloat16", "adapter_dtype": "float32", "attention": attention, "checkpointing": checkpointing,
        "base_bits": int(bits), "double_quant": bits == "4", "optimizer": "adamw-fused",
    })
    for bits, attention, checkpointing in product(PRECISIONS, ATTENTIONS, CHECKPOINTING)
    if (bits, attention) != ("4", "eager")
}  # fmt: skip
"""Settings that there are formulas for; the optimizer is chosen apart."""
OPTIMIZERS = ("adamw-fused", "adamw-8bit", "paged-adamw-8bit", "adamw-foreach", "sgd")
TARGET_LENGTH = 8
_EIGHT_BITS = 2 + 8 / 256
"""Bytes a number: two moments in 8 bits and a scale for 256 numbers each. bitsandbytes keeps small tensors in 32 bits."""

Polynomial = list[float]
"""Number of a monomial, its factor, number of the next, and so on."""


class Run(Record):
    """A configuration in one of `RUNS`. Bytes."""

    weights: Polynomial
    state: Polynomial
    """Of torch's AdamW."""
    gradients: Polynomial
    optimizer: Polynomial
    """What is live beyond weights and state while the optimizer steps."""
    moments: list[list[Polynomial]]
    """The same at moments of forward and backward that may be the peak: gradients, logits, activations, working memory."""


class Told(Record):
    """What PEFT is told, or why it cannot be."""

    needs: str = ""
    assigned: str = ""
    notes: tuple[str, ...] = ()
    none: str = ""


class Configured(Record):
    """A configuration on models of an architecture."""

    adapter: Told
    trained: Polynomial
    """Numbers that the optimizer updates."""
    overhead: tuple[str, str]
    """Kinds of inference overhead, before and after merging."""
    runs: dict[str, Run]


class Formulas(Record):
    """What a run of `benchmarks/coefficients.py` found for one architecture."""

    architecture: str
    task: str
    """What PEFT calls the task of the model's class."""
    date: str
    torch: str
    transformers: str
    parameters: Polynomial
    monomials: list[str]
    left_out: dict[str, str]
    """Configurations without formulas, and why."""
    configurations: dict[str, Configured]

    def values(self, at: Mapping[str, float]) -> list[float]:
        """Every monomial at dimensions."""
        found = []
        for monomial in self.monomials:
            value = 1.0
            for name in filter(None, monomial.split("*")):
                value *= at[name]
            found.append(value)
        return found

    def memory(self, configuration: str, run: str, optimizer: str, at: Mapping[str, float]) -> MemoryBreakdown | None:
        """A step of a configuration; None where there is no formula."""
        known = self.configurations.get(configuration)
        found = known.runs.get(run) if known else None
        if known is None or found is None:
            return None
        values = self.values(at)
        return breakdown(known, found, optimizer, values)


def breakdown(known: Configured, run: Run, optimizer: str, values: list[float]) -> MemoryBreakdown:
    """Parts of the peak at the values of monomials."""
    weights, gradients = _sum(run.weights, values), _sum(run.gradients, values)
    state = {
        "adamw-fused": _sum(run.state, values), "adamw-foreach": _sum(run.state, values), "sgd": 0.0,
        "adamw-8bit": _EIGHT_BITS * _sum(known.trained, values),
        "paged-adamw-8bit": _EIGHT_BITS * _sum(known.trained, values),
    }[optimizer]  # fmt: skip
    stepping = _sum(run.optimizer, values) + (gradients if optimizer == "adamw-foreach" else 0.0)
    last = [gradients, 0.0, 0.0, max(0.0, stepping - gradients)]
    parts = max(([_sum(part, values) for part in moment] for moment in run.moments), key=sum, default=last)
    parts = last if sum(last) > sum(parts) else parts
    named = dict(zip(("gradients", "logits", "activations", "working"), map(round, parts), strict=True))
    whole = {"weights": round(weights), "optimizer": round(state), **named}
    return MemoryBreakdown(round(weights), round(gradients), round(state), 0, sum(whole.values()), whole)


def _sum(polynomial: Polynomial, values: list[float]) -> float:
    return sum(values[int(polynomial[i])] * polynomial[i + 1] for i in range(0, len(polynomial), 2))


def polynomial_at(terms: Mapping[tuple[tuple[str, int], ...], float], at: Mapping[str, float]) -> float:
    """The value of a polynomial by dimensions."""
    total = 0.0
    for key, factor in terms.items():
        for name, power in key:
            factor *= at[name] ** power
        total += factor
    return total


def at_model(config: Mapping[str, Any], batch: int, length: int, target: int = TARGET_LENGTH) -> dict[str, float]:
    """Dimensions of a configuration of transformers, by the names that formulas have."""
    t5 = config["model_type"] == "t5"
    heads = config["num_heads" if t5 else "num_attention_heads"]
    width = config["d_model" if t5 else "hidden_size"]
    kv = config.get("num_key_value_heads") or heads
    return {
        "b": batch, "l": length, "t": target, "h": width, "f": config["d_ff" if t5 else "intermediate_size"],
        "v": config["vocab_size"], "hd": config.get("d_kv" if t5 else "head_dim") or width // heads, "kv": kv,
        "g": heads // kv, "n": config["num_layers" if t5 else "num_hidden_layers"],
        "p": config.get("max_position_embeddings", 0),
    }  # fmt: skip
