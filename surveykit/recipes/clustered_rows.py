"""Low-rank updates, one for each cluster of a weight's rows, in a basis that they share."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from surveykit.recipes.base import InPeft, Parts, Place, Shape
from surveykit.recipes.sites import WeightEdit

if TYPE_CHECKING:
    from torch import Tensor

ITERATIONS = 10
"""Steps of the clustering."""


class ClusteredRows(WeightEdit):
    """AdaMSS: row o of W, in cluster k, becomes Wₒ + outerₒ · inner_k · projection.

    `projection` (r, fan_in) are the leading singular vectors of W, frozen; `inner` (subspaces, subspace_rank, r) and `outer`
    (fan_out, subspace_rank) are trained. Rows are clustered by their coordinates in the leading singular vectors; `cluster`
    (fan_out,) says which each is in. `outer` starts at zero, so training starts at the backbone.

    Source: Zheng et al. 2025 (AdaMSS, NeurIPS), as PEFT has it without its adaptive allocation. A cluster with fewer rows than
    subspace_rank has a smaller rank in PEFT, and a layer with a bias one more column in the projection; here neither has.
    """

    casts_input: ClassVar[bool] = False
    peft: ClassVar[InPeft | None] = InPeft("ADAMSS", "AdamssConfig", "adamss/qv-k5", {
        "rank": ("r", 100), "subspaces": ("num_subspaces", 5), "subspace_rank": ("subspace_rank", 1),
    })  # fmt: skip

    kind: Literal["clustered_rows"]
    rank: int = Field(ge=1)
    """Leading singular vectors of the weight that are looked at; all, where it has fewer."""
    subspaces: int = Field(ge=1)
    """Clusters of rows."""
    subspace_rank: int = Field(ge=1)
    """Rank of the update of each cluster."""

    def tensors(self, place: Place) -> dict[str, Shape]:
        rank = min(self.rank, place.fan_in, place.fan_out)
        return {
            "inner": Shape((min(self.subspaces, place.fan_out), self.subspace_rank, rank)),
            "outer": Shape((place.fan_out, self.subspace_rank)),
            "projection": Shape((rank, place.fan_in), trained=False),
            "cluster": Shape((place.fan_out,), "first", trained=False, kept="backbone"),
        }

    def start(self, parts: Parts, place: Place) -> dict[str, Tensor]:
        subspaces, width, rank = parts.inner.shape
        left, _, right = parts.frozen.float().svd()
        rows, inner = left[:, :rank], parts.inner.new_zeros(parts.inner.shape)
        cluster = clustered(rows, subspaces)
        for number in range(subspaces):
            found = rows[cluster == number].svd()[2][:, :width].T
            inner[number, : found.shape[0]] = found
        return {"inner": inner, "projection": right[:, :rank].T, "cluster": cluster}

    def update_rank(self, place: Place) -> int:
        return min(self.subspaces * self.subspace_rank, self.rank, place.fan_in, place.fan_out)

    def expanded(self, place: Place) -> int:
        return place.fan_in * place.fan_out

    def after(self, parts: Parts, x: Tensor, y: Tensor) -> Tensor:
        low = x @ parts.projection.to(x.dtype).T @ parts.inner.flatten(0, 1).to(x.dtype).T
        return y + low @ self._up(parts).to(x.dtype).T

    def weight(self, parts: Parts, weight: Tensor) -> Tensor:
        return weight + self._up(parts) @ parts.inner.flatten(0, 1) @ parts.projection

    def _up(self, parts: Parts) -> Tensor:
        """The rows of `outer`, each in the columns of its cluster: (fan_out, subspaces · subspace_rank)."""
        numbers = parts.outer.new_ones(parts.inner.shape[0]).cumsum(0) - 1
        member = (parts.cluster[:, None] == numbers).type_as(parts.outer)
        return (member[:, :, None] * parts.outer[:, None, :]).flatten(1)


def clustered(rows: Tensor, number: int) -> Tensor:
    """Which of so many clusters each row is in, by k-means from rows at even distances."""
    centres = rows[:: max(1, rows.shape[0] // number)][:number].clone()
    for _ in range(ITERATIONS):
        distance = (centres * centres).sum(1) - 2 * rows @ centres.T  # less what all have in common
        cluster = distance.argmin(1)
        for one in range(number):
            if (cluster == one).any():
                centres[one] = rows[cluster == one].mean(0)
    return cluster
