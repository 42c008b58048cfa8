"""The trace of a model tells what one with a layer less takes."""

from __future__ import annotations

import pytest

from surveykit.catalog.load import Catalog
from surveykit.catalog.settings import Traced
from surveykit.catalog.training import SURVEYS, Training
from surveykit.engine.models.catalogued import blueprint
from surveykit.engine.trace.at_once import LENGTHS, AtOnce, figures_of
from surveykit.engine.trace.costs import DEPTHS, Costs, Step
from surveykit.recipes import Stage

MODELS = ("t5-base", "flan-t5-xl")


@pytest.fixture(scope="module", params=MODELS)
def costs(request: pytest.FixtureRequest, catalog: Catalog) -> Costs:
    return Costs(blueprint(catalog.models[request.param]))


def both(costs: Costs, stage: Stage, training: Training = SURVEYS) -> tuple[Step | None, Step]:
    """What the deeper model tells of the shallower one, and what that one takes."""
    shallow, deep = (costs.step(stage, 2, 64, 8, training, costs.instance(depth)) for depth in DEPTHS)
    return costs.one_layer_less(stage, training, deep), shallow


@pytest.mark.parametrize(
    "name",
    [
        "full-tuning/all", "lora/qv-r8", "adapters/rf16", "bitfit/native", "ia3/kv-ff", "prompt-tuning/p100",
        "vera/qv-r8-seed", "unilora/qv-r8-d256", "adamix/m4-b16", "diffpruning/s0-5", "qlora/qv-r8",
        "adalora/all-linear-r12-to-8", "fishmask/k0-5",
    ],
)  # fmt: skip
def test_the_deeper_model_tells_what_the_shallower_one_takes(catalog: Catalog, costs: Costs, name: str) -> None:
    """Two passes, values in place of parameters, weights in few bits, masks, scores that an optimizer does not hold…"""
    for stage in catalog.recipe(name).stages:
        for training in (SURVEYS, Training(dtype="float32")):
            said, found = both(costs, stage, training)
            assert said == found, (stage.name, training.dtype)


@pytest.mark.parametrize("name", ["galore/all-linear-r4", "apollo/all-linear-mini"])
def test_of_an_optimizer_with_other_moments_it_tells_nothing(catalog: Catalog, costs: Costs, name: str) -> None:
    said, _ = both(costs, catalog.recipe(name).stages[-1])
    assert said is None


@pytest.mark.parametrize(
    ("name", "right"), [("lora/qv-r8", True), ("prefix-tuning/mlp-p10-h512", False), ("intrinsic-said/d20k", False)]
)
def test_what_is_told_wrongly_is_noticed(catalog: Catalog, costs: Costs, name: str, *, right: bool) -> None:
    """A network that makes the prefixes of all layers is wider the more they are: that is in no layer."""
    recipe = catalog.recipe(name)
    said, found = both(costs, recipe.stages[-1])
    assert said is not None
    assert (said == found) == right
    traced = Traced(2, (64,), 8, (SURVEYS, Training(dtype="float32")))
    several = AtOnce([costs], LENGTHS)
    assert several.figures(recipe, [traced]) == [figures_of(recipe, costs, traced)]
    assert several._derivable[id(recipe.stages[-1])] == right
