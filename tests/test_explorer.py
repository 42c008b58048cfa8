"""The explorer's data: every figure is the database's, under its tier; no configuration is lost; the frontier is the frontier."""

from __future__ import annotations

import gzip
import json
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from surveykit.database.reading import AnswerRow, Reader, reading
from surveykit.site.data.explorer import (
    TIERS,
    Point,
    Quantity,
    View,
    default_view,
    frontier,
    title,
    with_known_quantities,
)
from surveykit.site.data.explorer_ours import OURS
from surveykit.site.data.explorer_peft import PEFT
from surveykit.site.data.explorer_survey import SURVEY
from surveykit.site.data.explorer_views import explorer_views
from surveykit.site.drawing.explored import explored_picture
from surveykit.site.pages.explorer import explorer_context, explorer_file
from surveykit.site.rendering import Page


@pytest.fixture(scope="module")
def views(database: Path) -> list[View]:
    with reading(database) as reader:
        return explorer_views(reader)


def ask(database: Path, sql: str) -> list[AnswerRow]:
    with reading(database) as reader:
        return reader.all(sql)


def of(views: list[View], source: str) -> dict[str, View]:
    return {view.model: view for view in views if view.source == source}


def test_the_survey_is_as_it_is_printed(database: Path, views: list[View]) -> None:
    found = of(views, SURVEY)
    rows = ask(database, "SELECT * FROM table5")
    assert set(found) == {r.backbone for r in rows}
    for r in rows:
        (point,) = [p for p in found[r.backbone].points if p.configuration == r.configuration and "memory" in p.values]
        assert point.method == r.method
        assert point.values["memory"] == float(r.ram_gb_printed)
        assert point.values["trainable"] == pytest.approx(float(r.params_millions_printed) * 1e6, abs=0.5)
        assert point.values["trainable_percent"] == float(r.params_percent_printed)
        assert point.values["speed"] == float(r.throughput_train_printed)
        assert point.values["inference"] == float(r.throughput_infer_printed)
        assert point.values["counted"] == r.trainable_measured
        full = next(o for o in rows if o.backbone == r.backbone and o.method == "full-tuning")
        assert point.values["memory_percent"] == pytest.approx(100 * r.ram_gb / full.ram_gb)


def test_every_mean_of_appendix_b_stands_with_its_method_and_its_doubts(database: Path, views: list[View]) -> None:
    found = of(views, SURVEY)
    means = ask(database, "SELECT * FROM table4_recomputed WHERE score_mean IS NOT NULL")
    for t in means:
        (point,) = [p for p in found[t.backbone].points if p.values.get("score") == t.score_mean]
        assert point.method == t.method_id
        assert point.doubts.get("score") == t.caveat
        low, high = point.ranges["score"]
        assert (low + high) / 2 == pytest.approx(t.score_mean)
        assert (high - low) / 2 == pytest.approx(t.score_std)
    assert sum("score" in p.values for view in found.values() for p in view.points) == len(means)
    chance = ask(database, "SELECT * FROM score_caveat WHERE kind = 'chance'")
    doubted = [key for view in found.values() for p in view.points for key in p.doubts if key != "score"]
    assert len(doubted) == len(chance) > 0


def test_lora_in_two_places_keeps_its_two_scores(database: Path, views: list[View]) -> None:
    points = {p.configuration: p for p in of(views, SURVEY)["t5-3b"].points if p.method == "lora"}
    for configuration, label in (("lora/qv-r8", "LoRa (q and v)"), ("lora/all-linear-r8", "LoRa (all)")):
        (t,) = ask(database, f"SELECT * FROM table4_recomputed WHERE backbone = 't5-3b' AND method = '{label}'")
        assert points[configuration].values["score"] == t.score_mean


def test_no_row_of_the_survey_is_lost(database: Path, views: list[View]) -> None:
    for model, view in of(views, SURVEY).items():
        rows = ask(database, f"SELECT row_label FROM table5 WHERE backbone = '{model}'")
        named = ask(
            database, f"SELECT DISTINCT method FROM appendix_b WHERE backbone = '{model}' AND score IS NOT NULL"
        )
        with_memory = [p for p in view.points if "memory" in p.values]
        scored = [p for p in view.points if any(key.startswith("score") for key in p.values)]
        assert (len(with_memory), len(scored)) == (len(rows), len(named))


