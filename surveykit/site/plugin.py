"""The MkDocs plugin `surveykit`: pages from the catalog, and live texts in hand-written ones. A thin adapter."""

from __future__ import annotations

import html
import os
import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config import config_options
from mkdocs.config.base import Config
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.plugins import BasePlugin, CombinedEvent, event_priority
from mkdocs.structure.files import Files, InclusionLevel
from mkdocs.structure.pages import Page as MkDocsPage

from surveykit.beside import temporary
from surveykit.catalog.load_once import load_once
from surveykit.catalog.locate import ENVIRONMENT, Location, locate
from surveykit.database.build import build as build_database
from surveykit.database.reading import reading
from surveykit.errors import SurveyError
from surveykit.site.data.provenance import Provenance, provenance
from surveykit.site.drawing.cards import cards
from surveykit.site.inputs import Surroundings, found
from surveykit.site.pages.moved import address_of
from surveykit.site.preload import modules
from surveykit.site.rendering import Page, live_texts, render
from surveykit.site.search import postpone_index, searched
from surveykit.site.writing import write, write_twins
from surveykit.verify import Checked

SITEMAP = "sitemap.xml"
HOW_WE_MEASURE = "how-we-measure.md"
SMALL_ICONS = "svg { max-width: 2rem; max-height: 2rem }"
OFFLINE_STYLES = "assets/offline.css"
STYLES = "assets/styles.css"
"""All our style sheets in one file: a first visit waits for one answer, not for ten."""
THEME = Path(__file__).parent / "theme"
"""Templates that come before those of the theme."""
MOST_IN_NAVIGATION = 20
"""Pages of a folder that each page names; more would help nobody, and a site grow with the square of their number."""


class SurveykitConfig(Config):  # type: ignore[misc]
    """Options in mkdocs.yml."""

    catalog = config_options.Optional(config_options.Type(str))
    """Folder of the catalog, from the place of mkdocs.yml; `--catalog` and the environment variable SURVEYKIT_CATALOG come first."""
    project = config_options.Type(str, default=".")
    """Folder with CHANGELOG.md, CITATION.cff and site/sql/dist, from the place of mkdocs.yml. Each may be missing."""
    repository = config_options.Optional(config_options.Type(str))
    """Address of the repository, for links that edit a page."""
    pages = config_options.Type(str, default="build/docs")
    """Folder that all pages are written to as Markdown, from the place of mkdocs.yml; the site is built from it."""
    offline = config_options.Type(bool, default=False)
    """Whether pages are opened as files. Browsers load no modules and fetch nothing there, so pages do without."""


