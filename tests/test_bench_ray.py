"""The bench on a Ray cluster of two workers: the same results as here, and no more than its running cell is lost with one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import bench_plans
import needs
import pytest
from conftest import ROOT
from test_bench import bench, files

from surveykit.bench.results import read_result

pytestmark = [
    pytest.mark.skipif(find_spec("ray") is None, reason=needs.RAY),
    pytest.mark.skipif(not Path("/proc/self/stat").is_file(), reason=needs.LINUX),
]
CELLS = 12


def workers(folder: Path) -> list[int]:
    """Processes of Ray's workers that run our tasks of this folder's cluster."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if (
                path.read_bytes().startswith(b"ray::_told")
                and str(folder).encode() in (path.parent / "environ").read_bytes()
            ):
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def test_a_killed_worker_costs_its_running_cell_only(tmp_path: Path) -> None:
    plan, results = bench_plans.plan(tmp_path, seeds=[*range(CELLS // 2)], steps=40), tmp_path / "results"
    words = [
        "bench",
        str(plan),
        "--results",
        str(results),
        "--device",
        "cpu",
        "--quiet",
        "--executor",
        "ray",
        "--workers",
        "2",
    ]
    environment = {**os.environ, "SURVEYKIT_TEST_OF": str(tmp_path)}
    process = subprocess.Popen(
        [sys.executable, "-m", "surveykit", *words], cwd=ROOT, env=environment, stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    ends, killed = time.monotonic() + 300, None
    while process.poll() is None and killed is None:
        assert time.monotonic() < ends
        if len(files(results)) >= 2 and (there := workers(tmp_path)):
            before = {path: path.read_bytes() for path in files(results)}
            os.kill(there[0], signal.SIGKILL)
            killed = there[0]
        time.sleep(0.02)
    _, said = process.communicate(timeout=300)
    assert killed is not None, said
    assert process.returncode == 0, said
    assert len(files(results)) == CELLS, "nothing is lost"
    assert all(path.read_bytes() == content for path, content in before.items()), "nothing finished was run twice"

    here = bench(plan, tmp_path / "here")
    assert here.passed
    for path in files(tmp_path / "here"):
        ours, theirs = read_result(path), read_result(results / "tiny" / "cpu" / path.name)
        assert (theirs.losses, theirs.trainable, theirs.memory.peak) == (ours.losses, ours.trainable, ours.memory.peak)
