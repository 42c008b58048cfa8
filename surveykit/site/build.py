"""The static site, built in this process, which is left as it was found."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from surveykit.beside import new_folder
from surveykit.errors import MissingExtra, SurveyError

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig

    from surveykit.catalog.locate import Location
    from surveykit.site.plugin import SurveykitPlugin
    from surveykit.verify import Checked

_NEEDED = {"mkdocs": "mkdocs-material", "material": "mkdocs-material", "jinja2": "jinja2", "matplotlib": "matplotlib"}
_SILENCE = "NO_MKDOCS_2_WARNING"


def build(
    config_file: Path,
    *,
    catalog: Path | None = None,
    strict: bool,
    offline: bool = False,
    checked: Checked | None = None,
) -> Path:
    """Build the site that a mkdocs.yml describes. It replaces the old one when it is complete, and not before.

    Args:
        catalog: the catalog's folder; without it the one that `catalog_named_by` finds.
        strict: warnings, such as a broken link, are errors.
        offline: pages lead to files, not to folders, and need no web server; beside the other site, in `…-offline`.
        checked: what was measured again for this build, which a page says; without it the page says that nothing was.

    Returns:
        The folder with the site.

    Raises:
        MissingExtra: MkDocs, its theme or matplotlib is not installed.
        CatalogError: the catalog is invalid.
        SurveyError: there is no such file, MkDocs refuses it, or the site cannot be written.
    """
    with _loaded(config_file, strict=strict) as config:
        from mkdocs.commands.build import build as build_site

        plugin = _plugin(config, config_file)
        plugin.given = catalog
        plugin.checked = checked
        if offline:
            config.site_dir += "-offline"
            plugin.config.offline = True
        site = Path(config.site_dir)
        config.plugins.on_startup(command="build", dirty=False)
        try:
            with new_folder(site) as beside:
                config.site_dir = str(beside)
                build_site(config)
        except OSError as error:
            raise SurveyError(f"{site} cannot be written: {error}") from None
        finally:
            config.plugins.on_shutdown()
        return site


def catalog_named_by(config_file: Path, given: str | None = None) -> Location:
    """The catalog that the site of a mkdocs.yml shows: the one given, SURVEYKIT_CATALOG, or what the file says.

    Raises:
        MissingExtra: MkDocs, its theme or matplotlib is not installed.
        SurveyError: there is no such file, MkDocs refuses it, or no catalog is where it says.
    """
    with _loaded(config_file, strict=True) as config:
        plugin = _plugin(config, config_file)
        plugin.given = Path(given) if given else None
        return plugin.location(config)


@contextmanager
def _loaded(config_file: Path, *, strict: bool) -> Iterator[MkDocsConfig]:
    """The configuration in a mkdocs.yml. What MkDocs refuses meanwhile is an error of this package, with what it said."""
    if not config_file.is_file():
        raise SurveyError(
            f"there is no {config_file}: run this in a clone of the repository, or name its mkdocs.yml with --config"
        )
    for module, package in _NEEDED.items():
        if find_spec(module) is None:
            raise MissingExtra(package, "site")
    with _announcing_nothing(), _what_mkdocs_says() as said:
        from mkdocs.config import load_config
        from mkdocs.exceptions import Abort, MkDocsException

        try:
            yield load_config(str(config_file), strict=strict)
        except (Abort, MkDocsException) as error:
            reasons = "\n".join(dict.fromkeys([*said, str(error).strip()]))
            raise _ours(error) or SurveyError(f"the site was not built: {reasons}") from None


@contextmanager
def _announcing_nothing() -> Iterator[None]:
    """Without Material's announcement that MkDocs 2 will not suit it (pages here do not depend on either), which is
    silenced by a variable that Material itself sets, and leaves, for all that this process starts later."""
    before = os.environ.get(_SILENCE)
    os.environ[_SILENCE] = before or "1"
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(_SILENCE, None)
        else:
            os.environ[_SILENCE] = before


@contextmanager
def _what_mkdocs_says() -> Iterator[list[str]]:
    """Its warnings and errors while it works, which it logs, and of which its exceptions have the number only."""
    said: list[str] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())

    logger, handler = logging.getLogger("mkdocs"), Kept(logging.WARNING)
    logger.addHandler(handler)
    try:
        yield said
    finally:
        logger.removeHandler(handler)


def _plugin(config: MkDocsConfig, config_file: Path) -> SurveykitPlugin:
    if "surveykit" not in config.plugins:
        raise SurveyError(f"{config_file} does not list the plugin 'surveykit': no page would come from the catalog")
    plugin: SurveykitPlugin = config.plugins["surveykit"]
    return plugin


def _ours(error: BaseException | None) -> SurveyError | None:
    """The error of this package that made MkDocs stop, if that is why it did."""
    while error is not None:
        if isinstance(error, SurveyError):
            return error
        error = error.__cause__ or error.__context__
    return None