class SurveykitPlugin(BasePlugin[SurveykitConfig]):  # type: ignore[misc]
    """Adds the generated pages to a MkDocs site."""

    def __init__(self) -> None:
        super().__init__()
        self.given: Path | None = None
        """The catalog that whoever builds the site passed; it comes before all that is written elsewhere."""
        self.checked: Checked | None = None
        """What whoever builds the site measured again."""
        self.root = Path()
        self.pages: list[Page] = []
        self.by_hand = Path()
        """Folder of the pages that are written by hand."""
        self.provenance: Provenance | None = None
        self.apart: set[str] = set()
        """Pages that are reached by links alone."""
        self.whole = ""
        """The HTML of the page that the theme's search reads a part of."""

    @property
    def repository(self) -> str | None:
        return self.config.repository.rstrip("/") if self.config.repository else None

    def location(self, config: MkDocsConfig) -> Location:
        """The catalog of the site: the one that was passed, SURVEYKIT_CATALOG, or the one that mkdocs.yml names."""
        if self.given is not None:
            return locate(str(self.given))
        if self.config.catalog is None or os.environ.get(ENVIRONMENT):
            return locate()
        file = Path(config.config_file_path or ".").resolve()
        return locate(str(file.parent / self.config.catalog), chosen_by=str(file))

    def on_config(self, config: MkDocsConfig) -> MkDocsConfig:
        """Render everything before MkDocs empties the old site, so that an invalid catalog leaves it in place."""
        base = Path(config.config_file_path or ".").resolve().parent
        try:
            self.root = self.location(config).root
            with temporary("site") as folder:
                database = folder / "site.duckdb"
                build_database(load_once(self.root), database)
                self.by_hand = Path(config.docs_dir)
                by_hand = [path.relative_to(self.by_hand).as_posix() for path in self.by_hand.rglob("*.md")]
                around = found(
                    base / self.config.project,
                    address=config.site_url,
                    repository=self.repository,
                    catalog=_below(self.root, base),
                    root=self.root,
                    offline=self.config.offline,
                    checked=self.checked,
                )
                self.pages = list(render(database, by_hand, around))
                folder = base / (self.config.pages + ("-offline" if self.config.offline else ""))
                write(self.pages, self.by_hand, live_texts(database, self.repository), folder)
                config.docs_dir = str(folder)
                config.extra_css = _in_one_file(config.extra_css, folder)
                self._sign(config, database, around)
        except SurveyError as error:
            raise PluginError(str(error)) from error
        config.theme.dirs.insert(0, str(THEME))
        if self.config.offline:
            _without_server(config)
        if not config.site_url:
            config.theme.static_templates.discard(SITEMAP)
        if self.repository:
            config.edit_uri = f"{self.repository}/edit/main/"
        if config.nav is not None:
            config.nav, self.apart = _navigation(config.nav, self.pages)
        return config

    def _sign(self, config: MkDocsConfig, database: Path, around: Surroundings) -> None:
        """What templates say under every page, and beside a link that is shared."""
        with reading(database) as reader:
            self.provenance = provenance(reader, around)
            config.extra["cards"] = {card.name: html.escape(card.alt) for card in cards(reader) if around.address}
        config.extra["provenance"] = self.provenance.sentence
        config.extra["how_we_measure"] = address_of(HOW_WE_MEASURE, offline=around.offline).removesuffix("index.html")

    def on_files(self, files: Files, *, config: MkDocsConfig) -> Files:
        base = Path(config.config_file_path or ".").resolve().parent
        template = files.get_file_from_path(SITEMAP)
        if template is not None and not config.site_url:  # a sitemap has absolute addresses or is none
            files.remove(template)
        generated = {page.path: page.source for page in self.pages}
        for file in files.documentation_pages():
            source = generated.get(file.src_uri, "")
            made_from = self.by_hand / file.src_uri if source == "" else source and self.root / source
            file.edit_uri = _below(made_from, base) if made_from else None
            if file.src_uri in self.apart:
                file.inclusion = InclusionLevel.NOT_IN_NAV
        return files

    def on_nav(self, nav: Any, *, config: MkDocsConfig, files: Files) -> Any:
        """Pages that are reached by links alone belong to the section of their folder's index."""
        for path in self.apart:
            index = files.get_file_from_path(f"{path.partition('/')[0]}/index.md")
            file = files.get_file_from_path(path)
            if index is not None and index.page is not None and file is not None and file.page is not None:
                file.page.parent = index.page.parent
        return nav

    def on_page_content(self, html: str, *, page: MkDocsPage, config: MkDocsConfig, files: Files) -> str:
        """Addresses of pages inside raw HTML, such as a picture's links, which MkDocs leaves as they are."""
        folder = posixpath.dirname(page.file.src_uri)

        def address(match: re.Match[str]) -> str:
            path, mark, anchor = match[1].partition("#")
            file = files.get_file_from_path(posixpath.normpath(posixpath.join(folder, path)))
            if file is None:
                raise PluginError(f"{page.file.src_uri}: there is no page '{path}'")
            return f'href="{file.url_relative_to(page.file)}{mark}{anchor}"'

        return re.sub(r'href="(?![a-z]+:|/)([^"#]+\.md(?:#[^"]*)?)"', address, html)

    @event_priority(100)  # type: ignore[untyped-decorator]
    def _before_search(self, context: Any, *, page: MkDocsPage, config: MkDocsConfig, nav: Any) -> Any:
        """Show the theme's search, which reads a page's HTML in this event, the part that its index is to hold."""
        self.whole, page.content = page.content or "", searched(page.content or "")
        return context

    @event_priority(-100)  # type: ignore[untyped-decorator]
    def _after_search(self, context: Any, *, page: MkDocsPage, config: MkDocsConfig, nav: Any) -> Any:
        page.content = self.whole
        generated = any(made.path == page.file.src_uri for made in self.pages)
        if page.title and generated and not page.is_homepage:
            page.meta.setdefault("title", page.title)  # the theme would undo the escapes of the other title
        if "script" in page.meta and not self.config.offline:
            page.meta["modules"] = modules(Path(config.docs_dir), page.meta["script"])
        page.meta["description"] = html.escape(str(page.meta.get("description", "")))
        if self.provenance is not None:
            page.meta["citation"] = self.provenance.bibtex(page.url, html.unescape(page.title or config.site_name))
        return context

    on_page_context = CombinedEvent(_before_search, _after_search)

    def on_post_template(self, output_content: str, *, template_name: str, config: MkDocsConfig) -> str:
        """Below a folder, the page for missing addresses finds its styles only if it knows where the site lies."""
        if template_name == "404.html" and not config.site_url:
            return output_content.replace("</head>", f"<style>{SMALL_ICONS}</style></head>", 1)
        return output_content

    def on_post_build(self, *, config: MkDocsConfig) -> None:
        if not self.config.offline:
            postpone_index(Path(config.site_dir))
            write_twins(Path(config.docs_dir), Path(config.site_dir))

    def on_serve(self, server: Any, *, config: MkDocsConfig, builder: Any) -> Any:
        """Whoever edits the catalog, a page or a template sees it; the folder that is written meanwhile is no edit."""
        server.unwatch(config.docs_dir)
        for folder in (self.root, self.by_hand, THEME):
            server.watch(str(folder))
        return server


