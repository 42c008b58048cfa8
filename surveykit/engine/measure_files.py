"""What is recorded of a saved file whose size a source prints: its bytes, and those of its header.

Where PEFT has the configuration, its own modules on a model without weights say what is saved, under which names. Else the
numbers that are kept are counted, in the precisions of the run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from surveykit.catalog.peft_arguments import peft_arguments
from surveykit.catalog.peft_file import PeftFile
from surveykit.catalog.saved_files import Held
from surveykit.engine.counts import SEED_BYTES
from surveykit.engine.edits.attach import Attached
from surveykit.engine.models.model import Blueprint
from surveykit.engine.models.peft_modules import parts_of, peft_version, saved_state, task_type, wrapped
from surveykit.errors import RecipeError, SurveyError
from surveykit.recipes import Recipe
from surveykit.recipes.sites import BudgetedEdit

_NAMES = {
    torch.int64: "I64", torch.float64: "F64", torch.float32: "F32", torch.int32: "I32", torch.bfloat16: "BF16",
    torch.float16: "F16", torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL",
}  # fmt: skip
"""What safetensors calls types of numbers, in the order in which it writes them."""

_BYTES = {"bfloat16": torch.bfloat16.itemsize, "float32": torch.float32.itemsize}


def file_values(recipe: Recipe, blueprint: Blueprint, held: Held) -> dict[str, Any]:
    """Sizes of the file, by the names of the fields that hold them. A recipe whose file is not known has its reason instead.

    Args:
        held: the precision of the model's weights, and that of what the method adds.

    Raises:
        MissingExtra: PEFT is not installed.
        SurveyError: this machine cannot tell: a package or memory is lacking, or its PEFT does not know the method.
    """
    found: dict[str, Any] = {"dtype": held[0], "adapter_dtype": held[1], "status": "counted"}
    try:
        state = peft_state(recipe, blueprint, held)
    except RecipeError as reason:
        if _is_of_this_machine(reason.__cause__):
            raise
        try:
            return {**found, "size": numbers_kept(recipe, blueprint, held), "numbers_alone": str(reason)}
        except RecipeError as error:
            return {**found, "status": "failed", "reason": str(error)}
    header = header_size(state)
    size = header + sum(tensor.numel() * tensor.element_size() for tensor in state.values())
    return {**found, "size": size, "header": header, "peft": peft_version()}


def peft_state(recipe: Recipe, blueprint: Blueprint, held: Held) -> Mapping[str, Tensor]:
    """What PEFT saves of a recipe on a model, without values.

    Raises:
        MissingExtra: PEFT is not installed.
        RecipeError: PEFT does not have the recipe, or what it saves depends on values.
        SurveyError: this version of PEFT does not know the method.
    """
    if any(isinstance(edit, BudgetedEdit) for edit in recipe.stages[-1].edits):
        raise RecipeError("training decides how much of each layer is kept")
    instance = blueprint.build()
    try:
        said = peft_arguments(recipe, parts_of(instance), task_type(instance.model))
    except SurveyError as refusal:
        raise RecipeError(str(refusal)) from refusal
    file = PeftFile(said.peft_type, said.peft_type, said.arguments)
    wider = held[1] not in (None, held[0])
    return saved_state(wrapped(blueprint, file, getattr(torch, held[0]), float32=wider, within=None))


def _is_of_this_machine(cause: BaseException | None) -> bool:
    """Whether PEFT fails for a reason that another machine would not have. Such a reason must not become a figure."""
    return isinstance(cause, ImportError | MemoryError) or "allocate memory" in str(cause)


def header_size(state: Mapping[str, Tensor]) -> int:
    """Bytes in front of the tensors of a safetensors file as PEFT writes it: the header's length, and the header, filled up to
    whole eights. Tensors stand by their type, wider ones first, then by name."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    order = [*_NAMES]
    for name, tensor in sorted(state.items(), key=lambda item: (order.index(item[1].dtype), item[0])):
        start, end = end, end + tensor.numel() * tensor.element_size()
        header[name] = {"dtype": _NAMES[tensor.dtype], "shape": [*tensor.shape], "data_offsets": [start, end]}
    length = len(json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode())
    return 8 + length + -length % 8


def numbers_kept(recipe: Recipe, blueprint: Blueprint, held: Held) -> int:
    """Bytes of the numbers that are kept for a task, each in the precision in which the run holds it.

    Raises:
        RecipeError: how many they are is known after training only, or the recipe does not fit the model.
    """
    weights, added = (_BYTES[name or held[0]] for name in held)
    stage = recipe.stages[-1]
    if stage.mask is not None or stage.restarts:
        raise RecipeError("what a mask or a restart leaves to be kept has no file of its own form")
    with Attached(blueprint.build(), stage) as attached:
        shapes = [shape for shape in attached.kept_shapes() if shape.kept == "task"]
        pretrained = sum(parameter.numel() for parameter in attached.changeable())
        seeded = any(shape.kept == "seed" for shape in attached.kept_shapes())
    own = sum(
        shape.numel * (shape.index_bytes if shape.is_index else weights if shape.narrow else added) for shape in shapes
    )
    return weights * pretrained + own + SEED_BYTES * seeded
