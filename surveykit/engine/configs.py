"""Configurations of transformers: from a folder, a file, or the Hugging Face hub."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import cast

from transformers import PreTrainedConfig

from surveykit.errors import SurveyError


def open_config(source: str) -> PreTrainedConfig:
    """The configuration of a folder, a config.json, or a model of the Hugging Face hub. Never runs code that it names.

    Raises:
        SurveyError: it cannot be reached or read, or is of no model that transformers knows.
    """
    from transformers import AutoConfig

    path = Path(source)
    if path.is_dir():
        path = path / "config.json"
    if not path.exists():
        path = _from_hub(source)
    try:
        raw, _ = PreTrainedConfig.get_config_dict(path)
        config = cast(PreTrainedConfig, AutoConfig.from_pretrained(path, trust_remote_code=False))
    except Exception as error:  # of several libraries: JSON, types of fields, unknown models
        raise SurveyError(f"{source} has no configuration that transformers can read: {in_a_line(error)}") from error
    if raw.get("tie_word_embeddings") is False:
        config.tie_word_embeddings = False  # T5, mT5 and UMT5 forget it while they are read
    config.name_or_path = _called(source, path)
    return config


def _called(source: str, path: Path) -> str:
    """A name for messages: that on the hub, or of the folder or file."""
    if not Path(source).exists():
        return source
    return path.resolve().parent.name if path.name == "config.json" else path.stem


def _from_hub(source: str) -> Path:
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, HFValidationError, RepositoryNotFoundError

    instead = "give a folder with a config.json, or such a file"
    if source.count("/") > 1 or source.endswith(".json") or source.startswith((".", "/", "~")):
        raise SurveyError(f"there is no file or folder '{source}'; {instead}")
    try:
        return Path(hf_hub_download(source, "config.json", local_files_only=True))
    except HFValidationError:
        raise SurveyError(f"'{source}' is no folder, file, or name on the hub; {instead}") from None
    except OSError:
        pass  # not in the cache
    try:
        get_hf_file_metadata(hf_hub_url(source, "config.json"))  # at once, where the download would try for long
        return Path(hf_hub_download(source, "config.json"))
    except GatedRepoError as error:
        raise SurveyError(f"'{source}' is gated on the hub: ask for access, then `hf auth login`") from error
    except RepositoryNotFoundError as error:
        raise SurveyError(
            f"the hub shows no model '{source}' (or it is private: `hf auth login`); {instead}"
        ) from error
    except HfHubHTTPError as error:
        raise SurveyError(f"the hub has no configuration of '{source}': {in_a_line(error)}") from error
    except Exception as error:  # of the transport, which differs between versions
        raise SurveyError(f"'{source}' is no folder here and the hub cannot be reached; {instead}") from error


def notes_on(config: PreTrainedConfig) -> tuple[str, ...]:
    """What of a configuration our figures leave out, a plain sentence each."""
    asked = getattr(config, "quantization_config", None)
    if not asked:
        return ()
    said = asked if isinstance(asked, Mapping) else vars(asked)
    bits = next((bits for name, bits in _BITS.items() if said.get(name)), said.get("bits"))
    words = [str(said[name])[:20] for name in ("quant_method",) if said.get(name)]
    words += [f"{bits} bits"] if isinstance(bits, int) else []
    which = f" ({', '.join(words)})" if words else ""
    return (f"its quantization_config{which} is ignored: every weight is taken at full width, 2 or 4 bytes a number",)


_BITS = {"load_in_4bit": 4, "load_in_8bit": 8}
"""What bitsandbytes calls the widths of weights."""


def in_a_line(error: BaseException) -> str:
    """What an error of a library says, for a message of one line."""
    return " ".join(str(error).split())[:200] or type(error).__name__
