"""What all tests share: no network, and the real catalog."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

# Each worker has a core; threads of its own would fight over it. Before torch is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from surveykit.catalog.load import Catalog, load

ROOT = Path(__file__).parent.parent
CATALOG = ROOT / "catalog"


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that opens a connection beyond this machine fails."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        local = self.family == socket.AF_UNIX or (isinstance(address, tuple) and address[0] in ("127.0.0.1", "::1"))
        if not local:
            raise AssertionError(f"a test tried to reach {address}")
        connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    return load(CATALOG)
