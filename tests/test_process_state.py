"""No command leaves anything behind in its process: whoever calls `main` from Python finds it as it was."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from conftest import CATALOG, ROOT

from surveykit.cli import COMMANDS


def test_no_command_leaves_anything_behind_in_its_process(tmp_path: Path) -> None:
    """Environment, working directory, paths, loggers, warnings, signals, random numbers, torch, threads, files …"""
    ours = ("SURVEYKIT_", "NO_MKDOCS_2_WARNING")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    script = ROOT / "tests" / "process_state.py"
    done = subprocess.run([sys.executable, script, tmp_path], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout)
    left = {" ".join(run["words"]): run["left"] for run in found["runs"] if run["left"]}
    assert left == {}
    wrong = [run for run in found["runs"] if run["code"] not in ((0, 1) if run["works"] else (2,))]
    assert wrong == [], "each was meant to work or to fail, and did"
    assert {run["words"][0] for run in found["runs"]} == set(COMMANDS)
    assert found["methods"] == sorted(path.stem for path in (CATALOG / "methods").glob("*.yaml"))
