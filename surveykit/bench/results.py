"""Results of the bench: one JSON file for each cell and device, in catalog/measured/bench/<plan>/<device>/<id>.json."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, ValidationError, model_validator

from surveykit.bench.cells import BenchCell
from surveykit.beside import new_file
from surveykit.catalog.layers import layers, name_of
from surveykit.errors import Problem, SurveyError
from surveykit.files import read_bounded
from surveykit.record import Record

FOLDER = "measured/bench"
MOST_BYTES = 1 << 22
"""Of a file that is read."""


class Machine(Record):
    """What a cell ran on."""

    device: str
    """Its name, or `cpu`."""
    driver: str | None
    """The version of its driver; null on the CPU."""
    processor: str
    threads: int
    """Of torch, in the process that ran the cell."""
    versions: dict[str, str]
    """Of Python, torch, transformers and surveykit."""


class Memory(Record):
    """Bytes that the allocator held at most, phase by phase. A step after the first, whose optimizer has its state."""

    loaded: int
    """Model and method, before the first step."""
    forward: int
    backward: int
    optimizer: int
    """In the optimizer's step."""
    peak: int
    reserved: int | None
    """From the system; null on the CPU, whose allocator holds nothing back."""
    predicted: int | None
    """The peak as it was predicted; null where it could not be."""


class Speed(Record):
    """Of the steps after those that warm up."""

    step_seconds: tuple[float, ...] = Field(min_length=1)
    tokens: int
    """Tokens that a step reads and is trained on, without padding, on average."""
    examples: int
    """Of a step."""
    inference_seconds: tuple[float, ...] = ()
    """Of forward passes over the same batch after training, with what the method adds beside the weights."""


class Score(Record):
    """On held-out examples."""

    metric: str
    develop: float
    """On the examples by which the learning rate is chosen."""
    each: tuple[float, ...] = Field(min_length=1)
    """On each example that is scored: 1 or 0 where answers are right or wrong."""
    chance: float | None
    """What guessing gives; null where it has no meaning."""

    @property
    def value(self) -> float:
        return sum(self.each) / len(self.each)


class BenchResult(Record):
    """One file."""

    id: str = Field(pattern=r"^[0-9a-f]{16}$")
    plan: str
    configuration: str
    model: str
    weights: str
    """`random`, or the SHA-256 of the file of weights."""
    task: str | None
    data: str | None
    """The SHA-256 of the files of texts; null without a task."""
    seed: int
    rate: float
    status: Literal["finished", "failed"]
    reason: str | None
    """Why it failed; null where it did not."""
    started: str
    ended: str
    seconds: float
    """By a clock that does not jump."""
    machine: Machine
    trainable: int | None = None
    memory: Memory | None = None
    speed: Speed | None = None
    losses: tuple[float, ...] = ()
    """Before each step, stage after stage."""
    score: Score | None = None

    @model_validator(mode="after")
    def _says_why(self) -> Self:
        if (self.status == "failed") != (self.reason is not None):
            raise ValueError("a failed cell must give a reason, and other cells must not")
        return self


def slug(device: str) -> str:
    """A device's name as a folder."""
    return re.sub(r"[^a-z0-9]+", "-", device.lower()).strip("-") or "device"


class Results:
    """The files of one plan on one device.

    Args:
        folder: of the plan's results; each device has a folder in it.
    """

    def __init__(self, folder: Path, device: str) -> None:
        self.folder = folder / slug(device)

    def path(self, cell: BenchCell) -> Path:
        return self.folder / f"{cell.id}.json"

    def of(self, cell: BenchCell) -> BenchResult | None:
        """What a cell measured; None where there is no file, or none that is whole."""
        found = read_result(self.path(cell))
        return found if found is not None and found.id == cell.id else None

    def write(self, result: BenchResult) -> None:
        """Write a file, all of it or nothing.

        Raises:
            SurveyError: it cannot be written, as on a full disk.
        """
        path = self.folder / f"{result.id}.json"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with new_file(path) as beside, beside.open("w", encoding="utf-8") as file:
                file.write(result.model_dump_json(indent=1) + "\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise SurveyError(f"{path} cannot be written: {error.strerror or error}") from None


def read_result(path: Path) -> BenchResult | None:
    """A result; None where there is no file, or none that is whole."""
    try:
        content = read_bounded(path, MOST_BYTES)
        return None if content is None else BenchResult.model_validate_json(content)
    except (OSError, ValidationError):
        return None


def results_of(root: Path, plan: str, problems: list[Problem] | None = None) -> Iterator[BenchResult]:
    """All whole results of a plan in a catalog, on every device, each once.

    Args:
        problems: where it is given, why files are left out is added here.
    """
    seen: set[tuple[str, str]] = set()
    for layer in layers(root):
        for path in sorted((layer / FOLDER / plan).glob("[!.]*/[!.]*.json")):
            result = read_result(path)
            if (fault := _fault(path, plan, result)) is not None and problems is not None:
                problems.append(
                    Problem(name_of(root, path), 0, 0, f"{fault}; remove it, or run surveykit bench {plan}")
                )
            if result is None or fault is not None or (path.parent.name, result.id) in seen:
                continue
            seen.add((path.parent.name, result.id))
            yield result


def _fault(path: Path, plan: str, result: BenchResult | None) -> str | None:
    """Why a file is no result of its place; None where it is one."""
    if result is None:
        return "this is not a complete bench result"
    place = f"{result.plan}/{slug(result.machine.device)}/{result.id}.json"
    return None if place == f"{plan}/{path.parent.name}/{path.name}" else f"this result belongs in {place}"


def files(root: Path) -> dict[str, Path]:
    """Every file of a catalog's results, by plan/device/name: those of earlier layers before those of later ones."""
    found: dict[str, Path] = {}
    for layer in layers(root):
        for path in sorted((layer / FOLDER).glob("[!.]*/[!.]*/[!.]*.json")):
            found.setdefault(path.relative_to(layer / FOLDER).as_posix(), path)
    return found
