"""Instantiated counts equal the catalog's formulas, on the real sizes and on random geometries."""

from __future__ import annotations

import pytest
from bare_models import bare
from hypothesis import given, settings
from hypothesis import strategies as st
from real_catalog import CONFIGURATIONS
from tiny_fit import counted

from surveykit import formula
from surveykit.catalog.load import Catalog
from surveykit.catalog.models import Model
from surveykit.engine import build, count
from surveykit.engine.models.tiny import tiny_model as backbone


def expected(name: str, record: Model) -> dict[str, int]:
    written = CONFIGURATIONS[name].formula
    symbols = formula.bind(written.let, record.symbols())
    return {key: formula.evaluate(text, symbols) for key, text in written.forms().items()}


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_formula_equals_instantiation(catalog: Catalog, name: str) -> None:
    """On a T5 as wide as its attention, on one that is narrower, and on the backbones of the paper. `surveykit verify` and
    `reproduce` count on all others."""
    backbones = ("t5-small", "t5-3b", *CONFIGURATIONS[name].also_on)
    for record in map(catalog.models.__getitem__, backbones):
        counts = count(catalog.recipe(name), bare(record))
        formulas = expected(name, record)
        assert {key: getattr(counts, key) for key in formulas} == formulas, record.id


geometries = st.builds(
    backbone,
    d_model=st.sampled_from([128, 256]),
    d_ff=st.integers(1, 6).map(lambda n: 32 * n),
    d_kv=st.sampled_from([8, 24, 40]),
    heads=st.integers(2, 5),  # attention of 16 features at least: KaSA drops 8 singular components
    encoder_layers=st.integers(1, 4),
    decoder_layers=st.integers(1, 4),
    vocabulary=st.integers(33, 300),
    gated=st.booleans(),
    tied=st.booleans(),
)


@given(record=geometries)
@settings(max_examples=15, deadline=None)
def test_formula_equals_instantiation_on_random_geometries(record: Model) -> None:
    instance = build(record)
    for name, configuration in CONFIGURATIONS.items():
        counts = counted(configuration.recipe, instance)
        formulas = {} if counts is None else expected(name, record)
        assert {key: getattr(counts, key) for key in formulas} == formulas, name


def test_backbone_counts_are_those_of_the_survey(catalog: Catalog) -> None:
    printed = {"t5-large": 737_668_096, "t5-3b": 2_851_598_336, "t5-11b": 11_307_321_344}
    assert {name: catalog.models[name].parameters for name in printed} == printed


@pytest.mark.parametrize("tied", [True, False])
def test_each_parameter_is_counted_once_however_many_names_it_has(tied: bool) -> None:
    record = backbone(tied=tied)
    instance = build(record)
    names = [name for name, _ in instance.model.named_parameters(remove_duplicate=False)]
    assert len(names) > len(instance.pretrained)
    assert sum(p.numel() for p in instance.pretrained) == record.size


def test_detaching_leaves_the_backbone_as_it_was(catalog: Catalog) -> None:
    instance = build(backbone())
    before = [name for name, _ in instance.model.named_parameters()]
    for name in CONFIGURATIONS:
        counted(catalog.recipe(name), instance)
    assert [name for name, _ in instance.model.named_parameters()] == before
    assert not any(parameter.requires_grad for parameter in instance.model.parameters())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in instance.model.modules())
