"""Builds the pages in build/docs with Zensical, which runs no plugins, and says what is missing beside the MkDocs site.

    mkdocs build && python -m venv z && z/bin/pip install zensical pyyaml && z/bin/python .ci/zensical.py

It ends with code 1 where a page is not built at all, and 0 where only something on a page is missing.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "build" / "docs"


class Loader(yaml.SafeLoader):
    """Reads mkdocs.yml, whose tags take values from the environment."""


Loader.add_constructor("!ENV", lambda loader, node: loader.construct_sequence(node)[-1])


def main() -> int:
    docs = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else DOCS
    if not (docs / "index.md").is_file():
        print(f"{docs} has no pages: run `mkdocs build` first")
        return 2
    site, config = docs.parent / "zensical", docs.parent / "zensical.yml"  # beside the pages, as Zensical wants it
    config.write_text(yaml.safe_dump(configuration(docs, site)), encoding="utf-8")
    program = Path(sys.executable).parent / "zensical"
    done = subprocess.run([program, "build", "--config-file", config], capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stdout + done.stderr)
        return 1
    return report(docs, site)


def configuration(docs: Path, site: Path) -> dict[str, Any]:
    """Ours without the plugins and what depends on them: pages are made already, and the navigation follows the folders."""
    ours: dict[str, Any] = yaml.load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"), Loader)
    for name in ("plugins", "nav", "validation"):
        ours.pop(name, None)
    return ours | {"docs_dir": docs.name, "site_dir": site.name, "site_url": "https://example.org/"}


def report(docs: Path, site: Path) -> int:
    """Print what the built site lacks."""
    pages = sorted(path.relative_to(docs).as_posix() for path in docs.rglob("*.md"))
    unbuilt = [page for page in pages if not html_of(site, page).is_file()]
    files = [path.relative_to(docs).as_posix() for path in docs.rglob("*") if path.is_file() and path.suffix != ".md"]
    lost = [file for file in files if not (site / file).is_file()]
    raw = {page: len(re.findall(r'href="[^":]+\.md[#"]', html_of(site, page).read_text(encoding="utf-8")))
           for page in pages if page not in unbuilt}  # fmt: skip
    kept = {page: count for page, count in raw.items() if count}
    print(f"Zensical built {len(pages) - len(unbuilt)} of {len(pages)} pages.")
    print(f"Pages that are missing: {', '.join(unbuilt) or 'none'}")
    print(
        f"Files that are missing: {', '.join(lost[:20]) or 'none'}{f' and {len(lost) - 20} more' if len(lost) > 20 else ''}"
    )
    print(f"Links in raw HTML that still lead to Markdown: {sum(kept.values())} on {len(kept)} pages")
    print(
        "What our plugin does and nothing does here: navigation by subject, the line of trust and the citation under each"
    )
    print("page, pictures of shared links, a search that is fetched when asked, Markdown beside each page.")
    return 1 if unbuilt else 0


def html_of(site: Path, page: str) -> Path:
    name = page.removesuffix(".md")
    return site / (f"{name}.html" if name == "index" or name.endswith("/index") else f"{name}/index.html")


if __name__ == "__main__":
    sys.exit(main())
