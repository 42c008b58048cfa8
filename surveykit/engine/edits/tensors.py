"""The tensors that an edit brings, as named parameters and buffers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from surveykit.engine.edits.circulant import Circulant
from surveykit.engine.edits.hadamard import hadamard
from surveykit.engine.models.bound_places import BoundPlace
from surveykit.engine.models.fused import Rows
from surveykit.errors import RecipeError
from surveykit.recipes import Place, Quantization, Role, Shape
from surveykit.recipes.base import Activation, Transform
from surveykit.recipes.sites import ParameterEdit

_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": functional.relu,
    "gelu": functional.gelu,
    "gelu_new": lambda x: functional.gelu(x, approximate="tanh"),
    "silu": functional.silu,
    "tanh": torch.tanh,
    "identity": lambda x: x,
}

_TRANSFORMS: dict[str, Callable[..., Tensor]] = {
    "hadamard": hadamard,
    "inverse_fourier": lambda x: torch.fft.ifft2(x).real,
    "upsampled": lambda bands, filters: functional.conv_transpose2d(
        bands[None], filters[:, None], stride=filters.shape[-1]
    )[0, 0],
}

RESTORED = "surveykit_restored"
"""Attribute of a layer whose weight is held in few bits: what restores it."""


def on_host(tensor: Tensor) -> Tensor:
    """A copy of what a tensor is now, in host memory: what is kept beside a run takes none of the accelerator's, which is
    measured."""
    return tensor.detach().to("cpu", copy=True)


class Part(nn.Module):
    """The tensors of one edit at one place, or of one group of places.

    What can be made again from a seed or from the backbone, and indices, are buffers; all else is a parameter, trained or not.
    """

    # Defaults of the class: a catalog has tens of thousands of parts, and a module is slow at setting attributes.
    group: Part | None = None
    _change: Tensor | None = None
    _unrounded: Tensor | None = None
    inputs: Sequence[Tensor] = ()
    gradient: Tensor | None = None
    base: Quantization | None = None
    """How the stage rounds the backbone's tensor at this place; None where it keeps its width."""
    beside: Mapping[Role, BoundPlace] = MappingProxyType({})
    """The matrices of the attention at this place, by role, for an edit that uses them."""
    seed: int
    """What it draws follows from this."""
    place: Place
    shapes: dict[str, Shape]
    dtype: torch.dtype
    """Of its own tensors, and of what is computed from them; the backbone's may be narrower."""

    if TYPE_CHECKING:  # a module may have modules as attributes; a part has none

        def __getattr__(self, name: str) -> Tensor: ...

    def __init__(
        self,
        shapes: Mapping[str, Shape],
        place: Place,
        device: torch.device,
        dtype: torch.dtype,
        seed: int,
        backbone: torch.dtype,
    ) -> None:
        super().__init__()
        object.__setattr__(self, "dtype", dtype)
        object.__setattr__(self, "seed", seed)
        object.__setattr__(self, "place", place)
        object.__setattr__(self, "shapes", dict(shapes))
        for number, (name, shape) in enumerate(shapes.items()):
            assert not hasattr(Part, name), f"every part has an attribute '{name}'"
            values = _tensor(shape, device, backbone if shape.narrow else dtype, _seed(seed, number))
            if shape.made_again or shape.is_index:
                self._buffers[name] = values
            else:
                self._parameters[name] = nn.Parameter(values, requires_grad=shape.trained)

    @property
    def shared(self) -> Part:
        if self.group is None:
            raise RecipeError("this edit shares no tensors")
        return self.group

    def share(self, group: Part) -> None:
        # Not a submodule of this part: the group is registered once, on the container.
        object.__setattr__(self, "group", group)

    def stand_on(
        self,
        module: nn.Module,
        name: str,
        change: Tensor | None,
        unrounded: Tensor | None,
        *,
        flipped: bool = False,
        rows: Rows | None = None,
    ) -> None:
        """Remember the backbone's tensor at this place, by its home: while the model runs it may be replaced there.

        Args:
            flipped: it is stored as (fan_in, fan_out), and edits see it turned.
            rows: the rows that edits see; all where it is None.
        """

        object.__setattr__(self, "_home", (module, name))
        object.__setattr__(self, "_flipped", flipped)
        object.__setattr__(self, "_rows", rows)
        object.__setattr__(self, "_change", None if change is None else self.seen(change))
        if unrounded is not None:
            self.was(unrounded)

    def set_aside(self, name: str, value: object) -> None:
        """Remember something that is no tensor of the edit."""
        object.__setattr__(self, name, value)

    def was(self, before: Tensor) -> None:
        """Remember the backbone's tensor as it was stored before the stage changed it."""
        self.set_aside("_unrounded", self.seen(before))

    def seen(self, tensor: Tensor) -> Tensor:
        """A tensor that is stored like the backbone's, as edits see it."""
        turned = tensor.T if object.__getattribute__(self, "_flipped") else tensor
        rows: Rows | None = object.__getattribute__(self, "_rows")
        return turned if rows is None else rows.of(turned, 0)

    def put(self, tensor: Tensor, edited: Tensor) -> Tensor:
        """Such a tensor as it is stored, with what edits see of it replaced."""
        flipped: bool = object.__getattribute__(self, "_flipped")
        rows: Rows | None = object.__getattribute__(self, "_rows")
        whole = edited if rows is None else rows.put(tensor.T if flipped else tensor, edited, 0)
        return whole.T if flipped else whole

    @property
    def stored(self) -> Tensor:
        """The backbone's tensor as it is stored; restored to full width where it is held in few bits."""
        module, name = object.__getattribute__(self, "_home")
        value: Tensor = getattr(module, name)
        restored: Tensor = module.__dict__[RESTORED](value) if RESTORED in module.__dict__ else value
        return restored

    def cast(self, tensor: Tensor) -> Tensor:
        """What an edit reads, in the precision of its own tensors: a copy where the backbone's is another."""
        return tensor.to(self.dtype)

    @property
    def frozen(self) -> Tensor:
        return self.seen(self.stored)

    @property
    def unrounded(self) -> Tensor:
        return self.frozen if self._unrounded is None else self._unrounded.to(self.stored.device)

    def rounded(self, tensor: Tensor) -> Tensor:
        return tensor if self.base is None else self.base.rounded(tensor)

    @property
    def change(self) -> Tensor | None:
        return self._change

    def activate(self, name: Activation, x: Tensor) -> Tensor:
        return _ACTIVATIONS[name](x)

    def project(self, role: Role, x: Tensor) -> Tensor:
        slot = self.beside[role]
        weight = slot.module.weight
        assert isinstance(weight, Tensor)
        out: Tensor = slot.module(x.to(weight.dtype))
        return out if slot.rows is None else slot.rows.of(out, -1)

    def transform(self, name: Transform, *x: Tensor) -> Tensor:
        return _TRANSFORMS[name](*x)

    def drawn(self, dims: tuple[int, ...], number: int) -> Tensor:
        like = next(self.parameters())
        generator = None
        if not like.is_meta:
            generator = torch.Generator(device=like.device).manual_seed(_seed(self.seed, number))
        return like.new_empty(dims).uniform_(-1, 1, generator=generator)

    def draw(self, below: int) -> int:
        return int(torch.randint(below, (), device="cpu"))

    def orthonormal(self, matrix: Tensor) -> Tensor:
        q: Tensor = torch.linalg.qr(matrix)[0]
        return q

    def recomputed(self, compute: Callable[..., Tensor], *tensors: Tensor) -> Tensor:
        found: Tensor = _Recomputed.apply(compute, *tensors)  # type: ignore[no-untyped-call]
        return found

    def triangle(self, side: int) -> tuple[Tensor, Tensor]:
        rows, columns = torch.triu_indices(side, side, 1, device=next(iter(self.values().values())).device)
        return rows, columns

    def circulant(self, x: Tensor, kernels: Tensor) -> Tensor:
        product: Tensor = Circulant.apply(x, kernels)  # type: ignore[no-untyped-call]
        return product

    def forward(self, edit: ParameterEdit, tensor: Tensor, place: Place) -> Tensor:
        """The edited value of a pretrained tensor; a call of a module, so that it can be hooked."""
        given = self.cast(tensor) if edit.casts_input else tensor
        return edit.value(self, given, place).to(tensor.dtype)

    def values(self) -> dict[str, Tensor]:
        """Every tensor by name."""
        return {name: getattr(self, name) for name in self.shapes}