def test_peft_s_benchmark_is_as_its_files_have_it(database: Path, views: list[View]) -> None:
    (view,) = of(views, PEFT).values()
    rows = ask(database, "SELECT * FROM peft_metamathqa_results WHERE status = 'success' ORDER BY position")
    assert len(view.points) == len(rows)
    for point, r in zip(view.points, rows, strict=True):
        assert point.values["score"] == pytest.approx(100 * float(r.test_accuracy))
        assert point.values["memory"] == int(r.mem_reserved_max) / 1e9
        assert point.values["trainable"] == int(r.trainable)
        assert point.values["file"] == int(r.file_size)
        assert point.values["time"] == pytest.approx(float(r.train_seconds) / 60)
        assert point.values["speed"] == pytest.approx(int(r.max_steps) * int(r.batch) / float(r.train_seconds))
        for key, (low, high) in point.ranges.items():
            assert low <= point.values[key] <= high
    assert 0 < sum("score" in p.ranges for p in view.points) < len(rows)
    labels = [p.label for p in view.points]
    assert len(set(labels)) == len(labels)


def test_our_own_figures_are_those_that_were_measured(database: Path, views: list[View]) -> None:
    found = of(views, OURS)
    counts = {(r.backbone, r.configuration): r for r in ask(database, "SELECT * FROM measurement")}
    peaks = {
        (r.backbone, r.configuration): r.peak
        for r in ask(database, "SELECT u.* FROM memory_use u JOIN judging USING (length, dtype)")
    }
    for model, view in found.items():
        for p in view.points:
            measured = counts[model, p.configuration]
            assert (p.values["trainable"], p.values["stored"]) == (measured.trainable, measured.stored_bytes)
            assert p.values.get("memory", 0) * 1e9 == pytest.approx(peaks.get((model, p.configuration)) or 0)
    defaults = ask(database, "SELECT id FROM configuration WHERE is_default")
    counted = {d.id for d in defaults if ("t5-3b", d.id) in counts}
    assert {p.configuration for p in found["t5-3b"].points} == counted


def test_every_figure_has_a_tier_and_an_origin(views: list[View]) -> None:
    assert {view.source for view in views if not view.source.startswith("bench-")} == {SURVEY, PEFT, OURS}
    expected = {SURVEY: "printed", PEFT: "measured_elsewhere"}
    for view in views:
        keys = [q.key for q in view.quantities]
        assert len(set(keys)) == len(keys)
        assert {key for p in view.points for key in p.values} == set(keys)
        assert set(view.first) == {"x", "y", "size", "colour"}
        assert {view.first["x"], view.first["y"]} <= set(keys)
        for q in view.quantities:
            assert q.tier in TIERS
            assert q.origin.endswith(".")
            shared = {"counted": "instantiated", "stored": "instantiated", "predicted": "traced", "year": "printed"}
            wanted = shared.get(q.key, expected.get(view.source))
            assert wanted in (None, q.tier)
    for view in of(views, OURS).values():
        assert {q.tier for q in view.quantities if q.key.startswith("memory")} <= {"traced"}


def quantity(better: str | None) -> Quantity:
    return Quantity("k", "name", "", "number", better, "printed", "Here.", "")  # type: ignore[arg-type]


@given(
    points=st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=12),
    x=st.sampled_from(["less", "more"]),
    y=st.sampled_from(["less", "more"]),
)
def test_the_frontier_by_brute_force(points: list[tuple[float, float]], x: str, y: str) -> None:
    def better_or_equal(a: float, b: float, which: str) -> bool:
        return a <= b if which == "less" else a >= b

    def beaten(one: tuple[float, float]) -> bool:
        return any(
            other != one and better_or_equal(other[0], one[0], x) and better_or_equal(other[1], one[1], y)
            for other in points
        )

    found = frontier(points, quantity(x), quantity(y))
    assert sorted(found) == [i for i, point in enumerate(points) if not beaten(point)]
    assert [points[i] for i in found] == sorted(points[i] for i in found)
    assert frontier(points, quantity(None), quantity(y)) == []


def test_the_file_is_small_and_says_the_same(views: list[View]) -> None:
    file = explorer_file(views)
    assert len(gzip.compress(file)) < 120_000
    data = json.loads(file)
    for view, written in zip(views, data["views"], strict=True):
        keys = [q["key"] for q in written["quantities"]]
        assert [q.key for q in view.quantities] == keys
        for point, p in zip(view.points, written["points"], strict=True):
            assert {k: v for k, v in zip(keys, p["values"], strict=True) if v is not None} == pytest.approx(
                point.values
            )
            assert p["family"] in data["looks"]["families"]
            assert p["type"] in data["looks"]["types"]
    first = default_view(views)
    assert first is not None
    assert data["first"] == {"source": first.source, "model": first.model}


def test_it_begins_with_score_against_memory_where_most_scores_hold(views: list[View]) -> None:
    first = default_view(views)
    assert first is not None
    assert title(first, first.first["x"], first.first["y"]) == (
        f"Score against peak memory on {first.model_name}, as the survey prints them"
    )
    sound = {m: sum("score" not in p.doubts for p in v.drawn("memory", "score")) for m, v in of(views, SURVEY).items()}
    assert sound[first.model] == max(sound.values())


