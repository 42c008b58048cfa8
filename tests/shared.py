"""What is dear to make and only read: one worker makes it, and all others find it there, unless they want another."""

from __future__ import annotations

import hashlib
import os
import pickle
import re
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from types import CodeType, FunctionType

import altered
import duckdb
import pytest
import site_config
from conftest import CATALOG, READ_BY_BUILDS, ROOT
from filelock import FileLock

import surveykit
from surveykit.cli import main
from surveykit.database.cache import current_file
from surveykit.site.build import build as build_site
from surveykit.site.rendering import Page, render

AROUND = (
    ROOT / "mkdocs.yml", ROOT / "site" / "docs", ROOT / "site" / "sql" / "dist", ROOT / "CHANGELOG.md",
    ROOT / "CITATION.cff", ROOT / "benchmarks" / "coefficients", ROOT / "benchmarks" / "breadth.json",
)  # fmt: skip
"""What the site is made from besides the catalog."""


FIXTURES = {"database", "pages", "site", "offline_site", "altered_site", "html", "address", "driver", "long_table"}
"""Those of the whole session, besides the catalog, of which a worker sees at its end whether somebody changed it."""


def reaches(item: pytest.Function) -> bool:
    """Whether what other tests leave behind could reach a test: it asks for something that is shared, or runs a command in
    the process of the tests, as its code says, or that of functions of its module that it calls."""
    of_its_module = {name for name in FIXTURES if hasattr(item.module, name)}
    return bool((FIXTURES - of_its_module) & set(item.fixturenames)) or _runs_commands(item.function, set())


def _runs_commands(function: FunctionType, looked_at: set[FunctionType]) -> bool:
    looked_at.add(function)
    codes, names = [function.__code__], set[str]()
    while codes:
        code = codes.pop()
        names |= set(code.co_names)
        codes += [inner for inner in code.co_consts if isinstance(inner, CodeType)]
    used = [function.__globals__[name] for name in sorted(names) if name in function.__globals__]
    if any(value is main or value is surveykit for value in used):
        return True
    beside = [value for value in used if isinstance(value, FunctionType) and value.__module__ == function.__module__]
    return any(value not in looked_at and _runs_commands(value, looked_at) for value in beside)


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object], *sources: Path) -> Path:
    """A folder of this name that `make` fills, in the first worker that asks for it; the others wait for that.

    Beside it stands what it was made from and what it held. Whoever asks for it from other files or with other contents
    is refused, and so is whoever asks in an environment that would change it.

    Args:
        sources: files and folders that `make` reads.
    """
    folder = place(factory) / f"shared-{name}"
    record = folder.with_suffix(".made-from")
    wanted = made_from(*sources)
    with FileLock(folder.with_suffix(".lock")):
        if not record.exists():
            shutil.rmtree(folder, ignore_errors=True)  # of an attempt that failed
            folder.mkdir()
            make(folder)
            folder.with_suffix(HELD).write_text(digest(folder), encoding="utf-8")
            record.write_text(made_from(*sources), encoding="utf-8")
        found = record.read_text(encoding="utf-8")
    assert found == wanted, f"the shared {name} was made from other things than are asked for:\n{found}\n{wanted}"
    return folder


HELD = ".held"


def place(factory: pytest.TempPathFactory) -> Path:
    """The folder of temporary files that all workers share."""
    base = factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


def check_unchanged(factory: pytest.TempPathFactory) -> None:
    """Refuse what some test has changed: it would be another thing for tests after it."""
    for held in sorted(place(factory).glob(f"shared-*{HELD}")):
        folder = held.with_suffix("")
        assert digest(folder) == held.read_text(encoding="utf-8"), f"a test has changed what is shared: {folder}"


def made_from(*sources: Path) -> str:
    """The digest of each source's contents, and the variables that builds read: none, or a test left them behind."""
    environment = {name: os.environ[name] for name in READ_BY_BUILDS if name in os.environ}
    assert not environment, f"a test before this one changed the environment of its process: {environment}"
    return "\n".join(f"{digest(source)} {source}" for source in sources)


def digest(source: Path) -> str:
    """Of a file, or of all names and contents below a folder."""
    found = hashlib.sha256()
    for path in sorted(source.rglob("*")) if source.is_dir() else [source]:
        if path.is_file():
            content = path.read_bytes()
            found.update(f"{path.relative_to(source)}\0{len(content)}\0".encode() + content)
    return found.hexdigest()


def whole(what: str, methods: Iterable[str]) -> None:
    """Refuse what is not of the real catalog by what it holds itself: much that is tested is true of any catalog."""
    found, wanted = sorted(methods), sorted(path.stem for path in (ROOT / "catalog" / "methods").glob("*.yaml"))
    assert found == wanted, f"the shared {what} is of another catalog: {len(found)} methods, not {len(wanted)}"


def database(factory: pytest.TempPathFactory) -> Path:
    """The database of the real catalog: a copy of the one that commands ask, so that it is built once."""
    made = once(factory, "database", lambda to: shutil.copy(current_file(str(CATALOG)), to / "site.duckdb"), CATALOG)
    with duckdb.connect(str(made / "site.duckdb"), read_only=True) as connection:
        whole("database", [name for (name,) in connection.execute("SELECT id FROM method").fetchall()])
    return made / "site.duckdb"


def pages(factory: pytest.TempPathFactory) -> dict[str, Page]:
    """The pages of the real catalog, with nothing around them, by their paths."""
    source = database(factory)
    folder = once(factory, "pages", lambda to: (to / "pages").write_bytes(pickle.dumps(list(render(source)))), CATALOG)
    found = {page.path: page for page in pickle.loads((folder / "pages").read_bytes())}
    whole("pages", [Path(path).stem for path in found if re.fullmatch(r"methods/(?!index\.)[^/]+\.md", path)])
    return found


def built(catalog: Path, folder: Path, *, offline: bool = False) -> Path:
    """The site of a catalog by our own mkdocs.yml and strictly, with everything below a folder.

    Args:
        offline: pages are to be opened as files.
    """
    return build_site(site_config.write(folder, catalog), strict=True, offline=offline)


def offline_site(factory: pytest.TempPathFactory) -> Path:
    """The site of the real catalog, to be opened as files."""
    made = once(factory, "offline-site", lambda to: built(CATALOG, to, offline=True), CATALOG, *AROUND)
    found = made / "html-offline"
    whole("offline site", [path.stem for path in (found / "methods").glob("*.html") if path.stem != "index"])
    return found


def site(factory: pytest.TempPathFactory) -> Path:
    """The site of the real catalog."""
    found = once(factory, "site", lambda to: built(CATALOG, to), CATALOG, *AROUND) / "html"
    whole("site", [path.parent.name for path in (found / "methods").glob("*/index.html")])
    return found


def altered_site(factory: pytest.TempPathFactory) -> Path:
    """The site of `altered.write`, in a folder that is laid out as the repository, without what lies around it."""

    def make(folder: Path) -> None:
        altered.write(folder / "catalog")
        shutil.copytree(ROOT / "site" / "docs", folder / "site" / "docs")
        shutil.copy(ROOT / "mkdocs.yml", folder)
        build_site(folder / "mkdocs.yml", strict=True)

    sources = (CATALOG, Path(altered.__file__), ROOT / "site" / "docs", ROOT / "mkdocs.yml")
    return once(factory, "altered-site", make, *sources) / "build" / "site"
