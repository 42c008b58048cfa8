"""A verdict stands only beside the figure, configuration, base model and sense that it judged, on every page and in
every file of the site and in what the commands print."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pytest
from conftest import SURVEY
from real_catalog import rows_of

from surveykit.cli import main
from surveykit.site.text.words import OUTCOMES, VERDICTS

WORDS = {*OUTCOMES, *VERDICTS}
_DECIMAL = re.compile(r"\d[.,]\d")


class Expected(NamedTuple):
    """What has to stand beside the verdict of one printed cell."""

    verdict: str
    figures: tuple[str, ...]
    """Ways to write our figure; empty where nothing was measured."""
    names: tuple[str, ...]
    """What must be named with it."""


def expected(database: Path) -> dict[tuple[str, str], Expected]:
    """By method and anchor on its page, from the rows of verdicts alone."""
    slug = re.compile(r"[^a-z0-9]+")
    found: dict[tuple[str, str], Expected] = {}
    with duckdb.connect(str(database), read_only=True) as connection:
        for method, number, column, measured, verdict, configuration, backbone in connection.execute(
            "SELECT v.method, table_number, column_name, measured, verdict, configuration, b.name FROM cell_verdict v"
            " LEFT JOIN backbone b ON b.id = v.backbone"
        ).fetchall():
            anchor = f"table{number}-{slug.sub('-', column)}"
            if measured is None:
                found[method, anchor] = Expected(verdict, (), ())
                continue
            answers = {"none": ("yes",), "partial": ("partly",), "full": ("no",)} if column == "bp" else {}
            if column == "overhead":  # in words; the first kind is enough to tell
                kinds = {"ffn": "feed-forward", "linear": "linear layer", "input": "longer input"}
                answers = {measured: (kinds.get(re.split(r"[+,]", measured)[0], re.split(r"[+,]", measured)[0]),)}
            found[method, anchor] = Expected(verdict, answers.get(measured, (measured,)), (configuration, backbone))
        for method, row, backbone, name, column, measured, outcome, configuration, decimals in connection.execute(
            "SELECT v.method, v.row_label, v.backbone, b.name, v.column_name, v.value, outcome, v.configuration, c.decimals"
            " FROM verdict v JOIN claim c USING (source, table_name, position, column_name) JOIN backbone b"
            " ON b.id = v.backbone WHERE v.source = ? AND v.table_name = 'table5' AND v.quantity = 'trainable'",
            [SURVEY],
        ).fetchall():
            label = slug.sub("-", row.lower().replace("+", "-plus")).strip("-")
            anchor = f"{label}-{backbone}-{column.removeprefix('params_')}"
            figure = f"{round(measured, decimals):.{decimals}f}"
            found[method, anchor] = Expected(outcome, (figure,), (configuration, name))
    return found


class Cell:
    """A cell of a table: its lines of text, and the verdicts in it with line, tip and links before them."""

    def __init__(self) -> None:
        self.lines = [""]
        self.badges: list[tuple[str, int, str]] = []
        self.links: list[str] = []


class Tables(HTMLParser):
    """Rows of cells of all tables of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[list[Cell]] = []
        self._inside = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "tr":
            self.rows.append([])
        elif tag == "td":
            self.rows[-1].append(Cell())
            self._inside = True
        if not self._inside:
            return
        cell = self.rows[-1][-1]
        kinds = given.get("class", "").split()
        if tag == "br" or "claimed" in kinds or "measured" in kinds:
            cell.lines.append("")
        if tag == "a":
            cell.links.append(given.get("href", ""))
        if "outcome" in kinds and WORDS & set(kinds):
            (kind,) = WORDS & set(kinds)
            cell.badges.append((kind, len(cell.lines) - 1, given.get("title", "") + "\n" + (cell.links or [""])[-1]))

    def handle_endtag(self, tag: str) -> None:
        if tag == "td":
            self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.rows[-1][-1].lines[-1] += data


def faults(page: str, text: str, known: dict[tuple[str, str], Expected]) -> Iterator[tuple[bool, str]]:
    """For each verdict in a table whether it leads to a printed cell, and what is wrong with it, if anything."""
    own = re.fullmatch(r"methods/([^/]+)/index\.html", page)
    for row in Tables(text).rows:
        for i, cell in enumerate(row):
            for kind, line, tip in cell.badges:
                title, _, address = tip.rpartition("\n")
                place = re.search(r"(?:methods/|^\.\./|^)?([a-z0-9-]*)/?(?:index\.html)?#([\w-]+)$", address)
                method = own[1] if own and address.startswith("#") else place[1] if place else ""
                want = known.get((method, place[2])) if place else None
                if want is None:
                    wrong = _DECIMAL.search(cell.lines[line]) and kind not in ("predicted", "not_measured")
                    yield False, f"{page}: {kind} beside {cell.lines[line]!r} leads to no printed cell" if wrong else ""
                    continue
                beside = cell.lines[line]
                if not re.search(r"\d", beside) and own is None and i >= 2:
                    beside += " " + row[i - 1].lines[-1]
                if own is not None:
                    beside = " ".join(" ".join(c.lines) for c in row[:i])
                fault = ""
                if kind != want.verdict:
                    fault = f"{kind} is not the verdict {want.verdict}"
                elif want.figures and _DECIMAL.search(beside) and not any(f in beside for f in want.figures):
                    fault = f"the verdict {kind} judged {want.figures}, not {beside!r}"
                elif not all(name in title + beside for name in want.names):
                    fault = f"the verdict {kind} is of {want.names}, but {title + beside!r} does not name it"
                yield True, f"{page}, {method}#{place[2] if place else ''}: {fault}" if fault else ""


