"""Pictures: well-formed, equal each time, in colours that can be seen, and the same in words."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from conftest import ROOT
from real_catalog import REAL, rows_of

from surveykit.database.reading import reading
from surveykit.recipes import Recipe
from surveykit.site.drawing import charts, taxonomy
from surveykit.site.drawing.block import LOOKS, block_picture, marks
from surveykit.site.drawing.blocks import block_pictures
from surveykit.site.drawing.canvas import FAMILY_MARKS, in_our_style
from surveykit.site.drawing.pictures import pictures
from surveykit.site.drawing.svg import PALETTE, Picture, colour, inline, standalone
from surveykit.site.text.words import FAMILIES

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = '<script>alert(1)</script> "x" \' & $a_b^c$'
DEFAULTS = {
    m.id: next(c.recipe for c in m.configurations if c.default) for m in REAL.methods.values() if m.configurations
}


@pytest.fixture(scope="module")
def drawn(database: Path) -> dict[str, Picture]:
    with reading(database) as reader:
        return pictures(reader) | dict(block_pictures(reader))


def brightness(code: str) -> float:
    parts = [int(code[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((brightness(one), brightness(other)))
    return (high + 0.05) / (low + 0.05)


def test_every_picture_of_the_issue_is_there(drawn: dict[str, Picture]) -> None:
    assert {"taxonomy", "score", "memory", "speed", "claimed", "seeds-rte", "seeds-cnn"} <= set(drawn)
    assert set(DEFAULTS) <= set(drawn)


def test_files_are_small_well_formed_and_of_this_site_alone(drawn: dict[str, Picture]) -> None:
    for picture in drawn.values():
        files = picture.files()
        light, dark = files[f"figures/{picture.name}-light.svg"], files[f"figures/{picture.name}-dark.svg"]
        assert len(light) < 150_000
        for svg in (light, dark):
            text = svg.decode()
            assert ET.fromstring(svg).tag == f"{SVG}svg"
            assert "<a " not in text
            assert "script" not in text
            assert "<style" not in text
            assert not re.findall(r'(?:href|src)="(?!#)', text)
            assert "http" not in text.replace("http://www.w3.org/", "")
        codes = re.compile("|".join(value for both in PALETTE.values() for value in both), re.IGNORECASE)
        assert light != dark
        assert codes.sub("", light.decode()) == codes.sub("", dark.decode()), "variants differ in colours only"
        assert set(re.findall(r"#[0-9a-f]{6}\b", light.decode())) <= {code for code, _ in PALETTE.values()}


def test_they_are_equal_in_every_byte_each_time(database: Path, drawn: dict[str, Picture]) -> None:
    import matplotlib

    matplotlib.rcParams["axes.titlesize"] = 30  # a user's own settings change nothing
    with reading(database) as reader:
        assert pictures(reader) == {name: drawn[name] for name in pictures(reader)}
    matplotlib.rcdefaults()


def test_marks_are_links_with_a_text_to_pages_that_exist(drawn: dict[str, Picture]) -> None:
    known = {f"methods/{method}.md" for method in REAL.methods}
    links = 0
    for picture in drawn.values():
        for a in ET.fromstring(picture.drawing).iter(f"{SVG}a"):
            links += 1
            assert a.get("href") in known
            assert a.get("aria-label")
            assert a.find(f"{SVG}title") is not None
    assert links > 500


def test_words_say_what_is_drawn(drawn: dict[str, Picture]) -> None:
    for name, picture in drawn.items():
        assert len(picture.alt) > 60, name
        assert picture.caption, name
    assert "Low-rank update on query and value: rank 8" in drawn["lora"].alt
    assert "frozen weights" in drawn["qlora"].alt.lower()
    assert re.search(rf"\d+ of {rows_of('table5')} match", drawn["claimed"].alt)


def test_data_are_those_that_are_drawn(drawn: dict[str, Picture]) -> None:
    for name in ("score", "claimed", "seeds-rte"):
        rows = len(drawn[name].data.splitlines()) - 1
        assert rows == len(list(ET.fromstring(drawn[name].drawing).iter(f"{SVG}a"))), name
    assert len(drawn["taxonomy"].data.splitlines()) - 1 == drawn["taxonomy"].drawing.count("<a ")


def test_every_method_stands_in_the_taxonomy_once(drawn: dict[str, Picture]) -> None:
    for method in REAL.methods:
        assert drawn["taxonomy"].drawing.count(f'href="methods/{method}.md"') == 1


def test_identifiers_differ_between_pictures(drawn: dict[str, Picture]) -> None:
    found = [i for p in drawn.values() if "/" not in p.name for i in re.findall(r'\bid="([^"]+)"', p.drawing)]
    assert found
    assert len(found) == len(set(found))


@pytest.mark.parametrize(
    "name",
    sorted({ink for _, ink in FAMILY_MARKS.values()} | {ink for _, ink, _ in LOOKS.values()} | {"text", "quiet"}),
)
def test_colours_stand_out_from_their_ground(name: str) -> None:
    needed = 4.5 if name in ("text", "quiet") else 3.0
    for number in (0, 1):
        for ground in ("paper", "panel"):
            assert contrast(PALETTE[name][number], PALETTE[ground][number]) >= needed


def test_nothing_is_told_by_colour_alone() -> None:
    assert len({shape for shape, _ in FAMILY_MARKS.values()}) == len(FAMILY_MARKS) == len(FAMILIES)
    assert len({lines for _, _, lines in LOOKS.values()}) == len(LOOKS), "hatchings differ"
    assert len({shape for shape, _, _ in charts.OUTCOME_MARKS.values()}) == len(charts.OUTCOME_MARKS)


def test_the_style_sheet_has_the_colours() -> None:
    text = (ROOT / "site" / "docs" / "assets" / "pictures.css").read_text(encoding="utf-8")
    light, dark = (" ".join(f"--pic-{name}: {both[number]};" for name, both in PALETTE.items()) for number in range(2))
    assert f"\n[data-md-color-scheme] {{ {light} }}" in text
    assert f'@media screen {{ [data-md-color-scheme="slate"] {{ {dark} }} }}' in text, "paper is light in both"


def touched(recipe: Recipe) -> dict[str, int]:
    """Labels of the modules that are marked, with how often."""
    found: dict[str, int] = {}
    for title in ET.fromstring(block_picture(recipe)).iter(f"{SVG}title"):
        label = (title.text or "").partition(":")[0]
        found[label] = found.get(label, 0) + 1
    return found


def test_a_block_picture_marks_what_the_recipe_touches() -> None:
    assert touched(DEFAULTS["lora"]) == {"q": 3, "v": 3}
    assert touched(DEFAULTS["ia3"]) == {"k": 3, "v": 3, "out": 2}
    assert set(touched(DEFAULTS["cross-attention-tuning"])) >= {"q", "k", "v", "o"}
    assert touched(DEFAULTS["ln-tuning"]) == {"norm": 5, "final norm": 2}
    everything = touched(DEFAULTS["full-tuning"])
    assert everything["token embedding"] == everything["output layer"] == 1
    assert "prefix" in block_picture(DEFAULTS["prefix-tuning"])
    assert block_picture(DEFAULTS["ladder-side-tuning"]).count("side network") == 2


@pytest.mark.parametrize("method", sorted(DEFAULTS))
def test_every_edit_is_drawn_where_it_is_and_in_the_legend(method: str) -> None:
    recipe = DEFAULTS[method]
    drawing = block_picture(recipe)
    root = ET.fromstring(drawing)
    texts = [t.text or "" for t in root.iter(f"{SVG}text")]
    for mark in marks(recipe.stages[-1]):
        assert texts.count(mark.words) >= 1, "in the legend"
        signs = [t for t in texts if re.search(rf"(?<!\w){mark.sign}(?!\w)", t)]
        spans = any("–" in t for t in texts)
        assert len(signs) >= 2 or spans, f"{mark.sign} stands at a place and in the legend"
        assert f"url(#block-{mark.look})" in drawing


def test_a_hostile_name_is_only_a_name() -> None:
    row: dict[str, Any] = {"id": "x", "name": HOSTILE, "family": "adapter", "type": "A", "after_survey": False}
    placed = taxonomy._drawn([SimpleNamespace(**row)])
    claimed = SimpleNamespace(
        row_label=HOSTILE, method="x", backbone_name=HOSTILE, printed=1.0, measured=2.0, outcome="unresolved"
    )
    chart = in_our_style(lambda: charts.claimed_against_measured([claimed]))
    for drawing in (placed, chart):
        page = inline(Picture(name="x", title="x", caption="x", alt=HOSTILE, drawing=drawing), "../")
        for text in (drawing, str(page)):
            assert "<script" not in text
            assert any(
                "<script>" in "".join(e.itertext()) + e.get("aria-label", "")
                for e in ET.fromstring(text.encode()).iter()
            )


def test_charts_of_nothing_are_empty_not_wrong() -> None:
    for draw in (charts.claimed_against_measured, charts.parameters_against_speed, charts.memory_against_speed,
                 charts.score_against_share):  # fmt: skip
        assert ET.fromstring(in_our_style(lambda draw=draw: draw([]))).tag == f"{SVG}svg"
    assert "Nothing is trained" in block_picture(
        DEFAULTS["lora"].model_copy(update={"stages": (DEFAULTS["lora"].stages[0].model_copy(update={"edits": ()}),)})
    )


def test_a_page_refers_to_colours_by_name() -> None:
    picture = Picture(
        name="x",
        title="x",
        caption="x",
        alt="<b>",
        drawing=f'<svg><a href="methods/x.md"><path style="fill: {colour("blue")}"/></a></svg>',
    )
    page = str(inline(picture, "../"))
    assert "var(--pic-blue, #0072b2)" in page
    assert 'href="../methods/x.md"' in page
    assert 'aria-label="&lt;b&gt;"' in page
    assert 'role="group"' in page
    assert b"#56b4e9" in standalone(picture.drawing, "dark")
    assert b"<a " not in standalone(picture.drawing, "dark")
