"""The part of a weight with its smallest singular values, trained as three factors."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from surveykit.recipes.base import InPeft, Parts, Place, Shape
from surveykit.recipes.sites import WeightEdit

if TYPE_CHECKING:
    from torch import Tensor


class MinorSingular(WeightEdit):
    """OSF: W + left · diag(diagonal) · right − (the same at the start), where the start are the singular vectors of W with the
    smallest singular values.

    `left` (fan_out, t), `diagonal` (t,) and `right` (t, fan_in) are trained, t being what is not preserved. Their gradients are
    projected away from the preserved directions: by those directions where they are kept, `kept_left` (fan_out, preserved) or
    `kept_right` (preserved, fan_in), on the longer side of a matrix; on the other side by the start, which spans the rest.

    Source: Nayak et al. 2025 (arXiv 2504.07097), as PEFT has it, which adds the difference to a weight that stays whole.
    """

    peft: ClassVar[InPeft | None] = InPeft("OSF", "OSFConfig", "osf/qv-half", {"preserved": ("effective_rank", None)})

    kind: Literal["minor_singular"]
    preserved: int | float | None = Field(gt=0)
    """Singular directions that stay: a number, a share below 1 of the smaller side, or null for half of it."""
    trained_rank: int | None = Field(default=None, ge=1, exclude_if=lambda rank: rank is None)
    """Directions that are trained, in place of what is preserved; null where `preserved` says it."""

    def _trained(self, place: Place) -> int:
        smaller = min(place.fan_in, place.fan_out)
        if self.trained_rank is not None:
            if self.trained_rank > smaller:
                raise ValueError(f"a matrix of {place.fan_out} x {place.fan_in} has no {self.trained_rank} directions")
            return self.trained_rank
        if self.preserved is None:
            return smaller - smaller // 2
        share = isinstance(self.preserved, float) and self.preserved <= 1
        return smaller - min(smaller, int(smaller * self.preserved if share else self.preserved))

    def tensors(self, place: Place) -> dict[str, Shape]:
        t, kept = self._trained(place), min(place.fan_in, place.fan_out) - self._trained(place)
        sides = {"left": (place.fan_out, t), "diagonal": (t,), "right": (t, place.fan_in)}
        longer = {}
        if place.fan_out > place.fan_in:
            longer["kept_left"] = (place.fan_out, kept)
        elif place.fan_out < place.fan_in:
            longer["kept_right"] = (kept, place.fan_in)
        frozen = {**{f"first_{name}": dims for name, dims in sides.items()}, **longer}
        return {
            **{name: Shape(dims) for name, dims in sides.items()},
            **{name: Shape(dims, trained=False, kept="backbone") for name, dims in frozen.items()},
        }

    def start(self, parts: Parts, place: Place) -> dict[str, Tensor]:
        kept = min(place.fan_in, place.fan_out) - self._trained(place)
        left, values, right = parts.frozen.float().svd()
        minor = {"left": left[:, kept:], "diagonal": values[kept:], "right": right[:, kept:].T}
        preserved = {"kept_left": left[:, :kept], "kept_right": right[:, :kept].T}
        longer = {name: value for name, value in preserved.items() if name in self.tensors(place)}
        return {**minor, **{f"first_{name}": value for name, value in minor.items()}, **longer}

    def update_rank(self, place: Place) -> int:
        return min(2 * self._trained(place), place.fan_in, place.fan_out)

    def expanded(self, place: Place) -> int:
        return place.fan_in * place.fan_out

    def after(self, parts: Parts, x: Tensor, y: Tensor) -> Tensor:
        (rows, t), columns = parts.left.shape, x.shape[-1]
        left = _projecting(parts.left, lambda gradient: self._off_left(parts, rows > columns, gradient))
        right = _projecting(parts.right, lambda gradient: self._off_right(parts, columns > rows, gradient))
        up, down = left.new_empty((rows, 2 * t)), right.new_empty((2 * t, columns))
        up[:, :t], up[:, t:] = left * parts.diagonal, -(parts.first_left * parts.first_diagonal)
        down[:t], down[t:] = right, parts.first_right
        return y + (x @ down.T) @ up.T

    def weight(self, parts: Parts, weight: Tensor) -> Tensor:
        first = parts.first_left * parts.first_diagonal @ parts.first_right
        merged: Tensor = weight + (parts.left * parts.diagonal @ parts.right - first)
        return merged

    def _off_left(self, parts: Parts, longer: bool, gradient: Tensor) -> Tensor:
        if longer:
            return gradient - parts.kept_left @ (parts.kept_left.T @ gradient)
        return parts.first_left @ (parts.first_left.T @ gradient)

    def _off_right(self, parts: Parts, longer: bool, gradient: Tensor) -> Tensor:
        if longer:
            return gradient - (gradient @ parts.kept_right.T) @ parts.kept_right
        return (gradient @ parts.first_right.T) @ parts.first_right


def _projecting(tensor: Tensor, project: Callable[[Tensor], Tensor]) -> Tensor:
    """The same tensor, whose gradient is projected on its way back."""
    view = tensor.view_as(tensor)
    if view.requires_grad:
        view.register_hook(project)  # type: ignore[no-untyped-call]
    return view
