"""The direction of imports, what stays unloaded, and other properties of the code that no reviewer should have to check."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
from conftest import ROOT

from surveykit.cli import COMMANDS

PACKAGE = ROOT / "surveykit"
# A part may import only parts named before it; `verify` needs records only, so the database may hold verdicts.
ORDER = ["errors", "streams", "interruption", "faults", "beside", "files", "descriptions", "record", "arithmetic", "ranks", "formula",
         "output", "processes", "executors", "recipes", "catalog", "scaffold", "checkpoints", "bench", "verify", "engine", "engine_ahead", "recording", "database", "fit", "survey", "site",
         "api", "commands", "cli"]  # fmt: skip
TORCH_FREE_HEAVY = ("torch", "transformers", "peft", "pandas", "matplotlib", "mkdocs")


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imported(path: Path) -> list[str]:
    """Names of the modules that a file imports when it runs, not only for type checkers."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            typing_only |= {id(inner) for statement in node.body for inner in ast.walk(statement)}
    found = []
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.append(node.module)
            if node.module == "surveykit":
                found += [f"surveykit.{alias.name}" for alias in node.names]
    return found


@pytest.fixture(scope="module")
def imports() -> list[tuple[Path, str]]:
    """Every import of every module of ours."""
    return [(path, name) for path in modules() for name in imported(path)]


def listed(offenders: Iterable[tuple[Path, object]]) -> str:
    return "\n".join(f"{path.relative_to(ROOT)}: {what}" for path, what in offenders)


def test_imports_point_one_way(imports: list[tuple[Path, str]]) -> None:
    allowed = {part: {*ORDER[: place + 1], "__version__"} for place, part in enumerate(ORDER)}
    assert {part_of(path) for path in modules()} - {"__init__", "__main__"} == set(ORDER)
    wrong = [
        (path, name) for path, name in imports
        if name.startswith("surveykit.") and (own := part_of(path)) in allowed and name.split(".")[1] not in allowed[own]
    ]  # fmt: skip
    assert not wrong, listed(wrong)


def test_torch_lives_in_the_engine_only(imports: list[tuple[Path, str]]) -> None:
    heavy = {
        (part_of(path), path, name) for path, name in imports if name.split(".")[0] in ("torch", "transformers", "peft")
    }
    wrong = [(path, name) for part, path, name in heavy if part != "engine"]
    assert heavy
    assert not wrong, listed(wrong)


def test_a_file_is_read_in_one_sitting() -> None:
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in modules()}
    wrong = [(path, f"{count} lines") for path, count in lines.items() if count > 420]
    assert not wrong, listed(wrong)


def names_in(module: str) -> set[str]:
    """What a module of ours can be asked for by name; nothing where there is no such module."""
    place = ROOT.joinpath(*module.split("."))
    file = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
    if not file.is_file():
        return set()
    found = {path.stem for path in place.glob("*")} if place.is_dir() else set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
    return found


@pytest.mark.parametrize("folder", ["benchmarks", ".ci", "tests/oracles", "tests/extract"])
def test_what_no_test_runs_imports_what_is_there(folder: str) -> None:
    files = sorted((ROOT / folder).rglob("*.py"))
    asked = [
        (path, f"{node.module}.{alias.name}", alias.name in names_in(node.module))
        for path in files for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "surveykit"
        for alias in node.names
    ]  # fmt: skip
    assert files
    assert all(there for _, _, there in asked), listed((path, name) for path, name, there in asked if not there)


def loaded_by(code: str) -> set[str]:
    script = f"{code}\nimport sys; print(*sys.modules, sep='\\n')"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    return {name.split(".")[0] for name in run.stdout.split()}


def test_importing_the_package_loads_nothing_heavy() -> None:
    loaded = loaded_by("import surveykit")
    assert loaded.isdisjoint({*TORCH_FREE_HEAVY, "pydantic", "duckdb", "yaml"})


def test_loading_the_catalog_loads_no_torch() -> None:
    assert loaded_by("import surveykit; surveykit.load().catalog").isdisjoint(TORCH_FREE_HEAVY)


def test_a_query_loads_nothing_heavy() -> None:
    code = "from surveykit.cli import main; assert main(['query', \"type='R'\"]) == 0"
    assert loaded_by(code).isdisjoint(TORCH_FREE_HEAVY)


def test_verdicts_need_no_torch() -> None:
    assert loaded_by("import surveykit.verify").isdisjoint(TORCH_FREE_HEAVY)


def test_recording_what_workers_measure_needs_no_torch() -> None:
    assert loaded_by("import surveykit.recording").isdisjoint(TORCH_FREE_HEAVY)


def test_the_public_names_are_the_commands() -> None:
    import surveykit

    assert list(surveykit.__all__) == sorted(surveykit.__all__)
    functions = {command.replace("-", "_") for command in COMMANDS}
    assert set(surveykit.__all__) == {"__version__", "Survey", "SurveyError", "load", *functions}


def test_no_command_imports_another(imports: list[tuple[Path, str]]) -> None:
    """What several share is in `arguments` and `training_flags`, and everything else below the commands."""
    shared = {"surveykit.commands.arguments", "surveykit.commands.training_flags"}
    wrong = [
        (path, name) for path, name in imports
        if part_of(path) == "commands" and name.startswith("surveykit.commands.") and name not in shared
    ]  # fmt: skip
    assert not wrong, listed(wrong)


def test_no_module_is_called_after_nothing() -> None:
    assert not {p.stem for p in modules()} & {"utils", "helpers", "common", "misc", "manager", "base_utils"}
