"""What works on which model type of transformers: read from a file that a benchmark writes."""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import Literal

from surveykit.record import Record

Kind = Literal["seq2seq", "masked", "causal", "classification", "several parts"]


class Tried(Record):
    """One method on one model type."""

    method: str
    trainable: int | None
    """Trainable parameters; None where `reason` says why there are none."""
    peak_bytes: int | None
    """Peak memory of a traced training step, all numbers of two bytes; None where it was counted and not traced."""
    reason: str | None
    """Why it was not counted, or not traced."""


class ModelType(Record):
    """One model type of transformers, in a small model of its default configuration."""

    name: str
    """As config.json's `model_type` has it."""
    kind: Kind | None
    """What its class is for; None where transformers builds none from the default configuration."""
    architecture: str | None
    """That class."""
    parameters: int | None
    """Of the model that was tried."""
    refused: str | None
    """Why nothing was counted on it at all."""
    tried: tuple[Tried, ...]
    compared: tuple[str, ...]
    """Counts that another answer was there for, and equals ours."""
    known: tuple[str, ...]
    """Counts that differ from another answer, each with the reason."""
    faults: tuple[str, ...]
    """Counts that differ and should not, and messages that are meant for nobody or not true."""

    @property
    def built(self) -> bool:
        return self.kind is not None

    def of(self, method: str) -> Tried | None:
        return next((tried for tried in self.tried if tried.method == method), None)


class Breadth(Record):
    """One run of `benchmarks/breadth.py`."""

    date: date
    torch: str
    transformers: str
    peft: str
    methods: tuple[str, ...]
    """In the order of the table's columns."""
    types: tuple[ModelType, ...]

    @property
    def built(self) -> tuple[ModelType, ...]:
        return tuple(model for model in self.types if model.built)

    @property
    def faults(self) -> int:
        return sum(len(model.faults) for model in self.types)

    @property
    def counted(self) -> dict[str, int]:
        """How many types each method is counted on."""
        return self._tally("trainable")

    @property
    def traced(self) -> dict[str, int]:
        """How many types each method is traced on."""
        return self._tally("peak_bytes")

    @property
    def equal(self) -> dict[str, int]:
        """On how many types each comparison with another answer came out equal."""
        return dict(Counter(name for model in self.types for name in model.compared))

    def _tally(self, field: str) -> dict[str, int]:
        found = {
            method: [tried for model in self.built if (tried := model.of(method)) is not None]
            for method in self.methods
        }
        return {method: sum(getattr(t, field) is not None for t in rows) for method, rows in found.items()}

    @property
    def sentence(self) -> str:
        """The figures in a sentence, as the README has it."""
        attention, linear = self.methods[:2]
        return (
            f"Of {len(self.types)} model types of transformers {self.transformers} with a class for text, {len(self.built)}"
            f" can be built from their default configuration: LoRA on query and value is counted on"
            f" {self.counted[attention]} and traced on {self.traced[attention]} of them, LoRA on all linear layers on"
            f" {self.counted[linear]} and {self.traced[linear]}."
        )
