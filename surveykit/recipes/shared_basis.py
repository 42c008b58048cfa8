"""Weights written in a basis that layers share, of which a diagonal and a few other coefficients are trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from surveykit.recipes.base import InPeft, Kept, Parts, Place, Shape
from surveykit.recipes.sites import WeightEdit

if TYPE_CHECKING:
    from torch import Tensor

RIDGE = 1e-3
"""Added to the diagonal of what is inverted: PEFT's regularization_alpha."""


class SharedBasis(WeightEdit):
    """FRoD: W' = left (S + diag(diagonal)) basisᵀ, which is W where S is zero and the diagonal is as it starts.

    `basis` (fan_in, fan_in) is one for the layers of a name, such as `self_attn.q_proj`, and `left` (fan_out, fan_in) has columns of length one; both follow
    from the weights and are frozen. S has `entries` at `rows` and `columns`, off the diagonal. Trained are `diagonal`
    (fan_in,) and `entries`, which start at zero.

    Source: Wan et al. 2025 (arXiv 2512.23485), as PEFT has it, which draws the places of S at random; ours are at even
    distances.
    """

    bias_apart: ClassVar[bool] = True
    casts_input: ClassVar[bool] = False
    peft: ClassVar[InPeft | None] = InPeft(
        "FROD", "FrodConfig", "frod/qv-1-percent",
        {"rate": ("sparse_rate", 0.01), "save_projection": ("save_projection", True)},
    )  # fmt: skip

    kind: Literal["shared_basis"]
    rate: float = Field(gt=0, le=1)
    """Entries of S, as a share of fan_in squared; rounded down, one at least."""
    save_projection: bool
    """Whether the basis and the places of S are kept with what is trained, as PEFT does unless told otherwise."""

    def _entries(self, fan_in: int) -> int:
        return max(1, min(int(fan_in * fan_in * self.rate), fan_in * (fan_in - 1)))

    def tensors(self, place: Place) -> dict[str, Shape]:
        return {
            "diagonal": Shape((place.fan_in,), "ones"),
            "entries": Shape((self._entries(place.fan_in),)),
            "left": Shape((place.fan_out, place.fan_in), trained=False, kept="backbone", narrow=True),
        }

    def shared_tensors(self, place: Place) -> dict[str, Shape]:
        kept: Kept = "task" if self.save_projection else "backbone"
        number = (self._entries(place.fan_in),)
        return {
            "basis": Shape((place.fan_in, place.fan_in), trained=False, kept=kept, narrow=True),
            "rows": Shape(number, "first", trained=False, kept=kept),
            "columns": Shape(number, "first", trained=False, kept=kept),
        }

    def group(self, place: Place) -> str:
        parent, own = ["", *place.name.split(".")][-2:]  # encoder and decoder share, as names of modules do in PEFT
        return f"{own if parent.isdigit() else f'{parent}.{own}'} {place.role}"

    def shared_start(self, parts: Parts, weights: Sequence[Tensor]) -> dict[str, Tensor]:
        wide, number = weights[0].shape[1], parts.rows.shape[0]
        place = (parts.rows.new_ones(number).long().cumsum(0) - 1) * (wide * (wide - 1)) // number
        row, column = place // (wide - 1), place % (wide - 1)
        return {"basis": _basis(weights), "rows": row, "columns": column + (column >= row)}

    def start(self, parts: Parts, place: Place) -> dict[str, Tensor]:
        written = parts.frozen.double() @ parts.shared.basis.double().inverse().T
        lengths = written.norm(dim=0)
        return {"left": written / lengths.clamp(min=1e-12), "diagonal": lengths}

    def expanded(self, place: Place) -> int:
        return place.fan_in * place.fan_out

    def shared_expanded(self, place: Place) -> int:
        return 0

    def after(self, parts: Parts, x: Tensor, y: Tensor) -> Tensor:
        low = x @ parts.shared.basis.to(x.dtype)
        moved = low @ self._sparse(parts).to(x.dtype).T + low * parts.diagonal.to(x.dtype)
        edited: Tensor = moved @ parts.left.to(x.dtype).T
        return edited

    def weight(self, parts: Parts, weight: Tensor) -> Tensor:
        left, basis = parts.left.to(weight.dtype), parts.shared.basis.to(weight.dtype)
        merged: Tensor = left @ (self._sparse(parts) + parts.diagonal.diag()) @ basis.T
        return merged

    def _sparse(self, parts: Parts) -> Tensor:
        """S, (fan_in, fan_in)."""
        wide, shared = parts.diagonal.shape[0], parts.shared
        return parts.entries.new_zeros((wide, wide)).index_put(
            (shared.rows.long(), shared.columns.long()), parts.entries
        )


def _basis(weights: Sequence[Tensor]) -> Tensor:
    """A basis of the inputs of several weights, (fan_in, fan_in), that is as near as it can be to one for each of them."""
    rows, wide = sum(weight.shape[0] for weight in weights), weights[0].shape[1]
    stacked = weights[0].new_empty((rows, wide)).double()  # narrow types have no decomposition
    ends = [sum(weight.shape[0] for weight in weights[:number]) for number in range(len(weights))]
    for end, weight in zip(ends, weights, strict=True):
        stacked[end : end + weight.shape[0]] = weight
    if rows < wide:
        return stacked.svd(some=False)[2]
    whole, values, right = stacked.svd()  # of any orthonormal basis of the columns the result is the same
    mean = stacked.new_zeros((wide, wide))
    for end, weight in zip(ends, weights, strict=True):
        part = whole[end : end + weight.shape[0]]
        mean += (part.T @ part + RIDGE * stacked.new_ones(wide).diag()).inverse() / len(weights)
    return right * values @ mean.svd()[0]
