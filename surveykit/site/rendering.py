"""The database as pages of Markdown. Nothing here knows which generator turns them into HTML."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from surveykit.database.reading import Reader, reading
from surveykit.errors import SurveyError, nearest
from surveykit.record import Record
from surveykit.site.data.api import api_files
from surveykit.site.data.comparison import comparison_rows
from surveykit.site.data.method_table import DATA, method_rows, table_data
from surveykit.site.drawing.blocks import block_pictures
from surveykit.site.drawing.pictures import PICTURES, bench_pictures, figure, pictures, pictures_context
from surveykit.site.drawing.svg import Picture
from surveykit.site.drawing.taxonomy import TAXONOMY, taxonomy_context
from surveykit.site.inputs import Surroundings
from surveykit.site.pages.audit import statement_counts
from surveykit.site.pages.bench import BENCH, bench_context, bench_files, plan_contexts
from surveykit.site.pages.bench import path_of as plan_page
from surveykit.site.pages.changes import CHANGES, FEED, changes_context, feed
from surveykit.site.pages.choose import CHOOSE, choose_context, choose_files
from surveykit.site.pages.compare import COMPARE, compare_context, compare_files
from surveykit.site.pages.differences import discrepancies_context
from surveykit.site.pages.downloads import CITATION, DATA_PAGE, data_context, data_files
from surveykit.site.pages.errata import ERRATA, LETTER, errata_context, letter
from surveykit.site.pages.fragments import fragments
from surveykit.site.pages.home import home_context
from surveykit.site.pages.how_far_off import HOW_FAR_OFF, how_far_off_context
from surveykit.site.pages.llms import LLMS, llms
from surveykit.site.pages.methods import index_context, method_contexts
from surveykit.site.pages.model_types import MODEL_TYPES, model_types_context
from surveykit.site.pages.new_methods import METHODS_FEED, methods_feed
from surveykit.site.pages.settings import SETTINGS, settings_context
from surveykit.site.pages.sources import SOURCES, path_of, source_contexts, sources_context
from surveykit.site.pages.sql import ENGINE, SQL, sql_context
from surveykit.site.pages.survey_index import SURVEY_PAGES, siblings
from surveykit.site.text import markdown

SURVEY = "sources/lialin2023scaling"
"""The folder of the catalog whose tables the pages show."""
_TEMPLATES = Path(__file__).parent / "templates"
_LIVE = re.compile(r"<!--\s*live:\s*([a-z0-9-]+)\s*-->")


class Page(Record):
    """One file of the site."""

    path: str
    """Below the root of the site's Markdown, with `/`."""
    content: str | bytes | Path
    """Markdown; bytes for images and downloads; a file that is too large to hold in memory."""
    title: str | None = None
    """The name in the navigation; None for what does not belong there."""
    source: str | None = None
    """The file of the catalog that a correction goes to, below the catalog's folder."""


def render(database: Path, by_hand: Collection[str] = (), around: Surroundings | None = None) -> Iterator[Page]:
    """All generated pages, images and downloads, in the order of the navigation.

    Args:
        by_hand: paths of the pages that are written by hand, for links that depend on what there is.
        around: the files and addresses around the site.

    Raises:
        SurveyError: the catalog does not hold the survey, whose tables the pages show.
    """
    around = around or Surroundings()
    with reading(database) as reader:
        _refuse_without_survey(reader)
        drawn, blocks = pictures(reader), dict(block_pictures(reader))
        prose = list(_prose(reader, drawn, blocks, around))
        existing = {page.path for page in prose} | set(by_hand)
        context = home_context(reader, existing) | {"statements": statement_counts(reader)}
        yield _page("index.md", "home", context, "Home")
        yield from prose
        benches = bench_pictures(reader)
        yield from _bench(reader, benches, around)
        for picture in (*drawn.values(), *blocks.values(), *benches.values()):
            for path, content in picture.files().items():
                yield Page(path=path, content=content)
        yield from _data(reader, database, around)


def _refuse_without_survey(reader: Reader) -> None:
    if not reader.has("table5"):
        raise SurveyError(
            "the site's pages show the survey, and this catalog has no sources/lialin2023scaling; leave quantities.yaml out"
            " of the folder, and it lies over the bundled catalog, which has it"
        )


def _bench(reader: Reader, drawn: dict[str, Picture], around: Surroundings) -> Iterator[Page]:
    """Plans of the bench, and the files of their results."""
    yield _page(BENCH, "bench", bench_context(reader), "Bench")
    for plan, context in plan_contexts(reader, drawn, around):
        yield _page(plan_page(plan.id), "plan", context, plan.id, f"plans/{plan.id}.yaml")
    for path, file in bench_files(around).items():
        yield Page(path=path, content=file)


