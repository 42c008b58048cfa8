"""Builds of the site for tests, with our own mkdocs.yml and strictly."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from conftest import CATALOG, ROOT
from filelock import FileLock

from surveykit.catalog.locate import ENVIRONMENT
from surveykit.site.build import build


def built(catalog: Path, folder: Path, *, offline: bool = False) -> Path:
    """The site of a catalog, with everything below a folder.

    Args:
        offline: pages are to be opened as files.
    """
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    for ours, theirs in (
        ("docs_dir: site/docs", f"docs_dir: {ROOT / 'site' / 'docs'}"),
        ("site_dir: build/site", f"site_dir: {folder / 'html'}"),
        ("catalog: catalog", f"catalog: {catalog}"),
        ("project: .", f"project: {ROOT}"),
    ):
        assert ours in text
        text = text.replace(ours, theirs)
    (folder / "mkdocs.yml").write_text(text, encoding="utf-8")
    chosen = os.environ.pop(ENVIRONMENT, None)
    try:
        return build(folder / "mkdocs.yml", strict=True, offline=offline)
    finally:
        if chosen is not None:
            os.environ[ENVIRONMENT] = chosen


def shared_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site of the real catalog, which one worker builds and all read."""
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    folder = base / "shared-site"
    with FileLock(base / "shared-site.lock"):
        if not (folder / "done").exists():
            folder.mkdir(exist_ok=True)
            built(CATALOG, folder)
            (folder / "done").touch()
    return folder / "html"
