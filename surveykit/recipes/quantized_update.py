"""Low-rank updates made for backbones of few bits (survey 9.8)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from surveykit.recipes.base import Edit, Parts, Place, Shape
from surveykit.recipes.low_rank import LowRank, ThinPair
from surveykit.recipes.quantization import Quantization
from surveykit.recipes.starts import leading

if TYPE_CHECKING:
    from torch import Tensor


class FittedLowRank(ThinPair):
    """LoRA whose frozen matrix and thin matrices start as a split of the pretrained one: W ≈ Q + scale · up · down.

    Q is on the grid of the stage's few-bit base. Rounding W - up · down, and fitting up and down to W - Q by its
    largest singular values, take turns. Then only the thin matrices are trained.

    `quantize` first (LoftQ): ends with a fit, after all turns. `fit` first (LQ-LoRA): ends with rounding, before the
    turn that would enlarge the error. What is left out of LQ-LoRA: weights of the error by the Fisher information, and
    the choice of bits for each matrix by an integer program.

    Source: survey 9.8; Li et al. 2023, algorithm 1; Guo et al. 2023, algorithm 1, and the authors' code of both.
    """

    kind: Literal["fitted_low_rank"]
    turns: int = Field(ge=1)
    """Times that rounding and fitting take turns, at most."""
    first: Literal["quantize", "fit"]

    def start(self, parts: Parts, place: Place) -> Mapping[str, Tensor]:
        whole = parts.unrounded
        if not bool((whole - parts.rounded(whole)).any()):
            return {}  # nothing is rounded here, so there is nothing to make up for: plain LoRA
        return self._loftq(parts, whole) if self.first == "quantize" else self._lq_lora(parts, whole)

    def _loftq(self, parts: Parts, whole: Tensor) -> dict[str, Tensor]:
        frozen = parts.rounded(whole)
        up, down = self._fit(whole - frozen)
        for _ in range(self.turns - 1):
            frozen = parts.rounded(whole - self._product(up, down))
            up, down = self._fit(whole - frozen)
        return {"frozen": frozen, "up": up, "down": down}

    def _lq_lora(self, parts: Parts, whole: Tensor) -> dict[str, Tensor]:
        found: dict[str, Tensor] = {}
        frozen, error = whole.new_zeros(whole.shape), math.inf
        for _ in range(self.turns):
            up, down = self._fit(whole - frozen)
            frozen = parts.rounded(whole - self._product(up, down))
            left = float((whole - frozen - self._product(up, down)).norm())
            if left > error:
                break
            found, error = {"frozen": frozen, "up": up, "down": down}, left
        return found

    def _product(self, up: Tensor, down: Tensor) -> Tensor:
        return up @ down * self.scale

    def _fit(self, matrix: Tensor) -> tuple[Tensor, Tensor]:
        found = leading(matrix, self.rank, self.scale)
        return found["up"], found["down"]


class PooledLowRank(ThinPair):
    """QA-LoRA: LoRA whose input is summed over groups, so that its update is the same for all weights of a group.

    `down` is (rank, groups), with groups of `group_size` neighbouring inputs (the last one may be smaller). Where the base
    has a uniform grid with blocks of this size, the update moves zero points only: codes and scales stay. We count as
    changed every weight that the layer then restores; of the quantized form that is one zero point for each group.

    Source: survey 9.8; Xu et al. 2023, section 3.3, and the authors' code, which averages where we sum.
    """

    kind: Literal["pooled_low_rank"]
    group_size: int = Field(ge=1)
    """Neighbouring inputs that are summed."""

    def _groups(self, fan_in: int) -> int:
        return -(-fan_in // self.group_size)

    def tensors(self, place: Place) -> dict[str, Shape]:
        return {
            "down": Shape((self.rank, self._groups(place.fan_in)), "kaiming"),
            "up": Shape((place.fan_out, self.rank), "zeros"),
        }

    def merges_into(self, base: Quantization) -> bool:
        return base.grid == "uniform" and base.block == self.group_size

    def update_rank(self, place: Place) -> int:
        return min(self.rank, self._groups(place.fan_in), place.fan_out)

    def after(self, parts: Parts, x: Tensor, y: Tensor) -> Tensor:
        groups, width = self._groups(x.shape[-1]), x.shape[-1]
        padded = x.new_zeros(*x.shape[:-1], groups * self.group_size)
        padded[..., :width] = x
        return super().after(parts, padded.reshape(*x.shape[:-1], groups, self.group_size).sum(dim=-1), y)

    def weight(self, parts: Parts, weight: Tensor) -> Tensor:
        return weight + self.update(parts).repeat_interleave(self.group_size, dim=1)[:, : weight.shape[1]]


class ElasticLowRank(ThinPair):
    """IR-QLoRA: LoRA with a second path beside each thin matrix, which has one trained factor and no matrix.

    down x + a · pooled x, from fan_in to rank features; then up z + b · repeated z, to fan_out: neighbouring features
    are averaged, or repeated. Where one width does not divide the other, they are first averaged to as many as their
    greatest common divisor (no width of T5 needs it at rank 64). Both paths are linear and can be written into the
    thin matrices after training, which gives plain LoRA.

    Source: survey 9.8; Qin et al. 2024, the authors' code. The shift of the base is a part of `Quantization`.
    """

    kind: Literal["elastic_low_rank"]

    def tensors(self, place: Place) -> dict[str, Shape]:
        return {**super().tensors(place), "down_factor": Shape((1,), "zeros"), "up_factor": Shape((1,), "zeros")}

    def after(self, parts: Parts, x: Tensor, y: Tensor) -> Tensor:
        low = x @ parts.down.T + parts.down_factor * _resized(x, self.rank)
        high = low @ parts.up.T + parts.up_factor * _resized(low, y.shape[-1])
        return y + high * self.scale

    def update(self, parts: Parts) -> Tensor:
        plain = self._plain(parts)
        return plain["up"] @ plain["down"] * self.scale

    def _plain(self, parts: Parts) -> dict[str, Tensor]:
        """The thin matrices with the second paths written in."""
        pooled = _resized(_identity(parts.down, parts.down.shape[1]), self.rank).T
        repeated = _resized(_identity(parts.up, self.rank), len(parts.up)).T
        return {"down": parts.down + parts.down_factor * pooled, "up": parts.up + parts.up_factor * repeated}

    def deployed(self) -> Edit:
        return LowRank(
            kind="low_rank", where=self.where, rank=self.rank, alpha=self.alpha, scaling=self.scaling, gate="none"
        )

    def deployed_tensors(self, parts: Parts, place: Place) -> Mapping[str, Tensor]:
        return self._plain(parts)


def _resized(x: Tensor, width: int) -> Tensor:
    """Neighbouring features averaged and repeated until there are `width` of them."""
    common = math.gcd(x.shape[-1], width)
    averaged = x.reshape(*x.shape[:-1], common, x.shape[-1] // common).mean(dim=-1)
    return averaged.repeat_interleave(width // common, dim=-1)


def _identity(like: Tensor, width: int) -> Tensor:
    return like.new_zeros(width, width).fill_diagonal_(1)


class QuantizedLowRank(ThinPair):
    """L4Q: the sum of weight and update is rounded in every forward pass, by a step and an offset that are trained.

    Each row has a `step` and an `offset` for every `group_size` of inputs, (fan_out, groups) both. Rounding passes
    gradients on as if it were the identity; a number outside the range of codes passes none to the thin matrices.
    While training, the pretrained weight has to be at hand at full width, so the stage has no base of few bits; what
    merging leaves are weights on the grid, of any rank.

    Source: survey 9.8; Jeon et al. 2024 (start of the steps: L4Qinit, whose range holds every weight).
    """

    kind: Literal["quantized_low_rank"]
    bits: Literal[2, 3, 4, 8]
    """Width of the codes, which are signed."""
    group_size: int = Field(ge=1)
    """Neighbouring inputs that share a step and an offset."""

    def tensors(self, place: Place) -> dict[str, Shape]:
        grid = Shape((place.fan_out, -(-place.fan_in // self.group_size)))
        return {**super().tensors(place), "step": grid, "offset": grid}

    def start(self, parts: Parts, place: Place) -> Mapping[str, Tensor]:
        grouped = self._grouped(parts.frozen)
        lowest, highest = self._range()
        step = (grouped.amin(dim=-1) / lowest).maximum(grouped.amax(dim=-1) / highest)
        return {"step": step.clamp_min(1e-12)}

    def update_rank(self, place: Place) -> int:
        return min(place.fan_in, place.fan_out)

    def after(self, parts: Parts, x: Tensor, y: Tensor) -> Tensor:
        frozen = parts.frozen
        return y + x @ (self.weight(parts, frozen) - frozen).T

    def weight(self, parts: Parts, weight: Tensor) -> Tensor:
        step, offset = parts.step[..., None], parts.offset[..., None]
        codes = ((self._grouped(weight + self.update(parts)) - offset) / step).clamp(*self._range())
        codes = codes + (codes.round() - codes).detach()
        return (codes * step + offset).flatten(1)[:, : weight.shape[1]]

    def _range(self) -> tuple[int, int]:
        return -(2 ** (self.bits - 1)), 2 ** (self.bits - 1) - 1

    def _grouped(self, weight: Tensor) -> Tensor:
        """Rows in groups, (fan_out, groups, group); the last group is filled up with a number that it has."""
        width = weight.shape[1]
        filled = weight.new_empty(len(weight), width + -width % self.group_size)
        filled[:, :width] = weight
        filled[:, width:] = weight[:, -1:]
        return filled.reshape(len(weight), -1, self.group_size)
