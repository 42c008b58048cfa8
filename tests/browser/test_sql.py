"""The SQL page with its real engine: the same rows as the command line, and nothing from outside.

Skipped where the engine was not built (`npm ci && npm run build` in site/sql).
"""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from urllib.parse import quote

import needs
import pytest
from conftest import CATALOG, ROOT

from browser.harness import Browser
from surveykit.cli import main
from surveykit.database.questions import QUESTIONS

DIST = ROOT / "site" / "sql" / "dist"
pytestmark = pytest.mark.skipif(not (DIST / "engine.json").is_file(), reason=needs.SQL_ENGINE)
RUN, TEXT, STATUS, ERROR = "#sql-run", "#sql-text", "#sql-status", "#sql-error"


def finished(browser: Browser) -> None:
    browser.wait(lambda: browser.one(RUN).is_enabled() and "…" not in browser.one(STATUS).text, "an answer")


def ask(browser: Browser, sql: str) -> None:
    """Type a query and press Ctrl+Enter."""
    enter(browser, sql)
    finished(browser)


def enter(browser: Browser, sql: str) -> None:
    from selenium.webdriver.common.keys import Keys

    text = browser.one(TEXT)
    text.clear()
    text.send_keys(sql, Keys.CONTROL, Keys.ENTER)


def started(browser: Browser) -> Browser:
    browser.open("sql/")
    browser.click(RUN)
    finished(browser)
    return browser


def table(browser: Browser) -> list[list[str]]:
    return list(
        browser.script(
            "return [...document.querySelectorAll('#sql-result tr')].slice(1).map(r => [...r.cells].map(c => c.textContent))"
        )
    )


def same(ours: str, theirs: str) -> bool:
    """Equal texts, or equal numbers: the last digit of a mean may differ between versions of DuckDB."""
    if ours == theirs:
        return True
    try:
        return float(ours) == pytest.approx(float(theirs), rel=1e-12)
    except ValueError:
        return False


def test_the_engine_is_loaded_only_when_asked(browser: Browser) -> None:
    browser.open("sql/")
    browser.drain()
    assert not [url for url in browser.requested if "duckdb" in url]
    assert re.search(r"\(\d+\.\d MB\)", browser.one(RUN).text)  # said before they are loaded
    browser.click(RUN)
    finished(browser)
    browser.drain()
    assert [url for url in browser.requested if url.endswith("duckdb-eh.wasm.gz")]
    assert not browser.foreign()
    assert {"lora", "dora"} <= {row[0] for row in table(browser)}


def test_every_question_has_the_rows_of_the_command_line(browser: Browser, capsys: pytest.CaptureFixture[str]) -> None:
    started(browser)
    for i, question in enumerate(QUESTIONS):
        browser.script("arguments[0].click()", browser.all(".sql-questions button")[i])
        finished(browser)
        assert browser.one(TEXT).get_attribute("value") == question.sql
        browser.click("#sql-csv")
        asked = list(csv.reader(io.StringIO(browser.downloaded("query.csv").decode(), newline="")))
        assert main(["query", "--sql", question.sql, "--format", "csv", "--catalog", str(CATALOG)]) == 0
        told = list(csv.reader(io.StringIO(capsys.readouterr().out)))
        assert asked[0] == told[0]
        assert len(asked) == len(told) > 1
        for ours, theirs in zip(asked, told, strict=True):
            assert all(same(*pair) for pair in zip(ours, theirs, strict=True)), (ours, theirs)


def test_values_of_every_kind(browser: Browser) -> None:
    started(browser)
    ask(
        browser,
        "SELECT -0.05::DECIMAL(9, 3) AS d, 9007199254740993 AS i, sum(9007199254740993) AS h, DATE '2020-02-03' AS day,"
        " true AS b, NULL AS n, ['a', 'b'] AS l, 0.1 + 0.2e0 AS f, '<b>x</b>' AS t",
    )
    assert table(browser) == [
        ["-0.05", "9007199254740993", "9007199254740993", "2020-02-03", "true", "null", '["a","b"]',
         "0.30000000000000004", "<b>x</b>"]
    ]  # fmt: skip


