"""Widths of attentions and feed-forwards, and which outputs of a matrix are whose where several roles share it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from surveykit.engine.models.roles import Group, Part
from surveykit.errors import SurveyError
from surveykit.recipes import Role


@dataclass(frozen=True)
class Rows:
    """The features of a layer's output that are one role's: the same ones in each of equal groups."""

    groups: int
    start: int
    stop: int

    @property
    def width(self) -> int:
        """How many they are, in all groups."""
        return self.groups * (self.stop - self.start)

    def of(self, tensor: Tensor, dim: int) -> Tensor:
        """These features of a tensor that has all of the layer's along `dim`."""
        dim %= tensor.dim()
        return self._grouped(tensor, dim).narrow(dim + 1, self.start, self.stop - self.start).flatten(dim, dim + 1)

    def put(self, tensor: Tensor, part: Tensor, dim: int) -> Tensor:
        """Such a tensor with other values of these features."""
        dim %= tensor.dim()
        whole = self._grouped(tensor, dim)
        before = whole.narrow(dim + 1, 0, self.start)
        behind = whole.narrow(dim + 1, self.stop, whole.shape[dim + 1] - self.stop)
        return torch.cat((before, self._grouped(part, dim), behind), dim + 1).flatten(dim, dim + 1)

    def _grouped(self, tensor: Tensor, dim: int) -> Tensor:
        return tensor.reshape(*tensor.shape[:dim], self.groups, -1, *tensor.shape[dim + 1 :])


@dataclass(frozen=True)
class Widths:
    """What the places of one attention, and of the block around it, have in common, in features."""

    d_model: int
    inner: int
    """What an attention gives its last matrix; 0 without an attention."""
    keys: int
    values: int
    """Of all heads; 0 where it is that of the keys."""
    heads: int
    d_ff: int
    buckets: int


_BY_HEAD = ("GPTBigCodeAttention", "DisentangledSelfAttention", "MiniMaxLightningAttention")
"""Attentions whose query, key and value stand head by head, though their matrix is not called `query_key_value`."""
_IN_GROUPS: Mapping[str, tuple[int, tuple[Role, ...]]] = {"CodeGenAttention": (4, ("query", "value", "key"))}
"""Attentions with an order of their own, in as many groups as there were machines to train them."""
_UP_FIRST = ("MoonshineDecoderMLP", "MoonshineStreamingDecoderMLP", "Phi4MultimodalAudioMLP")
"""Feed-forwards whose gate is the second half of their matrix."""
_HEADS = ("num_heads", "num_attention_heads", "n_heads", "n_head", "num_attn_heads")


def _said(config: Any, *names: str) -> int:
    """The first of some numbers that a configuration says; 0 where it says none, or has one for each layer."""
    for name in names:
        try:
            number = getattr(config, name)
        except Exception:  # of transformers: it is not there, or each layer has its own
            continue
        if isinstance(number, int) and number:
            return number
    return 0


def widths_of(
    attention: Group | None, groups: Sequence[Group], modules: Mapping[str, nn.Module], config: Any, side: str
) -> Widths:
    """The widths of an attention in a block, and of the block's feed-forward.

    Args:
        groups: all of the block.
        modules: those of the block by their paths.
        config: what transformers says of the stack, where the modules do not say it.
    """

    def features(path: str) -> tuple[int, int]:
        return linear_widths(modules[path])

    ends = [path for group in groups for path in group.paths("feed_forward_out")]
    d_ff = features(ends[0])[0] if ends else _said(config, "intermediate_size")
    buckets = _said(config, "relative_attention_num_buckets")
    d_model = _said(config, "hidden_size") or (features(ends[0])[1] if ends else 0)
    heads = _said(config, f"{side}_attention_heads", "num_attention_heads") or 1
    if attention is None:
        return Widths(d_model, 0, 0, 0, heads, d_ff, buckets)
    home = modules[attention.home]
    heads = next((n for name in _HEADS if isinstance(n := getattr(home, name, None), int)), heads)
    query, key, value = (attention.paths(part) for part in ("query", "key", "value"))
    asked = sum(features(path)[1] for path in query)
    outputs = attention.paths("attention_output")
    inner, d_model = features(outputs[-1]) if outputs else (asked, d_model)
    values = 0
    if fused := attention.paths("qkv"):
        keys = (features(fused[0])[1] - inner) // 2
    elif fused := attention.paths("kv"):
        both = features(fused[0])[1]
        if _is_latent(fused[0]):
            keys, values = both - inner + heads * _rotated(home), inner
        else:
            keys = both if both == asked // heads else both // 2
    else:
        keys = sum(features(path)[1] for path in key or value)
        values = sum(features(path)[1] for path in value)
    return Widths(d_model, inner, keys, 0 if values == keys else values, heads, d_ff, buckets)


