"""Any model of transformers, built without weights, with the places in it that recipes speak of."""

from __future__ import annotations

import copy
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from time import perf_counter
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_module_registration_hook
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.utils import logging

from surveykit.engine.models.bound_places import BoundPlace, head_of, slots_of, token_table, unplaced
from surveykit.engine.models.configs import in_a_line, notes_on, open_config
from surveykit.engine.models.kinds import class_of, sides_of
from surveykit.engine.models.norm_walk import bias_parameters, norm_parameters
from surveykit.engine.models.objective import loss_of, taken_by
from surveykit.engine.models.roles import is_norm
from surveykit.engine.models.stacks import Side, stacks_of, text_config
from surveykit.engine.models.task_head import head_places
from surveykit.errors import RecipeError, SurveyError
from surveykit.recipes import Where
from surveykit.recipes.base import LINEAR_ROLES, MODULE_ROLES

BUILT_WITHIN = 30.0
"""Seconds. On two slow cores, the largest model of the hub takes two."""


@dataclass(frozen=True)
class Blueprint:
    """What a model is built from; no tensor exists yet."""

    name: str
    """In messages: an id of the catalog, of the hub, or a folder's name."""
    config: PreTrainedConfig
    model_class: type[PreTrainedModel]
    sides: frozenset[Side]
    """The model's own stacks: an encoder, a decoder, or both."""
    labels: int | None = None
    """Of the task's head that the model is built with; None where it has its own output."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What whoever reads a figure of this model has to know, a plain sentence each; mostly none."""
        return notes_on(self.config)

    @property
    def causal(self) -> bool:
        """Whether it is a decoder alone."""
        return self.sides == {"decoder"}

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
        return self.sides == {"encoder"}

    @property
    def vocabulary(self) -> int:
        """Rows of the token embedding."""
        return int(text_config(self.config).vocab_size)

    @cached_property
    def depths(self) -> dict[Side, int]:
        """Blocks of each of the model's own stacks."""
        found: dict[Side, int] = {}
        for stack in stacks_of(self._made("meta", 0), self.sides):
            if stack.own:
                found[stack.side] = found.get(stack.side, 0) + len(stack.blocks)
        return found

    @property
    def layers_alike(self) -> bool:
        """Whether every block of a stack is built alike, as far as the configuration says."""
        return all(
            len({*map(str, kinds)}) == 1 for part in _parts(self.config) for kinds in self._by_layer(part).values()
        )

    def _by_layer(self, config: PreTrainedConfig) -> dict[str, list[Any]]:
        """What a configuration says of every block apart."""
        said = {name: value for name, value in vars(config).items() if isinstance(value, list | tuple)}
        return {name: list(value) for name, value in said.items() if len(value) in self.depths.values()}

    def cut(self, depth: int) -> Blueprint:
        """The same with stacks of so many blocks."""
        config = copy.deepcopy(self.config)
        for part in _parts(config):
            by_layer = self._by_layer(part)
            for name in ("num_hidden_layers", *_DEPTHS):
                if isinstance(getattr(part, name, None), int):
                    setattr(part, name, depth)
            for name, kinds in by_layer.items():
                setattr(part, name, (kinds * depth)[:depth])
        return replace(self, config=config)

    def build(self, *, device: str = "meta", seed: int = 0) -> Instance:
        """The model in evaluation mode, without weights (`meta`) or with random ones.

        Raises:
            SurveyError: transformers cannot build it, or it has no blocks.
        """
        separate = getattr(self.config, "tie_word_embeddings", None) is False
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
        if len(self.sides) > len({stack.side for stack in instance.stacks if stack.own}):
            what = f"is_encoder_decoder is true, and models of type '{self.config.model_type}' are not that"
            raise SurveyError(f"{self.name}: {what}")
        return instance

    def _made(self, device: str, seed: int) -> PreTrainedModel:
        config = copy.deepcopy(self.config)
        config.return_dict = True  # what we read of an output has a name
        for part in (config, *(getattr(config, name, None) for name in config.sub_configs)):
            if hasattr(part, "use_cache"):
                part.use_cache = False  # keys and values are kept for generation, not for training
        if "shared.weight" in str(self.model_class._tied_weights_keys) and len(self.sides) == 2:
            config.tie_word_embeddings = True  # its stacks share one table anyhow, and transformers means the same
        with torch.random.fork_rng(devices=[]), torch.device(device), built_within(BUILT_WITHIN, self.name):
            torch.manual_seed(seed)
            try:
                model = self.model_class(config)
            except SurveyError:
                raise
            except Exception as error:  # whatever a model makes of an unfit configuration
                what = f"transformers cannot build {self.model_class.__name__} from this configuration"
                raise SurveyError(f"{self.name}: {what}: {in_a_line(error)}") from error
        if device == "meta":
            _put_on_meta(model)
        return model


