"""The static site, built in this process."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

from surveykit.errors import MissingExtra, SurveyError

_NEEDED = {"mkdocs": "mkdocs-material", "material": "mkdocs-material", "jinja2": "jinja2", "matplotlib": "matplotlib"}


def build(config_file: Path, *, strict: bool, offline: bool = False) -> Path:
    """Build the site that a mkdocs.yml describes.

    Args:
        strict: warnings, such as a broken link, are errors.
        offline: pages lead to files, not to folders, and need no web server; beside the other site, in `…-offline`.

    Returns:
        The folder with the site.

    Raises:
        MissingExtra: MkDocs, its theme or matplotlib is not installed.
        CatalogError: the catalog is invalid.
        SurveyError: there is no such file, or MkDocs refuses it.
    """
    if not config_file.is_file():
        raise SurveyError(
            f"there is no {config_file}: run this in a clone of the repository, or name its mkdocs.yml with --config"
        )
    # Material announces at each build that MkDocs 2 will not suit it; pages here do not depend on either.
    os.environ.setdefault("NO_MKDOCS_2_WARNING", "1")
    for module, package in _NEEDED.items():
        if find_spec(module) is None:
            raise MissingExtra(package, "site")
    from mkdocs.commands.build import build as build_site
    from mkdocs.config import load_config
    from mkdocs.exceptions import Abort, MkDocsException

    try:
        config = load_config(str(config_file), strict=strict)
        if offline:
            config.site_dir += "-offline"
            config.plugins["surveykit"].config.offline = True
        config.plugins.on_startup(command="build", dirty=False)
        try:
            build_site(config)
        finally:
            config.plugins.on_shutdown()
    except (Abort, MkDocsException) as error:
        raise _ours(error) or SurveyError(f"the site was not built: {str(error).strip()}") from None
    return Path(config.site_dir)


def _ours(error: BaseException | None) -> SurveyError | None:
    """The error of this package that made MkDocs stop, if that is why it did."""
    while error is not None:
        if isinstance(error, SurveyError):
            return error
        error = error.__cause__ or error.__context__
    return None
