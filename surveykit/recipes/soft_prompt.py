"""Soft prompts: learned positions at the input or in every attention (survey 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from surveykit.recipes.base import Edit, Overhead, Parts, Place, Shape
from surveykit.recipes.sites import Gate, InputEdit, KeyValueEdit, gate_tensors, sequence_gate

if TYPE_CHECKING:
    from torch import Tensor


class Prompt(InputEdit):
    """Prompt tuning: `length` learned embeddings before the input of a stack.

    Source: survey 6.1; Lester et al. 2021, section 2.
    """

    size_name: ClassVar[str | None] = "length"

    kind: Literal["prompt"]
    length: int = Field(ge=1)
    """Number of soft tokens."""

    def tensors(self, place: Place) -> dict[str, Shape]:
        return {"prompt": Shape((self.length, place.d_model), "normal")}

    def positions_added(self) -> int:
        return self.length

    def positions(self, parts: Parts) -> Tensor:
        return parts.prompt


class Prefix(KeyValueEdit):
    """Prefix tuning: `length` learned keys and values before those of each attention module.

    With `hidden`, they are not trained themselves but come from a two-layer network over a table of `length`
    vectors, one network for each kind of attention (encoder, decoder, cross); it is dropped after training.
    With `hidden: null` (the flat form) keys and values are the parameters.

    Source: survey 6.2; Li and Liang 2021, section 4.
    """

    size_name: ClassVar[str | None] = "length"

    kind: Literal["prefix"]
    length: int = Field(ge=1)
    """Positions added to each attention."""
    hidden: int | None = Field(ge=1)
    """Hidden width of the reparametrization; null trains keys and values directly."""
    width: Literal["inner", "d_model"]
    """Width of a key or value. `inner` (heads of keys × head width) is what attention needs; `d_model` is what an implementation
    gives that takes the two for equal, which can be counted, but runs only where they are."""
    gate: Gate

    def overhead(self) -> frozenset[Overhead]:
        return frozenset({"input"} if self.gate == "none" else {"input", "gating"})

    def positions_added(self) -> int:
        return self.length

    def _widths(self, place: Place) -> tuple[int, int]:
        """Of a key, and of a value."""
        if self.width == "d_model":
            return place.d_model, place.d_model
        return place.keys, place.values or place.keys

    def tensors(self, place: Place) -> dict[str, Shape]:
        gate = gate_tensors(self.gate, place.d_model)
        if self.hidden is not None:
            return gate
        key, value = (Shape((self.length, width), "normal") for width in self._widths(place))
        return {"key": key, "value": value, **gate}

    def shared_tensors(self, place: Place) -> dict[str, Shape]:
        if self.hidden is None:
            return {}
        out = place.layers * sum(self._widths(place))
        return {
            "table": Shape((self.length, place.d_model), "normal"),
            "down": Shape((self.hidden, place.d_model), "kaiming"),
            "down_bias": Shape((self.hidden,), "zeros"),
            "up": Shape((out, self.hidden), "kaiming"),
            "up_bias": Shape((out,), "zeros"),
        }

    def group(self, place: Place) -> str:
        return place.sublayer

    def key_value(self, parts: Parts, place: Place) -> tuple[Tensor, Tensor]:
        if self.hidden is None:
            return parts.key, parts.value
        net = parts.shared
        hidden = parts.activate("tanh", net.table @ net.down.T + net.down_bias)
        # Only this layer's rows of the last projection: (length, width of a key and a value).
        key, value = self._widths(place)
        rows = slice((key + value) * place.layer, (key + value) * (place.layer + 1))
        both = hidden @ net.up[rows].T + net.up_bias[rows]
        return both[:, :key], both[:, key:]

    def gate_value(self, parts: Parts, x: Tensor) -> Tensor | None:
        return None if self.gate == "none" else sequence_gate(parts, x)

    def deployed(self) -> Edit:
        return self.model_copy(update={"hidden": None})

    def deployed_tensors(self, parts: Parts, place: Place) -> dict[str, Tensor]:
        key, value = self.key_value(parts, place)
        gate = {name: getattr(parts, name) for name in gate_tensors(self.gate, place.d_model)}
        return {"key": key, "value": value, **gate}
