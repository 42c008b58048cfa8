"""What a recipe costs, carried over from few layers, is what the whole depth costs."""

from __future__ import annotations

import pytest
from architectures import with_config

from surveykit.catalog.load import Catalog
from surveykit.engine.models.catalogued import blueprint
from surveykit.engine.trace import costs
from surveykit.engine.trace.costs import Costs


@pytest.mark.sampled
@pytest.mark.parametrize(
    "name", ["full-tuning/all", "lora/qv-r8", "adapters/rf16", "prefix-tuning/mlp-p30-h512", "intrinsic-said/d20k"]
)
def test_costs_at_two_depths_give_those_at_full_depth(
    catalog: Catalog, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = with_config(catalog.models["t5-small"], num_layers=8, num_decoder_layers=8)
    recipe = catalog.recipe(name)
    carried = Costs(blueprint(record))
    step, inference = carried.training(recipe.stages[-1], 2, 32), carried.inference(recipe)
    assert set(carried._instances) == set(costs.DEPTHS)  # the whole depth was not needed
    monkeypatch.setattr(costs, "DEPTHS", (8, 9))  # not shallower than the backbone: nothing is cut
    whole = Costs(blueprint(record))
    assert whole.training(recipe.stages[-1], 2, 32).memory == step.memory
    assert whole.training(recipe.stages[-1], 2, 32).backward_flops == step.backward_flops
    assert whole.inference(recipe) == inference


def test_where_each_layer_draws_its_own_the_whole_depth_is_traced(catalog: Catalog) -> None:
    record, recipe = catalog.models["t5-small"], catalog.recipe("glora/all-linear-r4")
    found = Costs(blueprint(record))
    found.training(recipe.stages[-1], 2, 32)
    assert set(found._instances) == {6}


def test_what_cannot_be_merged_costs_the_same_merged(catalog: Catalog) -> None:
    found = Costs(blueprint(catalog.models["t5-small"])).inference(catalog.recipe("prefix-tuning/mlp-p30-h512"))
    assert found.merged == found.unmerged
    assert found.merged.flops > found.bare_flops


def test_passes_that_should_agree_are_traced_so(catalog: Catalog) -> None:
    stage = catalog.recipe("adamix/m4-b16").stages[-1]
    found = Costs(blueprint(catalog.models["t5-small"]))
    apart = found.training(stage.model_copy(update={"consistency": False}), 2, 32).memory
    assert found.training(stage, 2, 32).memory.saved > apart.saved


def test_backward_stops_where_nothing_below_is_trained(catalog: Catalog) -> None:
    record = catalog.models["t5-small"]
    full = Costs(blueprint(record)).training(catalog.recipe("full-tuning/all").stages[-1], 2, 32).backprop
    assert full.blocks_input_gradient == full.blocks == 12
    adapted = Costs(blueprint(record)).training(catalog.recipe("lora/qv-r8").stages[-1], 2, 32).backprop
    assert (adapted.blocks_backward, adapted.blocks_input_gradient) == (12, 10)
    assert 0 < adapted.activation_gradient_flops < full.activation_gradient_flops
