"""The vocabulary of recipes: where an edit goes, what it is given, and what it must answer.

A recipe says what is done to a backbone; it never names a module path. A kind of edit is one class here or
in a sibling module: a record of its hyper-parameters together with the shapes of its tensors and the mathematics
on them. Nothing in this package imports torch: tensors bring their own methods, and the engine creates them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

from pydantic import Field

from surveykit.record import Record

if TYPE_CHECKING:
    from torch import Tensor

Role = Literal[
    "query", "key", "value", "attention_output",
    "feed_forward_in", "feed_forward_gate", "feed_forward_out",
    "attention", "feed_forward",
    "norm", "position_bias", "embedding", "head", "input",
]  # fmt: skip
Sublayer = Literal[
    "encoder.self", "encoder.feed_forward", "encoder.final",
    "decoder.self", "decoder.cross", "decoder.feed_forward", "decoder.final",
    "encoder.input", "decoder.input", "outside",
]  # fmt: skip
LINEAR_ROLES: frozenset[str] = frozenset(
    {"query", "key", "value", "attention_output", "feed_forward_in", "feed_forward_gate", "feed_forward_out"}
)
MODULE_ROLES: frozenset[str] = frozenset({"attention", "feed_forward"})

Site = Literal["weight", "output", "input", "kv"]
Initial = Literal["zeros", "ones", "normal", "kaiming"]


class Where(Record):
    """Which modules of a backbone are meant, by role and by sublayer."""

    roles: tuple[Role, ...] = Field(min_length=1)
    """What the modules do: `query`, `feed_forward_out`, `norm`…"""
    sublayers: tuple[Sublayer, ...] | None = None
    """Only in these sublayers; without it, in every sublayer that has the role."""
    layers: tuple[int, ...] | None = None
    """Only in these layers of each stack, from 0, or from -1 backwards; without it, in all."""

    def matches(self, place: Place) -> bool:
        if place.role not in self.roles or (self.sublayers is not None and place.sublayer not in self.sublayers):
            return False
        return self.layers is None or place.layer in {n % place.layers if place.layers else n for n in self.layers}


@dataclass(frozen=True)
class Place:
    """One module of a backbone, as a recipe sees it. Widths are numbers of features."""

    role: Role
    sublayer: Sublayer
    layer: int
    """Index in its stack, from 0."""
    layers: int
    """Number of layers of its stack; 0 outside the stacks."""
    fan_in: int
    fan_out: int
    d_model: int
    inner: int
    """Heads × head width of the attention in this sublayer; of the stack's attention elsewhere."""


@dataclass(frozen=True)
class Shape:
    """A tensor that an edit asks for: its dimensions and how it starts."""

    dims: tuple[int, ...]
    initial: Initial = "zeros"


class Parts(Protocol):
    """What an edit is handed at one place: its own tensors by name, and the group's under `shared`."""

    @property
    def shared(self) -> Any: ...

    def activate(self, name: Activation, x: Tensor) -> Tensor: ...

    def __getattr__(self, name: str) -> Any: ...


Activation = Literal["relu", "gelu", "gelu_new", "silu", "tanh", "identity"]


class Edit(Record):
    """One change to the backbone. Subclasses set `site` and the methods that their site needs.

    Shapes follow PyTorch: a linear weight is (fan_out, fan_in); activations are (batch, positions, width).
    """

    site: ClassVar[Site]
    allowed_roles: ClassVar[frozenset[str]]

    kind: str
    """Names the class that executes this edit."""
    where: Where
    """The modules that get the edit."""

    def model_post_init(self, context: Any, /) -> None:
        wrong = sorted(set(self.where.roles) - self.allowed_roles)
        if wrong:
            raise ValueError(f"{self.kind} goes on {', '.join(sorted(self.allowed_roles))}, not on {', '.join(wrong)}")

    def tensors(self, place: Place) -> Mapping[str, Shape]:
        """The tensors that this edit trains at one place."""
        raise NotImplementedError

    def shared_tensors(self, place: Place) -> Mapping[str, Shape]:
        """The tensors that all places of a group train together; none unless a kind says so."""
        return {}

    def group(self, place: Place) -> str:
        """Places that return the same name share one set of `shared_tensors`."""
        return "all"

    def deployed(self) -> Edit:
        """The edit that a user keeps after training, with the same outputs; itself unless parts can be dropped."""
        return self

    def deployed_tensors(self, parts: Parts, place: Place) -> Mapping[str, Tensor]:
        """Values of `deployed().tensors(place)`, computed from the trained parts."""
        return {name: getattr(parts, name) for name in self.tensors(place)}


