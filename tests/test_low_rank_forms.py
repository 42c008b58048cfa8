"""Forms of low-rank updates, beyond what every kind is held to: memory as through PEFT's modules, and MoRA, which PEFT lacks."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from conftest import CATALOG
from peft_tensors.low_rank import KINDS
from small_models import CONFIGS
from test_peft_kinds import said

from surveykit.catalog.peft_file import PeftFile
from surveykit.catalog.peft_recipes import translated
from surveykit.catalog.peft_targets import NotOurs
from surveykit.catalog.training import Training
from surveykit.engine import Attached, instance_of
from surveykit.engine.models.model import blueprint_of
from surveykit.engine.models.peft_modules import parts_of
from surveykit.engine.trace.costs import Costs
from surveykit.engine.trace.peft_costs import PeftCosts
from surveykit.recipes import Recipe

CASES = [
    pytest.param(kind, one, id=f"{kind}-{number}")
    for kind, ones in KINDS.items() for number, one in enumerate(ones if isinstance(ones, list) else [ones])
    if kind != "clustered_rows"  # PEFT groups values of weights while it builds these, and a trace has none
]  # fmt: skip
MIXED = Training(dtype="bfloat16", adapter_dtype="float32", attention="sdpa", optimizer="adamw-foreach")


@pytest.mark.parametrize(("kind", "one"), CASES)
def test_a_step_holds_what_pefts_modules_hold(kind: str, one: Any) -> None:
    plan = blueprint_of(CONFIGS["llama"](), name="llama")
    instance = plan.build()
    file = said(kind, one, instance, "llama")
    stage = translated(file, parts_of(instance, file), CATALOG).recipe.stages[-1]
    ours = Costs(plan).training(stage, 4, 64, training=MIXED).memory
    theirs = PeftCosts(plan, file).training(4, 64, training=MIXED).memory
    assert ours.peak == pytest.approx(theirs.peak, rel=0.001)


def test_an_activation_that_our_network_lacks_is_left_to_peft() -> None:
    instance = instance_of(CONFIGS["llama"](), device="meta")
    file = PeftFile("test", "PEANUT", {"r": 2, "act_fn": "mish", "target_modules": ["q_proj"]})
    with pytest.raises(NotOurs, match="act_fn mish"):
        translated(file, parts_of(instance, file), CATALOG)


def by_pieces(square: torch.Tensor, x: torch.Tensor, fan_out: int, *, turned: bool) -> torch.Tensor:
    """MoRA of one input, number by number, with rotations as products of complex numbers."""
    side, total = len(square), torch.zeros(len(square))
    number, half = math.ceil(len(x) / side), side // 2
    results = []
    for n in range(number):
        piece = torch.stack([x[(n * side + i) % len(x)] for i in range(side)])
        if turned:
            angles = torch.tensor([n / 10_000 ** (2 * i / side) for i in range(half)])
            spun = torch.complex(piece[:half], piece[half:]) * torch.polar(torch.ones(half), angles)
            results.append(square @ torch.cat([spun.real, spun.imag]))
        total = total + piece
    joined = torch.cat(results) if turned else square @ total
    return torch.stack([joined[o % len(joined)] for o in range(fan_out)])


@pytest.mark.parametrize("fold", ["sum", "rotate"])
@pytest.mark.parametrize("rank", [1, 3, 40])  # sides from a part of the width to more than all of it
def test_mora_is_what_its_equations_say(fold: str, rank: int) -> None:
    instance = instance_of(CONFIGS["llama"](), device="cpu", seed=3)
    edit = {"kind": "square", "where": {"roles": ["query", "value"]}, "rank": rank, "fold": fold}
    stage = {"name": "fine_tuning", "scope": "task", "edits": [edit], "train": []}
    with Attached(instance, Recipe.model_validate({"stages": [stage]}, strict=False).stages[0]) as attached:
        for placed in attached.placed:
            weight, place, part = placed.part.frozen.detach(), placed.slot.place, placed.part
            side = int(math.sqrt((place.fan_in + place.fan_out) * rank) + 0.5)
            assert part.square.shape == ((side // 2 * 2,) * 2 if fold == "rotate" else (side, side))
            square = torch.randn(part.square.shape)
            with torch.no_grad():
                part.square.copy_(square)
            x = torch.randn(2, place.fan_in)
            wanted = torch.stack([by_pieces(square, row, place.fan_out, turned=fold == "rotate") for row in x])
            y = x @ weight.T
            edited = placed.edit.after(part, x, y)  # type: ignore[attr-defined]
            torch.testing.assert_close(edited - y, wanted, rtol=1e-4, atol=1e-4)
            torch.testing.assert_close(x @ placed.edit.weight(part, weight).T, edited, rtol=1e-4, atol=1e-4)  # type: ignore[attr-defined]