def _data(reader: Reader, database: Path, around: Surroundings) -> Iterator[Page]:
    """Pages about the data, and the data itself for programs."""
    files = data_files(database)
    yield _page(ERRATA, "errata", errata_context(reader), "Errata", f"{SURVEY}/statements.yaml")
    yield _page(SQL, "sql", sql_context(reader, files, around), "SQL")
    yield _page(DATA_PAGE, "data", data_context(reader, files, around), "Data")
    yield _page(CHANGES, "changes", changes_context(around), "Changes")
    texts = {LETTER: letter(reader), FEED: feed(reader, around), METHODS_FEED: methods_feed(reader, around),
             LLMS: llms(reader, around), **dict(api_files(reader))}  # fmt: skip
    if around.citation is not None:
        texts[CITATION] = around.citation
    for path, text in texts.items():
        yield Page(path=path, content=text.encode())
    for path, content in files.items():
        yield Page(path=path, content=content)
    for file in around.engine.files if around.engine else ():
        yield Page(path=f"{ENGINE}/{file.name}", content=file)


def _prose(
    reader: Reader, drawn: dict[str, Picture], blocks: dict[str, Picture], around: Surroundings
) -> Iterator[Page]:
    rows = method_rows(reader)
    yield _page("methods/index.md", "methods", index_context(reader, rows), "All methods", "methods")
    yield Page(path=DATA, content=table_data(rows))
    compared = comparison_rows(reader, rows)
    yield _page(COMPARE, "compare", compare_context(reader, rows, compared), "Compare")
    for path, content in compare_files(reader, rows, compared):
        yield Page(path=path, content=content)
    for method, context in method_contexts(reader, blocks, around.sources):
        path, source = f"methods/{method.id}.md", f"methods/{method.id}.yaml"
        yield _page(path, "method", context, method.name, source)
    yield _page(SOURCES, "sources", sources_context(reader), "Sources")
    for source, context in source_contexts(reader):
        yield _page(path_of(source.key), "source", context, source.name, f"sources/{source.key}/source.yaml")
    yield _page(CHOOSE, "choose", choose_context(reader, around.formulas), "Which method?")
    for path, content in choose_files(reader, around.formulas):
        yield Page(path=path, content=content)
    yield _page(SETTINGS, "settings", settings_context(reader), "Settings", "settings.yaml")
    yield _page(
        HOW_FAR_OFF,
        "how_far_off",
        how_far_off_context(reader, around.memory_error) | {"pictures": drawn},
        "How far off is this?",
    )
    yield _page(MODEL_TYPES, "model_types", model_types_context(around.breadth), "Model types")
    for page in SURVEY_PAGES:
        context = page.context(reader) | {"siblings": siblings(page.path), "pictures": drawn, "checked": around.checked}
        yield _page(page.path, page.template, context, page.title, page.source and f"{SURVEY}/{page.source}")
    yield _page(TAXONOMY, "taxonomy", taxonomy_context(reader) | {"pictures": drawn}, "Taxonomy")
    yield _page(PICTURES, "pictures", pictures_context(drawn), "Pictures")
    yield _page("discrepancies.md", "discrepancies", discrepancies_context(reader), "Discrepancies")


def live_texts(database: Path, repository: str | None = None) -> dict[str, str]:
    """The pieces that hand-written pages take in with `<!-- live: NAME -->`, by name.

    Args:
        repository: address of the repository, for the pieces that link to it.
    """
    with reading(database) as reader:
        return {name: str(text) for name, text in fragments(reader, repository).items()}


def fill(text: str, live: Mapping[str, str], name: str) -> str:
    """Put live pieces into a hand-written page, which must lie at the root of the site.

    Raises:
        SurveyError: the page asks for a piece that does not exist.
    """

    def piece(match: re.Match[str]) -> str:
        if match[1] not in live:
            raise SurveyError(f"{name}: there is no live text '{match[1]}'{nearest(match[1], live)}")
        return live[match[1]]

    return _LIVE.sub(piece, text)


def _page(path: str, template: str, context: dict[str, Any], title: str, source: str | None = None) -> Page:
    text = _environment().get_template(f"{template}.md.j2").render(page=path, **context)
    tidy = re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"
    return Page(path=path, content=tidy, title=title, source=source)


@cache
def _environment() -> Environment:
    """Templates whose every expression is escaped for Markdown, unless it is markup already."""

    def harmless(value: object) -> Markup:
        return markdown.escape(value)

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        finalize=harmless,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals |= {"link": markdown.link, "external": markdown.external, "code": markdown.code,
                            "fence": markdown.fence, "figure": figure}  # fmt: skip
    return environment
