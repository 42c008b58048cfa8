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
from surveykit.site.data.croissant import CROISSANT
from surveykit.site.data.explorer import DATA as EXPLORER_DATA
from surveykit.site.data.explorer_views import explorer_views
from surveykit.site.data.method_table import DATA, measured_on, method_rows, model_files, table_data
from surveykit.site.drawing.blocks import block_pictures
from surveykit.site.drawing.cards import cards, png
from surveykit.site.drawing.pictures import bench_pictures, figure, pictures
from surveykit.site.drawing.svg import Picture
from surveykit.site.drawing.taxonomy import TAXONOMY, taxonomy_context
from surveykit.site.inputs import Surroundings
from surveykit.site.pages.audit import statement_counts
from surveykit.site.pages.bench import BENCH, bench_context, bench_files, plan_contexts
from surveykit.site.pages.bench import path_of as plan_page
from surveykit.site.pages.changes import CHANGES, FEED, changes_context, feed
from surveykit.site.pages.checked_tables import path_of as table_page
from surveykit.site.pages.checked_tables import table_contexts
from surveykit.site.pages.choose import CHOOSE, choose_context, choose_files
from surveykit.site.pages.compare import COMPARE, compare_context, compare_files
from surveykit.site.pages.downloads import CITATION, DATA_PAGE, data_context, data_files, described
from surveykit.site.pages.explorer import EXPLORER, explorer_context, explorer_file, explorer_link, first_picture
from surveykit.site.pages.findings import FINDINGS, findings_context
from surveykit.site.pages.findings import path_of as findings_page
from surveykit.site.pages.findings import source_contexts as findings_contexts
from surveykit.site.pages.first_choice import FIRST_CHOICE, first_choice_context
from surveykit.site.pages.fragments import fragments
from surveykit.site.pages.glossary import glossary_context
from surveykit.site.pages.home import home_context
from surveykit.site.pages.how_far_off import HOW_FAR_OFF, how_far_off_context
from surveykit.site.pages.letter import LETTER, letter
from surveykit.site.pages.llms import LLMS, llms
from surveykit.site.pages.methods import index_context, method_contexts
from surveykit.site.pages.model_types import MODEL_TYPES, model_types_context
from surveykit.site.pages.moved import moved_pages
from surveykit.site.pages.new_methods import METHODS_FEED, NEW, methods_feed, new_context
from surveykit.site.pages.settings import SETTINGS, settings_context
from surveykit.site.pages.sources import SOURCES, path_of, source_contexts, sources_context
from surveykit.site.pages.sql import ENGINE, SQL, sql_context
from surveykit.site.pages.survey_index import SURVEY_PAGES, siblings
from surveykit.site.text import markdown
from surveykit.site.text.terms import GLOSSARY, term

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
    says: str | None = None
    """What search engines and previews show of it; None for its first sentences."""


def render(database: Path, by_hand: Collection[str] = (), around: Surroundings | None = None) -> Iterator[Page]:
    """All generated pages, images and downloads, in the order of the navigation.

    Args:
        by_hand: paths of the pages that are written by hand, for links that depend on what there is.
        around: the files and addresses around the site.

    Raises:
        SurveyError: the catalog does not hold the survey, whose tables the pages show.
    """
    around, existing = around or Surroundings(), set(by_hand)
    for page in _pages(database, by_hand, around):
        existing.add(page.path)
        yield page
    for path, text in moved_pages(existing, around):
        yield Page(path=path, content=text.encode())


def _pages(database: Path, by_hand: Collection[str], around: Surroundings) -> Iterator[Page]:
    """All pages that have content of their own."""
    with reading(database) as reader:
        _refuse_without_survey(reader)
        drawn, blocks = pictures(reader), dict(block_pictures(reader))
        prose = list(_prose(reader, drawn, blocks, around))
        existing = {page.path for page in prose} | set(by_hand)
        context = home_context(reader, existing) | {"statements": statement_counts(reader)}
        yield _page("index.md", "home", context, "Home")
        yield from prose
        yield _page(FIRST_CHOICE, "first_choice", first_choice_context(reader, existing), "Which should I use?")
        yield _page(GLOSSARY, "glossary", glossary_context(existing), "Glossary")
        benches = bench_pictures(reader)
        yield from _bench(reader, benches, around)
        for picture in (*drawn.values(), *blocks.values(), *benches.values()):
            for path, content in picture.files().items():
                yield Page(path=path, content=content)
        for card in cards(reader) if around.address else ():  # a link to a page without an address is not shared
            yield Page(path=f"assets/cards/{card.name}.png", content=png(card))
        yield from _data(reader, database, around)


