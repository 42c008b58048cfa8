"""Biases for layers that have none (survey 8.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from surveykit.recipes.base import LINEAR_ROLES, InPeft, Overhead, Parts, Place, Shape
from surveykit.recipes.sites import WeightEdit

if TYPE_CHECKING:
    from torch import Tensor


class AddedBias(WeightEdit):
    """y + bias, with `bias` (fan_out,) starting at zero: BitFit on a backbone whose layers have no biases of their own, and BEFT.

    Source: survey 8.1; Ben-Zaken et al. 2021 train biases that are there. Adding them to T5 first is how Karimi
    Mahabadi et al. 2021 (their code) and Liu et al. 2022 (their code) compare with it.
    """

    kind: Literal["added_bias"]
    allowed_roles: ClassVar[frozenset[str]] = LINEAR_ROLES | {"linear", "norm", "head"}
    casts_input: ClassVar[bool] = False
    obstacle: ClassVar[str | None] = "the layers that it is meant for have no bias to hold it"
    # Table 1 has no word for an added vector; an operation on each feature is what it calls gating for (IA)3.
    costs: ClassVar[frozenset[Overhead]] = frozenset({"gating"})
    peft: ClassVar[InPeft | None] = InPeft("BEFT", "BeftConfig", "beft/v", {})

    def tensors(self, place: Place) -> dict[str, Shape]:
        return {"bias": Shape((place.fan_out,))}

    def after(self, parts: Parts, x: Tensor, y: Tensor) -> Tensor:
        return y + parts.bias
