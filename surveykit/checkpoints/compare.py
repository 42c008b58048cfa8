"""Whether a checkpoint's tensors are a model's parameters: one by one, by name and shape."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from surveykit.checkpoints.header import FLOATS, Header, Tensor, shape_text

Kind = Literal["missing", "unexpected", "shape", "dtype", "duplicate", "config"]
_OLD_NAMES = (
    (re.compile(r"LayerNorm\.gamma$"), "LayerNorm.weight"),
    (re.compile(r"LayerNorm\.beta$"), "LayerNorm.bias"),
)
"""Names in files that were converted from TensorFlow; transformers renames them while it loads."""


@dataclass(frozen=True)
class Geometry:
    """A model's names and shapes, as transformers has them."""

    parameters: Mapping[str, tuple[int, ...]]
    """Each parameter once, under its first name."""
    aliases: Mapping[str, str]
    """Other names of tied parameters, and the parameter each is."""
    buffers: frozenset[str]
    """Tensors of the model that are no parameters: positions, masks."""
    leftovers: tuple[str, ...]
    """Regular expressions of names that transformers ignores in files of this model."""
    prefix: str
    """What stands before a name in files of the same model with a head, or without."""

    @property
    def count(self) -> int:
        """Number of parameters."""
        return sum(Tensor("", shape).numbers for shape in self.parameters.values())


@dataclass(frozen=True, order=True)
class Difference:
    """Where a checkpoint is not the model."""

    kind: Kind
    name: str
    message: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.name}: {self.message}"


@dataclass(frozen=True)
class Dropped:
    """A tensor of the file that is no parameter of the model, and why that is no difference."""

    name: str
    tensor: Tensor
    why: str


@dataclass(frozen=True)
class Comparison:
    """What came of it. It matches if there is no difference."""

    matched: int
    """Parameters that the file has, in their shape."""
    numbers: int
    """Numbers in them."""
    dtypes: tuple[str, ...]
    dropped: tuple[Dropped, ...]
    differences: tuple[Difference, ...]
    renamed: tuple[str, ...]
    """How names of the file were read, where they are not the model's."""

    @property
    def matches(self) -> bool:
        return not self.differences

    def dropped_text(self) -> str:
        """What was dropped, one clause for each reason."""
        reasons: dict[str, list[Dropped]] = {}
        for item in self.dropped:
            reasons.setdefault(item.why, []).append(item)
        return "; ".join(f"{_some([d.name for d in items])}: {why}" for why, items in reasons.items())


def compare(header: Header, geometry: Geometry, expected: Mapping[str, object] | None = None) -> Comparison:
    """Put each tensor of a checkpoint to the parameter of its name.

    Args:
        header: what the file says.
        geometry: the model it should be.
        expected: fields of config.json and their values; one that is left out, or null, is not compared.
    """
    known = {*geometry.parameters, *geometry.aliases, *geometry.buffers}
    names, outside, renamed = _names(header.tensors, geometry, known)
    found: dict[str, Tensor] = {}
    dropped: list[Dropped] = []
    differences: list[Difference] = []
    copies: dict[str, str] = {}
    for original, name in names.items():
        tensor = header.tensors[original]
        if name in geometry.parameters:
            if name in found:
                differences.append(Difference("duplicate", original, f"the file has {name} under two names"))
            found[name] = tensor
        elif name in geometry.aliases:
            copies[original] = name
        elif name in geometry.buffers:
            dropped.append(Dropped(original, tensor, "a buffer, no parameter"))
        elif any(re.search(pattern, name) for pattern in geometry.leftovers):
            dropped.append(Dropped(original, tensor, "a leftover that transformers ignores in this model's files"))
        elif original in outside:
            dropped.append(Dropped(original, tensor, "of a head that the catalogued model has not"))
        else:
            differences.append(Difference("unexpected", original, f"{tensor} in the file, no such name in the model"))
    for original, name in copies.items():
        own, tensor = geometry.aliases[name], header.tensors[original]
        if own not in found:
            found[own] = tensor
            renamed = (*renamed, f"{original} stands for {own}, to which it is tied")
            continue
        dropped.append(Dropped(original, tensor, f"a copy of {own}, counted once"))
        if tensor.shape != geometry.parameters[own]:
            differences.append(_shape(original, geometry.parameters[own], tensor))
    differences += _parameters(found, geometry.parameters)
    differences += _config(header, expected or {})
    return Comparison(
        matched=sum(found[n].shape == shape for n, shape in geometry.parameters.items() if n in found),
        numbers=sum(t.numbers for n, t in found.items() if t.shape == geometry.parameters[n]),
        dtypes=tuple(sorted({tensor.dtype for tensor in found.values()})),
        dropped=tuple(dropped),
        differences=tuple(sorted(differences)),
        renamed=renamed,
    )


def _names(
    tensors: Iterable[str], geometry: Geometry, known: set[str]
) -> tuple[dict[str, str], frozenset[str], tuple[str, ...]]:
    """The model's name for each of the file's, the names that are outside the model, and what was done to names.

    A file of the same model with a head has a prefix before every name of the model, one without a head has it before
    none. The reading is taken that gives most names of the model; the file's own, where it gives as many.
    """
    prefix = f"{geometry.prefix}."
    current: dict[str, str] = {}
    for name in tensors:
        current[name] = name
        for old, new in _OLD_NAMES:
            current[name] = old.sub(new, current[name])
    said = ["LayerNorm.gamma and LayerNorm.beta are weight and bias"] if list(current) != list(current.values()) else []
    without = {original: name.removeprefix(prefix) for original, name in current.items()}
    with_it = {original: name if name in known else prefix + name for original, name in current.items()}
    readings = ((current, ""), (without, f"{prefix} taken off names"), (with_it, f"{prefix} put before names"))
    names, what = max(readings, key=lambda reading: sum(name in known for name in reading[0].values()))
    outside = frozenset(n for n in current if not n.startswith(prefix)) if names is without else frozenset()
    return names, outside, tuple([*said, what] if what else said)


def _parameters(found: Mapping[str, Tensor], wanted: Mapping[str, tuple[int, ...]]) -> Iterator[Difference]:
    for name, shape in wanted.items():
        tensor = found.get(name)
        if tensor is None:
            yield Difference("missing", name, f"{shape_text(shape)} in the model, not in the file")
        elif tensor.shape != shape:
            yield _shape(name, shape, tensor)
        elif tensor.dtype not in FLOATS:
            yield Difference("dtype", name, f"{tensor.dtype} in the file, not a type that can be trained")


def _shape(name: str, wanted: tuple[int, ...], tensor: Tensor) -> Difference:
    return Difference("shape", name, f"{shape_text(tensor.shape)} in the file, {shape_text(wanted)} in the model")


def _config(header: Header, expected: Mapping[str, object]) -> Iterator[Difference]:
    for name, value in expected.items():
        said = (header.config or {}).get(name)
        if said is not None and said != value:
            yield Difference("config", name, f"config.json has {said!r}, the catalog {value!r}")


def _some(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{len(names)} tensors ({names[0]}, …)"