class WeightEdit(Edit):
    """W → f(W) on a linear layer, run as a branch beside it or written into the weight."""

    site: ClassVar[Site] = "weight"
    allowed_roles: ClassVar[frozenset[str]] = LINEAR_ROLES

    def merge_obstacle(self) -> str | None:
        """Why the edit cannot be written into the weight, or None when it can."""
        return None

    def before(self, parts: Parts, x: Tensor) -> Tensor:
        """What the frozen layer is fed instead of x: (…, fan_in) → (…, fan_in)."""
        return x

    def after(self, parts: Parts, x: Tensor, y: Tensor) -> Tensor:
        """What follows the frozen layer's y = W x: (…, fan_in), (…, fan_out) → (…, fan_out)."""
        return y

    def weight(self, parts: Parts, weight: Tensor) -> Tensor:
        """The edited weight, (fan_out, fan_in) → (fan_out, fan_in)."""
        raise NotImplementedError


class OutputEdit(Edit):
    """(x, y) → y' on a sublayer's module, before its residual sum. x is what the module read (after the norm)."""

    site: ClassVar[Site] = "output"
    allowed_roles: ClassVar[frozenset[str]] = MODULE_ROLES

    def after(self, parts: Parts, x: Tensor, y: Tensor) -> Tensor:
        raise NotImplementedError


class InputEdit(Edit):
    """Positions put before the embedded input of a stack."""

    site: ClassVar[Site] = "input"
    allowed_roles: ClassVar[frozenset[str]] = frozenset({"input"})

    def positions(self, parts: Parts) -> Tensor:
        """The soft positions, (length, d_model)."""
        raise NotImplementedError


class KeyValueEdit(Edit):
    """Keys and values put before those that an attention module computes."""

    site: ClassVar[Site] = "kv"
    allowed_roles: ClassVar[frozenset[str]] = frozenset({"attention"})

    def key_value(self, parts: Parts, place: Place) -> tuple[Tensor, Tensor]:
        """Keys and values, each (length, width)."""
        raise NotImplementedError

    def gate_value(self, parts: Parts, x: Tensor) -> Tensor | None:
        """A factor (batch, 1, 1) on the added keys and values, from the attention's input; None without a gate."""
        return None


Gate = Literal["none", "sequence_mean_sigmoid"]


def gate_tensors(gate: Gate, width: int) -> dict[str, Shape]:
    """The tensors of a gate that reads a stream of this width: one linear map to a single number."""
    return {} if gate == "none" else {"gate_weight": Shape((width,), "normal"), "gate_bias": Shape((1,))}


def gated(gate: Gate, parts: Parts, x: Tensor, delta: Tensor) -> Tensor:
    """Multiply an update by its gate (UniPELT, survey 10.3): sigmoid of a linear map of x, averaged over positions."""
    return delta if gate == "none" else delta * sequence_gate(parts, x)


def sequence_gate(parts: Parts, x: Tensor) -> Tensor:
    """The gate itself: x (batch, positions, width) → (batch, 1, 1)."""
    opened: Tensor = (x @ parts.gate_weight + parts.gate_bias).sigmoid().mean(dim=-1)
    return opened[..., None, None]
