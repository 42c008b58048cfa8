"""Any model of transformers, built without weights, with the places in it that recipes speak of."""

from __future__ import annotations

import copy
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from time import perf_counter
from typing import Any, cast

import torch
import transformers
from torch import Tensor, nn
from torch.nn.modules.module import register_module_module_registration_hook
from transformers import PreTrainedConfig, PreTrainedModel, masking_utils

from surveykit.engine.models.bound_places import BoundPlace, find, slots_of, unplaced
from surveykit.engine.models.configs import in_a_line, notes_on, open_config
from surveykit.engine.models.norm_walk import bias_parameters, norm_parameters
from surveykit.engine.models.roles import FAMILIES, LLAMA, NEEDED, Family, Side
from surveykit.engine.models.task_head import head_places
from surveykit.errors import RecipeError, SurveyError, nearest
from surveykit.recipes import Where

BUILT_WITHIN = 30.0
"""Seconds. On two slow cores, the largest model of the hub takes two."""


@dataclass(frozen=True)
class Blueprint:
    """What a model is built from; no tensor exists yet."""

    name: str
    """In messages: an id of the catalog, of the hub, or a folder's name."""
    config: PreTrainedConfig
    model_class: type[PreTrainedModel]
    family: Family
    labels: int | None = None
    """Of the task's head that the model is built with; None where it has its own output."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What whoever reads a figure of this model has to know, a plain sentence each; mostly none."""
        return notes_on(self.config)

    @property
    def causal(self) -> bool:
        """Whether it is a decoder alone."""
        return self.family.sides == {"decoder"}

    def meant(self, where: Where) -> Where:
        """What a recipe means on this model: it says "the encoder's input" of the text that is read, which goes into a
        decoder where there is nothing else."""
        if self.causal and where.sublayers == ("encoder.input",):
            return where.model_copy(update={"sublayers": ("decoder.input",)})
        return where

    @property
    def alone(self) -> str:
        """For messages: which stack a model is without the other; nothing where it has both."""
        if self.causal:
            return " (it is a decoder alone)"
        return " (it is an encoder alone)" if self.encoder_only else ""

    @property
    def encoder_only(self) -> bool:
        return self.family.sides == {"encoder"}

    @property
    def vocabulary(self) -> int:
        """Rows of the token embedding."""
        return int(self.config.vocab_size)

    @property
    def depths(self) -> dict[Side, int]:
        """Blocks of each stack."""
        return {side: int(getattr(self.config, name)) for side, name in _depth_names(self).items()}

    @property
    def layers_alike(self) -> bool:
        """Whether every block of a stack is built alike, as far as the configuration says."""
        return all(len({*map(str, kinds)}) == 1 for kinds in self._by_layer().values())

    def _by_layer(self) -> dict[str, list[Any]]:
        """What the configuration says of each block apart: the kind of its attention, for instance."""
        depths = {*self.depths.values()}
        said = {name: value for name, value in vars(self.config).items() if isinstance(value, list | tuple)}
        return {name: list(value) for name, value in said.items() if "layer" in name and len(value) in depths}

    def cut(self, depth: int) -> Blueprint:
        """The same with stacks of so many blocks."""
        config, by_layer = copy.deepcopy(self.config), self._by_layer()
        for name in {"num_hidden_layers", *_depth_names(self).values()}:
            setattr(config, name, depth)
        for name, kinds in by_layer.items():
            setattr(config, name, (kinds * depth)[:depth])
        return replace(self, config=config)

    def build(self, *, device: str = "meta", seed: int = 0) -> Instance:
        """The model in evaluation mode, without weights (`meta`) or with random ones.

        Raises:
            SurveyError: transformers cannot build it, or its modules are not where its family has them.
        """
        separate = self.config.tie_word_embeddings is False
        model = self._made(device, seed)
        if separate:
            _untie(model)
        model.eval()
        try:
            instance = Instance(self, model)
        except SurveyError as error:
            raise SurveyError(f"{self.name}: {error}") from None
        if not instance.parameters:
            raise SurveyError(f"{self.name}: a model of this configuration has no parameters")
        return instance

    def one_block(self) -> PreTrainedModel:
        """The model without weights, with one block if it can be made so: what its blocks have in them.

        Raises:
            SurveyError: transformers cannot build it.
        """
        try:
            return self.cut(1)._made("meta", 0)
        except (SurveyError, AttributeError, TypeError, ValueError):  # we changed that configuration: it blames nobody
            return self._made("meta", 0)

    def _made(self, device: str, seed: int) -> PreTrainedModel:
        config = copy.deepcopy(self.config)
        config.return_dict = True  # what we read of an output has a name
        if len(self.family.sides) == 2:  # its stacks share one table in any case, and for transformers this is the same
            config.tie_word_embeddings = True
        with torch.random.fork_rng(devices=[]), torch.device(device), built_within(BUILT_WITHIN, self.name):
            torch.manual_seed(seed)
            try:
                return self.model_class(config)
            except SurveyError:
                raise
            except Exception as error:  # whatever a model makes of an unfit configuration
                what = f"transformers cannot build {self.model_class.__name__} from this configuration"
                raise SurveyError(f"{self.name}: {what}: {in_a_line(error)}") from error


