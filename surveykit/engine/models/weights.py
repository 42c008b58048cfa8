"""A model with the weights of a folder, loaded strictly: what the file lacks or has too much is refused or said."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging as library_logging

from surveykit.checkpoints import Header, read
from surveykit.engine.models.model import Instance, blueprint_of
from surveykit.engine.models.task_head import head_modules, with_task_head
from surveykit.errors import SurveyError

_SHOWN = 3


@dataclass(frozen=True)
class Loaded:
    """A model with its weights."""

    instance: Instance
    notes: tuple[str, ...]
    """What the file has beyond the model, or the model beyond the file, although it may."""


def load_weights(folder: Path, head: int | None = None) -> Loaded:
    """The model that a folder's configuration names, in 32-bit floats, with the folder's weights.

    Args:
        head: labels of a task's head, whose weights start at random where the folder has none; None: no such head.

    Raises:
        SurveyError: no configuration or weights, a model that is not supported, or weights that are not the model's.
    """
    if not folder.is_dir():
        raise SurveyError(f"there is no folder {folder}; weights are read from a folder, not from the hub")
    _refuse_special_files(folder)
    blueprint = blueprint_of(str(folder))
    blueprint = blueprint if head is None else with_task_head(blueprint, head)
    header = read(str(folder))  # a damaged or hostile file of weights goes no further
    with _quietly():
        try:
            model, report = blueprint.model_class.from_pretrained(
                folder, config=blueprint.config, dtype=torch.float32, local_files_only=True, trust_remote_code=False, output_loading_info=True,
                ignore_mismatched_sizes=True,  # to name them
            )  # fmt: skip
        except Exception as error:  # of transformers, safetensors, pickle and torch
            raise SurveyError(f"{folder}: its weights cannot be loaded: {_line(error)}") from error
    _refuse(folder, "of another shape than the model's", report["mismatched_keys"])
    missing, unexpected = set(report["missing_keys"]), set(report["unexpected_keys"])
    unread = {name for name in missing if _is_unread(name)}
    new = {*()} if head is None else {n for n in missing if n.partition(".")[0] in head_modules(model)}
    _refuse(folder, "missing, of which the model would keep random values", missing - unread - new)
    foreign = {name for name in unexpected if _is_of_another_head(name, model, unexpected)}
    _refuse(folder, "no part of the model", unexpected - foreign)
    model.eval()
    return Loaded(Instance(blueprint, model), tuple(_notes(unread, foreign, _ignored(header, model))))


def _refuse_special_files(folder: Path) -> None:
    """transformers opens what it finds by name, and would wait for a pipe or read a device for ever."""
    for path in sorted(folder.iterdir()):
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise SurveyError(f"{path} is not a regular file; remove it, or give another folder")


def load_tokenizer(folder: Path, instance: Instance) -> PreTrainedTokenizerBase:
    """The tokenizer of a folder, for the model of that folder.

    Raises:
        SurveyError: it has none, one that cannot be read, or one with more tokens than the model knows.
    """
    with _quietly():
        try:
            tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False
            )
        except Exception as error:  # of transformers, tokenizers and what they need for old formats
            raise SurveyError(f"{folder} has no tokenizer that transformers can read: {_line(error)}") from error
    if len(tokenizer) <= len(tokenizer.all_special_tokens):  # what transformers makes for a folder without one
        raise SurveyError(f"{folder} has no tokenizer: save it there with tokenizer.save_pretrained")
    rows = instance.model.get_input_embeddings().num_embeddings
    if len(tokenizer) > rows:
        raise SurveyError(f"{folder}: its tokenizer has {len(tokenizer):,} tokens, the model's embedding {rows:,} rows")
    return tokenizer


def _is_unread(name: str) -> bool:
    """A pooler, which many checkpoints lack: no trial reads it."""
    return re.search(r"(^|\.)pooler\.", name) is not None


def _is_of_another_head(name: str, model: PreTrainedModel, unexpected: Iterable[str]) -> bool:
    """Whether a tensor belongs to a head for another task, outside the base model: `cls.…` in BERT's checkpoints.

    Files of a bare model have no prefix to tell by; there, nothing is.
    """
    prefix = f"{model.base_model_prefix}."
    bare = model.base_model is model and not any(other.startswith(prefix) for other in unexpected)
    tops = {own.split(".")[0] for own, _ in model.base_model.named_children()}
    return not name.startswith(prefix) and (not bare or name.split(".")[0] not in tops)


def _refuse(folder: Path, what: str, names: Iterable[object]) -> None:
    found = sorted(str(name[0] if isinstance(name, tuple | list) else name) for name in names)
    if found:
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        raise SurveyError(f"{folder}: its weights do not fit: {what}: {', '.join(found[:_SHOWN])}{more}")


def _ignored(header: Header, model: PreTrainedModel) -> set[str]:
    """Tensors of the file that the model says it does not need, or makes itself: buffers, old leftovers."""
    patterns = [re.compile(pattern) for pattern in model._keys_to_ignore_on_load_unexpected or ()]
    made = {name.removeprefix(f"{model.base_model_prefix}.") for name, _ in model.named_buffers()} - {
        *model.state_dict()
    }
    return {
        name
        for name in header.tensors
        if name.removeprefix(f"{model.base_model_prefix}.") in made or any(one.search(name) for one in patterns)
    }


def _notes(unread: Iterable[str], foreign: Iterable[str], ignored: Iterable[str]) -> Iterator[str]:
    if ignored := sorted(ignored):
        yield f"the file also has {', '.join(ignored)}, which the model computes itself or does not need"
    if unread := sorted(unread):
        yield f"the file lacks {', '.join(unread)}, which no trial uses: random values"
    if foreign := sorted(foreign):
        yield f"the file also has {len(foreign)} tensors of a head for another task ({foreign[0]}…), which are ignored"


@contextmanager
def _quietly() -> Iterator[None]:
    """Without transformers' progress bar and its own report of keys: ours replaces it."""
    before, bar = library_logging.get_verbosity(), library_logging.is_progress_bar_enabled()
    library_logging.set_verbosity(logging.CRITICAL)
    library_logging.disable_progress_bar()
    try:
        yield
    finally:
        library_logging.set_verbosity(before)
        if bar:
            library_logging.enable_progress_bar()


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
