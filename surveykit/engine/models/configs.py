"""Configurations of transformers: from a folder, a file, or the Hugging Face hub."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from transformers import PreTrainedConfig

from surveykit.engine.models.held_bits import held_bits, said_of_bits
from surveykit.errors import SurveyError, nearest
from surveykit.files import read_bounded

LARGEST_FILE = 10_000_000
"""Bytes of a config.json."""
LARGEST_NUMBERS = {"layer": 1_000, "label": 100_000}
"""What a whole number may be at most, by a word in its name: so many layers or labels are made, one after another."""


def open_config(source: str) -> PreTrainedConfig:
    """The configuration of a folder, a config.json, or a model of the Hugging Face hub. Never runs code that it names.

    Raises:
        SurveyError: it cannot be reached or read, is of no model that transformers knows, or asks for too much.
    """
    from transformers import AutoConfig

    path = _here(source) or from_hub(source, "config.json")
    raw = _read(path, source)
    _known_type(raw, source)
    try:
        config = cast(PreTrainedConfig, AutoConfig.from_pretrained(path, trust_remote_code=False))
    except Exception as error:  # of several libraries: types of fields, unknown models
        raise SurveyError(f"{source} has no configuration that transformers can read: {in_a_line(error)}") from error
    return _finished(config, raw, _called(source, path))


def config_of(raw: Mapping[str, Any], name: str) -> PreTrainedConfig:
    """The configuration that the content of a config.json is.

    Raises:
        SurveyError: it is of no model that transformers knows, or asks for too much.
    """
    from transformers import CONFIG_MAPPING

    content = copy.deepcopy(dict(raw))
    _check(content, f"{name}: config.json")
    _known_type(content, name)
    try:
        config = cast(PreTrainedConfig, CONFIG_MAPPING[content["model_type"]].from_dict(content))
    except Exception as error:  # of several libraries: types of fields, unknown models
        raise SurveyError(f"{name} has no configuration that transformers can read: {in_a_line(error)}") from error
    return _finished(config, raw, name)


def _finished(config: PreTrainedConfig, raw: Mapping[str, Any], name: str) -> PreTrainedConfig:
    if raw.get("tie_word_embeddings") is False:
        config.tie_word_embeddings = False  # T5, mT5 and UMT5 forget it while they are read
    config.name_or_path = name
    return config


def _here(source: str) -> Path | None:
    """The file that a path means; None where there is nothing.

    Raises:
        SurveyError: it is a folder without a configuration, or an adapter's.
    """
    path = Path(source)
    if os.path.isdir(path):
        path = path / "config.json"
        if not os.path.lexists(path):
            raise SurveyError(f"{source} has no config.json{_adapter(path.with_name(_ADAPTER))}")
    elif path.name == _ADAPTER and os.path.lexists(path):
        raise SurveyError(f"{source} is no configuration of a model{_adapter(path)}")
    return path if os.path.lexists(path) else None


_ADAPTER = "adapter_config.json"


def _adapter(path: Path) -> str:
    """For a message, of an adapter without its model: which model it is for."""
    if not path.is_file():
        return ""
    base = _read(path, str(path)).get("base_model_name_or_path")
    named = f", {in_a_line(base)}" if isinstance(base, str) and base else ""
    return (
        f": {_ADAPTER} is that of an adapter; give it as --peft, and as --model the model that it was trained on{named}"
    )


def _read(path: Path, source: str) -> dict[str, Any]:
    """What a file says, checked for what would take memory or time without end.

    Raises:
        SurveyError: it is too large, no JSON, no configuration, or asks for too much.
    """
    try:
        content = read_bounded(path, LARGEST_FILE)
    except OSError as error:
        raise SurveyError(f"{path} cannot be read: {error.strerror or error}") from None
    if content is None:
        raise SurveyError(f"{source}: a config.json may have {LARGEST_FILE:,} bytes; this one has more")
    try:
        raw = json.loads(content)
    except (ValueError, RecursionError) as error:  # no JSON, no UTF-8, numbers or nesting beyond all use
        raise SurveyError(f"{source}: {path.name} is not valid JSON: {in_a_line(error)}") from None
    if not isinstance(raw, dict):
        raise SurveyError(f"{source}: {path.name} is no object with a model_type")
    _check(raw, f"{source}: {path.name}")
    return raw


def _check(raw: dict[str, Any], where: str) -> None:
    named = raw.get("architectures")
    if named is not None and not (isinstance(named, list) and all(isinstance(name, str) for name in named)):
        raise SurveyError(f"{where}: architectures is no list of names")
    if not isinstance(kind := raw.get("model_type", ""), str) or not kind.isprintable():
        raise SurveyError(f"{where}: model_type is no name")
    left: list[Any] = [raw]
    while left:
        match left.pop():
            case dict() as inner:
                for name, value in inner.items():
                    most = next((most for word, most in LARGEST_NUMBERS.items() if word in name), None)
                    if most is not None and isinstance(value, int | float) and value > most:
                        raise SurveyError(f"{where}: {in_a_line(name)} may be {most:,} at most, not {value:,}")
                    left.append(value)
            case list() as inner:
                left += inner


def _known_type(raw: Mapping[str, Any], source: str) -> None:
    """Hold a configuration to the types that transformers has; a model's code that comes with it is never run.

    Raises:
        SurveyError: it is of another type, or of none.
    """
    from transformers import CONFIG_MAPPING, __version__

    kind = raw.get("model_type")
    if kind in CONFIG_MAPPING:
        return
    if not kind:
        raise SurveyError(f'{source}: its config.json names no model_type; give one that does, like "llama"')
    missing = f"{source}: transformers {__version__} has no models of type '{kind}'"
    if raw.get("auto_map"):
        own = "their code comes with the model (auto_map) and is never run here"
        instead = "if transformers has the same model under another type, give a config.json with that model_type"
        raise SurveyError(f"{missing}: {own}; {instead}")
    raise SurveyError(f"{missing}; a newer transformers may have them{nearest(kind, CONFIG_MAPPING, 0.7)}")


def _called(source: str, path: Path) -> str:
    """A name for messages: that on the hub, or of the folder or file."""
    if not os.path.exists(source):
        return source
    return path.resolve().parent.name if path.name == "config.json" else path.stem


def from_hub(source: str, file: str) -> Path:
    """A small file of a repository on the Hugging Face hub: that in the cache, or else a new copy.

    Raises:
        SurveyError: there is no such repository or file, or the hub cannot be reached.
    """
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, HFValidationError, RepositoryNotFoundError

    instead = f"give a folder with {'an' if file[0] in 'aeiou' else 'a'} {file}, or such a file"
    if not source.isprintable():
        raise SurveyError(f"'{in_a_line(source)}' is no folder, file, or name on the hub; {instead}")
    if source.count("/") > 1 or source.endswith(".json") or source.startswith((".", "/", "~")):
        raise SurveyError(f"there is no file or folder '{source}'; {instead}")
    try:
        return Path(hf_hub_download(source, file, local_files_only=True))
    except HFValidationError:
        raise SurveyError(f"'{source}' is no folder, file, or name on the hub; {instead}") from None
    except OSError:
        pass  # not in the cache
    try:
        get_hf_file_metadata(hf_hub_url(source, file))  # at once, where the download would try for long
        return Path(hf_hub_download(source, file))
    except GatedRepoError as error:
        raise SurveyError(f"'{source}' is gated on the hub: ask for access, then `hf auth login`") from error
    except RepositoryNotFoundError as error:
        raise SurveyError(
            f"the hub shows no model or adapter '{source}' (or it is private: `hf auth login`); {instead}"
        ) from error
    except HfHubHTTPError as error:
        raise SurveyError(f"the hub has no {file} of '{source}': {in_a_line(error)}") from error
    except Exception as error:  # of the transport, which differs between versions
        why = f"the hub cannot be reached ({type(error).__name__}: {in_a_line(error)})"
        raise SurveyError(f"'{source}' is no folder here and {why}; {instead}") from error


def notes_on(config: PreTrainedConfig) -> tuple[str, ...]:
    """What whoever reads our figures must know of a configuration, a plain sentence each."""
    said = said_of_bits(config)
    if not said:
        return ()
    if held := held_bits(config):
        others = "all else, and what a method trains, has 2 or 4 bytes a number"
        return (f"its quantization_config is heard: linear layers are held by {held.words}; {others}",)
    bits = said.get("bits")
    words = [in_a_line(said["quant_method"])] if said.get("quant_method") else []
    words += [f"{bits} bits"] if isinstance(bits, int) else []
    which = f" ({', '.join(words)})" if words else ""
    known = "formats whose bytes are known here are those of bitsandbytes, GPTQ and AWQ"
    return (f"its quantization_config{which} is ignored: every weight has 2 or 4 bytes a number; {known}",)


def in_a_line(said: object) -> str:
    """What an error of a library or a file says, for a message of one line: at most 200 characters, all printable."""
    line = " ".join(str(said).split())[:200] or type(said).__name__
    return line if line.isprintable() else ascii(line)[1:-1]
