"""The vocabulary of recipes: where an edit goes, what it is given, and what it must answer.

A recipe says what is done to a backbone; it never names a module path. A kind of edit is one class here or
in a sibling module: a record of its hyper-parameters together with the shapes of its tensors and the mathematics
on them. Nothing in this package imports torch: tensors bring their own methods, and the engine creates them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, Self

from pydantic import Field, model_validator

from surveykit.recipes.in_peft import InPeft as InPeft  # modules of kinds take it from here
from surveykit.record import Record

if TYPE_CHECKING:
    from torch import Tensor

Role = Literal[
    "query", "key", "value", "attention_output",
    "feed_forward_in", "feed_forward_gate", "feed_forward_out",
    "attention", "feed_forward", "linear",
    "norm", "position_bias", "embedding", "head", "input", "block",
]  # fmt: skip
Sublayer = Literal[
    "encoder.self", "encoder.feed_forward", "encoder.final",
    "decoder.self", "decoder.cross", "decoder.feed_forward", "decoder.final",
    "encoder.input", "decoder.input", "encoder.block", "decoder.block", "outside",
]  # fmt: skip
LINEAR_ROLES: frozenset[str] = frozenset(
    {"query", "key", "value", "attention_output", "feed_forward_in", "feed_forward_gate", "feed_forward_out"}
)
"""`linear` is none of them: it is any linear layer but the output layer, as the module that it is, whatever roles it has."""
MODULE_ROLES: frozenset[str] = frozenset({"attention", "feed_forward"})

Site = Literal["weight", "output", "input", "kv", "parameter", "side"]
Initial = Literal["zeros", "ones", "normal", "kaiming", "sign", "permutation", "first"]
Kept = Literal["task", "shared", "seed", "backbone"]
Reads = Literal["inputs", "gradient"]
Overhead = Literal["ffn", "linear", "gating", "input", "decoder"]
"""Kinds of inference overhead, in the words of the survey's Table 1."""
OVERHEAD_KINDS: tuple[Overhead, ...] = ("ffn", "linear", "gating", "input", "decoder")
"""The order in which an overhead is written: `ffn+input`, never `input+ffn`."""


def canonical(kinds: Collection[str]) -> str:
    """Kinds of overhead joined by +, in their order; `none` where there is none."""
    return "+".join(kind for kind in OVERHEAD_KINDS if kind in kinds) or "none"


