"""The ladder against T5 itself: at full width, with T5's weights, it is the backbone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from test_side_networks import inputs, run
from torch import Tensor
from transformers.models.t5.modeling_t5 import T5LayerNorm

from surveykit.engine import Attached
from surveykit.engine.models.tiny import tiny_instance
from surveykit.engine.trace.memory import Memory
from surveykit.errors import RecipeError
from surveykit.recipes import Place, Stage
from surveykit.recipes.base import Where
from surveykit.recipes.ladder import Ladder, _norm
from surveykit.recipes.sites import SideEdit


def ladder(**changed: Any) -> Ladder:
    chosen = {"where": Where(roles=("input",)), "reduction": 1, "period": 1, "kept": 1, **changed}
    return Ladder(kind="ladder", temperature=0.1, activation="relu", **chosen)


def stage(edit: SideEdit) -> Stage:
    return Stage(name="fine_tuning", scope="task", edits=(edit,), train=())


def test_a_ladder_of_full_width_that_reads_nothing_is_the_backbone() -> None:
    instance, given = tiny_instance(), inputs()
    before = run(instance, given)
    with Attached(instance, stage(ladder())) as found, torch.no_grad():
        for placed in found.placed:
            own = placed.part.values()
            for value in own.values():
                value.zero_()
            own["input_down"].copy_(torch.eye(128))
            own["gate"].fill_(100.0)  # σ(1000) = 1: nothing but the side's own state
            own["final_norm"].copy_(placed.slot.module.get_parameter("final_layer_norm.weight"))
            for n, block in enumerate(placed.slot.blocks):
                attentions = {"self": "0.SelfAttention", "cross": "1.EncDecAttention"}
                for name, path in attentions.items():
                    if f"{name}_query" not in own:
                        continue
                    for which, letter in (("query", "q"), ("key", "k"), ("value", "v"), ("output", "o")):
                        own[f"{name}_{which}"][n].copy_(block.get_parameter(f"layer.{path}.{letter}.weight"))
                    own[f"{name}_norm"][n].copy_(block.get_parameter(f"layer.{path[0]}.layer_norm.weight"))
                last = f"layer.{'2' if 'cross_query' in own else '1'}"
                own["feed_forward_norm"][n].copy_(block.get_parameter(f"{last}.layer_norm.weight"))
                own["feed_forward_in"][n].copy_(block.get_parameter(f"{last}.DenseReluDense.wi.weight"))
                own["feed_forward_out"][n].copy_(block.get_parameter(f"{last}.DenseReluDense.wo.weight"))
            table = "layer.0.SelfAttention.relative_attention_bias.weight"
            own["position_bias"].copy_(placed.slot.blocks[0].get_parameter(table))
            if "up" in own:
                own["up"].copy_(torch.eye(128))
        torch.testing.assert_close(run(instance, given), before, rtol=0, atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32], ids=str)
def test_the_ladders_norm_is_t5s_and_keeps_what_that_keeps(dtype: torch.dtype) -> None:
    theirs = T5LayerNorm(24, eps=1e-6).to(dtype)
    x = torch.randn(2, 5, 24, generator=torch.Generator().manual_seed(2)).to(dtype)

    def kept(norm: Callable[[Tensor], Tensor]) -> tuple[Tensor, int]:
        memory, read = Memory(), x.clone().requires_grad_()
        memory.hold([theirs.weight])
        with memory, memory.phase("forward"), memory.watch_saved():
            found = norm(read)
        return found, memory.saved[1]

    (found, bytes_kept), (wanted, bytes_wanted) = kept(lambda read: _norm(read, theirs.weight)), kept(theirs)
    assert torch.equal(found, wanted)
    assert bytes_kept == bytes_wanted > 0


def test_a_ladder_reads_the_output_of_each_kept_block() -> None:
    instance, given = tiny_instance(), inputs()
    with Attached(instance, stage(ladder(kept=2, period=3))) as found, torch.no_grad():
        decoder = found.placed[1].part.values()
        for name, value in decoder.items():
            if name not in ("up", "final_norm"):
                value.zero_()
        decoder["gate"].fill_(-100.0)  # nothing but what is read, and no side block adds to it
        decoder["up"].copy_(torch.eye(128))
        decoder["down"][1].copy_(torch.eye(128))
        # So the side's last state is the output of the last block; with the frozen norm it is the backbone.
        decoder["final_norm"].copy_(instance.model.decoder.final_layer_norm.weight)
        beside = run(instance, given)
    torch.testing.assert_close(beside, run(instance, given), rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("period", "kept", "layers", "listed"),
    [
        (4, 3, 12, [1, 2, 3, 5, 6, 7, 9, 10, 11]),
        (4, 2, 12, [2, 3, 6, 7, 10, 11]),
        (4, 1, 12, [3, 7, 11]),
        (2, 1, 24, list(range(1, 24, 2))),
        (24, 1, 24, [23]),
        (1, 1, 3, [0, 1, 2]),
        (4, 3, 1, [0]),
    ],
)
def test_the_rule_gives_the_lists_of_the_authors_scripts(
    period: int, kept: int, layers: int, listed: list[int]
) -> None:
    place = Place("input", "encoder.input", 0, layers, 8, 8, 8, 8, 1, 8)
    assert ladder(period=period, kept=kept).layers(place) == listed


def test_a_ladder_that_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="3 of 2 layers"):
        ladder(period=2, kept=3)
    with pytest.raises(ValueError, match="reads both stacks"):
        ladder(where=Where(roles=("input",), sublayers=("decoder.input",)))
    with pytest.raises(RecipeError, match="divided by 64 is nothing"):
        Attached(tiny_instance(), stage(ladder(reduction=64)))
