"""Mathematics of methods after the survey that no library at hand is an oracle for."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from surveykit.engine import Attached, count
from surveykit.engine.models.tiny import tiny_batch, tiny_instance
from surveykit.engine.train.loop import train
from surveykit.engine.train.optimizers import ProjectedAdamW, project, random_directions
from surveykit.recipes import GradientScale, Recipe, Stage
from surveykit.recipes.representation import LowRankRepresentation
from surveykit.recipes.spectral_vectors import SpectralVectors


def stage(**fields: Any) -> Stage:
    base = {"name": "fine_tuning", "scope": "task", "edits": [], "train": []}
    return Stage.model_validate_json(json.dumps({**base, **fields}))


def drawn(layers: int, **fields: Any) -> Stage:
    return stage(train=[{"roles": ["block", "embedding", "head", "norm"]}], drawn_layers=layers, **fields)


class TestLayersInTurn:
    """LISA."""

    def test_a_draw_trains_its_blocks_and_all_draws_train_everything(self) -> None:
        instance = tiny_instance()
        names = {id(p): name for name, p in instance.model.named_parameters()}
        with Attached(instance, drawn(1)) as attached:
            draws = []
            for number in range(attached.draws):
                attached.draw(number)
                draws.append({names[id(p)] for p in instance.pretrained if p.requires_grad})
            assert {id(p) for p in attached.changeable()} == {id(p) for p in instance.pretrained}
        assert set().union(*draws) == set(names.values())
        always = set.intersection(*draws)
        assert always == {name for name in names.values() if ".block." not in name}
        for number, one in enumerate(draws):
            for side, layers in (("encoder", 2), ("decoder", 3)):
                blocks = {name.split(".")[2] for name in one if name.startswith(f"{side}.block.")}
                assert blocks == {str(number % layers)}

    def test_what_changes_and_is_stored_is_more_than_what_is_trained_at_a_time(self) -> None:
        instance = tiny_instance()
        one, two, all_of_them = (count(Recipe(stages=(drawn(k),)), instance) for k in (1, 2, 3))
        assert one.trainable < two.trainable < all_of_them.trainable == instance.parameters
        assert one.optimizer_state == 2 * one.trainable
        for counts in (one, two, all_of_them):
            assert counts.changed == counts.stored == instance.parameters

    def test_training_moves_every_layer_though_none_is_trained_all_the_time(self) -> None:
        instance = tiny_instance()
        before = [p.detach().clone() for p in instance.pretrained]
        trained = train(Recipe(stages=(drawn(1),)), instance, tiny_batch(), steps=1)
        assert trained.held == count(Recipe(stages=(drawn(1),)), tiny_instance()).trainable < instance.parameters
        assert all(bool((p != old).any()) for p, old in zip(instance.pretrained, before, strict=True))

    def test_a_draw_needs_layers_to_draw_from_and_no_mask(self) -> None:
        with pytest.raises(ValidationError, match="drawn_layers"):
            stage(drawn_layers=1)
        with pytest.raises(ValidationError, match="drawn_layers"):
            drawn(1, mask={"of": "pretrained", "keep_ppm": 10, "across": "model", "rule": "random"})


class TestScaledGradients:
    """APOLLO: the algorithm as its paper writes it, with moments that are not corrected where the limiter looks."""

    @pytest.mark.parametrize("shape", [(6, 4), (4, 6)])
    @pytest.mark.parametrize(("one", "scale"), [("channel", 1.0), ("tensor", 128.0)])
    def test_the_gradient_is_scaled_as_adam_scales_its_projection(
        self, shape: tuple[int, int], one: str, scale: float
    ) -> None:
        rule = GradientScale.model_validate(
            {
                "kind": "scaled_gradient",
                "where": {"roles": ("query",)},
                "rank": 2,
                "every": 3,
                "scale": scale,
                "one": one,
            }
        )
        generator = torch.Generator().manual_seed(2)
        start = torch.randn(shape, generator=generator)
        p = torch.nn.Parameter(start.clone())
        optimizer = ProjectedAdamW(rule, [p], [], 0.1)
        wanted, last = start.clone(), math.inf
        small_side = 1 if shape[0] >= shape[1] else 0
        first = second = torch.zeros((shape[0], 2) if small_side else (2, shape[1]))
        limited = []
        for number in range(7):
            gradient = torch.randn(shape, generator=generator) * (1 + number)
            p.grad = gradient.clone()
            optimizer.step()
            if number % 3 == 0:
                basis = random_directions(gradient, 2, seed=number)
            small = project(gradient, basis)
            first, second = 0.9 * first + 0.1 * small, 0.999 * second + 0.001 * small**2
            move = first / (second.sqrt() + 1e-8)
            if one == "tensor":
                factor = move.norm() / small.norm()
            else:
                factor = move.norm(dim=small_side, keepdim=True) / small.norm(dim=small_side, keepdim=True)
            step = factor * gradient
            limit = max(float(step.norm()) / last, 1.01) / 1.01 if last < math.inf else 1.0
            step, last = step / limit, float(step.norm()) / limit
            limited.append(limit > 1)
            corrected = 0.1 * (1 - 0.999 ** (number + 1)) ** 0.5 / (1 - 0.9 ** (number + 1))
            wanted = wanted - corrected * scale**0.5 * step
        assert any(limited)
        torch.testing.assert_close(p.detach(), wanted, rtol=1e-3, atol=1e-4)

    def test_directions_are_those_of_their_seed(self) -> None:
        gradient = torch.zeros(6, 400)
        one, again, other = (random_directions(gradient, 4, seed) for seed in (1, 1, 2))
        assert one.shape == (4, 6)
        assert torch.equal(one, again)
        assert not torch.equal(one, other)
        assert random_directions(gradient, 9, 1).shape == (6, 6)
        wide = random_directions(torch.zeros(400, 400), 4, 1)
        assert float(wide.var()) == pytest.approx(1 / 4, rel=0.1)


class TestRepresentations:
    """LoReFT."""

    def edit(self, **changes: Any) -> LowRankRepresentation:
        fields = {"kind": "low_rank_representation", "where": {"roles": ["block"]}, "rank": 3, "first": 2, "last": 1}
        return LowRankRepresentation.model_validate_json(json.dumps({**fields, **changes}))

    def edited(self, edit: LowRankRepresentation, h: Tensor) -> tuple[Tensor, Any]:
        only = stage(edits=[edit.model_dump(mode="json")])
        with Attached(tiny_instance(), only) as attached:
            placed = attached.placed[0]
            with torch.no_grad():
                placed.part.bias.normal_(generator=torch.Generator().manual_seed(4))
                return edit.after(placed.part, h, h), placed.part

    def test_the_ends_are_set_to_a_learned_function_within_a_subspace(self) -> None:
        h = torch.randn(2, 7, 128, generator=torch.Generator().manual_seed(3))
        found, part = self.edited(self.edit(), h)
        torch.testing.assert_close(found[:, 2:6], h[:, 2:6])
        with torch.no_grad():
            moved = (found - h)[:, [0, 1, 6]].reshape(-1, 128)
            assert int(torch.linalg.matrix_rank(moved, tol=1e-4)) == 3
            basis = torch.linalg.svd(moved).Vh[:3]  # in it, the edited state is W h + b, up to a turn
            wanted = h @ part.source.T + part.bias
            inside = (found @ basis.T)[:, [0, 1, 6]]
        torch.testing.assert_close(inside.norm(dim=-1), wanted[:, [0, 1, 6]].norm(dim=-1), rtol=1e-3, atol=1e-3)

    def test_a_text_shorter_than_both_ends_is_edited_once(self) -> None:
        h = torch.randn(2, 2, 128, generator=torch.Generator().manual_seed(3))
        both, part = self.edited(self.edit(first=7, last=7), h)
        with torch.no_grad():
            torch.testing.assert_close(both, self.edit(first=2, last=0).after(part, h, h))

    def test_nothing_to_edit_and_too_high_a_rank_are_refused(self) -> None:
        with pytest.raises(ValidationError, match="at least one position"):
            self.edit(first=0, last=0)
        with pytest.raises(Exception, match="rank 129 is more than the 128 features"):
            self.edited(self.edit(rank=129), torch.zeros(1, 1, 128))


def test_a_spectral_adapter_changes_the_leading_singular_vectors() -> None:
    only = stage(edits=[{"kind": "spectral_vectors", "where": {"roles": ["query"]}, "rank": 4}])
    with Attached(tiny_instance(), only) as attached:
        placed = attached.placed[0]
        part, weight = placed.part, placed.part.frozen.detach().clone()
        assert isinstance(placed.edit, SpectralVectors)
        with torch.no_grad():
            part.up.normal_(std=0.1, generator=torch.Generator().manual_seed(1))
            part.down.normal_(std=0.1, generator=torch.Generator().manual_seed(2))
            left, values, right = torch.linalg.svd(weight, full_matrices=False)
            turn = torch.sign((part.left * left[:, :4]).sum(dim=0))  # a decomposition is one but for signs
            rest = (left[:, 4:] * values[4:]) @ right[4:]
            leading = (left[:, :4] * turn + part.up) * values[:4] @ (right[:4] * turn[:, None] + part.down)
            torch.testing.assert_close(placed.edit.weight(part, weight), leading + rest, rtol=1e-4, atol=1e-4)