class Where(Record):
    """Which modules of a backbone are meant, by role and by sublayer."""

    roles: tuple[Role, ...] = Field(min_length=1)
    """What the modules do: `query`, `feed_forward_out`, `norm`…"""
    sublayers: tuple[Sublayer, ...] | None = None
    """Only in these sublayers; without it, in every sublayer that has the role."""
    layers: tuple[int, ...] | None = None
    """Only in these layers of each stack, from 0, or from -1 backwards; without it, in all."""
    span: tuple[int, int, int] | None = None
    """Only in a part of each stack: (start, end, of) keeps layer l of n where start/of <= l/n < end/of."""
    parameters: Literal["all", "bias"] = Field(default="all", exclude_if=lambda chosen: chosen == "all")
    """Where pretrained parameters are trained: all of a module, or its bias alone."""
    modules: tuple[str, ...] | None = Field(default=None, min_length=1, exclude_if=lambda chosen: chosen is None)
    """Only modules of these names, the whole path or its end (`q_proj`), as libraries take a list of target modules."""
    pattern: str | None = Field(default=None, max_length=1000, exclude_if=lambda chosen: chosen is None)
    """Only modules whose whole path this regular expression matches, as libraries take a single text."""

    @model_validator(mode="after")
    def _span_is_a_part(self) -> Self:
        if self.span is not None and not 0 <= self.span[0] < self.span[1] <= self.span[2]:
            raise ValueError("a span is (start, end, of) with 0 <= start < end <= of")
        return self

    @model_validator(mode="after")
    def _pattern_is_one(self) -> Self:
        try:
            re.compile(self.pattern or "")
        except re.error as error:
            raise ValueError(f"'{self.pattern}' is no regular expression: {error}") from None
        return self

    @property
    def everywhere(self) -> bool:
        """Whether the roles are meant wherever they are."""
        return self == Where(roles=self.roles, parameters=self.parameters)

    @property
    def every_layer(self) -> bool:
        """Whether every linear layer and norm is meant."""
        return self.everywhere and {*self.roles} >= LINEAR_ROLES | {"norm"}

    def words(self) -> str:
        """Roles and sublayers, for messages."""
        roles = ", ".join(role.replace("_", " ") for role in self.roles)
        named = " or ".join(self.modules or ((self.pattern,) if self.pattern else ()))
        words = f"{roles} named {named}" if named else roles
        return words if self.sublayers is None else f"{words} in {', '.join(self.sublayers)}"

    def matches(self, place: Place) -> bool:
        return self.fits(place) and self._has_layer(place)

    def fits(self, place: Place) -> bool:
        """Whether role, sublayer and name are meant, whatever the layer."""
        fits = place.role in self.roles and (self.sublayers is None or place.sublayer in self.sublayers)
        return fits and self._is_named(place.name)

    def _is_named(self, name: str) -> bool:
        if self.modules is not None and not any(name == end or name.endswith(f".{end}") for end in self.modules):
            return False
        return self.pattern is None or re.fullmatch(self.pattern, name) is not None

    def _has_layer(self, place: Place) -> bool:
        if self.layers is not None and not (
            place.layers and {place.layer, place.layer - place.layers} & {*self.layers}
        ):
            return False
        if self.span is None:
            return True
        start, end, of = self.span
        return start * place.layers <= place.layer * of < end * place.layers


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
    heads: int
    d_ff: int
    shape: tuple[int, ...] = ()
    """Dimensions of the module's weight (of the pretrained tensor itself, for an edit of parameters); () without one."""
    relative_buckets: int = 0
    """Rows of the stack's table of relative positions."""
    places: int = 1
    """In how many places the edit is, this one included."""
    number: int = field(default=0, compare=False)
    """Which of them this one is, from 0, in the model's order."""
    together: int = 1
    """Number of places that share tensors with this one (`Edit.group`), this one included."""
    order: int = field(default=0, compare=False)
    """Which of those this one is, from 0."""
    widest_in: int = 0
    """The largest fan_in of these places."""
    widest_out: int = 0
    """The largest fan_out of these places."""
    keys: int = 0
    """Width of all keys, and of all values, of that attention: less than `inner` where heads share them."""
    values: int = 0
    """Width of all values where it is not that of the keys; else 0."""
    name: str = field(default="", compare=False)
    """The module's path in the model, `model.layers.0.self_attn.q_proj`; empty where there are dimensions alone."""


@dataclass(frozen=True)
class Shape:
    """A tensor that an edit asks for: its dimensions and how it starts."""

    dims: tuple[int, ...]
    initial: Initial = "zeros"
    """`sign`: random ±1. `permutation`, `first`: whole numbers, shuffled or the first ones: an index."""
    trained: bool = True
    """Whether the optimizer holds it."""
    kept: Kept = "task"
    """What must be kept to use it again: the values, for each task or once for all tasks; only the seed; or nothing, since
    `start` finds it anew from the backbone."""
    below: int | None = None
    """The whole numbers of an index lie below this; below the number of its entries unless it is given."""
    narrow: bool = False
    """Whether it has the precision of the backbone's weights where the edit's other tensors are wider."""

    @property
    def made_again(self) -> bool:
        """Whether its values need not be kept."""
        return self.kept in ("seed", "backbone")

    @property
    def is_index(self) -> bool:
        return self.initial in ("permutation", "first")

    @property
    def index_bytes(self) -> int:
        """Width of the whole numbers of an index: the narrowest of 1, 2 and 4 bytes where it says how large they are."""
        return 4 if self.below is None or self.below >= 2**15 else 2 if self.below >= 2**8 else 1

    @property
    def numel(self) -> int:
        return math.prod(self.dims)


