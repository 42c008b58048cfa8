"""A small network that reads the frozen weight and gives its update."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from surveykit.recipes.base import Activation, InPeft, Parts, Place, Shape
from surveykit.recipes.sites import WeightEdit

if TYPE_CHECKING:
    from torch import Tensor


class WeightNetwork(WeightEdit):
    """PEANuT: W + scaling · (network(Wᵀ))ᵀ. The network reads each column of W, fan_out numbers, and gives as many.

    Its layers are `down` (rank, fan_out), `depth` pairs of `encoder_i` and `decoder_i` (rank, rank), and `up` (fan_out, rank);
    all but the last are followed by the activation. What an encoder read is added behind its decoder. `up` starts at zero.
    The update is written out in every pass.

    Source: Zhong et al. 2024, as in PEFT.
    """

    size_name: ClassVar[str | None] = "rank"
    peft: ClassVar[InPeft | None] = InPeft(
        "PEANUT", "PeanutConfig", "peanut/qv-r32",
        {
            "rank": ("r", 32), "depth": ("depth", 0), "activation": ("act_fn", "relu"), "scaling": ("scaling", 1.0),
        },
    )  # fmt: skip

    kind: Literal["weight_network"]
    rank: int = Field(ge=1)
    """Width of the network."""
    depth: int = Field(ge=0)
    """Pairs of layers between the first and the last."""
    activation: Activation
    """Applied behind every layer but the last."""
    scaling: float = Field(gt=0)
    """Factor on the update."""

    def tensors(self, place: Place) -> dict[str, Shape]:
        shapes = {"down": Shape((self.rank, place.fan_out), "kaiming")}
        for layer in range(self.depth):
            shapes[f"encoder_{layer}"] = Shape((self.rank, self.rank), "kaiming")
            shapes[f"decoder_{layer}"] = Shape((self.rank, self.rank), "kaiming")
        return {**shapes, "up": Shape((place.fan_out, self.rank), "zeros")}

    def update_rank(self, place: Place) -> int:
        return min(self.rank, place.fan_in, place.fan_out)

    def expanded(self, place: Place) -> int:
        return place.fan_in * place.fan_out

    def _update(self, parts: Parts, weight: Tensor) -> Tensor:
        """(fan_out, fan_in), as the weight."""
        hidden = parts.activate(self.activation, weight.T.type_as(parts.down) @ parts.down.T)
        read = []
        for layer in range(self.depth):
            read.append(hidden)
            hidden = parts.activate(self.activation, hidden @ getattr(parts, f"encoder_{layer}").T)
        for layer in range(self.depth):
            hidden = parts.activate(self.activation, hidden @ getattr(parts, f"decoder_{layer}").T) + read.pop()
        return (hidden @ parts.up.T * self.scaling).T

    def after(self, parts: Parts, x: Tensor, y: Tensor) -> Tensor:
        return y + x @ self._update(parts, parts.frozen).T

    def weight(self, parts: Parts, weight: Tensor) -> Tensor:
        return weight + self._update(parts, weight)
