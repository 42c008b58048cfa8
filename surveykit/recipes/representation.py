"""Edits of the hidden states that a block hands on, at some positions."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, model_validator

from surveykit.recipes.base import Overhead, Parts, Place, Shape
from surveykit.recipes.sites import OutputEdit

if TYPE_CHECKING:
    from torch import Tensor


class LowRankRepresentation(OutputEdit):
    """LoReFT: h + R (source h + bias − Rᵀ h) at the first and last positions, h (…, d_model) being what a block gives.

    R (d_model, rank) has orthonormal columns: it is the product of the reflections whose vectors are the columns of `rotation`
    below its diagonal, as PyTorch's parametrization makes it. `source` is (rank, d_model). One R, `source` and `bias` serve
    both ends. Training does not start at the backbone.

    Source: Wu et al. 2024, as the authors' package pyreft 0.1.0 has it (LoreftIntervention; share_weights).
    """

    allowed_roles: ClassVar[frozenset[str]] = frozenset({"block"})
    obstacle: ClassVar[str | None] = "it changes hidden states at some positions alone"
    costs: ClassVar[frozenset[Overhead]] = frozenset({"linear"})
    size_name: ClassVar[str | None] = "rank"

    kind: Literal["low_rank_representation"]
    rank: int = Field(ge=1)
    """Dimensions of the subspace in which hidden states are edited."""
    first: int = Field(ge=0)
    """How many positions from the start are edited."""
    last: int = Field(ge=0)
    """How many positions from the end are edited."""

    @model_validator(mode="after")
    def _edits_something(self) -> Self:
        if not self.first + self.last:
            raise ValueError("at least one position must be edited: `first` and `last` are both 0")
        return self

    def positions_compared(self) -> int:
        return self.first + self.last

    def tensors(self, place: Place) -> dict[str, Shape]:
        if self.rank > place.d_model:
            raise ValueError(f"rank {self.rank} is more than the {place.d_model} features of a hidden state")
        return {
            "rotation": Shape((place.d_model, self.rank), "normal"),
            "source": Shape((self.rank, place.d_model), "kaiming"),
            "bias": Shape((self.rank,)),
        }

    def start(self, parts: Parts, place: Place) -> dict[str, Tensor]:
        """The reflections of a random R."""
        vectors: Tensor = parts.rotation.new_empty(place.d_model, self.rank).normal_().float().geqrf()[0]
        return {"rotation": vectors.to(parts.rotation.dtype)}

    def after(self, parts: Parts, x: Tensor, y: Tensor) -> Tensor:
        positions = y.shape[-2]
        first = min(self.first, positions)
        last = min(self.last, positions - first)
        vectors = parts.rotation.float().tril(-1)
        rotation = vectors.orgqr(2 / (1 + (vectors * vectors).sum(dim=0))).to(y.dtype)
        edited = y.clone()
        for start, end in ((0, first), (positions - last, positions)):
            if start < end:
                h = y[..., start:end, :]
                moved = h @ parts.source.T + parts.bias - h @ rotation
                edited[..., start:end, :] = h + moved @ rotation.T
        return edited
