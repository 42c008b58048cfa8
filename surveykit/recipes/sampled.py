"""Low-rank updates whose first factor is drawn around its value while it is trained."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from surveykit.recipes.base import InPeft, Parts, Place, Shape
from surveykit.recipes.low_rank import LowRank, ThinPair

if TYPE_CHECKING:
    from torch import Tensor

SMALLEST_VARIANCE = 1e-3
SMALLEST_SHARE = 1e-6


class SampledLowRank(ThinPair):
    """MonteCLoRA: LoRA, with `down` drawn anew in each pass of training: Σₙ shareₙ · (down + spread · noiseₙ · σ).

    Each of the `samples` is noise with its own standard normal numbers; σ (rank,) is a standard deviation for each row of
    `down`, from a Wishart distribution that `deviation` (rank,) scales; the shares are drawn from a softmax approximation of
    a Dirichlet distribution that `shares` (samples,) describes. After training only `down` and `up` are needed: it is LoRA.

    `noise` (ahead, samples, fan_in, rank) is drawn before and held, and a pass takes one set of it, as PEFT does, which draws
    it anew once it is used up. The loss grows with the divergence from the priors; PEFT takes its mean over all places, where
    we sum it, and leaves it to the user to add.

    Source: Seth et al. 2024; MontecloraSampler in PEFT.
    """

    peft: ClassVar[InPeft | None] = InPeft(
        "LORA", "LoraConfig", "monteclora/qv-r8",
        {"rank": ("r", 8), "alpha": ("lora_alpha", 8.0), "samples": ("monteclora_config.num_samples", 8),
         "spread": ("monteclora_config.sample_scaler", 1e-4), "prior": ("monteclora_config.dirichlet_prior", 0.1),
         "divergence": ("monteclora_config.kl_loss_weight", 1e-5), "entropy": ("monteclora_config.use_entropy", False),
         "ahead": ("monteclora_config.buffer_size", 150)},
        needs=("monteclora_config",),
    )  # fmt: skip

    kind: Literal["sampled_low_rank"]
    samples: int = Field(ge=1)
    """Draws that are averaged in each pass."""
    spread: float = Field(ge=0)
    """Factor on the noise."""
    prior: float = Field(gt=0)
    """Concentration of the Dirichlet distribution that shares are held to."""
    divergence: float = Field(ge=0)
    """Weight of the divergence from the priors in the loss."""
    entropy: bool
    """Whether the loss also grows with the squared shares."""
    ahead: int = Field(ge=1)
    """Sets of noise that are drawn ahead and held."""

    def tensors(self, place: Place) -> dict[str, Shape]:
        noise = (self.ahead, self.samples, place.fan_in, self.rank)
        return {
            **super().tensors(place),
            "deviation": Shape((self.rank,)),
            "shares": Shape((self.samples,)),
            "noise": Shape(noise, "normal", trained=False, kept="seed", narrow=True),
        }

    def start(self, parts: Parts, place: Place) -> dict[str, Tensor]:
        return {name: getattr(parts, name).new_empty(size).uniform_() for name, size in self._sizes.items()}

    @property
    def _sizes(self) -> dict[str, int]:
        return {"deviation": self.rank, "shares": self.samples}

    def deployed(self) -> LowRank:
        return LowRank(kind="low_rank", where=self.where, rank=self.rank, alpha=self.alpha, gate="none")

    def deployed_tensors(self, parts: Parts, place: Place) -> dict[str, Tensor]:
        return {"down": parts.down, "up": parts.up}

    def branch(self, parts: Parts, x: Tensor) -> Tensor:
        if not parts.training:
            return super().branch(parts, x)
        noise = parts.noise[parts.draw(self.ahead)].type_as(parts.down)
        # Both guards are PEFT's, and each keeps what it reads for backward.
        guarded = (noise * self._variance(parts).sqrt()).nan_to_num(SMALLEST_VARIANCE) * self.spread
        varied = parts.down.T + guarded.nan_to_num()
        down = (self._shares(parts) @ varied.flatten(1)).view(varied.shape[1:])
        return (x @ down) @ parts.up.T * self.scale

    def _variance(self, parts: Parts) -> Tensor:
        """The diagonal of a draw from the Wishart distribution: sums of `rank` squared normal numbers, scaled."""
        squares = parts.deviation.new_empty(self.rank, self.rank).normal_().square().sum(dim=0)
        return ((2 * parts.deviation).exp() * squares).clamp(min=SMALLEST_VARIANCE)

    def _shares(self, parts: Parts) -> Tensor:
        one = 1 / parts.shares.exp().clamp(min=SMALLEST_SHARE)
        variance = one * (1 - 2 / self.samples) + one.sum() / self.samples**2
        normal = parts.shares.new_empty(self.samples).normal_()
        logarithm = -one.log()
        shares: Tensor = (logarithm - logarithm.mean() + variance.clamp(min=SMALLEST_SHARE).sqrt() * normal).softmax(-1)
        return shares

    def penalty(self, parts: Parts) -> Tensor:
        wide = parts.shares.exp()
        even = wide.detach().new_full((self.samples,), self.prior)
        dirichlet = (
            wide.sum().lgamma() - even.sum().lgamma() + (wide.lgamma() - even.lgamma()).sum()
            + ((wide - even) * (wide.digamma() - wide.sum().digamma())).sum()
        )  # fmt: skip
        variance = self._variance(parts)
        scaled = (2 * parts.deviation).exp()
        wishart = (scaled - scaled.log() - 1).sum() * self.rank / 2
        normal = (variance - variance.log() - 1).sum() * self.samples / 2
        term: Tensor = (dirichlet + wishart + normal) * self.divergence
        return term + self._shares(parts).square().sum() if self.entropy else term
