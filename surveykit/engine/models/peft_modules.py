"""A configuration of PEFT on a model, through PEFT's own modules, without weights: the second answer where we have the
method, and the only one where we have not. PEFT is imported here alone, and only once it is asked."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D
from transformers.utils import logging

from surveykit.catalog.peft_file import PeftFile
from surveykit.catalog.peft_targets import ModelParts, Targets
from surveykit.engine.models.configs import in_a_line
from surveykit.engine.models.model import BUILT_WITHIN, Blueprint, Instance, built_within
from surveykit.errors import MissingExtra, RecipeError, SurveyError

VALUE_BYTES = 4
UNREAD = frozenset({
    "base_model_name_or_path", "revision", "auto_mapping", "peft_version", "runtime_config", "inference_mode",
    "megatron_config", "megatron_core", "tokenizer_name_or_path", "tokenizer_kwargs", "prompt_tuning_init",
    "prompt_tuning_init_text", "prompt_tuning_init_state_dict_path", "loftq_config", "eva_config", "corda_config",
    "lora_ga_config",
})  # fmt: skip
"""Keys that PEFT is not given: what they name would be looked up, loaded, imported or computed from data, and nothing of
it changes a number of parameters. (A saved adapter has `inference_mode: true`, with which PEFT would train nothing.)"""
_FROM_WEIGHTS = ("pissa", "olora", "corda", "loftq", "lora_ga", "eva")
"""Starting values of LoRA that are computed from weights or data."""
_OTHERS = {"XLORA": "adapters", "SHADOW": "shadow_model", "CARTRIDGE": "", "CPT": ""}


@dataclass(frozen=True)
class PeftCounts:
    """What PEFT's modules hold, each parameter once."""

    trainable: int
    """Parameters that require a gradient."""
    added: int
    """Parameters that are not the bare model's, trained or not."""
    stored: int
    """Numbers of the state dict that PEFT saves."""
    stored_bytes: int
    """… at 4 bytes a number."""


def peft_version() -> str:
    """The version of PEFT that is installed.

    Raises:
        MissingExtra: none is.
    """
    return str(peft_library().__version__)


def peft_is_here() -> bool:
    """Whether PEFT is installed; it is not imported for that."""
    from importlib.util import find_spec

    return find_spec("peft") is not None


def dropped_keys(file: PeftFile) -> list[str]:
    """Keys of the file that the installed PEFT does not know; those of a newer version, mostly.

    Raises:
        MissingExtra: PEFT is not installed.
        SurveyError: it knows no such type.
    """
    from dataclasses import fields

    known = {field.name for field in fields(_config_class(file))} | UNREAD
    return sorted(set(file.content) - known)


def parts_of(instance: Instance, file: PeftFile | None = None) -> ModelParts:
    """What of a model a configuration of PEFT speaks of.

    Args:
        file: the configuration; where it names no modules, PEFT's own for this type of model are among the parts.
    """
    model, model_type = instance.model, instance.model.config.model_type
    named = list(model.named_modules())
    output = model.get_output_embeddings() or next(
        (m for m in map(model._modules.get, ("score", "classifier")) if m), None
    )
    unsaid = file is not None and any(file.names(key) in (None, ()) for key in _DEFAULTS)
    return ModelParts(
        model_type=model_type,
        task=task_type(model),
        modules=tuple(name for name, _ in named),
        linear=tuple(name for name, module in named if isinstance(module, nn.Linear | Conv1D) and module is not output),
        places=tuple(slot.place for slot in instance.slots),
        holders=frozenset(name for name, module in named if module._parameters),
        biases=frozenset(name for name, _ in model.named_parameters() if "bias" in name),
        defaults=_default_targets(file.peft_type, model_type) if file and unsaid and peft_is_here() else None,
    )


def _default_targets(peft_type: str, model_type: str) -> dict[str, Targets]:
    """Which modules PEFT takes in models of a type where a file names none, by the key of the configuration."""
    peft_library()
    from peft.utils import constants

    maps = {key: f"TRANSFORMERS_MODELS_TO_{peft_type.replace('_', '')}_{word}" for key, word in _DEFAULTS.items()}
    found = {key: getattr(constants, name, {}).get(model_type) for key, name in maps.items()}
    return {
        key: names if isinstance(names, str) else tuple(sorted(names))
        for key, names in found.items()
        if names is not None
    }