def rows_of(part: Part, path: str, group: Group, modules: Mapping[str, nn.Module], widths: Widths) -> dict[Role, Rows]:
    """The rows of each role in a matrix; none where it has one role."""
    fan_out = linear_widths(modules[path])[1]
    if part == "qkv":
        kind, head = type(modules[group.home]).__name__, max(widths.inner // widths.heads, 1)
        by_head = path.endswith("query_key_value") or kind in _BY_HEAD
        groups, order = _IN_GROUPS.get(kind, (max(widths.keys // head, 1) if by_head else 1, _QKV))
        return _following(groups, {role: widths.inner if role == "query" else widths.keys for role in order})
    if part == "kv":
        if _is_latent(path):  # of each head: the part of the key that does not rotate, and the value
            return _following(widths.heads, {"key": fan_out - widths.inner, "value": widths.inner})
        if fan_out == widths.keys:  # one vector is both
            return {"value": Rows(1, 0, fan_out)}
        return _following(1, {"key": widths.keys, "value": widths.keys})
    if part == "feed_forward_in" and not group.paths("feed_forward_gate"):
        home = path.rpartition(".")[0]
        ends = [end for end in group.paths("feed_forward_out") if end.rpartition(".")[0] == home]
        if ends and fan_out == 2 * (half := linear_widths(modules[ends[0]])[0]):
            both: tuple[Role, ...] = ("feed_forward_gate", "feed_forward_in")
            up_first = type(modules[home]).__name__ in _UP_FIRST
            return _following(1, dict.fromkeys(both[::-1] if up_first else both, half))
    return {}


_QKV: tuple[Role, ...] = ("query", "key", "value")


def _following(groups: int, widths: Mapping[Role, int]) -> dict[Role, Rows]:
    """Roles that follow each other in each of equal groups, with the widths of all groups together."""
    found: dict[Role, Rows] = {}
    start = 0
    for role, width in widths.items():
        found[role] = Rows(groups, start, start + width // groups)
        start += width // groups
    return found


def _is_latent(path: str) -> bool:
    """Whether a matrix makes keys and values from what DeepSeek's attention keeps of them."""
    return path.endswith("kv_b_proj")


def _rotated(attention: nn.Module) -> int:
    """Of a head's key, the features that rotate: all heads share them, and they are made beside the rest."""
    made, kept = attention._modules.get("kv_a_proj_with_mqa"), attention._modules.get("kv_b_proj")
    return 0 if made is None or kept is None else linear_widths(made)[1] - linear_widths(kept)[0]


def linear_widths(module: nn.Module) -> tuple[int, int]:
    """Features that a linear layer reads and gives.

    Raises:
        SurveyError: it is no linear layer that recipes know.
    """
    if isinstance(module, Conv1D):
        return module.nx, module.nf
    if isinstance(module, nn.Linear):
        return module.in_features, module.out_features
    raise SurveyError(f"a {type(module).__name__} stands where a linear layer is expected")
