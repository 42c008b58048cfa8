"""A prefix whose tokens are weighed in each layer, by what enters the layer (survey 6.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from surveykit.recipes.base import Overhead, Parts, Place, Shape
from surveykit.recipes.sites import KeyValueEdit

if TYPE_CHECKING:
    from torch import Tensor


class AdaptivePrefix(KeyValueEdit):
    """Prefix tuning with a gate for each pseudo token and a scale for each attention module.

    `key` and `value` are (length, width), `gate` is (length, d_model), `scale` one number that starts at one. Keys and
    values of token j are multiplied by scale · mean over positions of sigmoid(x · gateⱼ), x being what the attention
    reads. The gate depends on the input, so that no fixed prefix replaces it.

    Source: survey 6.3; Zhang et al. 2023. Shapes and the mean are ours where the survey leaves them open.
    """

    size_name: ClassVar[str | None] = "length"

    kind: Literal["adaptive_prefix"]
    length: int = Field(ge=1)
    """Pseudo tokens added to each attention."""

    def tensors(self, place: Place) -> dict[str, Shape]:
        key, value = (Shape((self.length, width), "normal") for width in (place.keys, place.values or place.keys))
        gate = Shape((self.length, place.d_model), "normal")
        return {"key": key, "value": value, "gate": gate, "scale": Shape((1,), "ones")}

    def overhead(self) -> frozenset[Overhead]:
        return frozenset({"input", "gating"})

    def positions_added(self) -> int:
        return self.length

    def key_value(self, parts: Parts, place: Place) -> tuple[Tensor, Tensor]:
        return parts.key, parts.value

    def gate_value(self, parts: Parts, x: Tensor) -> Tensor:
        opened: Tensor = (x @ parts.gate.T).sigmoid().mean(dim=1) * parts.scale
        return opened[..., None]
