"""Two shallow traces give a deep one, moment by moment."""

from __future__ import annotations

import pytest
from architectures import with_config
from traced import METHODS, model_for, stage_of, trace

from surveykit.catalog.load import Catalog
from surveykit.catalog.models import Model
from surveykit.engine.models.catalogued import blueprint as blueprint_for
from surveykit.engine.trace.costs import DEPTHS, Costs
from surveykit.engine.trace.extrapolation import extrapolate
from surveykit.engine.trace.memory import highest
from surveykit.engine.trace.step import PHASES, StepTrace
from surveykit.fit.formulas import RUNS
from surveykit.recipes import Stage

DEEP = 8
"""Layers of the models that are traced whole, at least."""


@pytest.fixture(scope="module")
def stages(catalog: Catalog) -> dict[str, Stage]:
    return {name: stage_of(catalog, name) for name in (*METHODS, "last block", "nothing")}


def of_depth(record: Model, depth: int) -> Model:
    return with_config(record, num_layers=depth, num_decoder_layers=depth)


def check_extrapolation(record: Model, stage: Stage, *, passes: int = 1) -> None:
    layers = max(record.dimensions.encoder_layers, DEEP)
    shallow, deep, full = (
        trace(model_for(of_depth(record, depth)), stage, passes=passes) for depth in (*DEPTHS, layers)
    )
    found = extrapolate(shallow, deep, *DEPTHS, layers)
    inner = [name for name in full.moments if name.endswith(".inner")]
    assert inner
    expected = {name: moments for name, moments in full.moments.items() if name not in inner}
    if "optimizer" in expected:
        expected["optimizer"] = [highest(expected["optimizer"])]
    assert dict(found.moments) == expected
    for phase in PHASES:
        assert found.peak(phase) == full.peak(phase)
    for figure in StepTrace.__dataclass_fields__.keys() - {"moments", "spans"}:
        assert getattr(found, figure) == getattr(full, figure), figure


@pytest.mark.parametrize("name", [*METHODS, "last block", "nothing"])
def test_two_shallow_traces_give_t5_small(stages: dict[str, Stage], catalog: Catalog, name: str) -> None:
    check_extrapolation(catalog.models["t5-small"], stages[name])


def test_two_shallow_traces_give_t5_large(stages: dict[str, Stage], catalog: Catalog) -> None:
    check_extrapolation(catalog.models["t5-large"], stages["unipelt"])


def test_extrapolates_several_passes(stages: dict[str, Stage], catalog: Catalog) -> None:
    check_extrapolation(catalog.models["t5-small"], stages["lora"], passes=2)


@pytest.mark.parametrize("name", ["intrinsic-said/d20k", "diffpruning/s0-5-structured"])
def test_extrapolates_edited_values_of_pretrained_tensors(catalog: Catalog, name: str) -> None:
    """They are all made before the first layer, and differentiated after it."""
    check_extrapolation(catalog.models["t5-small"], catalog.recipe(name).stages[0])


def test_extrapolates_two_passes_that_should_agree(catalog: Catalog) -> None:
    stage = catalog.recipe("adamix/m4-b16").stages[0]
    assert stage.consistency
    check_extrapolation(catalog.models["t5-small"], stage, passes=stage.passes)


def test_extrapolation_refuses_what_does_not_repeat(stages: dict[str, Stage], catalog: Catalog) -> None:
    small = catalog.models["t5-small"]
    norms = [trace(model_for(of_depth(small, depth)), stages["norms"]) for depth in (4, 5, 6)]
    with pytest.raises(ValueError, match="needs 5"):
        extrapolate(norms[0], norms[1], 4, 5, 7)
    with pytest.raises(ValueError, match="needs 5"):
        extrapolate(norms[1], norms[2], 5, 6, 5)
    with pytest.raises(ValueError, match="allocates"):
        extrapolate(norms[1], trace(model_for(of_depth(small, 6)), stages["lora"]), 5, 6, 7)
    with pytest.raises(ValueError, match="integer line"):
        extrapolate(norms[1], norms[2], 5, 50, 60)


@pytest.mark.parametrize("checkpointing", ["none", "full", "offloaded"])
def test_carried_over_is_what_the_whole_model_takes_however_it_is_checkpointed(
    catalog: Catalog, checkpointing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At this length and checkpointed, a moment at which backward leaves a layer would be the peak if carried over wrongly."""
    blueprint = blueprint_for(catalog.models["t5-base"])
    stage = catalog.recipe("lora/qv-r8").stages[-1]
    training = RUNS["16.sdpa.full"].model_copy(update={"checkpointing": checkpointing})
    carried = Costs(blueprint).training(stage, 1, 512, training=training)
    monkeypatch.setattr(Costs, "grows_evenly", False)
    assert Costs(blueprint).training(stage, 1, 512, training=training) == carried
