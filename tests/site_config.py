"""Our own mkdocs.yml for another catalog, with everything that a build writes below a folder."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parent.parent


def write(folder: Path, catalog: Path) -> Path:
    """Write it into the folder; the site is to be in `html` there."""
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    for ours, theirs in (
        ("docs_dir: site/docs", f"docs_dir: {ROOT / 'site' / 'docs'}"),
        ("site_dir: build/site", f"site_dir: {folder / 'html'}"),
        ("catalog: catalog", f"catalog: {catalog}"),
        ("project: .", f"project: {ROOT}"),
    ):
        assert ours in text
        text = text.replace(ours, theirs)
    written = folder / "mkdocs.yml"
    written.write_text(text, encoding="utf-8")
    return written
