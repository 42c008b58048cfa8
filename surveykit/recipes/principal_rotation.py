"""A rotation between the leading singular vectors of a weight."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from surveykit.recipes.base import InPeft, Parts, Place, Shape
from surveykit.recipes.rotations import angles_of, cayley, cayley_neumann, skew
from surveykit.recipes.sites import WeightEdit

if TYPE_CHECKING:
    from torch import Tensor


class PrincipalRotation(WeightEdit):
    """PSOFT: W + up (diag(outer) R diag(inner) − I) down, where up · down is the part of W with its `rank` largest singular
    values.

    `down`, of which the first `rank` rows count, and `up` (fan_out, rank) follow from W and are frozen; R (rank, rank) is the Cayley transform of a
    skew-symmetric matrix whose entries above the diagonal are `angles`, or with `orthogonal` false the trained `matrix`
    itself. `outer` and `inner` (rank,). All start where R is the identity: at the backbone.

    Source: Wu et al. 2025 (arXiv 2505.11235), in the additive form of PEFT, whose alpha cancels out.
    """

    size_name: ClassVar[str | None] = "rank"
    drops_input: ClassVar[bool] = True
    peft: ClassVar[InPeft | None] = InPeft(
        "PSOFT",
        "PsoftConfig",
        "psoft/qv-r32",
        {
            "rank": ("r", 32),
            "svd": ("psoft_svd", "full"),
            "values_in": ("ab_svd_init", "psoft_init"),
            "orthogonal": ("psoft_orth", True),
            "with_outer": ("psoft_mag_b", True),
            "with_inner": ("psoft_mag_a", True),
            "neumann": ("use_cayley_neumann", False),
            "terms": ("num_cayley_neumann_terms", 5),
        },
        idle=frozenset({"psoft_alpha", "psoft_svd_lowrank_niter", "random_seed"}),
    )

    kind: Literal["principal_rotation"]
    rank: int = Field(ge=1)
    """Singular vectors that are rotated."""
    svd: Literal["full", "lowrank"]
    """Whether all singular vectors were computed: PEFT then holds all those on the input's side."""
    values_in: Literal["psoft_init", "pissa_init"]
    """Where the singular values are: in `up`, so that R keeps the angles between columns, or half of them in each factor."""
    orthogonal: bool
    """Whether R is orthogonal; else all its entries are trained."""
    with_outer: bool
    """Whether there is a trained factor for each row of R…"""
    with_inner: bool
    """… and for each column."""
    neumann: bool
    """Whether the inverse of the Cayley transform is replaced by the first terms of its series."""
    terms: int = Field(ge=1)
    """How many terms."""

    def tensors(self, place: Place) -> dict[str, Shape]:
        r = self.rank
        if r > min(place.fan_in, place.fan_out):
            raise ValueError(f"rank {r} is more than a matrix of {place.fan_out} x {place.fan_in} has singular vectors")
        turn = {"angles": Shape((angles_of(r),))} if self.orthogonal else {"matrix": Shape((r, r))}
        factors = {"outer": self.with_outer, "inner": self.with_inner}
        return {
            **turn,
            **{name: Shape((r,), "ones") for name, there in factors.items() if there},
            "down": Shape((self._held(place), place.fan_in), trained=False, kept="backbone"),
            "up": Shape((place.fan_out, r), trained=False, kept="backbone"),
        }

    def _held(self, place: Place) -> int:
        whole = self.svd == "full" and self.values_in == "psoft_init"  # with values in it, it is a tensor of its own
        return min(place.fan_in, place.fan_out) if whole else self.rank

    def start(self, parts: Parts, place: Place) -> dict[str, Tensor]:
        left, values, right = parts.frozen.float().svd()
        left, values, right = left[:, : self.rank], values[: self.rank], right[:, : self._held(place)]
        if self.values_in == "pissa_init":
            found = {"up": left * values.sqrt(), "down": (right * values.sqrt()).T}
        else:
            found = {"up": left * values, "down": right.T}
        return found if self.orthogonal else {**found, "matrix": values.new_ones(self.rank).diag()}

    def update_rank(self, place: Place) -> int:
        strict = self.orthogonal and not self.with_outer and not self.with_inner
        return self.rank - self.rank % 2 if strict else self.rank  # a skew-symmetric matrix of an odd side is singular

    def expanded(self, place: Place) -> int:
        return place.fan_in * place.fan_out

    def rotation(self, parts: Parts) -> Tensor:
        """diag(outer) R diag(inner), (rank, rank)."""
        if self.orthogonal:
            turn = skew(parts, parts.angles, self.rank)
            rotation = cayley_neumann(turn, self.terms) if self.neumann else cayley(-turn)
        else:
            rotation = parts.matrix
        if self.with_outer:
            rotation = parts.outer[:, None] * rotation
        return rotation * parts.inner if self.with_inner else rotation

    def after(self, parts: Parts, x: Tensor, y: Tensor) -> Tensor:
        low = x @ parts.down[: self.rank].T
        return y + (low @ self.rotation(parts).T - low) @ parts.up.T

    def weight(self, parts: Parts, weight: Tensor) -> Tensor:
        return weight + (parts.up @ self.rotation(parts) - parts.up) @ parts.down[: self.rank]
