"""Places of a T5 without torch: those that the engine finds, and what recipes train in each part of the model."""

from __future__ import annotations

import pytest
from architectures import small
from real_catalog import CONFIGURATIONS

from surveykit.catalog.load import Catalog
from surveykit.catalog.places import LOCATIONS, t5_places, trainable_by_location
from surveykit.engine.models.model import Instance
from surveykit.recipes import Place

T5 = ("t5-small", "t5-base", "t5-large", "t5-3b", "t5-11b")


def in_order(instance: Instance) -> list[Place]:
    """The places of a model by their roles; without the linear layers once more, as the modules that they are."""
    return [slot.place for slot in instance.slots if slot.place.role != "linear"]


@pytest.mark.parametrize("name", T5)
def test_places_are_those_of_the_engine(catalog: Catalog, name: str) -> None:
    from bare_models import bare

    assert list(t5_places(catalog.models[name].dimensions)) == in_order(bare(catalog.models[name]))


@pytest.mark.parametrize("change", [{"feed_forward_proj": "gated-gelu"}, {"tie_word_embeddings": False}, {"d_kv": 24}])
def test_places_of_other_kinds_of_t5_are_those_of_the_engine(change: dict[str, object]) -> None:
    from surveykit.engine.models.catalogued import build

    tiny = small("t5", **change)
    assert list(t5_places(tiny.dimensions)) == in_order(build(tiny))


def test_only_a_t5_has_them(catalog: Catalog) -> None:
    with pytest.raises(ValueError, match="this is a bert"):
        list(t5_places(catalog.models["bert-base"].dimensions))


@pytest.mark.parametrize("configuration", CONFIGURATIONS)
def test_the_parts_add_up_to_the_recorded_count(catalog: Catalog, configuration: str) -> None:
    recorded = {
        m.backbone: m for m in catalog.measurements if m.configuration == configuration and m.status == "counted"
    }
    assert set(T5) & set(recorded), "no count is recorded on a T5"
    for backbone in set(T5) & set(recorded):
        split = trainable_by_location(catalog.recipe(configuration), catalog.models[backbone].dimensions)
        assert sum(split.values()) == recorded[backbone].trainable, backbone
        assert set(split) <= set(LOCATIONS)


def test_parts_are_where_the_recipe_says(catalog: Catalog) -> None:
    large = catalog.models["t5-large"].dimensions
    methods = catalog.methods

    def split(method: str) -> dict[str, int]:
        (default,) = [c for c in methods[method].configurations if c.default]
        return dict(trainable_by_location(default.recipe, large))

    per_layer = 2 * 8 * (1024 + 1024)
    assert split("lora") == dict.fromkeys(("encoder.self", "decoder.self", "decoder.cross"), 24 * per_layer)
    assert set(split("prompt-tuning")) == {"input"}
    assert set(split("cross-attention-tuning")) == {"decoder.cross"}
    assert split("full-tuning")["embeddings"] == 32128 * 1024
    assert split("compacter")["shared"] == 4**3  # one set of rules for all adapters