_DEFAULTS = {"target_modules": "TARGET_MODULES_MAPPING", "feedforward_modules": "FEEDFORWARD_MODULES_MAPPING"}


@dataclass(frozen=True)
class Wrapped:
    """A model with PEFT's modules in it or around it, without weights."""

    instance: Instance
    """Its model is the bare one, in which PEFT has put modules in the place of others; prompts are around it."""
    peft: Any
    """PEFT's model."""

    @property
    def config(self) -> Any:
        return next(iter(self.peft.peft_config.values()))

    def added(self) -> int:
        """Parameters that are not the bare model's, trained or not."""
        pretrained = {id(parameter) for parameter in self.instance.pretrained}
        return sum(p.numel() for p in self.peft.parameters() if id(p) not in pretrained)


def wrapped(
    blueprint: Blueprint, file: PeftFile, dtype: torch.dtype = torch.float32, *, float32: bool = False,
    within: float | None = BUILT_WITHIN,
) -> Wrapped:  # fmt: skip
    """Put PEFT's modules on a model that is built for them, without weights.

    Args:
        dtype: of the model's weights.
        float32: whether PEFT holds what it adds in float32 on narrower weights, where it does so unless told otherwise.
        within: seconds that building may take; None for no limit, where a result must not depend on how fast the machine is.

    Raises:
        MissingExtra: PEFT is not installed.
        RecipeError: PEFT cannot put the configuration on this model, or not without weights.
        SurveyError: building takes too long, or this version of PEFT has no such type.
    """
    peft = peft_library()
    if file.content.get("monteclora_config"):
        first = f"PEFT {peft.__version__} makes the sampler of MonteCLoRA in the first pass of a model without weights"
        raise RecipeError(f"{first}, so that its modules lack it here")
    try:
        return _wrapped(peft, blueprint, file, dtype, float32=float32, within=within, on_meta=True)
    except (NotImplementedError, RuntimeError) as error:
        if "meta" not in str(error).lower():
            raise _refusal(blueprint, file, error) from error
    except SurveyError:
        raise
    except Exception as error:  # whatever PEFT makes of an unfit configuration
        raise _refusal(blueprint, file, error) from error
    try:  # what it adds has values now; the model still has none
        return _wrapped(peft, blueprint, file, dtype, float32=float32, within=within, on_meta=False)
    except SurveyError:
        raise
    except Exception as error:
        looked = f"PEFT {peft.__version__} looks at the values of weights while it builds {file.peft_type}"
        raise RecipeError(f"{looked}, and there are none here, so that it cannot be counted") from error


def _wrapped(
    peft: Any, blueprint: Blueprint, file: PeftFile, dtype: torch.dtype, *, float32: bool, within: float | None,
    on_meta: bool,
) -> Wrapped:  # fmt: skip
    instance = blueprint.build()
    instance.model.to(dtype).requires_grad_(True)
    with quiet(), contextlib.ExitStack() as stack:
        if within is not None:
            stack.enter_context(built_within(within, blueprint.name))
        config = _config(file, instance.model)
        if on_meta:
            stack.enter_context(torch.device("meta"))
        found = peft.get_peft_model(instance.model, config, autocast_adapter_dtype=float32)
        return Wrapped(instance, found if float32 else found.to(dtype))


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep warnings of PEFT and transformers, which are about training and loading, from the user."""
    said = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.set_verbosity(said)


def peft_counts(blueprint: Blueprint, file: PeftFile) -> PeftCounts:
    """Count a configuration with PEFT's own modules. Raises as `wrapped`."""
    found = wrapped(blueprint, file)
    kept = saved_state(found)
    return PeftCounts(
        trainable=sum(p.numel() for p in found.peft.parameters() if p.requires_grad),
        added=found.added(),
        stored=sum(tensor.numel() for tensor in kept.values()),
        stored_bytes=sum(tensor.numel() * _width(tensor) for tensor in kept.values()),
    )


