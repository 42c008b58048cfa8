"""Models that are traced at once cost what each costs by itself."""

from __future__ import annotations

import math
from dataclasses import replace
from random import Random

import numpy as np
import pytest
import sampling
from architectures import with_config

from surveykit.catalog.load import Catalog
from surveykit.catalog.settings import Traced, traced_settings
from surveykit.engine.models.catalogued import blueprint
from surveykit.engine.trace.at_once import LENGTHS, SIZES, AtOnce, alike, figures_of
from surveykit.engine.trace.costs import Costs
from surveykit.engine.trace.extrapolation import highest_of_each
from surveykit.engine.trace.several import Row
from surveykit.engine.trace.sized import Dimensions, UnknownSizeError

SEVERAL = ("t5-small", "t5-base", "t5-3b", "t5-11b")
"""One as deep as the deeper of the two traces, one whose attention is wider than the model, one with a batch of one."""


@pytest.fixture(scope="module")
def several(catalog: Catalog) -> AtOnce:
    return AtOnce([Costs(blueprint(catalog.models[name])) for name in SEVERAL])


def settings(catalog: Catalog, configuration: str) -> list[Traced]:
    return [traced_settings(catalog, configuration, name) for name in SEVERAL]


@pytest.mark.sampled(group="at once")
@pytest.mark.parametrize(
    "name",
    [
        "full-tuning/all", "lora/qv-r8", "prefix-tuning/mlp-p30-h512", "prompt-tuning/p100", "adapters/rf16",
        "ladder-side-tuning/r8-all", "adalora/all-linear-r12-to-8", "fishmask/k0-5", "vera/qv-r8-seed",
        "qlora/qv-r8", "galore/all-linear-r4", "attention-fusion/decoder-to-head",
    ],
)  # fmt: skip
def test_models_at_once_cost_what_each_costs_by_itself(catalog: Catalog, several: AtOnce, name: str) -> None:
    recipe = catalog.recipe(name)
    shorter = [replace(traced, lengths=traced.lengths[:2]) for traced in settings(catalog, name)]
    found = several.figures(recipe, shorter)
    for model, traced, figures in zip(several._models, shorter, found, strict=True):
        assert figures == figures_of(recipe, model, traced), model.blueprint.name


def test_what_is_no_product_of_dimensions_and_texts_too_short_for_a_kind_are_left_to_each_model(
    catalog: Catalog, several: AtOnce
) -> None:
    for name in ("krona/qv", "alora/qv-r8"):
        assert several.figures(catalog.recipe(name), settings(catalog, name)) == [None] * len(SEVERAL)


@pytest.mark.parametrize("name", ["krona/qv", "loreft/all-r8-f7-l7"])
def test_of_one_model_all_lengths_are_traced_at_once(catalog: Catalog, name: str) -> None:
    recipe, costs = catalog.recipe(name), Costs(blueprint(catalog.models["t5-small"]))
    traced = Traced(4, (64, 96), 8, settings(catalog, name)[0].trainings[:1])
    assert AtOnce([costs], LENGTHS).figures(recipe, [traced]) == [figures_of(recipe, costs, traced)]


@pytest.mark.parametrize("changed", [{"num_layers": 4, "num_decoder_layers": 4}, {"num_decoder_layers": 7}])
def test_a_model_that_fewer_layers_do_not_tell_of_is_traced_whole_at_all_lengths(
    catalog: Catalog, changed: dict[str, int]
) -> None:
    """It has fewer itself, or another number in each stack."""
    recipe, costs = catalog.recipe("lora/qv-r8"), Costs(blueprint(with_config(catalog.models["t5-small"], **changed)))
    traced = Traced(2, (64, 96), 8, settings(catalog, "lora/qv-r8")[0].trainings[:1])
    assert AtOnce([costs], LENGTHS).figures(recipe, [traced]) == [figures_of(recipe, costs, traced)]


@pytest.mark.parametrize(("name", "positions"), [("loreft/all-r8-f7-l7", 14), ("alora/qv-r8", 128)])
def test_texts_with_no_more_positions_than_a_kind_looks_for_are_traced_by_themselves(
    catalog: Catalog, name: str, positions: int
) -> None:
    recipe, costs = catalog.recipe(name), Costs(blueprint(catalog.models["t5-small"]))
    for shortest in (positions, positions + 1):
        traced = Traced(2, (shortest, 300), 8, settings(catalog, name)[0].trainings[:1])
        (found,) = AtOnce([costs], LENGTHS).figures(recipe, [traced])
        assert (found is None) == (shortest == positions)
        assert found is None or found == figures_of(recipe, costs, traced)