class Instance:
    """A backbone that exists: its model, its slots, and which parameters are pretrained.

    Parameters are known by identity, each once however many names it has; what is not in `pretrained` was added.
    """

    def __init__(self, blueprint: Blueprint, model: PreTrainedModel) -> None:
        self.blueprint = blueprint
        self.model = model
        self.pretrained: tuple[nn.Parameter, ...] = tuple(model.parameters())
        slots = slots_of(blueprint.family, model)
        self.slots: tuple[BoundPlace, ...] = tuple(slots if blueprint.labels is None else head_places(model, slots))
        self.unplaced = tuple(unplaced(blueprint.family, model, self.slots))
        self.walked = {"norms": norm_parameters(model), "biases": bias_parameters(model, blueprint.family.head)}
        """Parameters of all norms, and of all biases in front of the head, without a look at slots."""
        for parameter in self.pretrained:
            parameter.requires_grad_(False)

    @property
    def name(self) -> str:
        return self.blueprint.name

    @cached_property
    def parameters(self) -> int:
        """Of the bare backbone, each once."""
        return sum(parameter.numel() for parameter in self.pretrained)

    @property
    def has_biases(self) -> bool:
        """Whether anything in front of the head has a bias."""
        return self.walked["biases"] > 0

    def run(self, inputs: Mapping[str, Tensor]) -> Any:
        """One forward pass: what transformers' model returns.

        Raises:
            RecipeError: the model's own code stops. What stops in ours is raised as it is.
        """
        further = {} if self.blueprint.encoder_only else {"use_cache": False}
        meta = self.pretrained[0].is_meta
        try:
            with _without_values() if meta else nullcontext():
                return self.model(**inputs, **further)
        except Exception as error:
            if not _is_transformers(error):
                raise
            where = f"{type(self.model).__name__}{', which has no weights here,' if meta else ''}"
            raise RecipeError(f"{self.name} does not run: {where} stops with: {in_a_line(error)}") from error

    def loss(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """The loss of the labels; of an encoder alone without a task's head, the mean magnitude of what it gives.

        (Not its mean square: behind a norm that is the same whatever the weights are.)
        """
        output = self.run(inputs)
        bare = self.blueprint.encoder_only and self.blueprint.labels is None
        loss: Tensor = output[0].abs().mean() if bare else output.loss
        return loss

    def answer(self, inputs: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """The loss of the labels and the scores that it counts, (rows, vocabulary); not of an encoder alone."""
        output = self.run(inputs)
        return output.loss, output.logits.flatten(0, -2)

    @property
    def blocks(self) -> tuple[tuple[str, nn.Module], ...]:
        """Every block with the stack it belongs to (`encoder` or `decoder`), in order."""
        stacks = [slot for slot in self.slots if slot.blocks]
        return tuple((s.place.sublayer.partition(".")[0], block) for s in stacks for block in s.blocks)


def blueprint_of(source: PreTrainedConfig | str, *, name: str | None = None) -> Blueprint:
    """What a configuration builds: the class that it names, or the natural one of its family.

    Raises:
        SurveyError: its architecture is not supported; the message lists those that are.
    """
    config = open_config(source) if isinstance(source, str) else source
    name = name or config.name_or_path or config.model_type
    if config.model_type in FAMILIES:
        family = FAMILIES[config.model_type]
        if config.is_encoder_decoder and len(family.sides) == 1:
            raise SurveyError(
                f"{name}: is_encoder_decoder is true, and models of type '{config.model_type}' are not that"
            )
        return Blueprint(name, config, _class_of(config, family.sides), family)
    supported = f"supported are {', '.join(sorted(FAMILIES))}, and decoders that name their modules as Llama does"
    parts = sorted(config.sub_configs)
    if "text_config" in parts or (parts and not hasattr(config, "num_hidden_layers")):
        alone = "; to count its text part alone, give text_config as a config.json" if "text_config" in parts else ""
        joined = f"models of several parts ({', '.join(parts)}) are not supported"
        raise SurveyError(f"{name}: {joined}, as '{config.model_type}' is{alone}")
    if getattr(config, "is_encoder_decoder", False) or not _class_name(config, frozenset({"decoder"})):
        close = nearest(config.model_type, FAMILIES, 0.8)
        raise SurveyError(f"{name}: models of type '{config.model_type}' are not supported{close}; {supported}")
    found = Blueprint(name, config, _class_of(config, frozenset({"decoder"})), LLAMA)
    base = cast(nn.Module, found.one_block().base_model)
    missing = [path for path in NEEDED if find(base, f"{LLAMA.stacks[0].blocks}.0.{path}") is None]
    if missing:
        where = f"models of type '{config.model_type}' are not supported: their blocks have no {missing[0]}"
        raise SurveyError(f"{name}: {where}; {supported}")
    return found


def instance_of(source: PreTrainedConfig | str, *, device: str = "meta", seed: int = 0) -> Instance:
    """Build a model without weights (`meta`) or with random ones, and find its places.

    Args:
        source: a configuration, or what `open_config` takes.

    Raises:
        SurveyError: the configuration cannot be read or built, or its architecture is not supported.
    """
    return blueprint_of(source).build(device=device, seed=seed)


def _class_of(config: PreTrainedConfig, sides: frozenset[Side]) -> type[PreTrainedModel]:
    for name in config.architectures or ():
        found = getattr(transformers, name, None)
        if getattr(found, "config_class", None) is type(config):
            return cast(type[PreTrainedModel], found)
    natural = getattr(transformers, _class_name(config, sides) or "", None)
    if natural is None:
        raise SurveyError(f"transformers has no model for configurations of type '{config.model_type}'")
    return cast(type[PreTrainedModel], natural)


def _class_name(config: PreTrainedConfig, sides: frozenset[Side]) -> str | None:
    from transformers.models.auto import modeling_auto as auto

    if sides == {"encoder"}:
        names = auto.MODEL_MAPPING_NAMES
    elif sides == {"decoder"}:
        names = auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
    else:
        names = auto.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES
    found = names.get(config.model_type)
    return found if isinstance(found, str) or found is None else str(found[0])


def _is_transformers(error: BaseException) -> bool:
    """Whether transformers' code raised it, or called what did of torch's."""
    last = ""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        module = frame.f_globals.get("__name__", "")
        package = module.partition(".")[0]
        if package in ("transformers", "surveykit") and (module, frame.f_code.co_name) not in _HANDED_ON:
            last = package
    return last == "transformers"


_HANDED_ON = {
    ("surveykit.engine.trace.step", "dropout"), ("surveykit.engine.trace.meta_op_cache", "run"),
    ("surveykit.engine.trace.memory", "__torch_dispatch__"), ("surveykit.engine.trace.inference", "__torch_dispatch__"),
}  # fmt: skip
"""Functions that stand between the model and torch while it is traced, and call what the model called."""


@contextmanager
def _without_values() -> Iterator[None]:
    """Keep transformers from looking into tensors that have no values: for several texts packed in one row (there is
    one), and for padding that it would warn of (there is none)."""
    packed, warn = masking_utils.find_packed_sequence_indices, PreTrainedModel.warn_if_padding_and_no_attention_mask
    masking_utils.find_packed_sequence_indices = lambda position_ids: None
    PreTrainedModel.warn_if_padding_and_no_attention_mask = lambda self, ids, mask: None
    try:
        yield
    finally:
        masking_utils.find_packed_sequence_indices = packed
        PreTrainedModel.warn_if_padding_and_no_attention_mask = warn


def _depth_names(blueprint: Blueprint) -> dict[Side, str]:
    """Where a configuration says how many blocks a stack has."""
    config, both = blueprint.config, len(blueprint.family.sides) == 2
    names: dict[Side, str] = {}
    for stack in blueprint.family.stacks:
        further = ("num_decoder_layers",) if both and stack.side == "decoder" else ()
        candidates = (*((f"{stack.side}_layers",) if both else ()), *further, "num_hidden_layers")
        said = next((name for name in candidates if hasattr(config, name)), None)
        if said is None:
            raise SurveyError(f"{blueprint.name}: its configuration does not say how many blocks it has")
        names[stack.side] = said
    return names


@contextmanager
def built_within(seconds: float, name: str) -> Iterator[None]:
    """Stop the making of a model that takes longer; torch calls us for each of its modules."""
    end = perf_counter() + seconds

    def watch(*_: Any) -> None:
        if perf_counter() > end:
            raise SurveyError(f"{name}: its model has so many parts that it is not built within {seconds:.0f} seconds")

    handle = register_module_module_registration_hook(watch)
    try:
        yield
    finally:
        handle.remove()


def _untie(model: PreTrainedModel) -> None:
    """Give the output layer a weight of its own. Where two stacks share a table, transformers ties the output to it
    too while a model is made, and separates the two only while it loads a checkpoint."""
    head, table = model.get_output_embeddings(), model.get_input_embeddings()
    if head is not None and head.weight is table.weight:
        own = torch.empty_like(table.weight)
        head.weight = nn.Parameter(own if own.is_meta else own.normal_(std=own.shape[1] ** -0.5))
    model.config.tie_word_embeddings = False
