"""A checkpoint on the hub: one request for what is there, one or two for the start of each file of weights."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from io import SEEK_SET, BufferedReader, RawIOBase
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

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

from surveykit.checkpoints.header import File
from surveykit.errors import CheckpointError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_T = TypeVar("_T")
_BLOCK = 2**16
"""Bytes that are fetched at once of a PyTorch file: its list of contents is at the end, its names are at the start."""


class Hub:
    """The files of a repository at one commit. huggingface_hub handles logins and HF_HUB_OFFLINE."""

    def __init__(self, name: str, revision: str | None) -> None:
        self.name = name
        self._asked = revision
        info = self.call(
            name, HfApi().model_info, name, revision=revision, files_metadata=True,
            timeout=constants.HF_HUB_ETAG_TIMEOUT,
        )  # fmt: skip
        self.revision = info.sha
        self.files: Mapping[str, File] = {
            s.rfilename: File(s.rfilename, s.size, s.lfs.sha256 if s.lfs else None) for s in info.siblings or ()
        }

    def open(self, name: str) -> IO[bytes]:
        """A small file comes whole, through huggingface_hub's cache; of a file of weights, what is read."""
        where = f"{self.name}/{name}"
        if name.endswith(".json"):
            return Path(self.call(where, hf_hub_download, self.name, name, revision=self.revision)).open("rb")
        remote = self.call(where, HfFileSystem().open, where, revision=self.revision, block_size=_BLOCK)
        return BufferedReader(_Remote(self, where, remote), _BLOCK)

    def call(self, where: str, function: Callable[..., _T], *arguments: Any, **named: Any) -> _T:
        """Call a function that asks the hub, and say in one line why it does not give what was asked for."""
        try:
            return function(*arguments, **named)
        # This is the border to a network: whatever comes from there, a user gets one line and no traceback.
        except Exception as error:
            raise CheckpointError(f"{where}: {self._reason(error)}") from error

    def _reason(self, error: Exception) -> str:
        hub = constants.ENDPOINT
        match error:
            case OfflineModeIsEnabled():
                switch = next((s for s in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE") if os.environ.get(s)), "offline")
                return f"the hub was not asked, since {switch} is set; unset it, or give a folder: --checkpoint DIR"
            case HFValidationError():
                return f"neither a repository's name nor a folder here ({str(error).partition(':')[0]})"
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
                return f"{hub} does not answer like the hub ({error}); is it a proxy or a login page?"
            case _ if "timeout" in type(error).__name__.lower():
                return f"{hub} did not answer in time; try again, or give a folder: --checkpoint DIR"
            case _:
                return f"{hub} cannot be reached ({type(error).__name__}: {error}); or give a folder: --checkpoint DIR"


class _Remote(RawIOBase):
    """A file on the hub, of which each part that is read is one request."""

    def __init__(self, hub: Hub, where: str, file: Any) -> None:
        self._hub, self._where, self._file = hub, where, file

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = SEEK_SET) -> int:
        return int(self._file.seek(offset, whence))

    def readinto(self, buffer: WriteableBuffer) -> int:
        return int(self._hub.call(self._where, self._file.readinto, buffer))