def _seed(part: int, number: int) -> int:
    """What the tensor of this number of a part is drawn from."""
    return part * 1000 + number


_INDICES = {1: torch.uint8, 2: torch.int16, 4: torch.int32}


def as_kept(shape: Shape, value: Tensor) -> Tensor:
    """A tensor in the width in which it is kept; itself where it has it."""
    return value.to(_INDICES[shape.index_bytes]) if shape.is_index else value


def _shuffled(shape: Shape, generator: torch.Generator | None) -> Tensor:
    """The first of the shuffled numbers below the index's bound."""
    return torch.randperm(shape.below or shape.numel, generator=generator)[: shape.numel].reshape(shape.dims)


class _Recomputed(torch.autograd.Function):
    """Keeps what a function read, and computes it again in backward. Autocast is no longer on there, as with PEFT's functions of
    this kind; torch's checkpoints would want the same precision."""

    @staticmethod
    def forward(ctx: Any, compute: Callable[..., Tensor], *tensors: Tensor) -> Tensor:
        ctx.compute = compute
        ctx.save_for_backward(*tensors)
        return compute(*tensors)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        with torch.enable_grad():
            wanted = ctx.needs_input_grad[1:]
            read = [t.detach().requires_grad_(needed) for t, needed in zip(ctx.saved_tensors, wanted, strict=True)]
            found = ctx.compute(*read)
        trained = [tensor for tensor in read if tensor.requires_grad]
        given = iter(torch.autograd.grad(found, trained, gradients[0].to(found.dtype)))
        return (None, *(next(given) if needed else None for needed in wanted))


def _tensor(shape: Shape, device: torch.device, dtype: torch.dtype, seed: int) -> Tensor:
    if shape.is_index:
        values = torch.empty(shape.dims, device=device, dtype=_INDICES[shape.index_bytes])
    else:
        values = torch.empty(shape.dims, device=device, dtype=dtype)
    if device.type == "meta":
        return values
    # A seed of its own, so that what is not stored is the same when the edit is put on again.
    generator = torch.Generator().manual_seed(seed) if shape.kept == "seed" else None
    match shape.initial:
        case "zeros":
            return values.zero_()
        case "ones":
            return values.fill_(1)
        case "normal":
            small = shape.trained and shape.kept != "seed"
            return values.normal_(std=0.02 if small else 1.0, generator=generator)
        case "kaiming":
            return nn.init.kaiming_uniform_(values, a=5**0.5, generator=generator)
        case "sign":
            return values.bernoulli_(0.5, generator=generator).mul_(2).sub_(1)
        case "permutation":
            return values.copy_(_shuffled(shape, generator))
        case "first":
            return values.copy_(torch.arange(shape.numel).reshape(shape.dims))
