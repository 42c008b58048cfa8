"""`surveykit mcp` as the reference client meets it, over standard input and output of a process of its own."""

from __future__ import annotations

import asyncio
import io
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import needs
import pytest
import small_catalog
import small_models
from conftest import ROOT

from surveykit.cli import main

mcp = pytest.importorskip("mcp", reason=needs.MCP)

TOOLS = {"fields", "query", "show", "count", "fit", "check"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("served")
    small_catalog.write(folder / "catalog")
    small_models.CONFIGS["t5"]().save_pretrained(folder / "t5")
    return folder


def talk(folder: Path, conversation: Callable[[Any], Awaitable[Any]]) -> Any:
    """What a conversation with a server of its own comes to."""
    words = ["-m", "surveykit", "--catalog", str(folder / "catalog"), "mcp"]
    environment = {"SURVEYKIT_CACHE": str(folder / "cache"), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    server = mcp.StdioServerParameters(command=sys.executable, args=words, cwd=folder, env=environment)

    async def whole() -> Any:
        with (folder / "errors").open("w", encoding="utf-8") as errors:
            async with mcp.Client(mcp.stdio_client(server, errlog=errors)) as client:
                return await conversation(client)

    return asyncio.run(whole())


def asked(folder: Path, *questions: tuple[str, dict[str, Any]]) -> list[Any]:
    async def conversation(client: Any) -> list[Any]:
        return [await client.call_tool(name, given) for name, given in questions]

    found: list[Any] = talk(folder, conversation)
    return found


def said(result: Any) -> str:
    return "".join(part.text for part in result.content)


def test_its_tools_only_read_and_say_what_they_take_and_give(folder: Path) -> None:
    tools = talk(folder, lambda client: client.list_tools()).tools
    assert {tool.name for tool in tools} == TOOLS
    for tool in tools:
        assert tool.annotations.read_only_hint
        assert tool.description
        assert tool.output_schema["properties"]
        described = tool.input_schema["properties"].values()
        assert all("description" in one for one in described), tool.name


def test_questions_are_answered_with_types(folder: Path) -> None:
    model = str(folder / "t5")
    fields, query, show, count, fit, check = asked(
        folder,
        ("fields", {"table": "methods"}),
        ("query", {"condition": "type = 'R'", "select": "id, trainable_percent_max"}),
        ("show", {"method": "lora"}),
        ("count", {"methods": ["lora"], "model": model, "hyper_parameters": {"rank": 2}}),
        ("fit", {"model": model, "gpu_memory": "8GB", "methods": ["lora"], "batch": 2, "length": 8}),
        ("check", {"claims": "method,column,printed\nlora,trainable,7\n", "model": model}),
    )
    assert not any(result.is_error for result in (fields, query, show, count, fit, check))
    assert {"name": "id", "kind": "VARCHAR"}.items() <= fields.structured_content["result"][0].items()
    rows = query.structured_content
    assert rows["columns"] == ["id", "trainable_percent_max"]
    assert rows["rows"]
    assert all(type(row["trainable_percent_max"]) in (float, int, type(None)) for row in rows["rows"])
    assert show.structured_content["method"] == "lora"
    assert any(fact["measured"] for fact in show.structured_content["facts"])
    (counted,) = count.structured_content["result"]
    assert counted["configuration"] == "lora/qv-r8 · rank=2"
    assert counted["trainable"] == counted["added"] > 0
    assert fit.structured_content["choices"][0]["standing"] == "fits"
    assert fit.structured_content["tried"] == 1
    (judged,) = check.structured_content["result"]
    assert (judged["printed"], judged["verdict"]) == ("7", "differs")
    assert json.loads(said(query)) == rows, "clients that know no types read the same"


MISTAKES: list[tuple[str, dict[str, Any], str]] = [
    ("query", {"sql": "DROP TABLE method"}, "SELECT"),
    ("query", {"sql": "SELECT * FROM read_csv('/etc/passwd')"}, "read_csv"),
    ("query", {"sql": "SELECT count(*) FROM range(100000000) a, range(100000) b"}, "was stopped"),
    ("query", {"condition": "nothing = 1"}, "nothing"),
    ("show", {"method": "lorra"}, "did you mean 'lora'"),
    ("count", {"methods": ["lora"], "model": "no/such/config.json"}, "no/such"),
    ("fit", {"model": "t5-large", "gpu_memory": "24"}, "has no unit"),
    ("check", {"claims": "nothing"}, "method"),
    ("show", {}, "method"),
]


def test_mistakes_are_told_in_words_and_the_next_question_is_answered(folder: Path) -> None:
    results = asked(folder, *((tool, given) for tool, given, _ in MISTAKES), ("query", {"sql": "SELECT 1 AS one"}))
    for result, (tool, _, message) in zip(results[:-1], MISTAKES, strict=True):
        assert result.is_error, tool
        assert message in said(result)
        assert "Traceback" not in said(result)
    assert results[-1].structured_content["rows"] == [{"one": 1}]
    assert (folder / "errors").read_text(encoding="utf-8") == ""


def test_it_ends_when_nobody_asks_any_more(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO()))
    assert main(["--catalog", str(folder / "catalog"), "mcp"]) == 0


def test_a_wrong_catalog_is_told_at_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--catalog", str(folder / "nothing"), "mcp"]) == 2
    assert "is not a catalog" in capsys.readouterr().err


def test_without_the_package_its_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "mcp.server", None)
    assert main(["mcp"]) == 2
    assert "pip install '.[mcp]'" in capsys.readouterr().err
