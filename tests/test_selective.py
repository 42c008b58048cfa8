"""Mathematics of the selective methods and of Intrinsic SAID that the trial of every recipe does not reach."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from surveykit.catalog.load import Catalog
from surveykit.engine import Attached, Instance, count
from surveykit.engine.edits import saving
from surveykit.engine.edits.hadamard import hadamard
from surveykit.engine.models.tiny import tiny_batch, tiny_instance
from surveykit.engine.train.loop import Trained, choose_mask, train
from surveykit.errors import RecipeError
from surveykit.recipes import Mask, Recipe, Stage
from surveykit.recipes.fastfood import Fastfood, padded_length
from surveykit.recipes.gated_difference import GatedDifference
from surveykit.recipes.trained_rows import TrainedRows


def dense_hadamard(length: int) -> Tensor:
    matrix = torch.ones(1, 1)
    while len(matrix) < length:
        matrix = torch.kron(torch.tensor([[1.0, 1.0], [1.0, -1.0]]), matrix)
    return matrix


def pristine(instance: Instance) -> dict[int, Tensor]:
    return {id(p): p.detach().clone() for p in instance.pretrained}


@pytest.mark.parametrize("length", [1, 2, 8, 64])
def test_the_fast_hadamard_transform_is_the_product_with_the_matrix(length: int) -> None:
    x = torch.randn(length, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    torch.testing.assert_close(hadamard(x), dense_hadamard(length).double() @ x)
    torch.testing.assert_close(hadamard(hadamard(x)), length * x)


def test_the_fast_hadamard_transform_is_differentiated_as_the_product_is() -> None:
    x = torch.randn(16, generator=torch.Generator().manual_seed(0), dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(hadamard, x)


def test_lengths_are_powers_of_two() -> None:
    assert [padded_length(n) for n in (1, 2, 3, 4, 5, 1024, 1025)] == [1, 2, 4, 4, 8, 1024, 2048]


def test_fastfood_is_the_product_of_its_five_matrices(catalog: Catalog) -> None:
    with Attached(tiny_instance(), catalog.recipe("intrinsic-said/d20k").stages[-1]) as attached:
        placed = next(p for p in attached.placed if p.slot.place.role == "position_bias")  # 128 entries, the fewest
        part, place, edit = placed.part, placed.slot.place, placed.edit
        assert isinstance(edit, Fastfood)
        vector = torch.randn(part.shared.vector.shape, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            part.shared.vector.copy_(vector)
            part.strength.fill_(0.5)
        h = dense_hadamard(128)
        matrix = h @ torch.diag(part.gauss) @ torch.eye(128)[part.shuffle.long()] @ h @ torch.diag(part.signs)
        wanted = 0.5 * matrix @ vector[:128] / (128 * part.gauss.square().sum()).sqrt()
        torch.testing.assert_close(edit.value(part, torch.zeros(place.shape), place).flatten(), wanted)


def test_every_tensor_has_a_random_map_of_its_own_and_strengths_count_as_dimensions(catalog: Catalog) -> None:
    instance = tiny_instance()
    stage = catalog.recipe("intrinsic-said/d20k").stages[-1]
    with Attached(instance, stage) as attached:
        drawn = [p.part.gauss for p in attached.placed if p.slot.place.role == "query"]
        assert not any(torch.equal(drawn[0], other) for other in drawn[1:])
        assert len(attached.placed) == len(instance.pretrained)
        assert attached.placed[0].part.shared.vector.numel() == 20_000 - len(instance.pretrained)
    few = stage.model_copy(update={"edits": (stage.edits[0].model_copy(update={"dimension": 20}),)})
    with pytest.raises(RecipeError, match="too few for"):
        Attached(instance, few)


def difference(catalog: Catalog, name: str = "diffpruning/s0-5", **changed: object) -> Stage:
    stage = catalog.recipe(name).stages[0]
    return stage.model_copy(update={"edits": (stage.edits[0].model_copy(update=changed),)})


def test_gates_are_exactly_closed_or_open_as_often_as_the_penalty_expects(catalog: Catalog) -> None:
    stage = difference(catalog, start_log_alpha=0.5, low=-1.0, high=1.5, sparsity=1.0)
    with Attached(tiny_instance(), stage) as attached:
        placed = next(p for p in attached.placed if p.slot.place.role == "embedding")
        part, place, edit = placed.part, placed.slot.place, placed.edit
        assert isinstance(edit, GatedDifference)
        torch.nn.init.ones_(part.value)
        zeros = torch.zeros(place.shape)
        assert len(edit.value(part, zeros, place).unique()) == 1  # no noise but in training
        part.train()
        gates = edit.value(part, zeros, place).detach()
        assert gates.min() == 0
        assert gates.max() == 1
        expected = float(edit.penalty(part).detach()) / gates.numel()
        assert float((gates > 0).float().mean()) == pytest.approx(expected, abs=0.02)


def test_the_penalty_closes_gates_and_the_difference_starts_at_nothing(catalog: Catalog) -> None:
    recipe = Recipe(stages=(difference(catalog, sparsity=1.0),))
    instance, before = tiny_instance(), tiny_instance()
    trained = train(recipe, instance, tiny_batch(), steps=2)
    for placed in trained.attached.placed:
        assert bool((placed.part.log_alpha < 5).all())
    with Attached(before, recipe.stages[0]), torch.no_grad():
        attached_loss = before.model(**tiny_batch()).loss
    torch.testing.assert_close(attached_loss, before.model(**tiny_batch()).loss.detach())


def test_the_gate_of_a_tensor_closes_all_of_it(catalog: Catalog) -> None:
    with Attached(tiny_instance(), difference(catalog, "diffpruning/s0-5-structured")) as attached:
        placed = attached.placed[0]
        assert isinstance(placed.edit, GatedDifference)
        with torch.no_grad():
            placed.part.value.fill_(1)
            placed.part.tensor_log_alpha.fill_(-5)
            edited = placed.edit.value(placed.part, placed.part.frozen, placed.slot.place)
        assert torch.equal(edited, placed.part.frozen)


def ends_first_stage(recipe: Recipe, instance: Instance, rate: float = 1e-2) -> Trained:
    return train(Recipe(stages=recipe.stages[:1]), instance, tiny_batch(), steps=3, rate=rate)


def test_a_sparse_stage_keeps_what_moved_furthest_and_starts_from_the_backbone(catalog: Catalog) -> None:
    recipe = catalog.recipe("lt-sft/p1")
    first, whole = tiny_instance(), tiny_instance()
    ends_first_stage(recipe, first)
    moved = torch.cat(
        [(p - w).abs().detach().flatten() for p, w in zip(first.pretrained, whole.pretrained, strict=True)]
    )
    start = pristine(whole)
    trained = train(recipe, whole, tiny_batch(), steps=3)
    assert trained.attached.masked is not None
    kept = torch.cat([k.flatten() for k in trained.attached.masked.kept])
    assert int(kept.sum()) == count(recipe, tiny_instance()).changed
    assert moved[kept].min() >= moved[~kept].max()
    again = torch.cat([(p - start[id(p)]).detach().flatten() for p in whole.pretrained])
    assert not again[~kept].any()


def test_a_fixed_mask_goes_on_from_the_difference_that_was_learned(catalog: Catalog) -> None:
    recipe = catalog.recipe("diffpruning/s0-5")
    first, both = tiny_instance(), tiny_instance()
    torch.manual_seed(0)
    ends_first_stage(recipe, first).attached.merge()
    torch.manual_seed(0)
    trained = train(recipe, both, tiny_batch(), steps=3, rate=1e-2)
    assert trained.losses[1][0] < trained.losses[0][0]  # part of what was learned is still there
    assert trained.attached.masked is not None
    moved = torch.cat(
        [
            (p - trained.pristine[id(q)]).abs().detach().flatten()
            for p, q in zip(first.pretrained, both.pretrained, strict=True)
        ]
    )
    kept = torch.cat([k.flatten() for k in trained.attached.masked.kept])
    assert moved[kept].min() >= moved[~kept].max()


def test_the_fisher_information_is_summed_over_examples_and_all_entries(catalog: Catalog) -> None:
    instance, batch = tiny_instance(), tiny_batch()
    with Attached(instance, catalog.recipe("fishmask/k0-5").stages[0]) as attached:
        choose_mask(attached, batch, pristine(instance))
        assert attached.masked is not None
        chosen = torch.cat([kept.flatten() for kept in attached.masked.kept])
    scores = torch.zeros(len(chosen))
    for p in instance.pretrained:
        p.requires_grad_(True)
    for one in range(3):
        instance.model.zero_grad()
        instance.model(**{name: value[one : one + 1] for name, value in batch.items()}).loss.backward()
        scores += torch.cat([p.grad.square().flatten() for p in instance.pretrained if p.grad is not None])
    assert scores[chosen].min() >= scores[~chosen].max()


def test_new_tensors_are_pruned_after_the_choice_and_not_before(catalog: Catalog) -> None:
    mask = Mask(of="added", keep_ppm=300_000, across="model", rule="magnitude")
    stage = catalog.recipe("lora/qv-r8").stages[0].model_copy(update={"mask": mask})
    with Attached(tiny_instance(), stage) as attached:
        before = torch.cat([p.detach().abs().flatten() for p in attached.added()])
        choose_mask(attached, tiny_batch(), {})
        after = torch.cat([p.detach().abs().flatten() for p in attached.added()])
    kept = after > 0
    assert int(kept.sum()) == mask.kept(len(before))
    assert before[kept].min() >= before[~kept].max()


def test_the_rows_that_moved_furthest_are_trained_and_their_numbers_kept(catalog: Catalog) -> None:
    recipe = catalog.recipe("far/r10")
    first, whole = tiny_instance(), tiny_instance()
    ends_first_stage(recipe, first)
    trained = train(recipe, whole, tiny_batch(), steps=3)
    rows = 0
    for placed in trained.attached.placed:
        edit, part = placed.edit, placed.part
        assert isinstance(edit, TrainedRows)
        number = next(n for n, p in enumerate(whole.pretrained) if p is part.frozen)
        moved = (first.pretrained[number] - part.frozen).abs().sum(dim=1).detach()
        wanted = set(moved.topk(edit.chosen(placed.slot.place)).indices.tolist())
        assert set(part.index.tolist()) == wanted
        rows += len(wanted)
    _, kept = saving.saved(trained.attached)
    found = count(recipe, tiny_instance())
    assert saving.size(kept) == found.stored_bytes == 4 * found.stored + 4 * rows
