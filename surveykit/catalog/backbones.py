"""Backbones: pretrained models by their dimensions."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from surveykit.record import ID_PATTERN, Record


class Backbone(Record):
    """A pretrained model, by its dimensions. Widths are numbers of features."""

    id: str = Field(pattern=ID_PATTERN)
    name: str
    survey_label: str | None
    """Its label in the survey's Table 5; null when it is not there."""
    checkpoint: str
    """Where the weights are published (owner/name on the Hugging Face hub)."""
    architecture: Literal["t5"]
    paper: str
    d_model: int = Field(ge=1)
    d_ff: int = Field(ge=1)
    d_kv: int = Field(ge=1)
    """Width of one attention head."""
    heads: int = Field(ge=1)
    encoder_layers: int = Field(ge=1)
    decoder_layers: int = Field(ge=1)
    vocabulary: int = Field(ge=1)
    """Rows of the token embedding."""
    relative_buckets: int = Field(ge=1)
    gated: bool
    """Whether the feed-forward has a second, gating input matrix (T5 v1.1)."""
    tied: bool
    """Whether the output layer is the token embedding."""
    parameters: int = Field(ge=1)
    """Expected count, each parameter once."""
    parameters_source: str = Field(min_length=10)

    @property
    def inner(self) -> int:
        return self.heads * self.d_kv

    def symbols(self) -> dict[str, int]:
        """The symbols of formulas, with the closed form of the backbone's own count as `N`."""
        d, inner, f, h = self.d_model, self.inner, self.d_ff, self.heads
        le, ld, v, u = self.encoder_layers, self.decoder_layers, self.vocabulary, self.relative_buckets
        attentions, feed_forwards, norms = le + 2 * ld, le + ld, 2 * le + 3 * ld + 2
        gates, tokens = (2 if self.gated else 1), (1 if self.tied else 2)
        linear = 4 * attentions * d * inner + feed_forwards * (1 + gates) * d * f
        total = tokens * v * d + norms * d + 2 * u * h + linear
        return {
            "d": d, "I": inner, "f": f, "H": h, "Le": le, "Ld": ld, "V": v, "U": u, "G": gates, "T": tokens,
            "A": attentions, "F": feed_forwards, "L": norms, "N": total,
        }  # fmt: skip

    @model_validator(mode="after")
    def _count_holds(self) -> Self:
        expected = self.symbols()["N"]
        if expected != self.parameters:
            raise ValueError(f"these dimensions give {expected:,} parameters, not {self.parameters:,}")
        return self