MISTAKES = (
    ("SELECT nme FROM methods", "Candidate bindings"),
    ("SELEC 1", "syntax error"),
    ("SELECT recipe->'stages' FROM configuration", 'DuckDB\'s extension "json"'),
    ("LOAD parquet", "disabled"),
    ("FROM 'https://example.org/x.csv'", "disabled"),
    ("DROP TABLE method", "read-only"),
    ("SET enable_external_access = true", "Cannot"),
)


def test_errors_are_shown_and_nothing_leaves_the_host(browser: Browser) -> None:
    started(browser)
    for sql, message in MISTAKES:
        ask(browser, sql)
        assert message in browser.one(ERROR).text, sql
        assert not table(browser), sql
        ask(browser, "SELECT 1 AS one")
        assert table(browser) == [["1"]], sql
        assert not browser.one(ERROR).is_displayed(), sql
    browser.drain()
    assert not browser.foreign()
    browser.errors = []  # the engine's worker logs what it refused


def test_a_query_is_stopped(browser: Browser) -> None:
    started(browser)
    enter(browser, "SELECT count(*) FROM range(100000000000) AS a, range(100) AS b")
    browser.wait(lambda: browser.one("#sql-stop").is_displayed())
    browser.click("#sql-stop")
    browser.wait(lambda: browser.one(STATUS).text.startswith("Stopped"))
    ask(browser, "SELECT 2 AS two")
    assert table(browser) == [["2"]]


def test_the_query_is_in_the_address(browser: Browser) -> None:
    sql = "SELECT 'ä & 100 %' AS text\nFROM method\nLIMIT 1"
    browser.open(f"sql/#q={quote(sql)}")
    assert browser.one(TEXT).get_attribute("value") == sql
    browser.drain()
    assert not [url for url in browser.requested if "duckdb" in url]  # not even then
    browser.click(RUN)
    finished(browser)
    assert table(browser) == [["ä & 100 %"]]
    ask(browser, "SELECT 3 AS three")
    assert browser.script("return decodeURIComponent(location.hash)") == "#q=SELECT 3 AS three"


def test_the_schema_leads_to_queries(browser: Browser) -> None:
    started(browser)
    browser.script("document.querySelector('#sql-schema details[data-table=methods_on]').open = true")
    browser.click("#sql-schema details[data-table=methods_on] button")
    finished(browser)
    assert len(table(browser)) == 20


def test_long_results_are_cut_on_the_page_only(browser: Browser) -> None:
    started(browser)
    ask(browser, "SELECT configuration, length FROM memory_use")
    assert "the first 500 are shown" in browser.one(STATUS).text
    assert len(table(browser)) == 500
    browser.click("#sql-csv")
    assert len(browser.downloaded("query.csv").decode().splitlines()) > 501


def test_without_scripts_questions_and_columns_can_be_read(browser: Browser) -> None:
    browser.javascript(False)
    browser.open("sql/")
    assert not browser.one("#sql-console").is_displayed()
    text = browser.one("article").text
    assert "The console needs JavaScript." in text
    assert all(question.asks in text for question in QUESTIONS)
    assert len(browser.all("#sql-schema details")) > 50


def test_narrow_pages_do_not_scroll_sideways(browser: Browser) -> None:
    for page in ("sql/", "data/", "findings/", "changes/"):
        browser.size(390)
        browser.open(page)
        assert browser.script("return document.documentElement.scrollWidth") == 390


def test_the_packed_engine_is_what_npm_has() -> None:
    import gzip

    modules = DIST.parent / "node_modules" / "@duckdb" / "duckdb-wasm" / "dist"
    if not Path(modules).is_dir():
        pytest.skip(needs.SQL_ENGINE)
    assert gzip.decompress((DIST / "duckdb-eh.wasm.gz").read_bytes()) == (modules / "duckdb-eh.wasm").read_bytes()


def test_no_query_gives_no_answer(browser: Browser) -> None:
    ask(started(browser), "SELECT 1 AS one")
    assert table(browser) == [["1"]]
    browser.one(TEXT).clear()
    browser.click(RUN)
    assert browser.one(STATUS).text == "There is no query to run: write one above."
    assert table(browser) == []
