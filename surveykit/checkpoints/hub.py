"""A checkpoint on the hub: one request for what is there, one or two for the start of each file of weights."""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BufferedReader, RawIOBase
from pathlib import Path
from typing import cast

from huggingface_hub import HfApi, HfFileSystem, constants, hf_hub_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from surveykit.checkpoints import pickled, safetensors
from surveykit.checkpoints.header import File, Tensor
from surveykit.errors import CheckpointError

_BLOCK = 2**16
"""Bytes that are fetched at once of a PyTorch file: its list of contents is at the end, its names are at the start."""


class Hub:
    """The files of a repository at one commit. A login and HF_HUB_OFFLINE are huggingface_hub's to mind."""

    def __init__(self, name: str, revision: str | None) -> None:
        self.name = name
        self._asked = revision
        with self._reached():
            found = HfApi().model_info(
                name, revision=revision, files_metadata=True, timeout=constants.HF_HUB_ETAG_TIMEOUT
            )
        self.revision = found.sha
        self.files: Mapping[str, File] = {
            s.rfilename: File(s.rfilename, s.size, s.lfs.sha256 if s.lfs else None) for s in found.siblings or ()
        }

    def content(self, name: str) -> bytes:
        """A small file, whole, through huggingface_hub's cache."""
        with self._reached(name):
            return Path(hf_hub_download(self.name, name, revision=self.revision)).read_bytes()

    def tensors(self, name: str) -> dict[str, Tensor]:
        """What the header of a file of weights says."""
        where = f"{self.name}/{name}"
        with self._reached(name):
            opened = HfFileSystem().open(f"{self.name}/{name}", revision=self.revision, block_size=_BLOCK)
            with BufferedReader(cast(RawIOBase, opened), _BLOCK) as file:
                if name.endswith(".safetensors"):
                    return safetensors.tensors_of(file, where, self.files[name].size)
                return pickled.tensors_of(file, where)

    @contextmanager
    def _reached(self, file: str | None = None) -> Iterator[None]:
        """Say in one line why the hub does not give what was asked for."""
        try:
            yield
        except CheckpointError:
            raise
        # This is the border to a network: whatever comes from there, a user gets one line and no traceback.
        except Exception as error:
            *_, (frame, _) = traceback.walk_tb(error.__traceback__)
            if frame.f_globals.get("__name__", "").startswith("surveykit."):
                raise  # a fault of ours, and no word about the network
            where = f"{self.name}/{file}" if file else self.name
            raise CheckpointError(f"{where}: {self._reason(error)}") from error

    def _reason(self, error: Exception) -> str:
        hub = constants.ENDPOINT
        match error:
            case OfflineModeIsEnabled():
                switch = next((s for s in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE") if os.environ.get(s)), "offline")
                return f"the hub was not asked, since {switch} is set; unset it, or give a folder: --checkpoint DIR"
            case HFValidationError():
                return f"no name of a repository, nor a folder here ({str(error).partition(':')[0]})"
            case GatedRepoError():
                return f"it is gated: accept its terms at {hub}/{self.name}, then log in (hf auth login, or HF_TOKEN)"
            case RepositoryNotFoundError():
                return f"{hub} has no such repository, or a private one (then log in), and there is no such folder here"
            case RevisionNotFoundError():
                return f"it has no revision '{self._asked}'"
            case EntryNotFoundError():
                return f"the file is not there at revision {self.revision}"
            case HfHubHTTPError():
                status = error.response.status_code
                said = {401: "the token is not accepted", 403: "access is not allowed", 429: "too many requests"}
                later = "; try again later" if status == 429 or status >= 500 else ""
                return f"{hub} answers {status} ({said.get(status, error.response.reason_phrase)}){later}"
            case ValueError():
                return f"{hub} gives no answer of the hub's ({error}); is it a proxy, or the page of a login?"
            case _ if "timeout" in type(error).__name__.lower():
                return f"{hub} did not answer in time; try again, or give a folder: --checkpoint DIR"
            case _:
                return f"{hub} cannot be reached ({type(error).__name__}: {error}); or give a folder: --checkpoint DIR"
