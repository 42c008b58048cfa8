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

from surveykit.scaffold import write

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
    "test_snippets.py",
]
"""Tests of how much there is, of every method's texts, and of files that are made from the rest; besides test_project.py,
which runs each time."""


CLAIM = "optimizer_state: {quantity: optimizer_state, unit: million}"


def blocks(mark: str, language: str) -> list[str]:
    """Code of CONTRIBUTING behind a mark, up to the next heading."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition(f"<!-- {mark}:")[2].partition("\n### ")[0]
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def put(text: str, start: str, end: str, new: str) -> str:
    """The text with other lines from one up to another, or up to its end."""
    assert text.count(f"\n{start}") == 1
    after = text[text.index(f"\n{end}") + 1 :] if end else ""
    return text[: text.index(f"\n{start}") + 1] + new + after


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with what `surveykit new` writes, a paper of its own, and the examples of a kind and of a quantity."""
    folder = tmp_path_factory.mktemp("contributed")
    for part in (*PARTS, *(path.name for path in ROOT.glob("*.md"))):
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / part, folder / part)
    catalog = folder / "catalog"
    with (catalog / "papers.bib").open("a", encoding="utf-8") as papers:
        papers.write(PAPER)
    (path,) = write("method", "example-method", catalog)
    method = path.read_text(encoding="utf-8")
    assert "paper: hu2022lora" in method
    recipe, words = blocks("example", "yaml")
    of_the_kind = put(put(method, "    recipe:", "", recipe), "pseudocode:", "configurations:", words)
    for name, text in (
        ("example-method", method.replace("paper: hu2022lora", "paper: doe2026example")),
        ("example-kind", of_the_kind.replace("example-method", "example-kind").replace("[EM]", "[]")),
    ):
        (catalog / "methods" / f"{name}.yaml").write_text(text, encoding="utf-8")
    (folder / "surveykit" / "recipes" / "steering.py").write_text(blocks("example", "python")[0], encoding="utf-8")
    write("model", "example-model", catalog)
    (quantity,) = blocks("quantity", "yaml")
    with (catalog / "quantities.yaml").open("a", encoding="utf-8") as quantities:
        quantities.write(quantity)
    write("source", "example-source", catalog)
    table = catalog / "sources" / "example-source" / "tables" / "results.yaml"
    table.write_text(put(table.read_text(encoding="utf-8"), "text:", "", f"  {CLAIM}\n"), encoding="utf-8")
    cells = table.with_suffix(".csv")  # AdamW keeps two numbers for each parameter
    lines = cells.read_text(encoding="utf-8").replace("note", "optimizer_state").splitlines()
    cells.write_text("\n".join([lines[0], f"{lines[1]}4.72", f"{lines[2]}9.44", ""]), encoding="utf-8")
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


@pytest.fixture(scope="module")
def printed(copy: Path) -> str:
    """What the commands print that CONTRIBUTING says to type for each thing that can be added, in their order."""
    commands = [["validate"], ["schema"]]
    for method in ("example-method", "example-kind"):
        commands.append(["measure", method, "--backbone", "t5-small", "--quiet"])
        commands.append(["verify-params", "--method", method, "--backbone", "t5-small", "--quiet"])
    commands.append(["verify", "--source", "example-source", "--sample", "0", "--format", "csv", "--quiet"])
    commands.append(["count", "lora", "--model", "example-model"])
    return done_in(copy, commands, ["tests/test_project.py"])


@pytest.mark.usefixtures("printed")
@pytest.mark.sampled
@pytest.mark.parametrize("file", ON_THE_WHOLE_CATALOG)
def test_what_was_added_passes_what_the_project_tests(copy: Path, file: str) -> None:
    done_in(copy, [], [f"tests/{file}"])


def test_what_contributing_says_to_do_is_enough(copy: Path, printed: str) -> None:
    steps = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for step in ("validate", "schema", "measure example-method", "verify", "new method", "new source"):
        assert f"surveykit {step}" in " ".join(steps.split()), step
    methods = len(list((CATALOG / "methods").glob("*.yaml")))
    assert f"valid: {methods + 2} methods" in printed
    judged = [row for row in csv.reader(printed.splitlines()) if row[:1] == ["example-source"]]
    assert [(row[4], row[6]) for row in judged] == [
        (figure, "match") for figure in ("2.36", "0.32", "4.72", "4.72", "0.64", "9.44")
    ]
    (count,) = rows(copy, "counts", "example-kind")
    assert (count["trainable"], count["update_rank"]) == (str(2 * 18 * 512), "1")
    (cost,) = rows(copy, "costs", "example-kind")
    assert (cost["overhead_unmerged"], cost["overhead_merged"]) == ("linear", "none")
    (trial,) = rows(copy, "trials", "example-kind")
    assert (trial["merge"], trial["restored"], trial["loss_falls"], trial["rank"]) == ("exact", "yes", "yes", "1")
