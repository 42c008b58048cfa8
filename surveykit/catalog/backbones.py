"""Backbones: pretrained models by their dimensions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, Self

from pydantic import Field, model_validator

from surveykit.record import ID_PATTERN, MOST, Record


class Backbone(Record):
    """A pretrained model, by its dimensions. Widths are numbers of features."""

    id: str = Field(pattern=ID_PATTERN)
    name: str
    """Its label in the survey's Table 5; null when it is not there."""
    checkpoint: str
    """Where the weights are published (owner/name on the Hugging Face hub)."""
    architecture: Literal["t5", "bert", "roberta", "distilbert", "bart", "gpt2"]
    paper: str
    d_model: int = Field(ge=1, le=MOST)
    d_ff: int = Field(ge=1, le=MOST)
    d_kv: int = Field(ge=1, le=MOST)
    """Width of one attention head."""
    heads: int = Field(ge=1, le=MOST)
    encoder_layers: int = Field(ge=0, le=MOST)
    """0 without an encoder."""
    decoder_layers: int = Field(ge=0, le=MOST)
    """0 without a decoder. A decoder beside an encoder has cross-attention, one alone has none."""
    vocabulary: int = Field(ge=1, le=MOST)
    """Rows of the token embedding."""
    relative_buckets: int = Field(ge=0, le=MOST)
    """Rows of each stack's table of relative positions; 0 without."""
    positions: int = Field(default=0, ge=0, le=MOST)
    """Rows of each stack's table of learned positions, those that are never used (RoBERTa, BART) included; 0 without."""
    token_types: int = Field(default=0, ge=0, le=MOST)
    """Rows of the table of token types; 0 without."""
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
        d, inner, f = self.d_model, self.inner, self.d_ff
        le, ld, v = self.encoder_layers, self.decoder_layers, self.vocabulary
        stacks = bool(le) + bool(ld)
        cross = ld if le else 0
        attentions, feed_forwards, norms = le + ld + cross, le + ld, 2 * (le + ld) + cross + stacks
        gates, tokens = (2 if self.gated else 1), (1 if self.tied else 2)
        biased = self.architecture != "t5"
        symbols = {
            "d": d, "I": inner, "f": f, "H": self.heads, "Le": le, "Ld": ld, "V": v, "U": self.relative_buckets,
            "G": gates, "T": tokens, "A": attentions, "Ka": stacks + bool(cross), "F": feed_forwards, "L": norms,
            "B": biased * (attentions * (3 * inner + d) + feed_forwards * (gates * f + d)), "Bn": biased * norms * d,
        }  # fmt: skip
        matrices = 4 * attentions * d * inner + feed_forwards * (1 + gates) * d * f
        blocks_and_norms = matrices + symbols["B"] + norms * d + symbols["Bn"]
        return {**symbols, "N": tokens * v * d + blocks_and_norms + _BESIDE[self.architecture](self, stacks)}

    @model_validator(mode="after")
    def _count_holds(self) -> Self:
        if not self.encoder_layers + self.decoder_layers:
            raise ValueError("a backbone has an encoder, a decoder or both")
        if self.architecture != "t5" and (self.inner != self.d_model or self.gated or not self.tied):
            raise ValueError(f"{self.architecture} has heads × d_kv = d_model, no gate, and no output layer of its own")
        expected = self.symbols()["N"]
        if expected != self.parameters:
            raise ValueError(f"these dimensions give {expected:,} parameters, not {self.parameters:,}")
        return self


# What an architecture has beside its token embedding, blocks and norms.


def _relative_positions(b: Backbone, stacks: int) -> int:
    return stacks * b.relative_buckets * b.heads


def _learned_positions(b: Backbone, stacks: int) -> int:
    return stacks * b.positions * b.d_model


def _positions_types_pooler(b: Backbone, stacks: int) -> int:
    pooler = b.d_model * b.d_model + b.d_model
    return (b.positions + b.token_types) * b.d_model + pooler


_BESIDE: Mapping[str, Callable[[Backbone, int], int]] = {
    "t5": _relative_positions,
    "bert": _positions_types_pooler,
    "roberta": _positions_types_pooler,
    "distilbert": _learned_positions,
    "bart": _learned_positions,
    "gpt2": _learned_positions,
}
