"""Checkpoints on a hub, with all that can go wrong on the way, tried on a server of this machine."""

from __future__ import annotations

import csv
import io
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import checkpoint_files as files
import pytest
from conftest import CATALOG, ROOT
from loopback_hub import COMMIT, Hub, serve, sha256_of

import surveykit.checkpoints.hub as checkpoint_hub
from surveykit.catalog.load import Catalog
from surveykit.errors import CheckpointError

T5 = ("t5-small", "t5-base", "t5-large", "t5-3b", "t5-11b")
READ = """
import json, sys
from surveykit.checkpoints import read
from surveykit.errors import CheckpointError
for line in sys.stdin:
    source, _, revision = line.strip().partition("@")
    try:
        header = read(source, revision or None)
        said = {"tensors": len(header.tensors), "numbers": header.numbers, "revision": header.revision,
                "config": header.config, "sha256": [file.sha256 for file in header.files]}
    except CheckpointError as error:
        said = {"error": str(error)}
    print(json.dumps([line.strip(), said]))
"""


@pytest.fixture(scope="module")
def hub(catalog: Catalog, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """The five T5s as they are published, the largest as a PyTorch file, and repositories with troubles."""
    root = tmp_path_factory.mktemp("published")
    hub = Hub()

    def folder(name: str) -> Path:
        path = root / name
        path.mkdir(parents=True)
        hub.repositories[name] = path
        return path

    for name in T5:
        shapes = files.t5_shapes(catalog.models[name])
        if name == "t5-11b":
            files.old_pickle(folder(f"google-t5/{name}") / "pytorch_model.bin", shapes)
        else:
            files.safetensors(folder(f"google-t5/{name}") / "model.safetensors", shapes)
    (hub.repositories["google-t5/t5-small"] / "config.json").write_text('{"model_type": "t5", "d_model": 512}')
    small = files.t5_shapes(catalog.models["t5-small"])
    files.shards(folder("some/shards"), small, 2)
    long = {f"a-very-long-name-of-a-tensor-of-which-there-are-many.{i}": (2,) for i in range(2000)}
    files.safetensors(folder("some/long-header") / "model.safetensors", long)
    (folder("some/nothing") / "README.md").write_text("no weights")
    (folder("some/damaged") / "model.safetensors").write_bytes((2**60).to_bytes(8, "little"))
    for trouble in ("gated", "forbidden", "broken", "slow", "html"):
        files.safetensors(folder(f"some/{trouble}") / "model.safetensors", small)
        hub.trouble[f"some/{trouble}"] = trouble
    with serve(hub):
        yield hub


def environment(hub: Hub, home: Path, **others: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "TRANSFORMERS_"))}
    waiting = {"HF_HUB_DOWNLOAD_TIMEOUT": "120", "HF_HUB_ETAG_TIMEOUT": "120", "HF_HUB_DISABLE_TELEMETRY": "1"}
    return {**kept, "PYTHONPATH": str(ROOT), "HF_ENDPOINT": hub.endpoint, "HF_HOME": str(home), **waiting, **others}


def headers(lines: list[str], variables: dict[str, str]) -> dict[str, Any]:
    run = subprocess.run(
        [sys.executable, "-c", READ], input="\n".join(lines), capture_output=True, text=True, check=True, env=variables
    )
    return dict(json.loads(line) for line in run.stdout.splitlines())


SAID = {
    "some/gated": "some/gated/model.safetensors: it is gated: accept its terms at HUB/some/gated, then log in "
    "(hf auth login, or HF_TOKEN)",
    "some/forbidden": "some/forbidden: HUB answers 403 (access is not allowed)",
    "some/broken": "some/broken: HUB answers 500 (Internal Server Error); try again later",
    "some/slow": "some/slow: HUB did not answer in time; try again, or give a folder: --checkpoint DIR",
    "some/html": "some/html: HUB does not answer like the hub (Expecting value: line 1 column 1 (char 0)); "
    "is it a proxy or a login page?",
    "some/missing": "some/missing: HUB has no such repository, or a private one (then log in), "
    "and there is no such folder here",
    "google-t5/t5-small@nowhere": "google-t5/t5-small: it has no revision 'nowhere'",
    "some/nothing": "some/nothing: no weights there: none of model.safetensors, model.safetensors.index.json, "
    "pytorch_model.bin, pytorch_model.bin.index.json",
    "some/damaged": "some/damaged/model.safetensors: a header of 1,152,921,504,606,846,976 "
    "bytes; at most 25,000,000 are read",
}  # fmt: skip
FINE = ["google-t5/t5-small", f"google-t5/t5-base@{COMMIT}", "google-t5/t5-11b", "some/shards", "some/long-header"]


