"""Reading headers: which files of a checkpoint are read, the same for a folder and for the hub."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from surveykit.checkpoints.header import LARGEST_JSON, File, Header, Tensor, printed
from surveykit.errors import CheckpointError

SAFETENSORS = ("model.safetensors", "model.safetensors.index.json")
PICKLED = ("pytorch_model.bin", "pytorch_model.bin.index.json")


class Place(Protocol):
    """Where the files of a checkpoint are."""

    name: str
    revision: str | None
    files: Mapping[str, File]
    """What is there, by name."""

    def content(self, name: str) -> bytes:
        """A small file, whole.

        Raises:
            CheckpointError: it cannot be read.
        """

    def tensors(self, name: str) -> dict[str, Tensor]:
        """What the header of a file of weights says.

        Raises:
            CheckpointError: the file is damaged or cannot be read.
        """


def read(source: str, revision: str | None = None) -> Header:
    """Read the header of a checkpoint.

    Args:
        source: a folder, one file of weights in it, or owner/name on the hub.
        revision: a branch, tag or commit of the hub; None for its main branch.

    Raises:
        CheckpointError: there is nothing of that name, it cannot be reached, or it is damaged.
    """
    from surveykit.checkpoints.folder import Folder  # both import huggingface_hub, and what is above
    from surveykit.checkpoints.hub import Hub

    path = Path(source).expanduser()
    if path.exists():
        if revision is not None:
            raise CheckpointError(
                f"'{source}' is on this machine and has no revisions; leave --revision {revision} out"
            )
        return _read(Folder(path if path.is_dir() else path.parent), None if path.is_dir() else path.name)
    if source.count("/") > 1 or source.startswith((".", "/", "~")) or path.suffix in (".bin", ".safetensors"):
        raise CheckpointError(f"there is no folder '{source}'; give one, or owner/name of the hub")
    return _read(Hub(source, revision))


def _read(place: Place, only: str | None = None) -> Header:
    chosen = only or next((name for name in (*SAFETENSORS, *PICKLED) if name in place.files), None)
    if chosen is None:
        raise CheckpointError(f"{place.name}: no weights there: none of {', '.join((*SAFETENSORS, *PICKLED))}")
    sharded = chosen.endswith(".index.json")
    tensors, names = _shards(place, chosen) if sharded else (place.tensors(chosen), [chosen])
    beside = [name for name in PICKLED if name in place.files]
    notes = [f"{chosen} was read, {beside[0]} beside it was not"] if chosen in SAFETENSORS and beside else []
    config = _json(place, "config.json") if "config.json" in place.files else None
    files = tuple(place.files[name] for name in names)
    return Header(place.name, tensors, files, place.revision, config, tuple(notes))


def _shards(place: Place, index: str) -> tuple[dict[str, Tensor], list[str]]:
    """All tensors that an index names, each from the shard that is said to hold it."""
    where = f"{place.name}: {index}"
    placed = _json(place, index).get("weight_map")
    if not isinstance(placed, dict) or not placed:
        raise CheckpointError(f"{where}: it has no weight_map, which says what tensor is in what file")
    names = sorted({str(shard) for shard in placed.values()})
    for name in names:
        if Path(name).name != name or "\\" in name:
            raise CheckpointError(f"{where}: it names {name!a}, which is no file beside it")
        if name not in place.files:
            raise CheckpointError(f"{where}: it names {printed(name)}, which is missing")
    tensors: dict[str, Tensor] = {}
    said_of: dict[str, set[str]] = {}
    for tensor, shard in placed.items():
        said_of.setdefault(str(shard), set()).add(tensor)
    for name in names:
        found = place.tensors(name)
        said = said_of[name]
        if said != found.keys():
            lacking, beyond = sorted(said - found.keys()), sorted(found.keys() - said)
            what = (
                f"{printed(lacking[0])} should be in {name} and is not"
                if lacking
                else f"{name} holds {beyond[0]} besides"
            )
            raise CheckpointError(f"{where}: {what}; the index and the files are not of one checkpoint")
        tensors.update(found)
    return tensors, names


def _json(place: Place, name: str) -> dict[str, Any]:
    size = place.files[name].size
    if size is not None and size > LARGEST_JSON:
        raise CheckpointError(f"{place.name}: {name} has {size:,} bytes, more than the {LARGEST_JSON:,} that are read")
    try:
        found = json.loads(place.content(name))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{place.name}: {name} is no JSON ({error})") from error
    if not isinstance(found, dict):
        raise CheckpointError(f"{place.name}: {name} is no JSON object")
    return found
