"""The six sites of an edit: a weight, an output, an input, keys and values, any pretrained tensor, a side network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from surveykit.errors import RecipeError
from surveykit.recipes.base import LINEAR_ROLES, MODULE_ROLES, Edit, Overhead, Parts, Place, Shape, Site

if TYPE_CHECKING:
    from torch import Tensor

    from surveykit.recipes.quantization import Quantization


class WeightEdit(Edit):
    """W → f(W) on a linear layer, run as a branch beside it or written into the weight."""

    site: ClassVar[Site] = "weight"
    allowed_roles: ClassVar[frozenset[str]] = LINEAR_ROLES | {"linear"}
    costs: ClassVar[frozenset[Overhead]] = frozenset({"linear"})
    bias_apart: ClassVar[bool] = False
    """Whether a bias that the layer has is kept out of the y of `after`, and added behind it."""
    casts_input: ClassVar[bool] = True
    """Whether the x of `after` has the precision of the edit's own tensors, for products with them; else the backbone's, as
    y has. A sum may have either, and is cast to the backbone's. All this where the edit is wider than the backbone."""
    casts_before: ClassVar[bool] = True
    """The same of the x of `before`."""

    drops_input: ClassVar[bool] = False
    """Whether libraries drop a share of the x of `after`, where a run asks for dropout in adapters."""

    @property
    def changes_input(self) -> bool:
        """Whether the frozen layer is fed something else than x."""
        return type(self).before is not WeightEdit.before

    @property
    def changes_bias(self) -> bool:
        """Whether merging also changes a bias that the layer has."""
        return False

    def bias(self, parts: Parts, bias: Tensor) -> Tensor:
        """What the layer's bias becomes when the edit is merged, (fan_out)."""
        return bias

    def merges_into(self, base: Quantization) -> bool:
        """Whether the update can be written into weights of few bits without rounding it."""
        return False

    def before(self, parts: Parts, x: Tensor) -> Tensor:
        """What the frozen layer is fed instead of x: (…, fan_in) → (…, fan_in)."""
        return x

    def after(self, parts: Parts, x: Tensor, y: Tensor) -> Tensor:
        """What follows the frozen layer's y = W x (+ its bias): (…, fan_in), (…, fan_out) → (…, fan_out)."""
        return y

    def weight(self, parts: Parts, weight: Tensor) -> Tensor:
        """The edited weight, (fan_out, fan_in) → (fan_out, fan_in)."""
        raise NotImplementedError

    def changed(self, place: Place) -> int:
        return 0 if self.merge_obstacle() else place.fan_in * place.fan_out

    def update_rank(self, place: Place) -> int:
        return 0 if self.merge_obstacle() else min(place.fan_in, place.fan_out)


class BudgetedEdit(WeightEdit):
    """A weight edit in components that compete, over all its matrices, for a budget that shrinks while training.

    The engine keeps running averages of |value × gradient| and of its deviation for every trained number, and from
    their product silences the least important components of all matrices after each step. What is silenced at the
    end is dropped, so matrices end with different numbers of components: `rank` on average falls to `target`.
    """

    rank: int
    """Components of each matrix at the start."""
    target: int
    """… and at the end, on average."""

    def importance(self, scores: Mapping[str, Tensor]) -> Tensor:
        """Importance of each component, (components,), from a score of every trained number by its tensor's name."""
        raise NotImplementedError

    def silence(self, parts: Parts, kept: Tensor) -> None:
        """Set components where `kept` (components,) is False to zero; they may come back."""
        raise NotImplementedError

    def survivors(self, parts: Parts, kept: Tensor) -> Mapping[str, Tensor]:
        """The tensors with the other components dropped."""
        raise NotImplementedError


class ParameterEdit(Edit):
    """θ → f(θ) on any pretrained tensors, as they enter the forward pass: embeddings and norms as much as matrices."""

    site: ClassVar[Site] = "parameter"
    allowed_roles: ClassVar[frozenset[str]] = LINEAR_ROLES | {"linear", "norm", "position_bias", "embedding", "head"}
    costs: ClassVar[frozenset[Overhead]] = frozenset({"linear"})
    casts_input: ClassVar[bool] = True
    """Whether the tensor is given in the precision of the edit's own, where that is wider; else as the backbone has it."""

    def value(self, parts: Parts, tensor: Tensor, place: Place) -> Tensor:
        """The edited tensor, of the same shape."""
        raise NotImplementedError

    def changed(self, place: Place) -> int:
        return Shape(place.shape).numel

    def update_rank(self, place: Place) -> int:
        return min(place.shape) if len(place.shape) == 2 else 0


class OutputEdit(Edit):
    """(x, y) → y' on a sublayer's module, before its residual sum. x is what the module read (after the norm)."""

    site: ClassVar[Site] = "output"
    allowed_roles: ClassVar[frozenset[str]] = MODULE_ROLES
    obstacle: ClassVar[str | None] = "it computes a non-linear function beside the weights"
    costs: ClassVar[frozenset[Overhead]] = frozenset({"ffn"})

    @property
    def reads_input(self) -> bool:
        """Whether `after` looks at x; an edit that does not can go behind any module with the sublayer's output."""
        return False

    def after(self, parts: Parts, x: Tensor, y: Tensor) -> Tensor:
        raise NotImplementedError


