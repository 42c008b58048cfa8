"""Any model of transformers, built without weights, with the places in it that recipes speak of."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import torch
import transformers
from torch import Tensor, nn
from transformers import PreTrainedConfig, PreTrainedModel, masking_utils

from surveykit.engine.roles import FAMILIES, LLAMA, NEEDED, Family, Side
from surveykit.engine.slots import Slot, find, slots_of
from surveykit.errors import SurveyError, nearest
from surveykit.recipes import Where


@dataclass(frozen=True)
class Blueprint:
    """What a model is built from; no tensor exists yet."""

    name: str
    """In messages: an id of the catalog, of the hub, or a folder's name."""
    config: PreTrainedConfig
    model_class: type[PreTrainedModel]
    family: Family

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
        return len({*(getattr(self.config, "layer_types", None) or ())}) <= 1

    def cut(self, depth: int) -> Blueprint:
        """The same with stacks of so many blocks."""
        config = copy.deepcopy(self.config)
        for name in {"num_hidden_layers", *_depth_names(self).values()}:
            setattr(config, name, depth)
        if getattr(config, "layer_types", None):
            config.layer_types = (config.layer_types * depth)[:depth]
        return replace(self, config=config)

    def build(self, *, device: str = "meta", seed: int = 0) -> Instance:
        """The model in evaluation mode, without weights (`meta`) or with random ones.

        Raises:
            SurveyError: transformers cannot build it, or its modules are not where its family has them.
        """
        config = copy.deepcopy(self.config)
        separate = config.tie_word_embeddings is False
        if len(self.family.sides) == 2:  # its stacks share one table in any case, and for transformers this is the same
            config.tie_word_embeddings = True
        try:
            with torch.random.fork_rng(devices=[]), torch.device(device):
                torch.manual_seed(seed)
                model = self.model_class(config)
                if separate:
                    _untie(model)
        except Exception as error:  # whatever a model makes of an unfit configuration
            raise SurveyError(f"{self.name}: transformers cannot build this configuration: {_line(error)}") from error
        model.eval()
        return Instance(self, model)


