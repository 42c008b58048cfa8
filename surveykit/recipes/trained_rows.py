"""Training some rows of a weight (survey 8.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from surveykit.recipes.base import Parts, Place, Shape
from surveykit.recipes.sites import WeightEdit

if TYPE_CHECKING:
    from torch import Tensor


class TrainedRows(WeightEdit):
    """FAR: the rows of a weight that the previous stage moved furthest (by L1 distance) are trained, the others stay.

    `rows` (chosen, fan_in) start as the backbone's and replace them; `index` (chosen,) says which they are and has to
    be kept with them. Without a previous stage the first rows are taken. The authors multiply with chosen and frozen
    rows apart and join the results; here the frozen layer runs whole and the chosen outputs are put over its own,
    which gives the same numbers, gradients and kept activations.

    Source: survey 8.3, and its first version for the distance (the paper itself was not at hand).
    """

    bias_apart: ClassVar[bool] = True
    size_name: ClassVar[str | None] = "rows_percent"

    kind: Literal["trained_rows"]
    rows_percent: int = Field(ge=1, le=100)
    """Share of rows that are trained, of each matrix; rounded down, but one row at least."""

    def chosen(self, place: Place) -> int:
        return max(1, place.fan_out * self.rows_percent // 100)

    def tensors(self, place: Place) -> dict[str, Shape]:
        return {
            "rows": Shape((self.chosen(place), place.fan_in)),
            "index": Shape((self.chosen(place),), "first", trained=False),
        }

    def start(self, parts: Parts, place: Place) -> dict[str, Tensor]:
        index: Tensor = parts.index.long()
        if parts.change is not None:
            index = parts.change.abs().sum(dim=1).topk(self.chosen(place)).indices.sort().values
        return {"index": index, "rows": parts.frozen[index]}

    def changed(self, place: Place) -> int:
        return self.chosen(place) * place.fan_in

    def update_rank(self, place: Place) -> int:
        return min(self.chosen(place), place.fan_in)

    def after(self, parts: Parts, x: Tensor, y: Tensor) -> Tensor:
        return y.index_copy(-1, parts.index.long(), (x @ parts.rows.T).type_as(y))

    def weight(self, parts: Parts, weight: Tensor) -> Tensor:
        return weight.index_copy(0, parts.index.long(), parts.rows)
