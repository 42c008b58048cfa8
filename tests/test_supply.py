"""What is installed, by whom and from where: actions by their commit, packages at one version, and advice that works."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import ROOT

from surveykit.errors import MissingExtra

WORKFLOWS = [*sorted((ROOT / ".github" / "workflows").glob("*.y*ml")), *sorted((ROOT / "examples").glob("*.y*ml"))]
CI = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
EACH_WORKFLOW = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)


def jobs(path: Path) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"]
    assert found
    return found


@EACH_WORKFLOW
def test_actions_are_named_by_their_commit_with_the_tag_beside(path: Path) -> None:
    used = [line.split("uses:")[1].strip() for line in path.read_text(encoding="utf-8").splitlines() if "uses:" in line]
    assert len(used) == sum("uses" in step for job in jobs(path).values() for step in job["steps"]) > 0
    for action in used:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), action


def test_an_action_has_one_commit_everywhere() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in WORKFLOWS)
    used = set(re.findall(r"uses: (\S+)@(\S+ # \S+)", text))
    assert len(used) == len({name for name, _ in used})


@EACH_WORKFLOW
def test_who_installs_or_runs_anything_may_only_read(path: Path) -> None:
    everywhere = yaml.safe_load(path.read_text(encoding="utf-8"))["permissions"]
    assert everywhere == {"contents": "read"}
    for name, job in jobs(path).items():
        writes = "write" in str(job.get("permissions", ""))
        assert not (writes and any("run" in step for step in job["steps"])), name
        for step in job["steps"]:
            if "actions/checkout" in step.get("uses", ""):
                assert step["with"]["persist-credentials"] is False, "the token is not left for what runs later"


def test_the_site_is_deployed_by_a_job_that_only_deploys() -> None:
    found = jobs(ROOT / ".github" / "workflows" / "site.yml")
    assert [name for name, job in found.items() if "permissions" in job] == ["deploy"]
    assert found["deploy"]["needs"] == "build"


def test_ci_installs_packages_at_one_version_each() -> None:
    """By name and version, or within a file of versions that has the name."""
    installs = re.findall(r"pip\"? install (.*?)(?:&&|$)", CI.replace("\\\n", " "), re.MULTILINE)
    assert len(installs) >= 5
    for words in (line.replace('"', "").replace("'", "").split() for line in installs):
        pinned = set()
        for flag, value in itertools.pairwise(words):
            if flag == "-c":
                pinned |= versions(ROOT / value)
        options = {value for flag, value in itertools.pairwise(words) if flag in ("-c", "--target")}
        for word in words:
            if not word.startswith(("-", ".")) and word not in options:
                assert "==" in word or word in pinned, f"pip install {' '.join(words)}: {word}"
    assert "PIP_CONSTRAINT=" in CI
    assert versions(ROOT / ".ci" / "build-constraints.txt") >= {"hatchling", "editables"}
    assert "npm install" not in CI


def versions(path: Path) -> set[str]:
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in lines), lines
    return {line.partition("==")[0] for line in lines}


def test_no_text_advises_to_install_what_is_on_no_index() -> None:
    """Until a version is published, only a clone or the repository's address can be installed."""
    kinds = {".md", ".py", ".yml", ".yaml", ".html", ".toml", ".js", ".sql", ".bib"}
    folders = ("surveykit", "site/docs", "catalog", "examples", ".github", "benchmarks", "tests/golden")
    found = [p for folder in folders for p in (ROOT / folder).rglob("*") if p.suffix in kinds]
    found += [*ROOT.glob("*.md"), ROOT / ".ci" / "run", ROOT / ".pre-commit-hooks.yaml"]
    assert len(found) > 200
    for path in found:
        for line in path.read_text(encoding="utf-8").splitlines():
            if re.search(r"(pip|pipx|uv)\b.*\b(install|add|tool)\b.*['\" ]surveykit\b", line):
                assert "git+https://" in line, f"{path}: {line}"
    assert str(MissingExtra("torch", "measure")).endswith("in a clone of surveykit, pip install '.[measure]'")


def test_no_text_names_a_version_that_has_no_tag() -> None:
    for path in [*ROOT.glob("*.md"), *(ROOT / "site" / "docs").rglob("*.md")]:
        for name in re.findall(r"\brev: *(\S+)", path.read_text(encoding="utf-8")):
            assert name == "COMMIT" or re.fullmatch(r"[0-9a-f]{40}", name), f"{path}: {name}"