@pytest.fixture(scope="module")
def answers(hub: Hub, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    hub.requests.clear()
    others, home = [source for source in SAID if source != "some/slow"], tmp_path_factory.mktemp("home")
    impatient = {"HF_HUB_DOWNLOAD_TIMEOUT": "1", "HF_HUB_ETAG_TIMEOUT": "1"}
    found = headers([*FINE, *others, "not a name"], environment(hub, home))
    return found | headers(["some/slow"], environment(hub, home, **impatient))


@pytest.mark.parametrize("source", SAID)
def test_every_trouble_is_one_line(hub: Hub, answers: dict[str, Any], source: str) -> None:
    assert answers[source] == {"error": SAID[source].replace("HUB", hub.endpoint)}


def test_what_is_no_name_is_not_asked_for(answers: dict[str, Any]) -> None:
    assert answers["not a name"]["error"].startswith("not a name: neither a repository's name nor a folder here")


@pytest.mark.parametrize(
    ("source", "tensors", "numbers"),
    [
        (FINE[0], 132, 60_506_880),
        (FINE[1], 258, 222_903_936),
        (FINE[2], 510, 11_307_325_440),
        (FINE[3], 132, 60_506_880),
        (FINE[4], 2000, 4000),
    ],
)
def test_headers_come_with_their_origin(answers: dict[str, Any], source: str, tensors: int, numbers: int) -> None:
    said = answers[source]
    assert (said["tensors"], said["numbers"], said["revision"]) == (tensors, numbers, COMMIT)
    assert set(said["sha256"]) == {sha256_of(source.partition("@")[0])}
    assert said["config"] == ({"model_type": "t5", "d_model": 512} if source == FINE[0] else None)


@pytest.mark.parametrize(
    ("name", "ranged"),
    [("google-t5/t5-small", 1), ("google-t5/t5-base", 1), ("some/shards", 2), ("some/long-header", 2)],
)
def test_only_the_start_of_a_file_is_fetched(hub: Hub, answers: dict[str, Any], name: str, ranged: int) -> None:
    assert answers
    parts = [request for request in hub.ranged if f"/{name}/" in request.path]
    assert len(parts) == ranged
    assert sum(request.sent for request in hub.requests if name in request.path) < 500_000
    whole = [r for r in hub.requests if name in r.path and r.sent and not r.range and r.path.endswith(".safetensors")]
    assert whole == []


def test_a_pytorch_file_of_45_gigabytes_costs_kilobytes(hub: Hub, answers: dict[str, Any]) -> None:
    assert answers
    parts = [request for request in hub.ranged if "/google-t5/t5-11b/" in request.path]
    assert 1 <= len(parts) <= 4
    assert sum(request.sent for request in parts) < 500_000


@pytest.mark.parametrize("switch", ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"])
def test_a_switch_is_respected_and_named(hub: Hub, tmp_path: Path, switch: str) -> None:
    before = len(hub.requests)
    found = headers(["google-t5/t5-small"], environment(hub, tmp_path, **{switch: "1"}))
    assert found["google-t5/t5-small"]["error"] == (
        f"google-t5/t5-small: the hub was not asked, since {switch} is set; "
        "unset it, or give a folder: --checkpoint DIR"
    )
    assert len(hub.requests) == before


def test_nobody_there(hub: Hub, tmp_path: Path) -> None:
    with socket.socket() as taken:  # and not listened to
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
        found = headers(["google-t5/t5-small"], environment(hub, tmp_path, HF_ENDPOINT=address))
    assert found["google-t5/t5-small"]["error"] == (
        f"google-t5/t5-small: {address} cannot be reached (ConnectError: [Errno 111] Connection refused); "
        "or give a folder: --checkpoint DIR"
    )


def command(hub: Hub, home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    whole = [sys.executable, "-m", "surveykit", "--catalog", str(CATALOG), "verify-backbones", *words]
    return subprocess.run(whole, capture_output=True, text=True, check=False, env=environment(hub, home), cwd=home)


def test_the_five_t5s_match_the_catalog(hub: Hub, catalog: Catalog, tmp_path: Path) -> None:
    run = command(hub, tmp_path, *T5, "--format", "csv")
    assert run.returncode == 0, run.stderr
    rows = list(csv.DictReader(run.stdout.splitlines()))
    assert {row["backbone"]: int(row["parameters"]) for row in rows} == {n: catalog.models[n].parameters for n in T5}
    assert {row["verdict"] for row in rows} == {"matches"}
    assert {row["revision"] for row in rows} == {COMMIT}
    assert all(
        row["dropped"] == f"{files.LEFTOVER}: a leftover that transformers ignores in this model's files"
        for row in rows
    )
    assert run.stderr == ""


def test_one_that_cannot_be_read_is_never_passed_over(hub: Hub, tmp_path: Path) -> None:
    hub.trouble["google-t5/t5-base"] = "gated"
    try:
        run = command(hub, tmp_path, "t5-small", "t5-base", "--format", "json")
    finally:
        del hub.trouble["google-t5/t5-base"]
    assert run.returncode == 2
    assert [row["verdict"] for row in json.loads(run.stdout)] == ["matches", "not verified"]
    [line] = run.stderr.splitlines()
    assert line.startswith("surveykit: t5-base: not verified: google-t5/t5-base/model.safetensors: it is gated")


def test_a_fault_of_ours_is_not_said_of_the_network() -> None:
    """Only a call to the hub is in the `try`: what fails in reading the answer is never caught."""
    asked = object.__new__(checkpoint_hub.Hub)
    asked.name = "owner/model"
    with pytest.raises(CheckpointError, match=r"owner/model: .* does not answer like the hub"):
        asked.call("owner/model", json.loads, "<html>")

    def cut_off(_: object) -> int:
        raise ConnectionResetError("gone")

    remote = checkpoint_hub._Remote(asked, "owner/model/file", io.BytesIO(b"four"))
    assert io.BufferedReader(remote).read() == b"four"
    remote = checkpoint_hub._Remote(asked, "owner/model/file", SimpleNamespace(readinto=cut_off))
    with pytest.raises(CheckpointError, match=r"owner/model/file: .* cannot be reached \(ConnectionResetError: gone\)"):
        io.BufferedReader(remote).read()