def saved_state(found: Wrapped) -> Mapping[str, Tensor]:
    """What PEFT saves of a wrapped model. Whole embeddings are among it where they were named as targets, and more of them is
    trained than some rows.

    Raises:
        RecipeError: PEFT looks at values there.
    """
    from peft import get_peft_model_state_dict
    from peft.utils.other import EMBEDDING_LAYER_NAMES

    model, config = found.peft, found.config
    named = getattr(config, "target_modules", None) or ()
    rows = config.peft_type.value == "TRAINABLE_TOKENS"
    embeddings = not (rows or isinstance(named, str)) and any(name in named for name in EMBEDDING_LAYER_NAMES)
    if config.is_prompt_learning:  # PEFT's own copies the values to the host, and there are none
        model.get_prompt_embedding_to_save = lambda name: _prompt_to_save(model, config, name)
    try:
        with quiet():
            state: Mapping[str, Tensor] = get_peft_model_state_dict(model, save_embedding_layers=embeddings)
    except (NotImplementedError, RuntimeError) as error:
        looks = f"PEFT {peft_version()} looks at values where it saves {config.peft_type.value}"
        raise RecipeError(f"{looks}, and there are none here, so that it cannot be counted") from error
    return state


def _prompt_to_save(model: Any, config: Any, name: str) -> Tensor:
    encoder = model.prompt_encoder[name]
    tokens = model.prompt_tokens[name].to(encoder.embedding.weight.device)[None]
    if config.peft_type.value in ("PREFIX_TUNING", "CARTRIDGE"):
        tokens = tokens[:, : config.num_virtual_tokens]
    prompt: Tensor = encoder(tokens)[0]
    return prompt


def _width(tensor: Tensor) -> int:
    return VALUE_BYTES if tensor.is_floating_point() else tensor.element_size()


def task_type(model: PreTrainedModel) -> str:
    """What PEFT calls the task that a model's class is for."""
    name = type(model).__name__
    heads = {
        "ForSequenceClassification": "SEQ_CLS",
        "ForTokenClassification": "TOKEN_CLS",
        "ForQuestionAnswering": "QUESTION_ANS",
    }
    for end, task in heads.items():
        if name.endswith(end):
            return task
    if model.get_output_embeddings() is None or name.endswith("ForMaskedLM"):
        return "FEATURE_EXTRACTION"
    return "SEQ_2_SEQ_LM" if getattr(model.config, "is_encoder_decoder", False) else "CAUSAL_LM"


def _config(file: PeftFile, model: PreTrainedModel) -> Any:
    cls = _config_class(file)
    given = {key: value for key, value in file.content.items() if key not in UNREAD and key not in dropped_keys(file)}
    start = given.get("init_lora_weights")
    if isinstance(start, str) and start.startswith(_FROM_WEIGHTS):
        del given["init_lora_weights"]
    given["task_type"] = task_type(model)
    return cls(**cls.check_kwargs(**given))


def _config_class(file: PeftFile) -> Any:
    peft = peft_library()
    from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING

    needs = _OTHERS.get(file.peft_type)
    if needs and file.content.get(needs):
        raise RecipeError(f"{file.peft_type} of PEFT starts from another model ({needs}), which is not loaded here")
    for kind, cls in PEFT_TYPE_TO_CONFIG_MAPPING.items():
        if kind.value == file.peft_type:
            return cls
    from surveykit.errors import nearest

    known = sorted(kind.value for kind in PEFT_TYPE_TO_CONFIG_MAPPING)
    newer = "a newer one may" if not (close := nearest(file.peft_type, known, 0.7)) else ""
    raise SurveyError(
        f"{file.name}: PEFT {peft.__version__} has no peft_type '{file.peft_type}'{close or f'; {newer}'}"
    )


def _refusal(blueprint: Blueprint, file: PeftFile, error: Exception) -> SurveyError:
    if isinstance(error, ImportError):
        return RecipeError(f"{file.peft_type} of PEFT needs another package: {in_a_line(error)}")
    version = peft_library().__version__
    return RecipeError(f"PEFT {version} does not put {file.peft_type} on {blueprint.name}: {in_a_line(error)}")


def peft_library() -> Any:
    """PEFT, told that there is no extension for CUDA, whose building changes the environment and writes to the user's cache
    wherever BOFT is used. So BOFT has one factor on every machine, as PEFT has it where the extension cannot be built.

    Raises:
        MissingExtra: PEFT is not installed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import peft
            from peft.tuners.boft import layer
    except ImportError as error:
        raise MissingExtra(error.name or "peft", "peft") from error
    layer.get_fbd_cuda = lambda: None
    return peft