class Parts(Protocol):
    """What an edit is handed at one place: its own tensors by name, and the group's under `shared`."""

    @property
    def shared(self) -> Parts: ...

    @property
    def place(self) -> Place:
        """Where this is; of the group, the first of its places."""

    @property
    def frozen(self) -> Tensor:
        """The backbone's tensor at this place, not trained."""

    @property
    def unrounded(self) -> Tensor:
        """The same before the stage quantized it, or an edit's `start` changed it."""

    def rounded(self, tensor: Tensor) -> Tensor:
        """A tensor of this place as the stage's few-bit base would hold it; itself where the place keeps its width."""

    @property
    def change(self) -> Tensor | None:
        """How far the previous stage moved that tensor; None in the first stage."""

    @property
    def inputs(self) -> Sequence[Tensor]:
        """In `start` of an edit that `reads` them: what the layer reads of each example, (positions, fan_in); none without
        data."""

    @property
    def gradient(self) -> Tensor | None:
        """Likewise the loss's gradient for the backbone's tensor, averaged over examples."""

    @property
    def training(self) -> bool: ...

    def activate(self, name: Activation, x: Tensor) -> Tensor: ...

    def project(self, role: Role, x: Tensor) -> Tensor:
        """What the frozen layer of this role makes of x, in the attention at this place."""

    def transform(self, name: Transform, *x: Tensor) -> Tensor: ...

    def drawn(self, dims: tuple[int, ...], number: int) -> Tensor:
        """Random numbers between -1 and 1 that are not held: the same ones for the same place, dimensions and number."""

    def draw(self, below: int) -> int:
        """A random whole number from 0, for stochastic routing."""

    def orthonormal(self, matrix: Tensor) -> Tensor:
        """Orthonormal columns that span those of a matrix: the Q of its QR decomposition."""

    def recomputed(self, compute: Callable[..., Tensor], *tensors: Tensor) -> Tensor:
        """compute(*tensors), with what lies between computed again in the backward pass instead of being kept. Gradients
        reach the tensors that are given, and no other that it reads."""

    def triangle(self, side: int) -> tuple[Tensor, Tensor]:
        """Rows and columns of the entries above the diagonal of a square matrix, row by row."""

    def circulant(self, x: Tensor, kernels: Tensor) -> Tensor:
        """x (…, columns · side) times a matrix of circulant blocks, whose first rows are the kernels (rows, columns, side)."""

    def __getattr__(self, name: str) -> Tensor: ...


Activation = Literal["relu", "gelu", "gelu_new", "silu", "tanh", "identity"]
Transform = Literal["inverse_fourier", "upsampled", "hadamard"]
"""Functions that tensors have no method for. `inverse_fourier`: the real part of the inverse transform in two dimensions.
`upsampled`: bands (channels, height, width) and filters (channels, side, side) to the sum of the filters at strides of their
side, each times its band's value there. `hadamard`: the Walsh-Hadamard transform of (length,), a power of two, without its factor."""


