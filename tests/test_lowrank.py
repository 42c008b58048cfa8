"""Mathematics of low-rank methods that the general tests do not reach: budgets, projected gradients, restarts."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from real_catalog import CONFIGURATIONS
from test_engine_runs import last_stage
from torch import Tensor

from surveykit.catalog.load import Catalog
from surveykit.engine import Attached, count
from surveykit.engine.edits import saving
from surveykit.engine.edits.allocation import Allocation
from surveykit.engine.models.tiny import tiny_batch, tiny_instance
from surveykit.engine.train.loop import Trained, loss_of, train
from surveykit.engine.train.optimizers import (
    ProjectedAdamW,
    directions,
    optimizer_for,
    project,
    project_back,
)
from surveykit.engine.train.trial import randomise
from surveykit.recipes import Projection
from surveykit.recipes.sites import BudgetedEdit

FAMILY = ("lora/", "dora/", "glora/", "adalora/", "galore/", "apollo/", "relora/", "krona/")
NAMES = [name for name in CONFIGURATIONS if name.startswith(FAMILY)]
BUDGETED = [name for name in NAMES if name.startswith("adalora/")]


def held_numbers(optimizer: torch.optim.Optimizer) -> int:
    """Numbers that an optimizer holds between steps, without its counters of steps."""
    state = (value for values in optimizer.state.values() for value in values.values())
    own = sum(value.numel() for value in state if isinstance(value, Tensor) and value.dim() > 0)
    if isinstance(optimizer, ProjectedAdamW):
        own += sum(basis.numel() for basis in optimizer.bases.values())
        own += sum(proxy.numel() for proxy in optimizer.proxies)
    return own


@pytest.mark.parametrize("name", NAMES)
def test_the_optimizer_holds_what_is_counted(catalog: Catalog, name: str) -> None:
    recipe = catalog.recipe(name)
    instance, batch = tiny_instance(), tiny_batch()
    held = []
    for stage in recipe.stages:
        with Attached(instance, stage) as attached:
            trained = [p for p in instance.model.parameters() if p.requires_grad]
            optimizer, allocation = optimizer_for(attached, trained, 1e-2), Allocation(attached, steps=2)
            for _ in range(2):  # as in evaluation: where nothing is drawn, every tensor has a gradient
                loss_of(attached, batch).backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                optimizer.zero_grad()
            averages = sum(t.numel() for pair in allocation.averages.values() for t in pair)
            held.append(held_numbers(optimizer) + averages)
    assert max(held) == count(recipe, tiny_instance()).optimizer_state


class TestProjectedGradients:
    """GaLore."""

    def rule(self, **changes: Any) -> Projection:
        fields = {"kind": "projected_gradient", "where": {"roles": ("query",)}, "rank": 2, "every": 3, "scale": 1.0}
        return Projection.model_validate({**fields, **changes})

    @pytest.mark.parametrize("shape", [(6, 4), (4, 6), (5, 5)])
    def test_the_smaller_side_is_projected_to_its_leading_directions(self, shape: tuple[int, int]) -> None:
        gradient = torch.randn(shape, generator=torch.Generator().manual_seed(1))
        basis = directions(gradient, 2)
        assert basis.shape == (2, min(shape))
        torch.testing.assert_close(basis @ basis.T, torch.eye(2))
        left, values, right = torch.linalg.svd(gradient, full_matrices=False)
        closest = (left[:, :2] * values[:2]) @ right[:2]
        torch.testing.assert_close(project_back(project(gradient, basis), basis, gradient.shape), closest)

    def test_one_matrix_moves_as_adam_in_the_small_space(self) -> None:
        generator = torch.Generator().manual_seed(2)
        start = torch.randn(6, 4, generator=generator)
        gradients = [torch.randn(6, 4, generator=generator) for _ in range(5)]
        p = torch.nn.Parameter(start.clone())
        optimizer = ProjectedAdamW(self.rule(scale=0.5), [p], [], 0.1)
        wanted, first, second, basis = start.clone(), torch.zeros(6, 2), torch.zeros(6, 2), torch.empty(0)
        for number, gradient in enumerate(gradients):
            p.grad = gradient.clone()
            optimizer.step()
            if number % 3 == 0:  # new directions; the moments stay
                basis = directions(gradient, 2)
            small = gradient @ basis.T
            first, second = 0.9 * first + 0.1 * small, 0.999 * second + 0.001 * small**2
            after = number + 1
            move = (first / (1 - 0.9**after)) / ((second / (1 - 0.999**after)).sqrt() + 1e-8)
            wanted = wanted - 0.1 * 0.5 * move @ basis
        torch.testing.assert_close(p.detach(), wanted)

    def test_a_step_has_the_rank_of_the_projection_and_new_directions_add_to_it(self) -> None:
        p = torch.nn.Parameter(torch.zeros(8, 8))
        optimizer = ProjectedAdamW(self.rule(every=2), [p], [], 0.1)
        ranks = []
        for number in range(4):
            p.grad = torch.randn(8, 8, generator=torch.Generator().manual_seed(number))
            optimizer.step()
            ranks.append(int(torch.linalg.matrix_rank(p.detach(), rtol=1e-5)))
        assert ranks == [2, 2, 4, 4]

    def test_the_linear_layers_of_all_blocks_are_projected(self, catalog: Catalog) -> None:
        stage = last_stage(catalog, "galore/all-linear-r4")
        with Attached(tiny_instance(), stage) as attached:
            optimizer = optimizer_for(attached, list(attached.instance.pretrained), 1e-2)
        assert isinstance(optimizer, ProjectedAdamW)
        linear = {"query", "key", "value", "attention_output", "feed_forward_in", "feed_forward_out"}
        places = [slot for slot in attached.instance.slots if slot.place.role in linear]
        assert {id(p) for p in optimizer.chosen} == {id(slot.module.weight) for slot in places}


class TestBudget:
    """AdaLoRA."""

    @pytest.fixture(params=BUDGETED)
    def trained(self, catalog: Catalog, request: pytest.FixtureRequest) -> Trained:
        return train(catalog.recipe(request.param), tiny_instance(), tiny_batch(), steps=6)

    def test_exactly_the_budget_survives_over_all_matrices(self, trained: Trained) -> None:
        left = [len(placed.part.diagonal) for placed in trained.attached.placed]
        edit = trained.attached.placed[0].edit
        assert isinstance(edit, BudgetedEdit)
        assert sum(left) == edit.target * len(left)
        assert max(left) <= edit.rank
        assert len(set(left)) > 1  # the budget is not spread evenly: that is what the method is for

    def test_what_is_saved_are_the_survivors(self, trained: Trained) -> None:
        bytes_kept = saving.size(saving.saved(trained.attached)[1])
        sizes = [(len(p.part.diagonal), p.slot.place) for p in trained.attached.placed]
        assert bytes_kept == 4 * sum(n * (place.fan_in + place.fan_out + 1) for n, place in sizes)

    def test_every_matrix_with_a_survivor_changes_and_no_other(self, trained: Trained) -> None:
        randomise(trained.attached)
        placed = trained.attached.placed
        trained.attached.merge()
        for one in placed:
            moved = int((one.part.frozen != trained.pristine[id(one.part.frozen)]).sum())
            entries = one.part.frozen.numel()
            assert moved >= 0.999 * entries if len(one.part.diagonal) else moved == 0

    def test_the_budget_falls_along_a_cubic_curve(self, catalog: Catalog) -> None:
        with Attached(tiny_instance(), last_stage(catalog, "adalora/all-linear-r12-to-8")) as attached:
            allocation, places = Allocation(attached, steps=10), len(attached.placed)
            falling = []
            for allocation.done in range(11):
                falling.append(allocation.budget())
        assert falling[0] == 12 * places
        assert falling[5] == 8 * places + int(4 * places * 0.125)
        assert falling[10] == 8 * places
        assert falling == sorted(falling, reverse=True)

    def test_the_least_important_are_dropped(self, catalog: Catalog) -> None:
        with Attached(tiny_instance(), last_stage(catalog, "adalora/all-linear-r12-to-8")) as attached:
            allocation = Allocation(attached, steps=1)
            allocation.done = 1
            generator = torch.Generator().manual_seed(4)
            for smooth, doubt in allocation.averages.values():
                smooth.copy_(torch.rand(smooth.shape, generator=generator))
                doubt.copy_(torch.rand(doubt.shape, generator=generator))
            importance: list[Tensor] = []
            for placed in attached.placed:
                scores = {n: allocation.averages[id(p)] for n, p in placed.part.named_parameters()}
                left, value, right = (scores[n][0] * scores[n][1] for n in ("left", "diagonal", "right"))
                importance.append(value + left.mean(dim=0) + right.mean(dim=1))
            kept = torch.cat(allocation.kept())
        assert torch.cat(importance)[kept].min() >= torch.cat(importance)[~kept].max()

    def test_the_penalty_is_zero_for_orthonormal_factors_only(self, catalog: Catalog) -> None:
        with Attached(tiny_instance(), last_stage(catalog, "adalora/all-linear-r12-to-8")) as attached:
            assert (start := attached.penalty()) is not None
            assert start > 1
            with torch.no_grad():
                for placed in attached.placed:
                    torch.nn.init.orthogonal_(placed.part.left)
                    torch.nn.init.orthogonal_(placed.part.right)
            assert (after := attached.penalty()) is not None
            assert after < 1e-6


def test_the_length_gets_no_gradient_and_starts_at_the_rows(catalog: Catalog) -> None:
    instance, batch = tiny_instance(), tiny_batch()
    before = instance.model(**batch, use_cache=False).loss
    with Attached(instance, last_stage(catalog, "dora/qv-r8")) as attached:
        placed = attached.placed[0]
        torch.testing.assert_close(placed.part.magnitude.detach(), placed.part.frozen.detach().norm(dim=1))
        torch.testing.assert_close(instance.model(**batch, use_cache=False).loss, before)
        x = torch.randn(3, placed.slot.place.fan_in, generator=torch.Generator().manual_seed(6))
        with torch.no_grad():
            placed.part.up.normal_(generator=torch.Generator().manual_seed(7))
        y = x @ placed.part.frozen.T
        edit: Any = placed.edit
        edit.after(placed.part, x, y).sum().backward()
        # With the length a constant, the gradient of `up` is that of LoRA times magnitude / length.
        length = (placed.part.frozen + edit.update(placed.part)).detach().norm(dim=1)
        lora = torch.ones(3, placed.slot.place.fan_out).T @ (x @ placed.part.down.detach().T)
        torch.testing.assert_close(placed.part.up.grad, lora * (placed.part.magnitude.detach() / length)[:, None])


def test_each_round_adds_its_rank(catalog: Catalog) -> None:
    recipe = catalog.recipe("relora/no-warm-up-r8")
    found = []
    for restarts in (0, 1, 3):
        stage = recipe.stages[0].model_copy(update={"restarts": restarts})
        instance = tiny_instance()
        done = train(recipe.model_copy(update={"stages": (stage,)}), instance, tiny_batch(), steps=3)
        done.attached.merge()
        query = next(slot.module.weight for slot in instance.slots if slot.place.role == "query")
        change = query.detach() - done.pristine[id(query)]
        found.append(int(torch.linalg.matrix_rank(change.double(), rtol=1e-5)))
    assert found == [8, 16, 32]


class TestGeneralized:
    """GLoRA."""

    def test_every_choice_is_drawn_and_evaluation_uses_the_product(self, catalog: Catalog) -> None:
        with Attached(tiny_instance(), last_stage(catalog, "glora/all-linear-r4")) as attached:
            placed = attached.placed[0]
            part = placed.part
            edit: Any = placed.edit
            with torch.no_grad():
                for p in part.parameters():
                    p.normal_(generator=torch.Generator().manual_seed(8))
            x = torch.randn(2, placed.slot.place.fan_in, generator=torch.Generator().manual_seed(10))
            zero = torch.zeros(2, placed.slot.place.fan_out)
            part.train()
            outputs = {tuple(edit.after(part, x, zero).flatten()[:3].tolist()) for _ in range(400)}
            assert len(outputs) == 16  # four choices for each of two terms
            part.eval()
            outputs = {tuple(edit.after(part, x, zero).flatten()[:3].tolist()) for _ in range(5)}
            assert len(outputs) == 1

    def test_new_biases_are_those_of_the_paper(self, catalog: Catalog) -> None:
        with Attached(tiny_instance(), last_stage(catalog, "glora/all-linear-r4-biases")) as attached:
            placed = attached.placed[0]
            part, weight = placed.part, placed.part.frozen.detach()
            generator = torch.Generator().manual_seed(9)
            with torch.no_grad():
                for p in part.parameters():
                    p.normal_(generator=generator)
                x = torch.randn(2, placed.slot.place.fan_in, generator=generator)
                factor = part.factor_left @ part.factor_right
                changed = weight + weight * factor + part.addend_left @ part.addend_right
                bias = weight @ (part.input_left @ part.input_right)[:, 0] + part.offset
                edit: Any = placed.edit
                torch.testing.assert_close(
                    edit.after(part, x, x @ weight.T), x @ changed.T + bias, rtol=1e-4, atol=1e-3
                )
