"""CONTRIBUTING's promises are kept: its examples, done as it says on a copy of the project, pass what the project tests."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import CATALOG, ROOT

PARTS = ("surveykit", "catalog", "site/docs", "tests", ".github", ".ci", "examples", "benchmarks", "constraints.txt",
         "mkdocs.yml", "pyproject.toml", "CITATION.cff", ".pre-commit-hooks.yaml")  # fmt: skip
PAPER = """
@article{doe2026example,
  title = {An Example of a Paper},
  author = {Doe, Jane},
  year = {2026},
  url = {https://arxiv.org/abs/2601.00001}
}
"""
ON_THE_WHOLE_CATALOG = [
    "test_api.py",
    "test_survey_data.py",
    "test_pseudo_code.py",
    "test_project.py",
    "test_snippets.py",
]
"""Tests of how much there is, of every method's texts, and of files that are made from the rest."""


def blocks(language: str) -> list[str]:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    example = text.partition("<!-- example:")[2]
    return re.findall(rf"```{language}\n(.*?)```", example, re.DOTALL)


def template() -> str:
    text = (CATALOG / "README.md").read_text(encoding="utf-8").partition("<!-- template:")[2]
    return str(re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)[0])


def put(text: str, start: str, end: str, new: str) -> str:
    """The text with other lines from one up to another."""
    assert text.count(f"\n{start}") == text.count(f"\n{end}") == 1
    return text[: text.index(f"\n{start}") + 1] + new + text[text.index(f"\n{end}") + 1 :]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with the template's method, which brings a paper, and the example of a kind with a method of it."""
    folder = tmp_path_factory.mktemp("contributed")
    for part in (*PARTS, *(path.name for path in ROOT.glob("*.md"))):
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / part, folder / part)
    with (folder / "catalog" / "papers.bib").open("a", encoding="utf-8") as papers:
        papers.write(PAPER)
    method = template()
    assert "paper: hu2022lora" in method
    recipe, words = blocks("yaml")
    of_the_kind = put(put(method, "    recipe:", "explanations:", recipe), "pseudocode:", "configurations:", words)
    for name, text in (
        ("example-method", method.replace("paper: hu2022lora", "paper: doe2026example")),
        ("example-kind", of_the_kind.replace("example-method", "example-kind").replace("[EM]", "[]")),
    ):
        (folder / "catalog" / "methods" / f"{name}.yaml").write_text(text, encoding="utf-8")
    (folder / "surveykit" / "recipes" / "steering.py").write_text(blocks("python")[0], encoding="utf-8")
    return folder


STEPS = """
import json, os, sys
import pytest
from surveykit.cli import main

for words in json.loads(sys.argv[1]):
    if code := main(words):
        sys.exit(f"surveykit {' '.join(words)} ended with exit code {code}")
imported_before = "ignore::pytest.PytestAssertRewriteWarning"
sys.exit(pytest.main(["-n0", "-q", "-p", "no:cacheprovider", "--tb=short", "--durations=15", "-W", imported_before, *sys.argv[2:]]))
"""
"""Commands, one after another, and tests after them: in one process, since torch takes seconds to import."""


def done_in(copy: Path, commands: list[list[str]], tests: list[str]) -> str:
    """What commands and tests print, in the copy and on the copy's own code. All must pass."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "SURVEYKIT_"))}
    environment = {**kept, "PYTHONPATH": str(copy), "SURVEYKIT_CACHE": str(copy / "cache")}
    words = [sys.executable, "-c", STEPS, json.dumps(commands), *tests]
    done = subprocess.run(words, env=environment, cwd=copy, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    return done.stdout


def rows(copy: Path, shelf: str, method: str) -> list[dict[str, str]]:
    text = (copy / "catalog" / "measured" / shelf / f"{method}.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def test_what_contributing_says_to_do_is_enough(copy: Path) -> None:
    """The steps for a method and for a kind, in their order; then what the project tests of its whole catalog."""
    steps = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for step in (
        "surveykit validate",
        "surveykit schema",
        "surveykit measure example-method",
        "surveykit verify-params",
    ):
        assert step in steps
    methods = len(list((CATALOG / "methods").glob("*.yaml")))
    commands = [["validate"], ["schema"]]
    for method in ("example-method", "example-kind"):
        commands.append(["measure", method, "--backbone", "t5-small", "--quiet"])
        commands.append(["verify-params", "--method", method, "--backbone", "t5-small", "--quiet"])
    printed = done_in(copy, commands, [f"tests/{name}" for name in ON_THE_WHOLE_CATALOG])
    assert f"valid: {methods + 2} methods" in printed
    print(printed)
    (count,) = rows(copy, "counts", "example-kind")
    assert (count["trainable"], count["update_rank"]) == (str(2 * 18 * 512), "1")
    (cost,) = rows(copy, "costs", "example-kind")
    assert (cost["overhead_unmerged"], cost["overhead_merged"]) == ("linear", "none")
    (trial,) = rows(copy, "trials", "example-kind")
    assert (trial["merge"], trial["restored"], trial["loss_falls"], trial["rank"]) == ("exact", "yes", "yes", "1")
