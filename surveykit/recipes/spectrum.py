"""Updates with few entries in a spectrum: their coefficients are trained, the matrix follows from an inverse transform."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from surveykit.recipes.base import InPeft, Parts, Place, Shape
from surveykit.recipes.sites import WeightEdit

if TYPE_CHECKING:
    from torch import Tensor


class FewCoefficients(WeightEdit):
    """W + scaling · inverse(S), where S (fan_out, fan_in) has `coefficients` (count,) at `places` (count,) and zeros elsewhere.

    The places, row by row, are drawn once from a seed. The update is written out in every forward pass.
    """

    size_name: ClassVar[str | None] = "count"

    ranks_of_one: ClassVar[int] = 1
    """Rank of the update that one coefficient makes."""

    count: int = Field(ge=1)
    """Coefficients of each matrix."""
    scaling: float = Field(gt=0)
    """Factor on the update."""

    def tensors(self, place: Place) -> dict[str, Shape]:
        entries = place.fan_in * place.fan_out
        if self.count > entries:
            sides = f"{place.fan_out} by {place.fan_in} numbers"
            raise ValueError(f"{self.count} coefficients are more than the {entries} entries of a matrix of {sides}")
        places = Shape((self.count,), "permutation", trained=False, kept="seed", below=entries)
        return {"coefficients": Shape((self.count,)), "places": places}

    def update_rank(self, place: Place) -> int:
        return min(place.fan_in, place.fan_out, self.ranks_of_one * self.count)

    def expanded(self, place: Place) -> int:
        return place.fan_in * place.fan_out

    def spectrum(self, parts: Parts, fan_out: int, fan_in: int) -> Tensor:
        """S, (fan_out, fan_in)."""
        found = parts.coefficients.new_zeros(fan_out * fan_in)
        found[parts.places.long()] = parts.coefficients
        return found.reshape(fan_out, fan_in)

    def update(self, parts: Parts, fan_out: int, fan_in: int) -> Tensor:
        """The update of the weight, (fan_out, fan_in)."""
        raise NotImplementedError

    def after(self, parts: Parts, x: Tensor, y: Tensor) -> Tensor:
        return y + x @ self.update(parts, y.shape[-1], x.shape[-1]).T

    def weight(self, parts: Parts, weight: Tensor) -> Tensor:
        return weight + self.update(parts, *weight.shape)


class FourierSpectrum(FewCoefficients):
    """FourierFT: W + scaling · the real part of the inverse Fourier transform of S in two dimensions.

    Coefficients start from a standard normal distribution: training does not start at the backbone.

    Source: Gao et al. 2024, equations 2 to 4; PEFT 0.21.2, tuners/fourierft/layer.py (`get_delta_weight`).
    """

    ranks_of_one: ClassVar[int] = 2  # a wave along a slanted line is a product of cosines less one of sines
    peft: ClassVar[InPeft | None] = InPeft(
        "FOURIERFT", "FourierFTConfig", "fourierft/qv-n1000",
        {"count": ("n_frequency", 1000), "scaling": ("scaling", 150.0)},
    )  # fmt: skip

    kind: Literal["fourier_spectrum"]

    def start(self, parts: Parts, place: Place) -> dict[str, Tensor]:
        return {"coefficients": parts.coefficients.clone().normal_()}

    def update(self, parts: Parts, fan_out: int, fan_in: int) -> Tensor:
        found = parts.transform("inverse_fourier", self.spectrum(parts, fan_out, fan_in).float())
        return (found * self.scaling).type_as(parts.coefficients)


class WaveletSpectrum(FewCoefficients):
    """WaveFT: W + scaling · the inverse of one level of the Haar wavelet transform of S.

    The quarters of S are the bands: averages at the top left, then details along columns, along rows, and along both. Odd
    sides are made even for the transform, and cut again. Coefficients start at zero, so training starts at the backbone.

    Source: PEFT 0.21.2, tuners/waveft/layer.py (`get_delta_weight`) and waverec2d.py, with its default wavelet, db1.
    """

    changes_at_most: ClassVar[bool] = True
    trained_size: ClassVar[float] = 0.1  # the update is scaled by some twenty
    peft: ClassVar[InPeft | None] = InPeft(
        "WAVEFT", "WaveFTConfig", "waveft/qv-n2592",
        {"count": ("n_frequency", 2592), "scaling": ("scaling", 25.0), "wavelet": ("wavelet_family", "db1"),
         "transformed": ("use_idwt", True)},
    )  # fmt: skip

    kind: Literal["wavelet_spectrum"]
    wavelet: Literal["db1"]
    """Haar's wavelet, by the name that libraries have for it."""
    transformed: bool
    """Whether there is a transform; else the coefficients are entries of the update itself."""

    def changed(self, place: Place) -> int:
        entries = 4 if self.transformed else 1  # a coefficient moves a square of four
        return min(entries * self.count, place.fan_in * place.fan_out)

    def update(self, parts: Parts, fan_out: int, fan_in: int) -> Tensor:
        if not self.transformed:
            return self.spectrum(parts, fan_out, fan_in) * self.scaling
        even = parts.coefficients.new_zeros(fan_out + fan_out % 2, fan_in + fan_in % 2)
        even[:fan_out, :fan_in] = self.spectrum(parts, fan_out, fan_in)
        high, wide = even.shape[0] // 2, even.shape[1] // 2
        bands = even.reshape(2, high, 2, wide).transpose(1, 2).reshape(4, high, wide)
        filters = even.new_tensor([[[1, 1], [1, 1]], [[1, 1], [-1, -1]], [[1, -1], [1, -1]], [[1, -1], [-1, 1]]]) / 2
        return parts.transform("upsampled", bands, filters)[:fan_out, :fan_in] * self.scaling
