"""Configurations of PEFT in our recipes: the configuration of the catalog that `peft_methods` names, with what the file changes.

A key that no function there reads, and that is not known to leave all numbers as they are, is never passed over: the file is
then PEFT's own to count.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from surveykit.catalog.peft_file import PeftFile
from surveykit.catalog.peft_methods import Ours, translation_of
from surveykit.catalog.peft_targets import ModelParts, NotOurs, Targets
from surveykit.catalog.selection import selected_recipes
from surveykit.catalog.variations import named
from surveykit.errors import SurveyError
from surveykit.recipes import Recipe, Role, Where

_WITHOUT_EFFECT = frozenset({
    "task_type", "auto_mapping", "peft_version", "base_model_name_or_path", "revision", "inference_mode",
    "fan_in_fan_out", "megatron_config", "megatron_core", "runtime_config", "qalora_group_size",
    "init_weights", "init_ia3_weights", "init_scale", "tinit", "tfinal", "deltaT", "beta1", "beta2", "total_step",
    "loftq_config", "eva_config", "corda_config", "lora_ga_config", "use_effective_conv2d",
    "random_loc_seed", "projection_prng_key", "projection_seed", "proj_seed", "generator_seed", "d_initial",
    "init_v_bound", "init_logits_std", "init_vector_bank_bound", "init_theta_d_bound",
    "prompt_tuning_init", "prompt_tuning_init_text", "tokenizer_name_or_path", "tokenizer_kwargs",
    "prompt_tuning_init_task", "mask_type", "random_seed", "cpt_mask", "opt_weighted_loss_type", "opt_loss_decay_factor",
    "use_bdlora.match_strict",
})  # fmt: skip
"""Keys that change no number of ours: notes, schedules, how a file was saved, seeds, where training starts, and what is checked."""
_AS_USUAL: Mapping[str, Any] = {"init_lora_weights": True}
"""Keys that change no number of ours while they have this value."""
_LEFT_OUT = (
    "lora_dropout", "rank_dropout", "module_dropout", "rank_dropout_scale", "miss_dropout", "hira_dropout",
    "gralora_dropout", "deft_dropout",
)  # fmt: skip
"""Keys that are left out with a word."""
_PRETRAINED: tuple[Role, ...] = ("embedding", "head", "norm", "linear", "position_bias")
_SHOWN = 8
"""Names that are shown of a longer list."""


@dataclass(frozen=True)
class Translation:
    """A configuration of PEFT as one of ours."""

    name: str
    """`lora/qv-r8 · rank=32 · targets=q_proj,v_proj`"""
    recipe: Recipe
    notes: tuple[str, ...]
    """What it leaves out, a sentence each."""


def translated(file: PeftFile, parts: ModelParts, root: Path) -> Translation:
    """A configuration of PEFT in our recipes.

    Args:
        parts: of the model that it is put on.
        root: of the catalog.

    Raises:
        NotOurs: our recipes cannot say what it says.
        SurveyError: a value is of a wrong kind, or the model has no module that it names.
    """
    translation = translation_of(file)
    if translation is None:
        raise NotOurs(f"surveykit has no recipe for {file.peft_type}")
    translate, keys = translation
    for key, value in sorted(_said(file, keys)):
        if value and key not in keys | _WITHOUT_EFFECT and key not in _LEFT_OUT and value != _AS_USUAL.get(key):
            raise NotOurs(f"surveykit's recipes have no {key}")
    ours = translate(file, parts)
    also, missing = _also_trained(file, parts)
    left_out = [
        f"{key}={file.content[key]} is left out: it trains nothing (its masks take memory)"
        for key in _LEFT_OUT
        if file.content.get(key)
    ]
    ((_, recipe),) = selected_recipes(root, [ours.base])
    stage = recipe.stages[-1]
    train = [*(stage.train if ours.train is None else ours.train), *also, *_biases(file, parts, ours)]
    edits = list(stage.edits) if ours.edits is None else ours.edits(stage.edits)
    last = stage.model_copy(update={"edits": tuple(edits), "train": tuple(train)})
    whole = recipe.model_copy(update={"stages": (*recipe.stages[:-1], last)})
    try:
        checked = Recipe.model_validate_json(whole.model_dump_json())
    except ValidationError as error:
        raise SurveyError(f"{file.name}: {error.errors()[0]['msg'].removeprefix('Value error, ')}") from None
    name = _named(file, ours.base, ours.set, None if ours.adapted is None else ours.adapted.targets)
    return Translation(name, checked, (*ours.notes, *missing, *left_out))


def _said(file: PeftFile, keys: Collection[str]) -> Iterator[tuple[str, Any]]:
    """What a file says; what a configuration inside it says has the names of both, where any of it is read."""
    read = {key.partition(".")[0] for key in keys if "." in key}
    for key, value in file.content.items():
        if key in read and isinstance(value, dict):
            yield from ((f"{key}.{inner}", one) for inner, one in value.items())
        else:
            yield key, value


def name_of(file: PeftFile) -> str:
    """The name of a configuration of which we have no recipe: `peft/VERA · r=256 · targets=q_proj,v_proj`."""
    plain = {
        key: value for key, value in sorted(file.content.items())
        if isinstance(value, int | float | str) and value and not isinstance(value, bool)
        and key not in _WITHOUT_EFFECT and value != "none" and not key.startswith("init")
    }  # fmt: skip
    return _named(file, f"peft/{file.peft_type}", dict(list(plain.items())[:_SHOWN]), file.names("target_modules"))


def _named(file: PeftFile, base: str, values: Mapping[str, Any], targets: Targets | None) -> str:
    shown = {name: int(v) if isinstance(v, float) and v == int(v) else v for name, v in values.items()}
    shown.pop("target_modules", None)
    for name, names in {"targets": targets, "also_train": file.names("modules_to_save")}.items():
        if names:
            listed = [names] if isinstance(names, str) else [*names]
            shown[name] = listed if len(listed) <= _SHOWN else [*listed[:_SHOWN], f"{len(listed) - _SHOWN} more"]
    for key in ("layers_to_transform", "exclude_modules", "rank_pattern", "alpha_pattern", "bias"):
        value = file.content.get(key)
        if value not in (None, [], {}, "", "none"):
            shown[key] = [f"{name}:{number}" for name, number in value.items()] if isinstance(value, dict) else value
    return named(base, shown)


def _also_trained(file: PeftFile, parts: ModelParts) -> tuple[list[Where], list[str]]:
    """The pretrained modules that are trained as they are, and a word on those that the model does not have.

    Raises:
        NotOurs: something of them is in no place of ours.
    """
    saved = file.names("modules_to_save") or ()
    names = (saved,) if isinstance(saved, str) else saved
    there = {end: [m for m in parts.modules if m.endswith(end)] for end in names if end}
    found = [end for end, modules in there.items() if modules]
    missing = [end for end, modules in there.items() if not modules]
    words = f"modules_to_save names {' and '.join(missing)}, which the model does not have: nothing is counted for it"
    if not found:
        return [], [words] if missing else []
    pattern = rf".*(?:{'|'.join(map(re.escape, found))})(?:\..*)?"  # PEFT takes ends of words too: norm is layernorm
    where = Where(roles=_PRETRAINED, pattern=pattern)
    known = {name for name, place in parts.named(*_PRETRAINED).items() if where.matches(place)}
    unknown = [holder for holder in parts.holders if re.fullmatch(pattern, holder) and holder not in known]
    if unknown:
        raise NotOurs(f"modules_to_save also trains {min(unknown)}, which surveykit's recipes do not cover")
    return [where] if known else [], [words] if missing else []


def _biases(file: PeftFile, parts: ModelParts, ours: Ours) -> list[Where]:
    """The biases that are trained too.

    Raises:
        NotOurs: some of them are in no place of ours.
        SurveyError: the file says none of PEFT's words.
    """
    said = file.content.get("bias") or "none"
    if said == "none" or ours.adapted is None:
        return []
    own = [name for name in ours.adapted.names if f"{name}.bias" in parts.biases]
    if isinstance(said, str) and said.endswith("_only"):
        where = ours.adapted.where()
        return [where.model_copy(update={"parameters": "bias"})] if own else []
    if said != "all":
        raise SurveyError(f"{file.name}: bias is {said!r}; it must be none, all, or lora_only")
    groups: tuple[tuple[Role, ...], ...] = (("linear", "norm"), ("head",))
    places = [(roles, {f"{name}.bias" for name in parts.named(*roles)} & parts.biases) for roles in groups]
    if left := parts.biases.difference(*(names for _, names in places)):
        raise NotOurs(f"bias=all also trains {min(left)}, which surveykit's recipes do not cover")
    return [Where(roles=roles, parameters="bias") for roles, names in places if names]