class Instance:
    """A backbone that exists: its model, its slots, and which parameters are pretrained.

    Parameters are known by identity, each once however many names it has; what is not in `pretrained` was added.
    """

    def __init__(self, blueprint: Blueprint, model: PreTrainedModel) -> None:
        self.blueprint = blueprint
        self.model = model
        self.pretrained: tuple[nn.Parameter, ...] = tuple(model.parameters())
        self.stacks = stacks_of(model, blueprint.sides)
        slots = slots_of(model, self.stacks)
        self.slots: tuple[BoundPlace, ...] = tuple(slots if blueprint.labels is None else head_places(model, slots))
        self.unplaced = tuple(unplaced(model, self.slots))
        self.walked = {"norms": norm_parameters(model), "biases": bias_parameters(model, head_of(model))}
        """Parameters of all norms, and of all biases in front of the head, without a look at slots."""
        self._places: dict[Where, tuple[bool, list[BoundPlace]]] = {}
        for parameter in self.pretrained:
            parameter.requires_grad_(False)

    @property
    def name(self) -> str:
        return self.blueprint.name

    @property
    def identities(self) -> dict[int, nn.Parameter]:
        """The pretrained parameters by identity. Never kept: a copy of the instance has others."""
        return {id(parameter): parameter for parameter in self.pretrained}

    @cached_property
    def parameters(self) -> int:
        """Of the bare backbone, each once."""
        return sum(parameter.numel() for parameter in self.pretrained)

    @property
    def has_biases(self) -> bool:
        """Whether anything in front of the head has a bias."""
        return self.walked["biases"] > 0

    def without(self, where: Where) -> str:
        """For messages: what a model's blocks are made of, where nothing in them has the roles that are meant."""
        roles = {*where.roles}
        if not roles <= LINEAR_ROLES | MODULE_ROLES or any(slot.place.role in roles for slot in self.slots):
            return ""
        parts = [part for stack in self.stacks if stack.own for block in stack.blocks for part in block.sublayers()]
        made = dict.fromkeys(type(part).__name__ for part in parts if not is_norm(part))
        attends = not all(role.startswith("feed_forward") for role in roles)
        known = "query, key and value" if attends else "the parts of a feed-forward"
        return f"; its blocks are made of {', '.join(made)}, none of which has {known} as linear layers of known names"

    def places(self, where: Where) -> tuple[bool, list[BoundPlace]]:
        """Whether anything is meant, whatever its layer; and what is."""
        found = self._places.get(where)
        if found is None:
            fit = [slot for slot in self.slots if where.fits(slot.place)]
            found = self._places[where] = bool(fit), [slot for slot in fit if where.matches(slot.place)]
        return found

    def run(self, inputs: Mapping[str, Any], *, cache: bool = False) -> Any:
        """One forward pass: what transformers' model returns, with keys and values for generation if `cache` asks for them
        and the model makes any.

        Raises:
            RecipeError: the model's own code stops. What stops in ours is raised as it is.
        """
        further = {"use_cache": cache} if "use_cache" in taken_by(self.model) else {}
        meta = self.pretrained[0].is_meta
        try:
            with _without_values() if meta else nullcontext():
                return self.model(**inputs, **further)
        except Exception as error:
            if not _is_transformers(error):
                raise
            if meta and isinstance(error, RuntimeError | TypeError) and "meta" in str(error).lower():
                why = (
                    f"{type(self.model).__name__} decides by numbers that its weights make, and it has no weights here"
                )
                raise RecipeError(f"{self.name} cannot be traced: {why}") from error
            where = f"{type(self.model).__name__}{', which has no weights here,' if meta else ''}"
            raise RecipeError(f"{self.name} does not run: {where} stops with: {in_a_line(error)}") from error

    def to_mode(self, *, training: bool) -> None:
        """Let the model run as in training or as in evaluation."""
        if self.model.training != training:  # a walk over all modules
            self.model.train(training)

    def loss(self, inputs: Mapping[str, Any]) -> Tensor:
        """What is differentiated in a training step (`objective.loss_of`)."""
        return loss_of(self.run(inputs))

    def answer(self, inputs: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """The loss of the labels and the scores that it counts, (rows, vocabulary); not of an encoder alone."""
        output = self.run(inputs)
        return output.loss, output.logits.flatten(0, -2)

    @property
    def blocks(self) -> tuple[tuple[str, nn.Module], ...]:
        """Every block of the model's own stacks with the stack it belongs to (`encoder` or `decoder`), in order."""
        return tuple((stack.side, block.module) for stack in self.stacks if stack.own for block in stack.blocks)


def blueprint_of(source: PreTrainedConfig | str, *, name: str | None = None) -> Blueprint:
    """What a configuration builds: the class that it names, or the natural one of its type.

    Raises:
        SurveyError: transformers has no model for it.
    """
    config = open_config(source) if isinstance(source, str) else source
    found = class_of(config)
    return Blueprint(name or config.name_or_path or config.model_type, config, found, sides_of(config, found))


def instance_of(source: PreTrainedConfig | str, *, device: str = "meta", seed: int = 0) -> Instance:
    """Build a model without weights (`meta`) or with random ones, and find its places.

    Args:
        source: a configuration, or what `open_config` takes.

    Raises:
        SurveyError: the configuration cannot be read or built, or its architecture is not supported.
    """
    return blueprint_of(source).build(device=device, seed=seed)


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
    ("surveykit.engine.trace.meta_values", "run"),
    ("surveykit.engine.trace.memory", "__torch_dispatch__"), ("surveykit.engine.trace.inference", "__torch_dispatch__"),
}  # fmt: skip
"""Functions that stand between the model and torch while it is traced, and call what the model called."""