class Instance:
    """A backbone that exists: its model, its slots, and which parameters are pretrained.

    Parameters are known by identity, each once however many names it has; what is not in `pretrained` was added.
    """

    def __init__(self, blueprint: Blueprint, model: PreTrainedModel) -> None:
        self.blueprint = blueprint
        self.model = model
        self.pretrained: tuple[nn.Parameter, ...] = tuple(model.parameters())
        self.slots: tuple[Slot, ...] = tuple(slots_of(blueprint.family, model))
        for parameter in self.pretrained:
            parameter.requires_grad_(False)

    @property
    def name(self) -> str:
        return self.blueprint.name

    @cached_property
    def parameters(self) -> int:
        """Of the bare backbone, each once."""
        return sum(parameter.numel() for parameter in self.pretrained)

    def run(self, inputs: Mapping[str, Tensor]) -> Any:
        """One forward pass: what transformers' model returns."""
        further = {} if self.blueprint.encoder_only else {"use_cache": False}
        with _one_text_a_row() if self.pretrained[0].is_meta else nullcontext():
            return self.model(**inputs, **further)

    def loss(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """The loss of the labels; of an encoder alone, which has no labels here, the mean magnitude of what it gives.

        (Not its mean square: behind a norm that is the same whatever the weights are.)
        """
        output = self.run(inputs)
        loss: Tensor = output[0].abs().mean() if self.blueprint.encoder_only else output.loss
        return loss

    @property
    def blocks(self) -> tuple[tuple[str, nn.Module], ...]:
        """Every block with the stack it belongs to (`encoder` or `decoder`), in order."""
        stacks = [slot for slot in self.slots if slot.blocks]
        return tuple((s.place.sublayer.partition(".")[0], block) for s in stacks for block in s.blocks)


def open_config(source: str) -> PreTrainedConfig:
    """The configuration of a folder, a config.json, or a model of the Hugging Face hub. Never runs code that it names.

    Raises:
        SurveyError: it cannot be reached or read, or is of no model that transformers knows.
    """
    from transformers import AutoConfig

    path = Path(source)
    if path.is_dir():
        path = path / "config.json"
    if not path.exists():
        path = _from_hub(source)
    try:
        raw, _ = PreTrainedConfig.get_config_dict(path)
        config = cast(PreTrainedConfig, AutoConfig.from_pretrained(path, trust_remote_code=False))
    except Exception as error:  # of several libraries: JSON, types of fields, unknown models
        raise SurveyError(f"{source} has no configuration that transformers can read: {_line(error)}") from error
    if raw.get("tie_word_embeddings") is False:
        config.tie_word_embeddings = False  # T5, mT5 and UMT5 forget it while they are read
    config.name_or_path = _called(source, path)
    return config


def _called(source: str, path: Path) -> str:
    """A name for messages: that on the hub, or of the folder or file."""
    if not Path(source).exists():
        return source
    return path.resolve().parent.name if path.name == "config.json" else path.stem


def _from_hub(source: str) -> Path:
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, HFValidationError, RepositoryNotFoundError

    instead = "give a folder with a config.json, or such a file"
    if source.count("/") > 1 or source.endswith(".json") or source.startswith((".", "/", "~")):
        raise SurveyError(f"there is no file or folder '{source}'; {instead}")
    try:
        return Path(hf_hub_download(source, "config.json", local_files_only=True))
    except HFValidationError:
        raise SurveyError(f"'{source}' is no folder, file, or name on the hub; {instead}") from None
    except OSError:
        pass  # not in the cache
    try:
        get_hf_file_metadata(hf_hub_url(source, "config.json"))  # at once, where the download would try for long
        return Path(hf_hub_download(source, "config.json"))
    except GatedRepoError as error:
        raise SurveyError(f"'{source}' is gated on the hub: ask for access, then `hf auth login`") from error
    except RepositoryNotFoundError as error:
        raise SurveyError(
            f"the hub shows no model '{source}' (or it is private: `hf auth login`); {instead}"
        ) from error
    except HfHubHTTPError as error:
        raise SurveyError(f"the hub has no configuration of '{source}': {_line(error)}") from error
    except Exception as error:  # of the transport, which differs between versions
        raise SurveyError(f"'{source}' is no folder here and the hub cannot be reached; {instead}") from error


def blueprint_of(source: PreTrainedConfig | str, *, name: str | None = None) -> Blueprint:
    """What a configuration builds: the class that it names, or the natural one of its family.

    Raises:
        SurveyError: its architecture is not supported; the message lists those that are.
    """
    config = open_config(source) if isinstance(source, str) else source
    name = name or config.name_or_path or config.model_type
    if config.model_type in FAMILIES:
        family = FAMILIES[config.model_type]
        return Blueprint(name, config, _class_of(config, family.sides), family)
    supported = f"supported are {', '.join(sorted(FAMILIES))}, and decoders that name their modules as Llama does"
    if getattr(config, "is_encoder_decoder", False) or not _class_name(config, frozenset({"decoder"})):
        close = nearest(config.model_type, FAMILIES, 0.8)
        raise SurveyError(f"{name}: models of type '{config.model_type}' are not supported{close}; {supported}")
    found = Blueprint(name, config, _class_of(config, frozenset({"decoder"})), LLAMA)
    try:
        with torch.device("meta"):
            base = found.cut(1).model_class(found.cut(1).config).base_model
    except Exception as error:
        raise SurveyError(f"{name}: transformers cannot build this configuration: {_line(error)}") from error
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
    for name in (*(config.architectures or ()), _class_name(config, sides)):
        found = getattr(transformers, name, None) if name else None
        if getattr(found, "config_class", None) is type(config):
            return cast(type[PreTrainedModel], found)
    raise SurveyError(f"transformers has no model for configurations of type '{config.model_type}'")


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


@contextmanager
def _one_text_a_row() -> Iterator[None]:
    """Keep transformers from looking into positions for several texts packed in one row: on meta they have no values."""
    original = masking_utils.find_packed_sequence_indices
    masking_utils.find_packed_sequence_indices = lambda position_ids: None
    try:
        yield
    finally:
        masking_utils.find_packed_sequence_indices = original


def _depth_names(blueprint: Blueprint) -> dict[Side, str]:
    """Where a configuration says how many blocks a stack has."""
    config, both = blueprint.config, len(blueprint.family.sides) == 2
    names: dict[Side, str] = {}
    for stack in blueprint.family.stacks:
        further = ("num_decoder_layers",) if both and stack.side == "decoder" else ()
        candidates = (*((f"{stack.side}_layers",) if both else ()), *further, "num_hidden_layers")
        names[stack.side] = next(name for name in candidates if hasattr(config, name))
    return names


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def _untie(model: PreTrainedModel) -> None:
    """Give the output layer a weight of its own. Where two stacks share a table, transformers ties the output to it
    too while a model is made, and separates the two only while it loads a checkpoint."""
    head, table = model.get_output_embeddings(), model.get_input_embeddings()
    if head is not None and head.weight is table.weight:
        own = torch.empty_like(table.weight)
        head.weight = nn.Parameter(own if own.is_meta else own.normal_(std=own.shape[1] ** -0.5))
    model.config.tie_word_embeddings = False
