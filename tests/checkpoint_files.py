"""Files of weights without weights: headers of real length over storages that are holes in the file."""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from surveykit.catalog.models import Model

Shapes = dict[str, tuple[int, ...]]
LEFTOVER = "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"


def t5_shapes(model: Model, *, leftover: bool = True) -> Shapes:
    """The tensors of the original T5 files, by hand: one embedding for all its uses, and a leftover of 2020."""
    b = model.dimensions
    inner = b.inner
    shapes: Shapes = {"shared.weight": (b.vocabulary, b.d_model)}
    for stack, layers in (("encoder", b.encoder_layers), ("decoder", b.decoder_layers)):
        for i in range(layers):
            attentions = ["SelfAttention"] if stack == "encoder" else ["SelfAttention", "EncDecAttention"]
            block = f"{stack}.block.{i}.layer"
            for j, attention in enumerate(attentions):
                shapes |= {f"{block}.{j}.{attention}.{name}.weight": (inner, b.d_model) for name in "qkv"}
                shapes[f"{block}.{j}.{attention}.o.weight"] = (b.d_model, inner)
                shapes[f"{block}.{j}.layer_norm.weight"] = (b.d_model,)
            last = len(attentions)
            shapes[f"{block}.{last}.DenseReluDense.wi.weight"] = (b.d_ff, b.d_model)
            shapes[f"{block}.{last}.DenseReluDense.wo.weight"] = (b.d_model, b.d_ff)
            shapes[f"{block}.{last}.layer_norm.weight"] = (b.d_model,)
        shapes[f"{stack}.block.0.layer.0.SelfAttention.relative_attention_bias.weight"] = (b.relative_buckets, b.heads)
        shapes[f"{stack}.final_layer_norm.weight"] = (b.d_model,)
    if leftover:
        shapes[LEFTOVER] = (b.relative_buckets, b.heads)
    return shapes


def entries(
    shapes: Mapping[str, tuple[int, ...]], dtypes: Mapping[str, tuple[str, int]] | None = None
) -> dict[str, Any]:
    """A safetensors header, as its writer lays it out: tensors by name, one after another."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for name in sorted(shapes):
        dtype, width = (dtypes or {}).get(name, ("F32", 4))
        end = offset + width * torch.Size(shapes[name]).numel()
        header[name] = {"dtype": dtype, "shape": list(shapes[name]), "data_offsets": [offset, end]}
        offset = end
    return header


def packed(header: Any) -> bytes:
    """Length, JSON, and blanks up to a multiple of eight bytes."""
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def safetensors(
    path: Path, shapes: Mapping[str, tuple[int, ...]], dtypes: Mapping[str, tuple[str, int]] | None = None
) -> Path:
    """A file of that layout whose weights are a hole."""
    header = entries(shapes, dtypes)
    start = packed(header)
    with path.open("wb") as file:
        file.write(start)
        file.truncate(len(start) + max(e["data_offsets"][1] for n, e in header.items() if n != "__metadata__"))
    return path


class _Stored:
    """Stands for a storage in a pickle."""

    def __init__(self, key: str, numbers: int) -> None:
        self.key, self.numbers = key, numbers


class _Tensor:
    """Stands for a tensor in a pickle: it is written as torch writes one."""

    def __init__(self, key: str, shape: tuple[int, ...]) -> None:
        self.shape, self.stored = shape, _Stored(key, torch.Size(shape).numel())

    def __reduce__(self) -> tuple[Any, ...]:
        strides = torch.empty(self.shape, device="meta").stride()
        return torch._utils._rebuild_tensor_v2, (self.stored, 0, self.shape, strides, False, {})


class _Pickler(pickle.Pickler):
    def persistent_id(self, obj: object) -> Any:
        if isinstance(obj, _Stored):
            return ("storage", torch.FloatStorage, obj.key, "cpu", obj.numbers, None)
        return None


def old_pickle(path: Path, shapes: Mapping[str, tuple[int, ...]]) -> Path:
    """A PyTorch file of the layout before 1.6, as the first T5 files had it, whose storages are a hole."""
    keys = [str(i) for i in range(len(shapes))]
    state = {name: _Tensor(key, shape) for key, (name, shape) in zip(keys, shapes.items(), strict=True)}
    with path.open("wb") as file:
        for value in (0x1950A86A20F9469CFC6C, 1001, {"protocol_version": 1001, "little_endian": True}):
            pickle.dump(value, file, protocol=2)
        _Pickler(file, protocol=2).dump(state)
        pickle.dump(keys, file, protocol=2)
        file.truncate(file.tell() + sum(8 + 4 * torch.Size(shape).numel() for shape in shapes.values()))
    return path


def index(path: Path, placed: Mapping[str, str]) -> Path:
    """An index that says in which file each tensor is."""
    path.write_text(json.dumps({"metadata": {"total_size": 0}, "weight_map": dict(placed)}), encoding="utf-8")
    return path


def shards(folder: Path, shapes: Shapes, count: int, *, pickled: bool = False) -> Path:
    """A checkpoint in so many files, with their index."""
    stem, suffix = ("pytorch_model", "bin") if pickled else ("model", "safetensors")
    placed: dict[str, str] = {}
    for i in range(count):
        name = f"{stem}-{i + 1:05}-of-{count:05}.{suffix}"
        part = {tensor: shapes[tensor] for tensor in list(shapes)[i::count]}
        (old_pickle if pickled else safetensors)(folder / name, part)
        placed |= dict.fromkeys(part, name)
    return index(folder / f"{stem}.{suffix}.index.json", placed)