@contextmanager
def _without_values() -> Iterator[None]:
    """Keep transformers from warning, of padding above all (there is none), and let a number on meta be a part of a name,
    as one elsewhere may be: both look into tensors on ways that a trace does not see."""
    warn, written = PreTrainedModel.warn_if_padding_and_no_attention_mask, Tensor.__format__
    verbosity = logging.get_verbosity()

    def write(number: Tensor, how: str) -> str:
        return format(number.item(), how) if number.dim() == 0 else str(written(number, how))  # type: ignore[no-untyped-call]

    PreTrainedModel.warn_if_padding_and_no_attention_mask = lambda self, ids, mask: None
    Tensor.__format__ = write  # type: ignore[method-assign]
    logging.set_verbosity_error()
    try:
        yield
    finally:
        PreTrainedModel.warn_if_padding_and_no_attention_mask = warn
        Tensor.__format__ = written  # type: ignore[method-assign]
        logging.set_verbosity(verbosity)


def _parts(config: PreTrainedConfig) -> tuple[PreTrainedConfig, ...]:
    """A configuration, and that of its text where it has parts."""
    text = text_config(config)
    return (config,) if text is config else (config, text)


_DEPTHS = (
    "num_layers",
    "n_layer",
    "n_layers",
    "encoder_layers",
    "decoder_layers",
    "num_decoder_layers",
    "num_encoder_layers",
)
"""What configurations call the number of blocks of a stack, besides `num_hidden_layers`."""


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


def _put_on_meta(model: nn.Module) -> None:
    """Some models make a few parameters and buffers on the CPU, whatever they are told."""
    moved: dict[int, nn.Parameter] = {}
    for module in model.modules():
        for name, parameter in module._parameters.items():
            if parameter is not None and not parameter.is_meta:
                there = nn.Parameter(parameter.detach().to("meta"), parameter.requires_grad)
                module._parameters[name] = moved.setdefault(id(parameter), there)
        for name, buffer in module._buffers.items():
            module._buffers[name] = None if buffer is None else buffer.to("meta")


def _untie(model: PreTrainedModel) -> None:
    """Give the output layer a weight of its own. Where two stacks share a table, transformers ties the output to it
    too while a model is made, and separates the two only while it loads a checkpoint."""
    head, table = head_of(model), token_table(model)
    if head is not None and table is not None and head.weight is table.weight:
        own = torch.empty_like(table.weight)
        head.weight = nn.Parameter(own if own.is_meta else own.normal_(std=own.shape[1] ** -0.5))
    model.config.tie_word_embeddings = False
