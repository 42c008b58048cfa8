"""Soft prompts that a network makes, which is trained with them and dropped afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from surveykit.recipes.base import Edit, InPeft, Parts, Place, Shape
from surveykit.recipes.sites import InputEdit
from surveykit.recipes.soft_prompt import Prompt

if TYPE_CHECKING:
    from torch import Tensor


class EncodedPrompt(InputEdit):
    """P-tuning: `length` soft tokens, made by a network from a table (length, d_model); one network for all stacks.

    `MLP`: three linear layers with biases, d_model → hidden → hidden → d_model, and a ReLU behind the first two. `LSTM`: `layers`
    layers that read the table in both directions, then two linear layers, 2 · hidden → 2 · hidden → d_model, with a ReLU between.

    Source: Liu et al. 2021, section 3.2 (an LSTM and a network of two layers); the forms are those of PEFT's
    `peft/tuners/p_tuning`.
    """

    size_name: ClassVar[str | None] = "length"
    peft: ClassVar[InPeft | None] = InPeft("P_TUNING", "PromptEncoderConfig", "p-tuning/mlp-p20", {
        "length": ("num_virtual_tokens", None), "encoder": ("encoder_reparameterization_type", "MLP"),
        "hidden": ("encoder_hidden_size", None), "layers": ("encoder_num_layers", 2),
    }, targeted=False)  # fmt: skip

    kind: Literal["encoded_prompt"]
    length: int = Field(ge=1)
    """Number of soft tokens."""
    encoder: Literal["MLP", "LSTM"]
    """The network."""
    hidden: int | None = Field(ge=1)
    """Its hidden width; null for d_model."""
    layers: int = Field(ge=1)
    """Layers of the LSTM; of no effect on the other network."""

    def tensors(self, place: Place) -> dict[str, Shape]:
        if self.encoder == "LSTM" and place.places > 1:
            raise ValueError("the LSTM reads one prompt; with a prompt for each of two stacks, choose the MLP")
        return {"table": Shape((self.length, place.d_model), "normal")}

    def shared_tensors(self, place: Place) -> dict[str, Shape]:
        d, h = place.d_model, self.hidden or place.d_model
        if self.encoder == "MLP":
            return {**_linear("first", d, h), **_linear("middle", h, h), **_linear("last", h, d)}
        found: dict[str, Shape] = {}
        for layer in range(self.layers):
            read = 2 * h if layer else d
            found |= {
                f"read_{layer}": Shape((2, 4 * h, read), "kaiming"), f"read_bias_{layer}": Shape((2, 4 * h)),
                f"state_{layer}": Shape((2, 4 * h, h), "kaiming"), f"state_bias_{layer}": Shape((2, 4 * h)),
            }  # fmt: skip
        return {**found, **_linear("first", 2 * h, 2 * h), **_linear("last", 2 * h, d)}

    def positions_added(self) -> int:
        return self.length

    def positions(self, parts: Parts) -> Tensor:
        net, x = parts.shared, parts.table
        if self.encoder == "LSTM":
            for layer in range(self.layers):
                x = _both_directions(net, layer, x)
        x = parts.activate("relu", x @ net.first.T + net.first_bias)
        if self.encoder == "MLP":
            x = parts.activate("relu", x @ net.middle.T + net.middle_bias)
        return x @ net.last.T + net.last_bias

    def deployed(self) -> Edit:
        return Prompt(kind="prompt", where=self.where, length=self.length)

    def deployed_tensors(self, parts: Parts, place: Place) -> dict[str, Tensor]:
        return {"prompt": self.positions(parts)}


def _linear(name: str, fan_in: int, fan_out: int) -> dict[str, Shape]:
    return {name: Shape((fan_out, fan_in), "kaiming"), f"{name}_bias": Shape((fan_out,))}


def _both_directions(net: Parts, layer: int, x: Tensor) -> Tensor:
    """One layer of a two-way LSTM, with gates in torch's order: (length, width) → (length, 2 · hidden)."""
    read, read_bias, state, state_bias = (
        getattr(net, f"{name}_{layer}") for name in ("read", "read_bias", "state", "state_bias")
    )
    length, hidden = x.shape[0], state.shape[-1]
    out = x.new_zeros(length, 2 * hidden)
    for direction in (0, 1):
        seen = x @ read[direction].T + read_bias[direction] + state_bias[direction]
        h, cell = x.new_zeros(hidden), x.new_zeros(hidden)
        for at in reversed(range(length)) if direction else range(length):
            into, forget, new, shown = (seen[at] + state[direction] @ h).chunk(4)
            cell = forget.sigmoid() * cell + into.sigmoid() * new.tanh()
            h = shown.sigmoid() * cell.tanh()
            out[at, direction * hidden : (direction + 1) * hidden] = h
    return out