def _refuse_without_survey(reader: Reader) -> None:
    if not reader.has("table5"):
        raise SurveyError(
            "the site's pages show the survey, but this catalog has no sources/lialin2023scaling; remove quantities.yaml"
            " from the folder, so that it extends the bundled catalog, which has that source"
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
    yield _page(SQL, "sql", sql_context(reader, files, around), "SQL")
    yield _page(DATA_PAGE, "data", data_context(reader, files, around), "Data")
    yield _page(CHANGES, "changes", changes_context(around), "Changes")
    texts = {LETTER: letter(reader), FEED: feed(reader, around), METHODS_FEED: methods_feed(reader, around),
             LLMS: llms(reader, around), **dict(api_files(reader))}  # fmt: skip
    if around.citation is not None:
        texts[CITATION] = around.citation
    for path, text in texts.items():
        yield Page(path=path, content=text.encode())
    for path, content in (files | {CROISSANT: described(reader, files, around)}).items():
        yield Page(path=path, content=content)
    for file in around.engine.files if around.engine else ():
        yield Page(path=f"{ENGINE}/{file.name}", content=file)


def _prose(
    reader: Reader, drawn: dict[str, Picture], blocks: dict[str, Picture], around: Surroundings
) -> Iterator[Page]:
    yield _page(FINDINGS, "findings", findings_context(reader), "Findings")
    for key, name, context in findings_contexts(reader):
        yield _page(findings_page(key), "source_findings", context, f"Findings: {name}", f"sources/{key}/findings.yaml")
    rows, measured = method_rows(reader), measured_on(reader)
    yield _page("methods/index.md", "methods", index_context(reader, rows, measured), "All methods", "methods")
    yield Page(path=DATA, content=table_data(rows, measured))
    compared = comparison_rows(reader, rows, measured)
    yield _page(COMPARE, "compare", compare_context(reader, rows, compared, measured), "Compare")
    for path, content in (*model_files(reader, measured), *compare_files(reader, rows, compared, measured)):
        yield Page(path=path, content=content)
    for method, context in method_contexts(reader, blocks, around.sources):
        path, source = f"methods/{method.id}.md", f"methods/{method.id}.yaml"
        yield _page(path, "method", context, method.name, source, says=context["method"].idea)
    yield _page(NEW, "new", new_context(reader), "New since the survey")
    yield _page(SOURCES, "sources", sources_context(reader), "Sources")
    for source, context in source_contexts(reader):
        yield _page(path_of(source.key), "source", context, source.name, f"sources/{source.key}/source.yaml")
    for checked_table, context in table_contexts(reader):
        path, title = (
            table_page(checked_table.source, checked_table.table_name),
            f"{context['name']}: {context['locator']}",
        )
        source_file = f"sources/{checked_table.source}/tables/{checked_table.table_name}.csv"
        yield _page(path, "checked_table", context, title, source_file)
    yield _page(CHOOSE, "choose", choose_context(reader, around.formulas), "Choose a method")
    for path, content in choose_files(reader, around.formulas):
        yield Page(path=path, content=content)
    yield _page(SETTINGS, "settings", settings_context(reader), "Settings", "settings.yaml")
    yield _page(
        HOW_FAR_OFF,
        "how_far_off",
        how_far_off_context(reader, around.memory_error, around.device_settings) | {"pictures": drawn},
        "How far off is this?",
    )
    yield _page(MODEL_TYPES, "model_types", model_types_context(around.breadth), "Model types")
    for page in SURVEY_PAGES:
        context = page.context(reader) | {"siblings": siblings(page.path), "pictures": drawn, "checked": around.checked}
        yield _page(page.path, page.template, context, page.title, page.source and f"{SURVEY}/{page.source}")
    yield _page(TAXONOMY, "taxonomy", taxonomy_context(reader) | {"pictures": drawn}, "Taxonomy")
    yield from _explorer(reader)


def _explorer(reader: Reader) -> Iterator[Page]:
    """The explorer, its data, and its first picture."""
    views = explorer_views(reader)
    picture = first_picture(views)
    yield _page(EXPLORER, "explorer", explorer_context(views, picture), "Explorer")
    yield Page(path=EXPLORER_DATA, content=explorer_file(views))
    for path, content in picture.files().items() if picture else ():
        yield Page(path=path, content=content)


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


def _page(
    path: str, template: str, context: dict[str, Any], title: str, source: str | None = None, says: str | None = None
) -> Page:
    text = _environment().get_template(f"{template}.md.j2").render(page=path, **context)
    tidy = re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"
    return Page(path=path, content=tidy, title=title, source=source, says=says)


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
                            "fence": markdown.fence, "figure": figure, "term": term, "explorer": explorer_link}  # fmt: skip
    return environment
