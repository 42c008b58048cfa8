"""What a model reads while it is traced, and what is differentiated, come from its class and its configuration."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
import transformers as t
from small_models import CONFIGS
from torch import Tensor, nn
from transformers import PreTrainedConfig

from surveykit.catalog.load import Catalog
from surveykit.engine import Instance
from surveykit.engine.models.model import blueprint_of
from surveykit.engine.models.objective import loss_in_words
from surveykit.engine.on_model import measure_on
from surveykit.engine.trace.costs import DEPTHS, Costs
from surveykit.engine.trace.growth import grows_evenly
from surveykit.engine.trace.inputs import inputs_of, notes_on_trace
from surveykit.engine.trace.memory import Memory
from surveykit.errors import RecipeError
from surveykit.recipes import Recipe


def config(kind: str, architecture: str | None = None, **changed: object) -> PreTrainedConfig:
    found = CONFIGS[kind]()
    for name, value in changed.items():
        setattr(found, name, value)
    found.architectures = [architecture] if architecture else None
    return found


CLASSES = {
    "BertModel": ("bert", "has no labels of its own"),
    "BertForMaskedLM": ("bert", "of the token at every position"),
    "BertForTokenClassification": ("bert", "of a label at every position"),
    "BertForSequenceClassification": ("bert", "of one label for each example"),
    "BertForQuestionAnswering": ("bert", "of where an answer begins and ends"),
    "LlamaForCausalLM": ("llama", "of the next token"),
    "LlamaForSequenceClassification": ("llama", "of one label for each example"),
    "GPT2LMHeadModel": ("gpt2", "of the next token"),
    "T5ForConditionalGeneration": ("t5", "of a target of 8 tokens"),
    "T5ForSequenceClassification": ("t5", "of one label for each example"),
    "BartForConditionalGeneration": ("bart", "of a target of 8 tokens"),
    "BartForSequenceClassification": ("bart", "of one label for each example"),
    "BartForQuestionAnswering": ("bart", "of where an answer begins and ends"),
    "OPTModel": ("opt", "has no labels of its own"),
}  # fmt: skip


@pytest.mark.parametrize("architecture", CLASSES)
def test_a_class_is_given_the_labels_that_its_loss_is_of(architecture: str) -> None:
    kind, words = CLASSES[architecture]
    instance = blueprint_of(config(kind, architecture)).build()
    assert words in loss_in_words(instance.model, 8)
    with Memory():
        output = instance.run(inputs_of(instance, 3, 16, 8))
    assert (getattr(output, "loss", None) is None) == ("no labels" in words)


@pytest.mark.parametrize("labels", [1, 3])
def test_a_single_label_is_a_number(labels: int) -> None:
    blueprint = blueprint_of(config("bert", "BertForSequenceClassification", num_labels=labels))
    instance = blueprint.build()
    with Memory():
        assert instance.loss(inputs_of(instance, 2, 16, 8)).dim() == 0


def test_positions_that_a_table_lacks_are_a_refusal_and_others_a_note(catalog: Catalog) -> None:
    recipes = [("lora/qv-r8", catalog.recipe("lora/qv-r8"))]
    (turned,) = measure_on(blueprint_of(config("llama")), recipes, batch=1, length=400)
    assert turned.peak_bytes
    assert turned.model.notes == ("its configuration speaks of 300 positions, fewer than the 400 that are asked for",)
    (looked_up,) = measure_on(blueprint_of(config("gpt2")), recipes, batch=1, length=400)
    assert looked_up.reason is not None
    assert "300 positions, fewer than the 400 to trace" in looked_up.reason


def test_a_model_of_few_positions_is_traced_at_inference_too(catalog: Catalog) -> None:
    blueprint = blueprint_of(config("bert", max_position_embeddings=64))
    names = ("lora/qv-r8", "prompt-tuning/p20")
    for found in measure_on(blueprint, [(n, catalog.recipe(n)) for n in names], batch=1, length=40):
        assert found.reason is None
        assert found.inference_flops


def test_where_nothing_is_trained_there_are_no_costs(catalog: Catalog) -> None:
    recipes = [("bitfit/native", catalog.recipe("bitfit/native"))]
    (found,) = measure_on(blueprint_of(config("llama")), recipes, batch=1, length=16)
    assert found.peak_bytes is None
    assert "nothing is trained" in (found.reason or "")


def test_a_model_with_experts_says_how_they_are_chosen() -> None:
    plain, experts = (blueprint_of(config("llama", num_experts=n)).build() for n in (1, 8))
    assert not list(notes_on_trace(plain, 16))
    assert any("equally often" in note for note in notes_on_trace(experts, 16))


@pytest.fixture
def deep() -> tuple[Instance, Instance, Instance]:
    blueprint = blueprint_of(config("t5", num_layers=9, num_decoder_layers=9))
    low, high = (blueprint.cut(depth).build() for depth in DEPTHS)
    return low, high, blueprint.build()


def test_layers_that_are_alike_tell_of_more_of_them(deep: tuple[Instance, Instance, Instance]) -> None:
    assert grows_evenly(*deep)


def test_layers_are_alike_whatever_mode_a_model_is_in(deep: tuple[Instance, Instance, Instance]) -> None:
    deep[0].to_mode(training=True)
    assert grows_evenly(*deep)


def test_a_layer_of_another_kind_needs_the_whole_model(deep: tuple[Instance, Instance, Instance]) -> None:
    layer = deep[2].blocks[6][1]
    layer.add_module("more", nn.Linear(40, 40, device="meta"))
    assert not grows_evenly(*deep)


def test_a_layer_that_works_otherwise_needs_the_whole_model(deep: tuple[Instance, Instance, Instance]) -> None:
    deep[2].blocks[6][1].sliding_window = 128  # type: ignore[assignment]
    assert not grows_evenly(*deep)


def test_a_model_with_more_layers_than_its_configuration_says_is_traced_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    blueprint = blueprint_of(config("llama", num_hidden_layers=9))
    assert Costs(blueprint).grows_evenly
    cut = type(blueprint).cut
    monkeypatch.setattr(type(blueprint), "cut", lambda self, depth: cut(self, depth + 1))
    assert not Costs(blueprint).grows_evenly


class Router(nn.Linear):
    """A layer of scores and choices, as those of experts are."""

    def forward(self, input: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        scores = super().forward(input)
        return scores, scores.argmax(-1)


def test_a_linear_layer_that_is_none_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    blueprint = blueprint_of(config("llama"))
    instance = blueprint.build()
    instance.model.get_submodule("model.layers.1.mlp.up_proj").__class__ = Router
    monkeypatch.setattr(type(blueprint), "build", lambda self: instance)
    edit = {"kind": "low_rank", "where": {"roles": ["linear"]}, "rank": 2, "alpha": 2.0, "gate": "none"}
    recipe = Recipe.model_validate(
        {"stages": [{"name": "fine_tuning", "scope": "task", "edits": [edit], "train": []}]}, strict=False
    )
    with pytest.raises(RecipeError, match=r"model\.layers\.1\.mlp\.up_proj is a Router"):
        Costs(blueprint).training(recipe.stages[0], 1, 8)


def test_images_have_the_size_that_a_configuration_says() -> None:
    with torch.device("meta"):
        model = t.ViTModel(t.ViTConfig(image_size=32, patch_size=8, hidden_size=24, num_hidden_layers=1))
    found = inputs_of(SimpleNamespace(model=model, slots=(), name="vit"), 2, 8, 8)  # type: ignore[arg-type]
    assert found["pixel_values"].shape == (2, 3, 32, 32)