def test_only_models_that_differ_in_their_dimensions_are_traced_together(catalog: Catalog) -> None:
    small = catalog.models["t5-small"]
    models = [small, catalog.models["flan-t5-xl"], with_config(small, dropout_rate=0.2), catalog.models["t5-11b"]]
    assert alike([blueprint(model) for model in [*models, catalog.models["gpt2"]]]) == [[0, 3], [1], [2]]


def test_a_method_that_has_other_sizes_on_one_model_is_traced_there_by_itself(
    catalog: Catalog, several: AtOnce
) -> None:
    """Half of the smaller side, rounded: where attention is wider than the model, of another one."""
    found = several.figures(catalog.recipe("osf/qv-half"), settings(catalog, "osf/qv-half"))
    assert [figures is None for figures in found] == [True, True, False, False]


def test_a_dimension_of_one_is_left_to_the_model_that_has_it(catalog: Catalog) -> None:
    """What is turned around in it is not copied."""
    small = catalog.models["t5-small"]
    models = [small, with_config(small, d_ff=1024), with_config(small, num_heads=1, d_kv=512)]
    of_each = [Costs(blueprint(model)) for model in models]
    recipe = catalog.recipe("bitfit/native")
    traced = [replace(settings(catalog, "bitfit/native")[0], lengths=(64,))] * len(models)
    first, second, one_head = AtOnce(of_each).figures(recipe, traced)
    assert one_head is None
    assert [first, second] == [figures_of(recipe, costs, traced[0]) for costs in of_each[:2]]


def test_the_highest_moment_is_another_one_in_each_model() -> None:
    moments = np.array([[[5, 1], [0, 0], [0, 0], [2, 1]], [[4, 3], [1, 1], [0, 0], [0, 0]]])
    assert highest_of_each(moments).tolist() == [[[5, 3], [0, 1], [0, 0], [2, 0]]]


def test_numbers_that_hold_several_add_up_in_each_model() -> None:
    """In between, one may be below 0; and no sum of one model reaches into the next."""
    row = Row(Dimensions({"h": 64 * 1009}), [{"h": 64}, {"h": 1 << 40}, {"h": 128}])
    width, constant = row.numel((64 * 1009,)), row.numel((8,))
    assert row.unpacked([width - 2 * constant + 3 * constant, width * (1 << 20), -constant + width]).tolist() == [
        [64 + 8, (1 << 40) + 8, 128 + 8], [64 << 20, 1 << 60, 128 << 20], [56, (1 << 40) - 8, 120],
    ]  # fmt: skip


def test_sizes_that_people_choose_are_not_taken_for_dimensions() -> None:
    """Lengths are recognized with a prompt before them, so that no common size may lie next to one."""
    chosen = [2**power for power in range(13)] + [100 * number for number in range(1, 11)] + [2000, 3000, 4000]
    for size in chosen:
        assert Dimensions(SIZES).terms(size) == {(): size}
    for size in (*chosen, 5000, 8192, 10_000, 16_384, 20_000, 32_128, 50_000, 65_536, 500_000):
        assert Dimensions(LENGTHS, math.inf).terms(size) == {(): size}


def test_a_size_that_knows_no_dimension_is_refused_and_nothing_is_nothing() -> None:
    row = Row(Dimensions({"h": 64 * 1009}), [{"h": 512}, {"h": 768}])
    not_whole = (64 * 1009 // 64 * 3 // 3, 64 * 1009 * 3)
    read = [row.numel(shape) for shape in ((64 * 1009, 8), (64 * 1009 // 16,), (0, 64 * 1009), not_whole)]
    assert row.unpacked(read).tolist() == [[4096, 6144], [32, 48], [0, 0], [8 * 1536, 12 * 2304]]
    of_nothing, too_large = (1013 * 7919,), (64 * 1009,) * 7
    for shape in (of_nothing, too_large):
        with pytest.raises(UnknownSizeError):
            row.numel(shape)


def test_any_configuration_costs_at_once_what_it_costs_by_itself(catalog: Catalog, several: AtOnce) -> None:
    """Others with each commit: what a new kind of edit does with sizes is met here."""
    every = sorted(name for name, _, _ in catalog.configurations())
    for name in Random(sampling.turn()).sample(every, 3):
        recipe = catalog.recipe(name)
        shorter = [replace(traced, lengths=traced.lengths[:1]) for traced in settings(catalog, name)]
        for model, of_one, figures in zip(several._models, shorter, several.figures(recipe, shorter), strict=True):
            assert figures is None or figures == figures_of(recipe, model, of_one), f"{name} on {model.blueprint.name}"