class Edit(Record):
    """One change to the backbone. Subclasses set `site` and the methods that their site needs.

    Shapes follow PyTorch: a linear weight is (fan_out, fan_in); activations are (batch, positions, width).
    """

    site: ClassVar[Site]
    allowed_roles: ClassVar[frozenset[str]]
    obstacle: ClassVar[str | None] = None
    """Why no edit of this kind can be merged, where none can; see `merge_obstacle`."""
    costs: ClassVar[frozenset[Overhead]]
    """What every edit of this kind costs at inference; see `overhead`."""
    tracked: ClassVar[int] = 0
    """Numbers that training keeps for each trained one, beyond the optimizer's own (importance scores, for instance)."""
    changes_at_most: ClassVar[bool] = False
    """Whether `changed` is a bound: which entries move, and so how many, depends on a draw."""
    trained_size: ClassVar[float] = 1.0
    """How large its trained numbers are beside those of most kinds; a trial's random moves of them are as much smaller."""
    size_name: ClassVar[str | None] = None
    """The hyper-parameter that sets how many numbers are trained, any whole number from 1; None without one."""

    peft: ClassVar[InPeft | None] = None
    """How PEFT says it; None where PEFT lacks it, or says it in a way of its own (`surveykit/catalog/peft_methods.py`)."""

    kind: str
    """Names the class that executes this edit."""
    where: Where
    """The modules that get the edit."""

    def model_post_init(self, context: Any, /) -> None:
        wrong = sorted(set(self.where.roles) - self.allowed_roles)
        if wrong:
            raise ValueError(f"{self.kind} goes on {', '.join(sorted(self.allowed_roles))}, not on {', '.join(wrong)}")
        if self.where.parameters != "all":
            raise ValueError("`parameters: bias` chooses what is trained; an edit goes on modules")

    @property
    def depth_uniform(self) -> bool:
        """Whether every layer gets the same, so that costs at two depths tell those at any depth."""
        return True

    def sized(self, size: int) -> Self:
        """The same edit with another value of the hyper-parameter that `size_name` names. The scale of a low-rank
        update, alpha / rank, stays.

        Raises:
            ValueError: the edit cannot be of that size.
        """
        assert self.size_name is not None
        before = self.model_dump()
        changed: dict[str, Any] = {self.size_name: size}
        if self.size_name == "rank" and "alpha" in before:
            changed["alpha"] = before["alpha"] * size / before["rank"]
        return type(self).model_validate({**before, **changed})

    def tensors(self, place: Place) -> Mapping[str, Shape]:
        """The tensors that this edit brings to one place."""
        raise NotImplementedError

    def shared_tensors(self, place: Place) -> Mapping[str, Shape]:
        """The tensors that all places of a group have together; none unless a kind says so."""
        return {}

    def group(self, place: Place) -> str:
        """Places that return the same name share one set of `shared_tensors`."""
        return "all"

    @property
    def reads(self) -> Reads | None:
        """What `start` reads of a few batches that the backbone is run on before training, where there are any."""
        return None

    def start(self, parts: Parts, place: Place) -> Mapping[str, Tensor]:
        """Starting values that depend on the backbone; those of `Shape.initial` hold for the rest.

        `frozen` among them is what the backbone's tensor becomes in this stage. It is not kept: it must follow from the
        backbone alone, or `deployed` must do without it.
        """
        return {}

    def shared_start(self, parts: Parts, weights: Sequence[Tensor]) -> Mapping[str, Tensor]:
        """The same for what a group of places shares, before that of each place.

        Args:
            parts: the group's.
            weights: the backbone's tensors at its places, as edits see them.
        """
        return {}

    def penalty(self, parts: Parts) -> Tensor | None:
        """A term that this edit adds to the loss at one place; None without one."""
        return None

    def deployed(self) -> Edit:
        """The edit that a user keeps after training, with the same outputs; itself unless parts can be dropped."""
        return self

    def deployed_tensors(self, parts: Parts, place: Place) -> Mapping[str, Tensor]:
        """Values of `deployed().tensors(place)`, computed from the trained parts."""
        return {name: getattr(parts, name) for name in self.tensors(place)}

    def deployed_shared_tensors(self, parts: Parts, place: Place) -> Mapping[str, Tensor]:
        """Values of `deployed().shared_tensors(place)`; parts are the group's."""
        return {name: getattr(parts, name) for name in self.deployed().shared_tensors(place)}

    def merge_obstacle(self) -> str | None:
        """Why the edit cannot be written into the backbone's weights; None when it can."""
        return self.obstacle

    def overhead(self) -> frozenset[Overhead]:
        """What inference costs while the edit is not merged, in the words of Table 1."""
        return self.costs

    def positions_added(self) -> int:
        """Positions put before the input of a stack, or before the keys and values of one attention."""
        return 0

    def positions_compared(self) -> int:
        """How many positions of a text it looks for: what it costs on longer texts tells nothing of others."""
        return 0

    def changed(self, place: Place) -> int:
        """Entries of the backbone's tensor at this place that the merged edit can touch; 0 when it cannot merge."""
        return 0

    def update_rank(self, place: Place) -> int:
        """Largest rank of the change of the backbone's matrix at this place; 0 when it cannot merge."""
        return 0

    def expanded(self, place: Place) -> int:
        """Entries of the network that the deployed edit adds at one place, with products written out."""
        return sum(shape.numel for shape in self.deployed().tensors(place).values())

    def shared_expanded(self, place: Place) -> int:
        """The same for what a group shares; 0 where writing out products absorbs it."""
        return sum(shape.numel for shape in self.deployed().shared_tensors(place).values())
