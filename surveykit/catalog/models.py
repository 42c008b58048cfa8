"""Models: a published configuration, and the few lines about it that no configuration says."""

from __future__ import annotations

from functools import cached_property
from typing import Self

from pydantic import Field, JsonValue, model_validator

from surveykit.catalog.dimensions import Dimensions, read_dimensions
from surveykit.record import MODEL_ID_PATTERN, Record


class ModelFile(Record):
    """`models/<id>/model.yaml`: what a model's config.json does not say."""

    name: str
    checkpoint: str | None
    """Where the weights are published (owner/name on the Hugging Face hub); null where they are not."""
    paper: str | None
    """Key of its paper; null where the bibliography has none."""
    counts: str = Field(pattern=r"^[A-Z][A-Za-z0-9_]*$")
    """The class of transformers that is counted: with an output layer (`LlamaForCausalLM`), or bare (`BertModel`)."""
    parameters: int | None = Field(ge=1)
    """Its number of parameters, each once, as a source states it; null where none states the whole number."""
    parameters_source: str = Field(min_length=10)
    """Where that number is from, or why there is none."""
    note: str | None = Field(default=None, min_length=10)
    """What a reader of its figures has to know, such as where a configuration that nobody published is from."""


class Model(ModelFile):
    """A pretrained model: its configuration as published, and what the file beside it says."""

    id: str = Field(pattern=MODEL_ID_PATTERN)
    """Name of its folder."""
    config: dict[str, JsonValue]
    """The content of its config.json."""

    @cached_property
    def dimensions(self) -> Dimensions:
        """Those that the configuration states."""
        found, problems = read_dimensions(self.config, self.counts)
        if found is None:
            raise ValueError("; ".join(message for _, message in problems))
        return found

    def symbols(self) -> dict[str, int]:
        """The symbols of formulas. Raises as `Dimensions.symbols`."""
        return self.dimensions.symbols()

    @property
    def size(self) -> int | None:
        """Number of parameters: as a source states it, else in closed form; None where there is neither."""
        return self.parameters or self._closed_form

    @property
    def _closed_form(self) -> int | None:
        return self.symbols()["N"] if self.dimensions.has_symbols else None

    @model_validator(mode="after")
    def _count_holds(self) -> Self:
        expected = self._closed_form
        if expected is not None and self.parameters not in (None, expected):
            raise ValueError(f"config.json gives {expected:,} parameters, not {self.parameters:,}")
        return self
