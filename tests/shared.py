"""What is dear to make and only read: one worker makes it, and all others find it there."""

from __future__ import annotations

import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import altered
import pytest
import site_config
from conftest import CATALOG, ROOT
from filelock import FileLock

from surveykit.catalog.load import load
from surveykit.database.build import build as build_database
from surveykit.site.build import build as build_site
from surveykit.site.pages import Page, render


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """A folder of this name that `make` fills, in the first worker that asks for it; the others wait for that."""
    base = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    folder = base / f"shared-{name}"
    with FileLock(base / f"shared-{name}.lock"):
        if not (folder / "done").exists():
            shutil.rmtree(folder, ignore_errors=True)  # of an attempt that failed
            folder.mkdir()
            make(folder)
            (folder / "done").touch()
    return folder


def database(factory: pytest.TempPathFactory) -> Path:
    """The database of the real catalog."""
    return once(factory, "database", lambda to: build_database(load(CATALOG), to / "site.duckdb")) / "site.duckdb"


def pages(factory: pytest.TempPathFactory) -> dict[str, Page]:
    """The pages of the real catalog, with nothing around them, by their paths."""
    source = database(factory)
    folder = once(factory, "pages", lambda to: (to / "pages").write_bytes(pickle.dumps(list(render(source)))))
    return {page.path: page for page in pickle.loads((folder / "pages").read_bytes())}


def built(catalog: Path, folder: Path, *, offline: bool = False) -> Path:
    """The site of a catalog by our own mkdocs.yml and strictly, with everything below a folder.

    Args:
        offline: pages are to be opened as files.
    """
    return build_site(site_config.write(folder, catalog), strict=True, offline=offline)


def offline_site(factory: pytest.TempPathFactory) -> Path:
    """The site of the real catalog, to be opened as files."""
    return once(factory, "offline-site", lambda to: built(CATALOG, to, offline=True)) / "html-offline"


def site(factory: pytest.TempPathFactory) -> Path:
    """The site of the real catalog."""
    return once(factory, "site", lambda to: built(CATALOG, to)) / "html"


def altered_site(factory: pytest.TempPathFactory) -> Path:
    """The site of `altered.write`, in a folder that is laid out as the repository, without what lies around it."""

    def make(folder: Path) -> None:
        altered.write(folder / "catalog")
        shutil.copytree(ROOT / "site" / "docs", folder / "site" / "docs")
        shutil.copy(ROOT / "mkdocs.yml", folder)
        build_site(folder / "mkdocs.yml", strict=True)

    return once(factory, "altered-site", make) / "build" / "site"