@pytest.mark.parametrize(
    ("said", "tip", "fault"),
    [
        ("judged 0.4809 % (x/b on BERT)", "", ""),
        ("judged 0.4809 %", "x/b on BERT", ""),
        ("measured 23.1910 % (x/b on BERT)", "", "judged ('0.4809',), not"),
        ("judged 0.4809 % (x/b on T5)", "", "does not name it"),
    ],
)
def test_the_walk_sees_a_verdict_beside_another_figure(said: str, tip: str, fault: str) -> None:
    known = {("x", "table2-trainable-percent"): Expected("match", ("0.4809",), ("x/b", "BERT"))}
    badge = (
        f'<a href="../methods/x/#table2-trainable-percent"><span class="outcome match" title="{tip}">match</span></a>'
    )
    page = f"<table><tr><td>Trainable</td><td>claimed 0.5<br>{said} {badge}</td></tr></table>"
    ((identified, found),) = faults("compare/index.html", page, known)
    assert identified
    assert (fault in found) if fault else not found


def test_every_verdict_of_a_page_is_of_the_figure_beside_it(site: Path, database: Path) -> None:
    known = expected(database)
    seen = 0
    for path in sorted(site.rglob("*.html")):
        page = path.relative_to(site).as_posix()
        if page.startswith("sources/") and page.count("/") == 3:
            continue  # tables as printed, which test_checked_tables compares cell by cell
        for identified, fault in faults(page, path.read_text(encoding="utf-8"), known):
            assert not fault, fault
            seen += identified
    assert seen > 500


def test_every_verdict_of_the_comparison_is_of_the_figure_in_its_line(site: Path, database: Path) -> None:
    known, seen = expected(database), 0
    for path in sorted((site / "assets" / "data" / "compare").glob("*.json")):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            for line in cell:
                for i, piece in enumerate(line):
                    kind = set(piece["kind"].split()) & WORDS
                    if "outcome" not in piece["kind"] or not kind:
                        continue
                    want = known[path.stem, piece["anchor"]]
                    said = " ".join(p["text"] for p in line[:i]) + piece["title"]
                    assert kind == {want.verdict}
                    assert any(figure in said for figure in want.figures), (path.stem, piece["anchor"], said, want)
                    assert all(name in said for name in want.names), (path.stem, said, want)
                    before = [p["text"] for p in line[:i]]
                    numbers = re.findall(r"\d+\.\d+(?= %)", before[1]) if piece["anchor"].startswith("table2") else []
                    assert all(number in want.figures for number in numbers), (path.stem, before, want)
                    seen += 1
    assert seen > 200


def test_the_api_and_the_views_take_a_figure_from_the_row_of_its_verdict(site: Path, database: Path) -> None:
    with duckdb.connect(str(database), read_only=True) as connection:
        rows = connection.execute(
            "SELECT t.params_millions_measured, v.value, t.configuration, v.configuration, t.params_millions_outcome,"
            " v.outcome FROM table5 t JOIN verdict v ON v.backbone = t.backbone AND v.row_label = t.row_label"
            " AND v.column_name = 'params_millions' WHERE v.source = ?",
            [SURVEY],
        ).fetchall()
        cells = connection.execute(
            "SELECT locator, method, measured, configuration, backbone, sense, verdict FROM verdict"
        ).fetchall()
    assert len(rows) == rows_of("table5")
    for shown, measured, configuration, judged, outcome, verdict in rows:
        assert (configuration, outcome) == (judged, verdict)
        assert shown == pytest.approx(float(measured))
    names = ("locator", "method", "measured", "configuration", "backbone", "sense", "verdict")
    api: list[dict[str, Any]] = json.loads((site / "api" / "v1" / "verdicts.json").read_text(encoding="utf-8"))["rows"]
    assert {tuple(row[name] for name in names) for row in api} == set(cells)


def test_show_prints_each_verdict_with_what_it_judged(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with duckdb.connect(str(database), read_only=True) as connection:
        for method in ("parallel-adapter", "ipt", "compacter", "lora"):
            assert main(["show", method, "--format", "json"]) == 0
            printed = {row["what"]: row for row in json.loads(capsys.readouterr().out)}
            cells = connection.execute(
                "SELECT locator, measured, configuration, backbone, sense, verdict, found_by FROM verdict"
                " WHERE method = ? AND source = ? AND (verdict <> 'not_comparable' OR table_name IN ('table1', 'table2'))",
                [method, SURVEY],
            ).fetchall()
            assert cells
            for what, measured, configuration, backbone, sense, verdict, found_by in cells:
                row = printed[what]
                assert row["measured"] == measured
                assert row["verdict"].startswith(verdict)
                assert ("search" in row["verdict"]) == (found_by == "search")
                of = (
                    None
                    if configuration is None
                    else f"{configuration} on {backbone}" + (f", {sense}" if sense else "")
                )
                assert row["measured_of"] == of