class InputEdit(Edit):
    """Positions put before the embedded input of a stack."""

    site: ClassVar[Site] = "input"
    allowed_roles: ClassVar[frozenset[str]] = frozenset({"input"})
    obstacle: ClassVar[str | None] = "it adds positions, which no weight holds"
    costs: ClassVar[frozenset[Overhead]] = frozenset({"input"})

    def positions(self, parts: Parts) -> Tensor:
        """The soft positions, (length, d_model)."""
        raise NotImplementedError


class KeyValueEdit(Edit):
    """Keys and values put before those that an attention module computes."""

    site: ClassVar[Site] = "kv"
    allowed_roles: ClassVar[frozenset[str]] = frozenset({"attention"})
    obstacle: ClassVar[str | None] = "it adds keys and values, which no weight holds"
    costs: ClassVar[frozenset[Overhead]] = frozenset({"input"})
    apart: ClassVar[bool] = False
    """Whether queries attend to what is added by itself, with a softmax of its own, and the result is added to that of the
    model's keys; else to all keys together."""
    moves_text: ClassVar[bool] = False
    """Whether the text stands behind the added positions, and not at position 0 beside them; of no effect on a model whose
    positions are told apart by distance alone."""

    def key_value(self, parts: Parts, place: Place) -> tuple[Tensor, Tensor]:
        """Keys and values, each (length, width)."""
        raise NotImplementedError

    def gate_value(self, parts: Parts, x: Tensor) -> Tensor | None:
        """A factor (batch, 1 or length, 1) on the added keys and values, from the attention's input; None without. Where they
        are attended to `apart`, it is on their weights, (batch, heads, queries, length), and they need one."""
        return None


@dataclass(frozen=True)
class SideStack:
    """What a side network reads of one stack of the backbone. No tensor here has a gradient."""

    place: Place
    parts: Parts
    states: Sequence[Tensor]
    """The embedded input, then the output of every block, each (batch, positions, d_model)."""
    hidden: Sequence[Tensor]
    """What each block's feed-forward feeds its last matrix, (batch, positions, d_ff); empty unless `reads_hidden`."""
    mask: Tensor | None
    """1 where a position is no padding, (batch, positions); None when none is."""
    buckets: Tensor
    """Row of a table of relative positions for each query and key, (positions, positions)."""
    position_bias: Tensor
    """The stack's own table, (buckets, heads)."""
    final_norm: Callable[[Tensor], Tensor]
    """The stack's frozen final norm; gradients pass it, as they pass the output layer behind it."""


class SideEdit(Edit):
    """A network beside the backbone that reads its hidden states; nothing flows back into the blocks it reads.

    Its output takes the place of that of the last stack it reads. After the decoder only the frozen output layer
    follows, so that no block sees a gradient; after the encoder the frozen decoder does, and gradients cross it.
    """

    site: ClassVar[Site] = "side"
    allowed_roles: ClassVar[frozenset[str]] = frozenset({"input"})
    obstacle: ClassVar[str | None] = "it is a network of its own beside the backbone"
    costs: ClassVar[frozenset[Overhead]] = frozenset({"decoder"})
    reads_hidden: ClassVar[bool] = False
    """Whether it reads what is inside the feed-forward modules, which otherwise need not be held."""

    def output(self, stacks: Sequence[SideStack]) -> Tensor:
        """What replaces the output of the last stack, after its final norm: (batch, positions, d_model).

        `stacks` are those of the backbone in order (encoder, decoder) that the edit's `where` names.
        """
        raise NotImplementedError


Gate = Literal["none", "sequence_mean_sigmoid"]


def gate_tensors(gate: Gate, width: int) -> dict[str, Shape]:
    """The tensors of a gate that reads a stream of this width: one linear map to a single number."""
    return {} if gate == "none" else {"gate_weight": Shape((width,), "normal"), "gate_bias": Shape((1,))}


def gated(gate: Gate, parts: Parts, x: Tensor, delta: Tensor) -> Tensor:
    """Multiply an update by its gate (UniPELT, survey 10.3): sigmoid of a linear map of x, averaged over positions."""
    return delta if gate == "none" else delta * sequence_gate(parts, x)


def sequence_gate(parts: Parts, x: Tensor) -> Tensor:
    """The gate itself: x (batch, positions, width) → (batch, 1, 1).

    Raises:
        RecipeError: x has no dimension of positions to average over.
    """
    if x.dim() != 3:
        raise RecipeError(
            "a gate averages over the positions of a sequence, and this backbone joins them with the batch"
        )
    opened: Tensor = (x @ parts.gate_weight + parts.gate_bias).sigmoid().mean(dim=-1)
    return opened[..., None, None]
