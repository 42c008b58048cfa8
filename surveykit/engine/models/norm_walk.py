"""How many parameters norms and biases have, by names and shapes: what a recipe that trains all of them is held to.

Nothing here knows of places and roles, and nothing there of this: a norm that both overlook would have to have neither
the word in its class nor a vector for a weight.
"""

from __future__ import annotations

from typing import cast

from torch import nn
from transformers import PreTrainedModel


def norm_parameters(model: PreTrainedModel) -> int:
    """Of every module in front of the head whose weight is a vector, or that is called a norm: weight and bias."""
    named = dict(cast(nn.Module, model.base_model).named_parameters())
    homes = {name.removesuffix(".weight") for name, p in named.items() if name.endswith(".weight") and p.dim() == 1}
    homes |= {home for name in named if "norm" in (home := name.rpartition(".")[0]).rpartition(".")[2].lower()}
    return sum(p.numel() for name, p in named.items() if name.rpartition(".")[0] in homes)


def bias_parameters(model: PreTrainedModel, head: nn.Module | None) -> int:
    """Of every parameter in front of the head whose name ends in `bias`.

    Args:
        head: where it is inside the base model, a pooler for instance, it is left out.
    """
    heads = (head, model.get_output_embeddings())
    left_out = {id(p) for module in heads if isinstance(module, nn.Module) for p in module.parameters()}
    named = cast(nn.Module, model.base_model).named_parameters()
    return sum(p.numel() for name, p in named if name.endswith("bias") and id(p) not in left_out)
