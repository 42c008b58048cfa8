"""What the project says of itself is true: the documented commands, templates and findings are the real ones."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from conftest import CATALOG, ROOT

from surveykit.catalog.load import Catalog
from surveykit.catalog.records import Method
from surveykit.catalog.validation import read_yaml
from surveykit.cli import COMMANDS, main
from surveykit.database.tables.verdicts import evidence
from surveykit.verify import judge, summaries

README = (ROOT / "README.md").read_text(encoding="utf-8")


def shell_blocks(text: str) -> list[str]:
    return [block.strip() for block in re.findall(r"```sh\n(.*?)```", text, flags=re.S)]


def test_the_two_commands_of_the_readme_are_those_that_ci_runs() -> None:
    commands = shell_blocks(README)
    assert len(commands) == 2
    assert commands[0].endswith("surveykit reproduce")
    assert commands[1].endswith("python -m pytest")
    lines = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    bare, everything = (lines.index(f'export PATH="{path}"') for path in ("$work/bare", "$everything"))
    assert bare < lines.index(commands[0]) < lines.index(commands[1]) < everything, (
        "first with Python alone on the PATH"
    )
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    assert "run: bash .ci/run" in workflow
    site = (ROOT / ".github" / "workflows" / "site.yml").read_text(encoding="utf-8")
    assert commands[0] in site


def test_the_finding_in_the_readme_is_the_current_one(catalog: Catalog) -> None:
    sentences = [summary.sentence() for summary in summaries(judge(catalog.claims, evidence(catalog)), catalog)]
    assert re.findall(r"(?m)^> (.*)$", README) == [sentence for sentence in sentences if "Table 5: " in sentence]


def test_every_command_is_documented() -> None:
    texts = README + (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8") + (ROOT / "CHANGELOG.md").read_text("utf-8")
    for command in COMMANDS:
        assert re.search(rf"`?(surveykit )?{command}\b", texts), command


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    shown = capsys.readouterr().out
    assert "exit codes:" in shown
    assert COMMANDS[command].split()[0].strip(",;").lower() in shown.lower()


def test_the_annotated_template_is_a_valid_method() -> None:
    """The file that `surveykit new method` writes."""
    text = (ROOT / "surveykit" / "scaffold" / "method.yaml").read_text(encoding="utf-8")
    method, _, problems = read_yaml(text, "template", Method)
    assert [str(problem) for problem in problems] == []
    assert method is not None
    named = {field for field in Method.model_fields if f"\n{field}:" in text}
    assert set(Method.model_fields) - named == {"added", "reconstruction", "not_instantiated"}


def test_every_cause_is_documented() -> None:
    from typing import get_args

    from surveykit.catalog.sources import Cause

    text = (CATALOG / "README.md").read_text(encoding="utf-8")
    assert all(f"`{cause}`" in text for cause in get_args(Cause))


def test_the_schemas_are_current() -> None:
    assert main(["--catalog", str(CATALOG), "schema", "--check"]) == 0


def test_workflows_and_hooks_are_yaml() -> None:
    for path in [*(ROOT / ".github" / "workflows").glob("*.yml"), ROOT / ".pre-commit-hooks.yaml",
                 ROOT / "examples" / "verify-params.yml"]:  # fmt: skip
        assert yaml.safe_load(path.read_text(encoding="utf-8"))
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    for hook in hooks:
        assert hook["entry"].split()[1] in COMMANDS


def test_torch_is_pinned() -> None:
    assert "torch==2.13.0" in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()


def test_the_tree_does_not_name_the_machine_it_was_made_on() -> None:
    suspicious = re.compile(r"/(?:work|farm|root|home/\w+|tmp)/\w")
    for path in [*ROOT.glob("*.md"), *(ROOT / "surveykit").rglob("*.py"), *CATALOG.rglob("*.yaml")]:
        assert not suspicious.search(Path(path).read_text(encoding="utf-8")), path
