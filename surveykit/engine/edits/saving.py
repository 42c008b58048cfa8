"""What a user keeps after training, as plain tensors, and the way back."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import numpy
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from surveykit.engine.edits.attach import Attached
from surveykit.engine.models.model import Instance
from surveykit.recipes import Stage

TASK_FILE, SHARED_FILE = "task.safetensors", "shared.safetensors"
STAGE = "surveykit.stage"
"""Key of the stage in the metadata of a file."""
SEED = 0
"""Random tensors that are not kept are drawn from this number and the order of their part."""


def saved(attached: Attached) -> tuple[Stage, dict[str, Tensor]]:
    """The deployed form of a stage, and all that must be kept beside the backbone.

    `edit.N.name` are tensors of edits, `backbone.N` trained pretrained tensors by their order. Where a mask is on,
    values of the entries that it keeps, and which they are: positions in each tensor, or one bit for every entry.
    A stage whose edits are begun anew has only pretrained tensors to keep, with the edits written in.
    """
    if attached.stage.restarts:
        return _written(attached)
    stage, kept = attached.deployed()
    sparse = attached.masks
    found = {f"edit.{number}.{name}": value.detach().clone() for (number, name), value in kept.items()}
    homes = {id(value): f"edit.{number}.{name}" for (number, name), value in kept.items()}
    for number, parameter in enumerate(attached.instance.pretrained):
        if parameter.requires_grad:
            homes[id(parameter)] = f"backbone.{number}"
            found[f"backbone.{number}"] = parameter.detach().clone()
    for identity, mask in sparse.items():
        name = homes[identity]
        value = found.pop(name)
        found[f"{name}.values"] = value[mask]
    found.update(_index(attached, {homes[identity]: mask for identity, mask in sparse.items()}))
    if any(shape.kept == "seed" for shape in attached.kept_shapes()):
        found["seed"] = torch.tensor(SEED, dtype=torch.int64)
    return stage, found


def _written(attached: Attached) -> tuple[Stage, dict[str, Tensor]]:
    moved: dict[int, Tensor] = {id(p): p for p in attached.instance.pretrained if p.requires_grad}
    for placed in attached.placed:
        stored = placed.part.stored
        moved[id(stored)] = placed.written(moved.get(id(stored), stored))
    numbers = {id(p): number for number, p in enumerate(attached.instance.pretrained)}
    found = {f"backbone.{numbers[identity]}": value.detach().clone() for identity, value in moved.items()}
    return attached.stage.model_copy(update={"edits": (), "restarts": 0}), found


def _index(attached: Attached, masks: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Which entries are kept, in the shorter of two forms."""
    kept = sum(int(mask.sum()) for mask in masks.values())
    entries = sum(mask.numel() for mask in masks.values())
    if 4 * kept <= -(-entries // 8):
        return {f"{name}.positions": mask.flatten().nonzero().flatten().int() for name, mask in masks.items()}
    if not masks:
        return {}
    bits = torch.cat([masks[name].flatten() for name in sorted(masks)]).numpy()  # a file does not keep their order
    return {"bits": torch.from_numpy(numpy.packbits(bits))}


def size(kept: Mapping[str, Tensor]) -> int:
    """Bytes of tensors, without the header of a file."""
    return sum(tensor.numel() * tensor.element_size() for tensor in kept.values())


def shared_names(attached: Attached, kept: dict[str, Tensor]) -> set[str]:
    """Names of saved tensors that are kept once for all tasks."""
    found = set()
    for number, placed in enumerate(attached.placed):
        deployed, place = placed.edit.deployed(), placed.slot.place
        named = {f"edit.{number}.{name}": shape for name, shape in deployed.tensors(place).items()}
        named |= {f"edit.{number}.shared.{name}": shape for name, shape in deployed.shared_tensors(place).items()}
        found |= {name for name, shape in named.items() if shape.kept == "shared"}
    return found & set(kept)


def write(folder: Path, stage: Stage, kept: Mapping[str, Tensor], shared: Collection[str] = ()) -> tuple[Path, ...]:
    """Write what was saved: a file for the task, and one for what is kept once for all tasks where there is any.

    The stage is in the metadata of the task's file, so that backbone and files are all that is needed.
    """
    apart = {
        TASK_FILE: {name: tensor for name, tensor in kept.items() if name not in shared},
        SHARED_FILE: {name: tensor for name, tensor in kept.items() if name in shared},
    }
    described = {STAGE: stage.model_dump_json()}
    for name, tensors in apart.items():
        if tensors or name == TASK_FILE:
            contiguous = {key: tensor.contiguous() for key, tensor in tensors.items()}
            save_file(contiguous, folder / name, described if name == TASK_FILE else None)
    return tuple(folder / name for name, tensors in apart.items() if tensors or name == TASK_FILE)


def read(*files: Path) -> tuple[Stage, dict[str, Tensor]]:
    """What `write` wrote, for `restore`; the task's file is the first."""
    with safe_open(files[0], framework="pt") as opened:
        stage = Stage.model_validate_json(opened.metadata()[STAGE])
    return stage, {name: tensor for file in files for name, tensor in load_file(file).items()}


def restore(instance: Instance, stage: Stage, kept: Mapping[str, Tensor]) -> Attached:
    """Put a deployed stage on a bare backbone and fill it with what was kept."""
    attached = Attached(instance, stage)
    shapes = {id(p): p for p in instance.pretrained}
    targets = {f"backbone.{n}": p for n, p in enumerate(shapes.values())}
    for (number, name), value in attached.deployed()[1].items():
        targets[f"edit.{number}.{name}"] = value  # type: ignore[assignment]
    offset = 0
    bits = kept.get("bits")
    with torch.no_grad():
        for name in sorted(kept, key=lambda name: name.removesuffix(".values")):
            value = kept[name]
            if name in targets and targets[name].shape == value.shape:
                targets[name].copy_(value)
            elif name in targets:  # the edit shares a budget of components, and this place has got another number
                targets[name].data = value.clone()
            elif name.endswith(".values"):
                target = targets[name.removesuffix(".values")]
                flat = target.detach().flatten().clone()
                if name.startswith("edit."):
                    flat.zero_()
                if bits is None:
                    positions = kept[name.replace(".values", ".positions")].long()
                else:
                    unpacked = torch.from_numpy(numpy.unpackbits(bits.numpy())).bool()
                    positions = unpacked[offset : offset + len(flat)].nonzero().flatten()
                    offset += len(flat)
                flat[positions] = value
                target.copy_(flat.reshape(target.shape))
    return attached
