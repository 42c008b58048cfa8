"""Prompts from a space of few dimensions, found by an autoencoder (survey 6.4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from surveykit.recipes.base import Edit, Overhead, Parts, Place, Shape
from surveykit.recipes.sites import InputEdit
from surveykit.recipes.soft_prompt import Prompt

if TYPE_CHECKING:
    from torch import Tensor


class IntrinsicPrompt(InputEdit):
    """Intrinsic prompt tuning: a code of `dimension` numbers, decoded to a prompt of `length` soft tokens.

    The autoencoder reads a prompt as one vector of n = length · d_model numbers: `squeeze` is (dimension, n), the
    decoder `middle` (hidden, dimension), tanh, `up` (n, hidden), all with biases. One kind stands for the three stages,
    so that each goes on from the tensors of the one before: `prompt` trains a prompt of a source task, `autoencoder`
    the network with that prompt as its input, `code` nothing but the code, with the decoder frozen.

    Source: survey 6.4; Qin et al. 2021; sizes and loss as in the authors' code.
    """

    kind: Literal["intrinsic_prompt"]
    trains: Literal["prompt", "autoencoder", "code"]
    length: int = Field(ge=1)
    """Number of soft tokens."""
    dimension: int = Field(ge=1)
    """Numbers of a task's code."""
    hidden: int = Field(ge=1)
    """Hidden width of the decoder."""
    reconstruction: float = Field(ge=0)
    """Factor on the mean squared error between a prompt and what the autoencoder makes of it."""
    keeps: Literal["code", "prompt"]
    """What a task keeps: its code beside the decoder that serves all tasks, or the decoded prompt alone."""

    def tensors(self, place: Place) -> dict[str, Shape]:
        prompt = Shape((self.length, place.d_model), "normal", trained=self.trains == "prompt")
        if self.trains == "prompt":
            return {"prompt": prompt}
        training = self.trains == "autoencoder"
        if training:
            return {"prompt": prompt, **self._encoder(place), **self._decoder(place, trained=True)}
        return {"code": Shape((self.dimension,), "normal"), **self._decoder(place, trained=False)}

    def _encoder(self, place: Place) -> dict[str, Shape]:
        size = self.length * place.d_model
        return {"squeeze": Shape((self.dimension, size), "kaiming"), "squeeze_bias": Shape((self.dimension,))}

    def _decoder(self, place: Place, *, trained: bool) -> dict[str, Shape]:
        size = self.length * place.d_model
        return {
            "middle": Shape((self.hidden, self.dimension), "kaiming", trained=trained, kept="shared"),
            "middle_bias": Shape((self.hidden,), trained=trained, kept="shared"),
            "up": Shape((size, self.hidden), "kaiming", trained=trained, kept="shared"),
            "up_bias": Shape((size,), trained=trained, kept="shared"),
        }

    def overhead(self) -> frozenset[Overhead]:
        return frozenset({"ffn", "input"} if self.keeps == "code" else {"input"})

    def positions_added(self) -> int:
        return self.length

    def positions(self, parts: Parts) -> Tensor:
        if self.trains == "prompt":
            return parts.prompt
        return self._decode(parts, parts.code if self.trains == "code" else self._encode(parts))

    def _encode(self, parts: Parts) -> Tensor:
        return parts.squeeze @ parts.prompt.flatten() + parts.squeeze_bias

    def _decode(self, parts: Parts, code: Tensor) -> Tensor:
        hidden = parts.activate("tanh", parts.middle @ code + parts.middle_bias)
        return (parts.up @ hidden + parts.up_bias).reshape(self.length, -1)

    def penalty(self, parts: Parts) -> Tensor | None:
        if self.trains != "autoencoder":
            return None
        error: Tensor = (self._decode(parts, self._encode(parts)) - parts.prompt).pow(2).mean()
        return error * self.reconstruction

    def expanded(self, place: Place) -> int:
        return self.length * place.d_model  # the decoder reads no input, so that the network needs its output only

    def deployed(self) -> Edit:
        return self if self.keeps == "code" else Prompt(kind="prompt", where=self.where, length=self.length)

    def deployed_tensors(self, parts: Parts, place: Place) -> Mapping[str, Tensor]:
        if self.keeps == "code":
            return super().deployed_tensors(parts, place)
        return {"prompt": self.positions(parts)}
