"""Putting a stage of a recipe on a backbone, and taking it off again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.hooks import RemovableHandle

from surveykit.engine.backbones import Instance, Slot
from surveykit.engine.inputs import prepend_prompts
from surveykit.engine.prefixes import prepend_keys_and_values
from surveykit.errors import RecipeError
from surveykit.recipes import Edit, Place, Shape, Stage
from surveykit.recipes.base import Activation, InputEdit, KeyValueEdit, OutputEdit, WeightEdit

CONTAINER = "surveykit_edits"
"""Name under which the added parameters hang on the model."""

_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": functional.relu,
    "gelu": functional.gelu,
    "gelu_new": lambda x: functional.gelu(x, approximate="tanh"),
    "silu": functional.silu,
    "tanh": torch.tanh,
    "identity": lambda x: x,
}


class Part(nn.Module):
    """The tensors of one edit at one place (or of one group of places), as named parameters."""

    def __init__(self, shapes: dict[str, Shape], device: torch.device, dtype: torch.dtype) -> None:
        super().__init__()
        self.group: Part | None = None
        for name, shape in shapes.items():
            self.register_parameter(name, nn.Parameter(_tensor(shape, device, dtype)))

    @property
    def shared(self) -> Part:
        if self.group is None:
            raise RecipeError("this edit shares no tensors")
        return self.group

    def share(self, group: Part) -> None:
        # Not a submodule of this part: the group is registered once, on the container.
        object.__setattr__(self, "group", group)

    def activate(self, name: Activation, x: Tensor) -> Tensor:
        return _ACTIVATIONS[name](x)


def _tensor(shape: Shape, device: torch.device, dtype: torch.dtype) -> Tensor:
    values = torch.empty(shape.dims, device=device, dtype=dtype)
    if device.type == "meta":
        return values
    match shape.initial:
        case "zeros":
            return values.zero_()
        case "ones":
            return values.fill_(1)
        case "normal":
            return values.normal_(std=0.02)
        case "kaiming":
            return nn.init.kaiming_uniform_(values, a=5**0.5)


class Placed:
    """One edit at one place."""

    def __init__(self, edit: Edit, slot: Slot, part: Part) -> None:
        self.edit = edit
        self.slot = slot
        self.part = part


class Attached:
    """A stage on a backbone. A context manager; leaving it takes every trace of the stage off again."""

    def __init__(self, instance: Instance, stage: Stage) -> None:
        self.instance = instance
        self.stage = stage
        self.placed: list[Placed] = []
        self._handles: list[RemovableHandle] = []
        self._container = nn.ModuleList()
        self._attach()

    def _attach(self) -> None:
        try:
            for edit in self.stage.edits:
                self._place(edit)
            self.instance.model.add_module(CONTAINER, self._container)
            self._hook()
            for parameter in self._selected():
                parameter.requires_grad_(True)
        except BaseException:
            self.detach()
            raise

    def _place(self, edit: Edit) -> None:
        slots = [slot for slot in self.instance.slots if edit.where.matches(slot.place)]
        if not slots:
            where = edit.where.model_dump(exclude_none=True)
            raise RecipeError(f"{self.instance.record.id} has no place for {edit.kind} at {where}")
        sample = self.instance.pretrained[0]
        groups: dict[str, Part] = {}
        for slot in slots:
            try:
                own = dict(edit.tensors(slot.place))
                common = dict(edit.shared_tensors(slot.place))
            except ValueError as error:
                raise RecipeError(f"{edit.kind} does not fit {self.instance.record.id}: {error}") from None
            part = Part(own, sample.device, sample.dtype)
            if common:
                group = edit.group(slot.place)
                if group not in groups:
                    groups[group] = Part(common, sample.device, sample.dtype)
                    self._container.append(groups[group])
                part.share(groups[group])
            self._container.append(part)
            self.placed.append(Placed(edit, slot, part))

    def _hook(self) -> None:
        prompts: list[tuple[InputEdit, Place, Part]] = []
        prefixes: list[tuple[KeyValueEdit, Slot, Part]] = []
        for placed in self.placed:
            edit, module, part = placed.edit, placed.slot.module, placed.part
            if isinstance(edit, WeightEdit):
                self._handles.append(module.register_forward_pre_hook(_before(edit, part)))
                self._handles.append(module.register_forward_hook(_after_linear(edit, part)))
            elif isinstance(edit, OutputEdit):
                self._handles.append(module.register_forward_hook(_after_module(edit, part)))
            elif isinstance(edit, KeyValueEdit):
                prefixes.append((edit, placed.slot, part))
            elif isinstance(edit, InputEdit):
                prompts.append((edit, placed.slot.place, part))
        if prefixes:
            self._handles += prepend_keys_and_values(self.instance.model, prefixes)
        if prompts:
            self._handles.append(prepend_prompts(self.instance.model, prompts))

    def _selected(self) -> Iterator[nn.Parameter]:
        if self.stage.train_everything:
            yield from self.instance.pretrained
        for where in self.stage.train:
            found = [slot for slot in self.instance.slots if where.matches(slot.place)]
            if not found:
                chosen = where.model_dump(exclude_none=True)
                raise RecipeError(f"{self.instance.record.id} has nothing to train at {chosen}")
            for slot in found:
                yield from slot.module.parameters()

    def added(self) -> tuple[nn.Parameter, ...]:
        """The parameters that the stage added, each once."""
        return tuple(self._container.parameters())

    def merge(self) -> None:
        """Write every edit into the backbone's weights and take the branches off.

        Raises:
            RecipeError: an edit has no merged form; the message says why.
        """
        for placed in self.placed:
            obstacle = _merge_obstacle(placed.edit)
            if obstacle is not None:
                raise RecipeError(f"{placed.edit.kind} cannot be merged: {obstacle}")
        with torch.no_grad():
            for placed in self.placed:
                edit, module = placed.edit, placed.slot.module
                assert isinstance(edit, WeightEdit)
                assert isinstance(module.weight, Tensor)
                module.weight.copy_(edit.weight(placed.part, module.weight))
        self.detach()

    def deployed(self) -> tuple[Stage, dict[tuple[int, str], Tensor]]:
        """What a user keeps: the deployed form of the stage, and its tensors by number of place and name."""
        stage = self.stage.model_copy(update={"edits": tuple(edit.deployed() for edit in self.stage.edits)})
        kept: dict[tuple[int, str], Tensor] = {}
        seen: set[int] = set()
        for number, placed in enumerate(self.placed):
            tensors = placed.edit.deployed_tensors(placed.part, placed.slot.place)
            kept.update({(number, name): tensor for name, tensor in tensors.items()})
            group = placed.part.group
            dropped = placed.edit.deployed() != placed.edit  # a reparametrization: its network is not kept
            if group is not None and not dropped and id(group) not in seen:
                seen.add(id(group))
                kept.update({(number, f"shared.{name}"): tensor for name, tensor in group.named_parameters()})
        return stage, kept

    def load(self, kept: dict[tuple[int, str], Tensor]) -> None:
        """Fill the parts of an attached deployed stage with tensors from `deployed`."""
        with torch.no_grad():
            for (number, name), value in kept.items():
                part = self.placed[number].part
                target = part.shared if name.startswith("shared.") else part
                parameter = target.get_parameter(name.removeprefix("shared."))
                parameter.copy_(value)

    def detach(self) -> None:
        """Take hooks and added parameters off and freeze the backbone again."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        self.instance.model._modules.pop(CONTAINER, None)
        for parameter in self.instance.pretrained:
            parameter.requires_grad_(False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.detach()


def _merge_obstacle(edit: Edit) -> str | None:
    if isinstance(edit, WeightEdit):
        return edit.merge_obstacle()
    reasons = {
        "output": "it computes a non-linear function beside the weights",
        "input": "it adds positions, which no weight holds",
        "kv": "it adds keys and values, which no weight holds",
    }
    return reasons[edit.site]


def _before(edit: WeightEdit, part: Part) -> Callable[..., Any]:
    def hook(module: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return (edit.before(part, args[0]), *args[1:])

    return hook


def _after_linear(edit: WeightEdit, part: Part) -> Callable[..., Any]:
    def hook(module: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> Tensor:
        return edit.after(part, args[0], output)

    return hook


def _after_module(edit: OutputEdit, part: Part) -> Callable[..., Any]:
    def hook(module: nn.Module, args: tuple[Tensor, ...], output: Any) -> Any:
        if isinstance(output, tuple):  # attention also returns its position bias and weights
            return (edit.after(part, args[0], output[0]), *output[1:])
        return edit.after(part, args[0], output)

    return hook
