"""CONTRIBUTING's worked example is real: one module and one file of the catalog make a method that is measured."""

from __future__ import annotations

import csv
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from conftest import CATALOG, ROOT


def blocks(language: str) -> list[str]:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    example = text.partition("<!-- example:")[2]
    return re.findall(rf"```{language}\n(.*?)```", example, re.DOTALL)


def rows(catalog: Path, shelf: str) -> list[dict[str, str]]:
    text = (catalog / "measured" / shelf / "example-method.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def test_a_new_kind_is_one_module(tmp_path: Path) -> None:
    package, catalog = tmp_path / "surveykit", tmp_path / "catalog"
    shutil.copytree(ROOT / "surveykit", package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(CATALOG, catalog)
    (package / "recipes" / "steering.py").write_text(blocks("python")[0], encoding="utf-8")
    template = (CATALOG / "README.md").read_text(encoding="utf-8").partition("<!-- template:")[2]
    method = re.findall(r"```yaml\n(.*?)```", template, re.DOTALL)[0]
    head, rest = method.split("    recipe:", 1)
    tail = rest[rest.index("explanations:") :]
    written = head + blocks("yaml")[0] + tail
    (catalog / "methods" / "example-method.yaml").write_text(written, encoding="utf-8")
    command = [sys.executable, "-m", "surveykit", "--catalog", str(catalog), "measure", "example-method", "--quiet"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "SURVEYKIT_CACHE": str(tmp_path / "cache")}
    done = subprocess.run(
        [*command, "--backbone", "t5-small"], env=environment, cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    (count,) = rows(catalog, "counts")
    assert (count["trainable"], count["update_rank"]) == (str(2 * 18 * 512), "1")
    (cost,) = rows(catalog, "costs")
    assert (cost["overhead_unmerged"], cost["overhead_merged"]) == ("linear", "none")
    (trial,) = rows(catalog, "trials")
    assert (trial["merge"], trial["restored"], trial["loss_falls"], trial["rank"]) == ("exact", "yes", "yes", "1")