def test_titles_name_both_origins_where_they_differ(views: list[View]) -> None:
    view = of(views, SURVEY)["t5-3b"]
    assert title(view, "stored", "score").endswith(", as the survey prints them and as counted here")
    assert title(view, "year", "year") == "Year against year on T5-3B"


def test_the_first_picture_shows_every_point_or_names_it(views: list[View]) -> None:
    first = default_view(views)
    assert first is not None
    picture = explored_picture(first)
    points = first.drawn(first.first["x"], first.first["y"])
    svg = "{http://www.w3.org/2000/svg}"
    drawn = [a.get("aria-label", "").partition(":")[0] for a in ET.fromstring(picture.drawing).iter(f"{svg}a")]
    apart = [p.label for p in points if p.label not in drawn]
    assert len(drawn) + len(apart) == len(points)
    assert all(f"{label}: score" in picture.caption for label in apart)
    assert len(picture.data.splitlines()) - 1 == len(drawn)


def test_a_view_without_scores_begins_with_what_it_has(views: list[View]) -> None:
    view = of(views, SURVEY)["t5-3b"]

    def only(*keys: str) -> View:
        points = tuple(p._replace(values={k: v for k, v in p.values.items() if k in keys}) for p in view.points)
        return with_known_quantities(view._replace(points=points))

    assert dict(only("memory", "speed", "year").first) == {
        "x": "memory",
        "y": "speed",
        "size": "none",
        "colour": "family",
    }
    assert dict(only("year").first) == {"x": "year", "y": "year", "size": "none", "colour": "family"}
    assert explored_picture(only("year")).title == "Year against year on T5-3B"


def test_a_catalog_without_figures_has_a_page_that_says_so() -> None:
    assert explorer_context([], None) == {"picture": None}
    assert default_view([]) is None
    assert json.loads(explorer_file([]))["views"] == []


def test_the_page_has_every_figure_of_the_first_view_without_scripts(pages: dict[str, Page], views: list[View]) -> None:
    page = str(pages["explorer.md"].content)
    first = default_view(views)
    assert first is not None
    assert f"## {title(first, 'memory', 'score')}".replace("-", "&#45;") in page.replace("-", "&#45;")
    table = page[page.index("{ #explorer-table }") : page.index("{ #sources }")]
    lines = [line for line in table.splitlines() if line.startswith("| [")]
    assert len(lines) == len(first.points)
    assert {f"figures/explorer-{scheme}.svg" for scheme in ("light", "dark")} | {"assets/data/explorer.json"} <= set(
        pages
    )
    assert "pictures.md" not in pages


BENCH = """
INSERT INTO bench BY NAME SELECT 'smoke' AS plan, 'Some device' AS device, n AS position, 'measured here' AS tier,
    't5-small' AS model, 'random' AS weights, 'task' AS task, configuration, 3 AS runs, 0 AS failed, trainable,
    CAST(n AS BIGINT) * 1000000000 AS peak_bytes, 100.0 * n AS tokens_per_second, 90.0 * n AS tokens_low, 110.0 * n AS tokens_high,
    0.2 * n AS score, 0.2 * n - 0.05 AS score_low, 0.2 * n + 0.05 AS score_high, 0.5 AS chance, n > 2 AS above_chance
FROM (VALUES (1, 'ia3/kv-ff'), (2, 'lora/qv-r8'), (3, 'full-tuning/all')) AS made (n, configuration)
JOIN measurement USING (configuration) WHERE backbone = 't5-small'
"""


def test_what_the_bench_measured_is_a_view_of_its_own(database: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copy(database, tmp_path / "copy.duckdb"))
    with duckdb.connect(str(copy)) as connection:
        connection.execute("DELETE FROM bench")  # the catalog's own results
        connection.execute(BENCH)
    with reading(copy) as reader:
        (view,) = [v for v in explorer_views(reader) if v.source.startswith("bench")]
        baseline = _baseline(reader)
    assert (view.source, view.source_name) == ("bench-smoke-some-device", "Bench: smoke on Some device")
    assert (view.model, view.model_name) == ("t5-small-task", "T5-Small, task")
    by_method: dict[str, Point] = {p.method: p for p in view.points}
    assert by_method["lora"].values["score"] == pytest.approx(40)
    assert by_method["lora"].ranges["score"] == pytest.approx((35, 45))
    assert by_method["lora"].ranges["speed"] == pytest.approx((180, 220))
    assert by_method["lora"].doubts == {"score": "not above chance, 50.0 %"}
    assert not by_method["full-tuning"].doubts
    assert {q.tier for q in view.quantities if q.key in ("score", "memory", "speed")} == {"measured_here"}
    assert baseline == "full-tuning/all"
    assert by_method["ia3"].values["memory_percent"] == pytest.approx(100 / 3)


def _baseline(reader: Reader) -> str:
    return str(reader.one("SELECT baseline FROM plan WHERE id = 'smoke'").baseline)
