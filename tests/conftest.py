"""What all tests share: no network, the real catalog, and a tiny T5 whose inner width is not its d_model."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from surveykit.catalog.backbones import Backbone
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


def backbone(
    *,
    d_model: int = 128,
    d_ff: int = 160,
    d_kv: int = 24,
    heads: int = 4,
    encoder_layers: int = 2,
    decoder_layers: int = 3,
    vocabulary: int = 101,
    gated: bool = False,
    tied: bool = True,
) -> Backbone:
    """A small T5 geometry; its expected count is the closed form."""
    dimensions = {
        "d_model": d_model,
        "d_ff": d_ff,
        "d_kv": d_kv,
        "heads": heads,
        "encoder_layers": encoder_layers,
        "decoder_layers": decoder_layers,
        "vocabulary": vocabulary,
        "relative_buckets": 32,
        "gated": gated,
        "tied": tied,
    }
    described = {
        "id": "tiny",
        "name": "tiny",
        "survey_label": None,
        "checkpoint": "none/none",
        "architecture": "t5",
        "paper": "raffel2019t5",
        "parameters_source": "closed form, for tests",
    }
    unchecked = Backbone.model_construct(**dimensions, **described, parameters=0)
    return Backbone.model_validate({**dimensions, **described, "parameters": unchecked.symbols()["N"]})
