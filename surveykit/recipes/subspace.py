"""A subspace of a layer's outputs is taken away, and written anew or left empty."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from surveykit.recipes.base import InPeft, Parts, Place, Shape
from surveykit.recipes.sites import WeightEdit

if TYPE_CHECKING:
    from torch import Tensor


class _Subspace(WeightEdit):
    """W − left · rightᵀ · W, and more, where (left, right) follow from the trained `direction` (fan_out, rank).

    `relu`: (direction, relu(direction)). `qr`: the orthonormal columns of the direction twice, so that left · rightᵀ is a
    projection. Computed in float32 whatever the precision of the adapter, as in PEFT.
    """

    bias_apart: ClassVar[bool] = True
    size_name: ClassVar[str | None] = "rank"

    rank: int = Field(ge=1)
    """Dimensions of the subspace."""
    projection: Literal["relu", "qr"]
    """How the subspace follows from `direction`: orthonormal columns, or itself and its positive entries."""

    def _rank(self, place: Place) -> int:
        return min(self.rank, place.fan_out)

    def tensors(self, place: Place) -> dict[str, Shape]:
        return {"direction": Shape((place.fan_out, self._rank(place)), "normal")}

    def update_rank(self, place: Place) -> int:
        return min(self._rank(place), place.fan_in)

    def expanded(self, place: Place) -> int:
        return place.fan_in * place.fan_out

    def _project(self, parts: Parts) -> tuple[Tensor, Tensor]:
        """(left, right), each (fan_out, rank), whose product left · rightᵀ takes the subspace out."""
        direction = parts.direction.float()
        if self.projection == "relu":
            return direction, parts.activate("relu", direction)
        orthonormal = parts.orthonormal(direction)
        return orthonormal, orthonormal


class SubspaceRemoval(_Subspace):
    """PaRa: W − left · rightᵀ · W, with `direction` (fan_out, rank) trained; with orthonormal columns, (I − Q Qᵀ) W.

    `direction` starts at random, so that the outputs lose a random subspace at the start.

    Source: Chen et al. 2025, which takes the Q of a QR decomposition, as in PEFT (`para=True`).
    """

    casts_input: ClassVar[bool] = False
    peft: ClassVar[InPeft | None] = InPeft(
        "DEFT", "DeftConfig", "para/qv-r8", {"rank": ("r", 8), "projection": ("decomposition_method", "relu")},
        means={"para": True}, idle=frozenset({"alpha"}),
    )  # fmt: skip

    kind: Literal["subspace_removal"]

    def after(self, parts: Parts, x: Tensor, y: Tensor) -> Tensor:
        left, right = self._project(parts)
        full = y.float()
        return full - (full @ right) @ left.T

    def weight(self, parts: Parts, weight: Tensor) -> Tensor:
        left, right = self._project(parts)
        return weight - left @ (right.T @ weight.float())


class SubspaceReplacement(_Subspace):
    """DEFT: (I − left · rightᵀ) W + scale · left · `injection`, with `injection` (rank, fan_in) trained beside `direction`.

    `injection` starts at what is taken away, so training starts at the backbone. The scale is alpha / rank, or 1 without an alpha.

    Source: Kumar et al. 2025, as in PEFT.
    """

    drops_input: ClassVar[bool] = True
    peft: ClassVar[InPeft | None] = InPeft(
        "DEFT", "DeftConfig", "deft/qv-r8",
        {"rank": ("r", 8), "projection": ("decomposition_method", "relu"), "alpha": ("alpha", None)},
    )  # fmt: skip

    kind: Literal["subspace_replacement"]
    alpha: float | None = Field(gt=0)
    """What is written in is scaled by alpha / rank; null for no scaling."""

    def tensors(self, place: Place) -> dict[str, Shape]:
        return {**super().tensors(place), "injection": Shape((self._rank(place), place.fan_in), "normal")}

    def start(self, parts: Parts, place: Place) -> dict[str, Tensor]:
        _, right = self._project(parts)
        return {"injection": right.T @ parts.frozen.float() / self._scale(parts)}

    def _scale(self, parts: Parts) -> float:
        return 1.0 if self.alpha is None else self.alpha / parts.injection.shape[0]

    def after(self, parts: Parts, x: Tensor, y: Tensor) -> Tensor:
        left, right = self._project(parts)
        full = y.float()
        injected = x.float() @ (parts.injection.float() * self._scale(parts)).T
        return full - (full @ right) @ left.T + injected @ left.T

    def weight(self, parts: Parts, weight: Tensor) -> Tensor:
        left, right = self._project(parts)
        return weight + left @ (parts.injection.float() * self._scale(parts) - right.T @ weight.float())
