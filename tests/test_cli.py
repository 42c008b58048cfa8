"""The command line: exit codes, where output goes, and what `--help` costs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import needs
import pytest
import small_catalog

from surveykit.cli import COMMANDS, main
from surveykit.commands.arguments import module
from surveykit.database import cache


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(small_catalog.write(tmp_path_factory.mktemp("told") / "catalog"))


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.setenv(cache.ENVIRONMENT, str(tmp_path_factory.getbasetemp() / "cache-of-commands"))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    text = capsys.readouterr().out
    assert "exit codes" in text
    assert callable(module(command).run)


def test_help_lists_every_command_and_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(command in text for command in COMMANDS)
    assert "exit codes: 0 success, 1 findings, 2 wrong usage, invalid catalog" in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "COMMAND"),
        (["qury"], "there is no command 'qury'; did you mean 'query'"),
        (["query", "--format", "xml"], "xml"),
        (["query", "--limit", "few"], "few"),
        (["query", "--timeout", "0"], "0"),
        (["query", "a", "b"], "b"),
    ],
)
def test_wrong_usage_is_2(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err
    assert "--help" in captured.err


@pytest.mark.parametrize(
    "words",
    [
        ["query", "typ = 'R'"],
        ["query", "--sql", "drop table method"],
        ["query", "--sql", "select 1", "--limit", "3"],
        ["query", "type = 'R'", "--sql", "select 1"],
        ["query", "--backbone", "bert"],
        ["fields", "nothing"],
    ],
)
def test_mistakes_are_2_without_a_traceback(root: str, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--catalog", root, *words]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("surveykit: ")
    assert "Traceback" not in captured.err


def test_catalog_may_stand_before_or_after_the_command(root: str, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["--catalog", root, "validate"], ["validate", "--catalog", root]):
        assert main(words) == 0
        assert "3 methods" in capsys.readouterr().out


def test_no_catalog_is_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--catalog", str(tmp_path), "query"]) == 2
    assert "is not a catalog" in capsys.readouterr().err


def test_invalid_catalog_shows_all_problems(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = small_catalog.write(tmp_path / "catalog")
    for name in ("lora", "prefix-tuning"):
        path = root / "methods" / f"{name}.yaml"
        path.write_text(path.read_text(encoding="utf-8").replace("family:", "famly:"), encoding="utf-8")
    for command in ("validate", "query"):
        assert main(["--catalog", str(root), command]) == 2
        error = capsys.readouterr().err
        assert "methods/lora.yaml:" in error
        assert "methods/prefix-tuning.yaml:" in error


def test_query_prints_data_and_nothing_else(root: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["query", "type = 'R'", "--catalog", root, "--select", "id,year", "--format", "json"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out) == [{"id": "lora", "year": 2022}]
    assert captured.err == ""


def test_nothing_found_is_no_mistake(root: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["query", "type = 'S'", "--catalog", root, "--format", "csv", "--select", "id"]) == 0
    captured = capsys.readouterr()
    assert captured.out == "id\r\n" or captured.out == "id\n"
    assert captured.err == "surveykit: nothing matches\n"


def test_query_options(root: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["query", "--select", "id", "--order-by", "id desc", "--limit", "2", "--format", "csv"]
    assert main([*words, "--catalog", root]) == 0
    assert capsys.readouterr().out.split() == ["id", "prefix-tuning", "lora"]


@pytest.mark.parametrize("format", ["table", "json", "csv", "markdown"])
def test_evidence_in_every_format(root: str, format: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["query", "id = 'lora'", "--evidence", "--format", format, "--catalog", root]) == 0
    text = capsys.readouterr().out
    assert "Table 1, row LoRa" in text
    assert "lora/qv-r8 on t5-large" in text
    if format == "json":
        assert json.loads(text)[0]["evidence"][0]["source"] == "lialin2023scaling"


def test_where_says_why(root: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--catalog", root, "where"]) == 0
    text = capsys.readouterr().out
    assert f"catalog   {root} (--catalog)" in text
    assert ".duckdb" in text


def test_fields_prints_types_and_comments(root: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--catalog", root, "fields", "methods"]) == 0
    assert re.search(r"trainable_percent_measured +DOUBLE", capsys.readouterr().out)


def test_schema_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(tmp_path / "schema")
    assert main(["schema", "--output", folder, "--check"]) == 1
    assert main(["schema", "--output", folder]) == 0
    assert main(["schema", "--output", folder, "--check"]) == 0
    written = json.loads((tmp_path / "schema" / "method.schema.json").read_text(encoding="utf-8"))
    assert "configurations" in written["properties"]
    (tmp_path / "schema" / "model.schema.json").write_text("{}", encoding="utf-8")
    assert main(["schema", "--output", folder, "--check"]) == 1
    assert "model.schema.json is out of date" in capsys.readouterr().err


def test_build_writes_a_file(root: str, tmp_path: Path) -> None:
    target = tmp_path / "own.duckdb"
    assert main(["--catalog", root, "build", "--output", str(target)]) == 0
    assert target.stat().st_size > 0


def test_build_in_an_unwritable_place(root: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert main(["--catalog", root, "build", "--output", str(tmp_path / "file" / "x.duckdb")]) == 2
    assert "cannot be written" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason=needs.POSIX)
def test_closed_pipe_is_quiet(root: str) -> None:
    more = f"SELECT {', '.join(f'range AS column_{i}' for i in range(20))} FROM range(9000)"  # than a pipe holds
    command = [sys.executable, "-m", "surveykit", "--catalog", root, "query", "--sql", more]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        assert "column_0" in running.stdout.readline()
        running.stdout.close()  # as `head -1` does
        assert running.stderr.read() == ""
    assert running.returncode == 0


def test_closed_stdin_and_stdout_do_not_confuse_the_pipes(root: str) -> None:
    closes = "import os, sys; os.close(0); os.close(2); os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    query = ["-m", "surveykit", "--catalog", root, "query", "--select", "id", "--format", "csv"]
    done = subprocess.run([sys.executable, "-c", closes, *query], capture_output=True, text=True)
    assert done.stdout.split() == ["id", "full-tuning", "lora", "prefix-tuning"]


def test_interrupt_is_130(monkeypatch: pytest.MonkeyPatch, root: str) -> None:
    def interrupted(arguments: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(module("validate"), "run", interrupted)
    assert main(["--catalog", root, "validate"]) == 130


def test_runs_as_a_module_from_any_folder(tmp_path: Path) -> None:
    root = small_catalog.write(tmp_path / "catalog")
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    here = tmp_path / "here"
    here.mkdir()
    for name in ("duckdb", "yaml", "pydantic"):
        (here / f"{name}.py").write_text("raise SystemExit('the working directory was searched for modules')")
    command = [sys.executable, "-m", "surveykit", "--catalog", str(root), "query", "--format", "csv", "--select", "id"]
    for _ in ("the database is built", "it is there"):
        done = subprocess.run(command, cwd=here, env=environment, capture_output=True, text=True)
        assert done.stdout.split() == ["id", "full-tuning", "lora", "prefix-tuning"], done.stderr
