"""Reading headers: which files of a checkpoint are read, the same for a folder and for the hub."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Protocol

from surveykit.checkpoints import pickled, safetensors
from surveykit.checkpoints.folder import Folder
from surveykit.checkpoints.header import File, Header, Tensor, printed
from surveykit.checkpoints.hub import Hub
from surveykit.errors import CheckpointError

SAFETENSORS = ("model.safetensors", "model.safetensors.index.json")
PICKLED = ("pytorch_model.bin", "pytorch_model.bin.index.json")
MOST_JSON = 25_000_000
"""Bytes of an index or a config.json that are read at most; those of T5-11B have less than a hundredth."""
_MIXED = "the index and the files are not of one checkpoint"
_POINTER = b"version https://git-lfs"
"""How a file begins that git put in place of a large one."""


class Place(Protocol):
    """Where the files of a checkpoint are."""

    name: str
    revision: str | None
    files: Mapping[str, File]
    """What is there, by name."""

    def open(self, name: str) -> IO[bytes]:
        """Open one of the files for reading.

        Raises:
            CheckpointError, OSError: it cannot be read.
        """


def read(source: str, revision: str | None = None) -> Header:
    """Read the header of a checkpoint.

    Args:
        source: a folder, one file of weights in it, or owner/name on the hub.
        revision: a branch, tag or commit of the hub; None for its main branch.

    Raises:
        CheckpointError: there is nothing of that name, it cannot be reached, or it is damaged.
    """
    path = Path(source).expanduser()
    if path.exists():
        if revision is not None:
            raise CheckpointError(f"'{source}' is a local folder and has no revisions; remove --revision {revision}")
        with _readable(source):
            folder = Folder(path if path.is_dir() else path.parent)
        return _read(folder, None if path.is_dir() else path.name)
    if source.count("/") > 1 or source.startswith((".", "/", "~")) or path.suffix in (".bin", ".safetensors"):
        raise CheckpointError(f"there is no folder '{source}'; give one, or owner/name of the hub")
    return _read(Hub(source, revision))


def _read(place: Place, only: str | None = None) -> Header:
    chosen = only or next((name for name in (*SAFETENSORS, *PICKLED) if name in place.files), None)
    if chosen is None:
        raise CheckpointError(f"{place.name}: no weights there: none of {', '.join((*SAFETENSORS, *PICKLED))}")
    sharded = chosen.endswith(".index.json")
    tensors, names = _shards(place, chosen) if sharded else (_tensors(place, chosen), [chosen])
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
        raise CheckpointError(f"{where}: it has no weight_map, which says which file holds which tensor")
    names = sorted({str(shard) for shard in placed.values()})
    for name in names:
        if Path(name).name != name or "\\" in name:
            raise CheckpointError(f"{where}: it names {name!a}, which is not a file in its folder")
        if name not in place.files:
            raise CheckpointError(f"{where}: it names {printed(name)}, which is missing")
    tensors: dict[str, Tensor] = {}
    for shard in names:
        indexed = {name for name, holder in placed.items() if holder == shard}
        held = _tensors(place, shard)
        if lacking := sorted(indexed - held.keys()):
            raise CheckpointError(f"{where}: {printed(lacking[0])} should be in {shard} and is not; {_MIXED}")
        if beyond := sorted(held.keys() - indexed):
            raise CheckpointError(f"{where}: {shard} also holds {beyond[0]}; {_MIXED}")
        tensors.update(held)
    return tensors, names


def _tensors(place: Place, name: str) -> dict[str, Tensor]:
    """What the header of a file of weights says."""
    where = f"{place.name}/{name}"
    with _readable(where), place.open(name) as file:
        if file.read(len(_POINTER)) == _POINTER:
            raise CheckpointError(f"{where}: git left a pointer in place of the file; run git lfs pull")
        file.seek(0)
        if name.endswith(".safetensors"):
            return safetensors.tensors_of(file, where, place.files[name].size)
        return pickled.tensors_of(file, where)


def _json(place: Place, name: str) -> dict[str, Any]:
    where = f"{place.name}/{name}"
    too_large = CheckpointError(f"{where} has more than the {MOST_JSON:,} bytes that are read")
    if (place.files[name].size or 0) > MOST_JSON:
        raise too_large
    with _readable(where), place.open(name) as file:
        content = file.read(MOST_JSON + 1)
    if len(content) > MOST_JSON:
        raise too_large
    try:
        fields = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{where} is not JSON ({error})") from error
    if not isinstance(fields, dict):
        raise CheckpointError(f"{where} is not a JSON object")
    return fields


@contextmanager
def _readable(where: str) -> Iterator[None]:
    """Say in one line why a file cannot be read."""
    try:
        yield
    except OSError as error:
        raise CheckpointError(f"{where}: {error.strerror or error}") from error