def _in_one_file(styles: list[str], docs: Path) -> list[str]:
    """Our style sheets as one; those of another host stay as they are."""
    own = [path for path in styles if (docs / path).is_file()]
    (docs / STYLES).write_text("\n".join((docs / path).read_text(encoding="utf-8") for path in own), encoding="utf-8")
    return [STYLES, *(path for path in styles if path not in own)]


def _without_server(config: MkDocsConfig) -> None:
    """Links to files, and no script that a browser refuses a page that is a file."""
    config.use_directory_urls = False
    config.extra_javascript = [script for script in config.extra_javascript if getattr(script, "type", "") != "module"]
    config.extra_css.append(OFFLINE_STYLES)
    config.theme.static_templates -= {"404.html", SITEMAP}  # who opens files asks for none that is missing


def _below(path: Path, base: Path) -> str | None:
    """A path as the repository names it; None for what lies outside."""
    return path.relative_to(base).as_posix() if path.is_relative_to(base) else None


def _navigation(nav: list[Any], pages: list[Page]) -> tuple[list[Any], set[str]]:
    """Put the pages of a folder after the entry that is its index, if they are not too many.

    Returns:
        The navigation, and the paths of the pages that are left out.
    """
    entries: list[Any] = []
    apart: set[str] = set()
    for entry in nav:
        title, path = next(iter(entry.items())) if isinstance(entry, dict) else (None, entry)
        if isinstance(path, list):
            inner, left = _navigation(path, pages)
            entries.append({title: inner})
            apart |= left
            continue
        entries.append(entry)
        if not path.endswith("/index.md"):
            continue
        folder = path.removesuffix("index.md")
        inside = [p for p in pages if p.title and p.path.startswith(folder) and p.path != path]
        below = [p for p in inside if posixpath.dirname(p.path) == posixpath.dirname(path)]
        listed = below if len(below) <= MOST_IN_NAVIGATION else []
        entries += [{_name(p): p.path} for p in listed]
        apart |= {p.path for p in inside} - {p.path for p in listed}
    return entries, apart


def _name(page: Page) -> str:
    """A title that stays text however often a theme escapes or unescapes it."""
    return html.escape((page.title or page.path).replace("<", "‹").replace(">", "›"))
