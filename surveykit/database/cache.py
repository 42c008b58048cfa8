"""The database of a catalog, kept in the user's cache folder and rebuilt when anything that it is made from changed.

A warm start compares one manifest (path, size and time of every file) and imports neither Pydantic nor YAML nor
DuckDB. When the manifest differs, contents are hashed; when those differ as well, the catalog is loaded and built.

    <cache>/<name of the catalog's folder>-<checksum of its path>/
        manifest                            what the files looked like, and which database they gave
        <hash of contents>-<DuckDB>.duckdb

The folder is `SURVEYKIT_CACHE`, or `surveykit` in the place where the platform keeps caches. All of it may be deleted.
It stays small: each catalog has one database, what killed processes left is removed by the next one that finds it, and
of catalogs only those that were built last are kept.
"""

from __future__ import annotations

import binascii
import os
import stat
import sys
import time

from surveykit.catalog.locate import layers_of
from surveykit.errors import SurveyError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

ENVIRONMENT = "SURVEYKIT_CACHE"
_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# What decides over rows besides the catalog. Staleness keys read the engine, the version stands in __init__.py.
_SOURCES = (
    "__init__.py",
    "arithmetic.py",
    "formula.py",
    "ranks.py",
    "record.py",
    "bench",
    "catalog",
    "database",
    "engine",
    "recipes",
    "verify",
)
_SETTLED_NS = 2_000_000_000
_ABANDONED_SECONDS = 3600
_KEPT_CATALOGS = 20
_DAY = 86_400


def folder() -> str:
    """The folder of all databases."""
    chosen = os.environ.get(ENVIRONMENT)
    if chosen:
        return os.path.abspath(chosen)
    home = os.path.expanduser("~")
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or os.path.join(home, "AppData", "Local")
    elif sys.platform == "darwin":
        base = os.path.join(home, "Library", "Caches")
    else:
        base = os.environ.get("XDG_CACHE_HOME") or os.path.join(home, ".cache")
    return os.path.join(base, "surveykit")


def current(location_root: Path) -> Path:
    """The database of a catalog, built if there is none for what its files say now.

    Raises:
        CatalogError: the catalog is invalid.
        SurveyError: the cache folder cannot be written.
    """
    from pathlib import Path

    return Path(current_file(str(location_root)))


def current_file(root: str, *, rebuild: bool = False) -> str:
    """As `current`, with paths as text; `rebuild` does not trust a database that is there."""
    own = folder_of(root)
    for _ in range(5):
        state = _state(root)
        if not rebuild:
            known = _read_manifest(own, state)
            if known is not None:
                _remove_others(own, known)
                return known
        database = _find_or_build(root, own, rebuild=rebuild)
        if _state(root) == state:  # else a file changed meanwhile, and the database may hold half of the change
            _write_manifest(own, state, database)
            _remove_others(own, database)
            _remove_old_catalogs(own)
            return database
    raise SurveyError(f"the catalog {root} keeps changing while it is read; try again")


def folder_of(root: str) -> str:
    """The folder of one catalog's databases. Its name stays readable; the checksum tells equal names apart."""
    root = os.path.abspath(root)
    name = "".join(c if c.isalnum() else "-" for c in os.path.basename(os.path.dirname(root)))[:40]
    return os.path.join(folder(), f"{name}-{binascii.crc32(os.fsencode(root)):08x}")


def version_of(database: str) -> str:
    """The DuckDB that wrote a database, from the file's name."""
    return os.path.basename(database)[: -len(".duckdb")].partition("-")[2]


def _files(root: str) -> list[str]:
    """Every file that decides over the rows, sorted; names that start with a dot are nobody's."""
    found: list[str] = []
    catalogs = layers_of(root)
    waiting = [*catalogs, *(os.path.join(_PACKAGE, name) for name in _SOURCES)]
    while waiting:
        path = waiting.pop()
        if path.endswith((".py", ".sql")):
            found.append(path)
            continue
        try:
            entries = list(os.scandir(path))
        except OSError:
            continue  # the loader reports it, with its reason
        inside = path.startswith(tuple(catalogs))
        for entry in entries:
            if entry.name.startswith((".", "__pycache__")):
                continue
            if entry.is_dir():
                waiting.append(entry.path)
            elif inside or entry.name.endswith((".py", ".sql")):
                found.append(entry.path)
    return sorted(found)


def _state(root: str) -> str:
    """One line per file: size, time in nanoseconds, path."""
    lines = []
    for path in _files(root):
        try:
            status = os.stat(path)
            lines.append(f"{status.st_size} {status.st_mtime_ns} {path}")
        except OSError:
            lines.append(f"- - {path}")
    return "\n".join([root, *lines])


def _read_manifest(own: str, state: str) -> str | None:
    try:
        with open(os.path.join(own, "manifest"), encoding="utf-8", errors="surrogateescape") as file:
            name, _, known = file.read().partition("\n")
    except OSError:
        return None
    database = os.path.join(own, name)
    return database if known == state and os.path.isfile(database) else None


def _write_manifest(own: str, state: str, database: str) -> None:
    newest = max((int(line.split(" ", 2)[1]) for line in state.splitlines()[1:] if line[0] != "-"), default=0)
    if time.time_ns() - newest < _SETTLED_NS:
        return  # a file this young may change again without a change of size or time; hash contents once more
    from pathlib import Path

    from surveykit.beside import new_file

    try:
        with (
            new_file(Path(own, "manifest")) as beside,
            beside.open("w", encoding="utf-8", errors="surrogateescape") as file,
        ):
            file.write(f"{os.path.basename(database)}\n{state}")
    except (OSError, SurveyError):
        pass  # the next start is slower, no more


def _find_or_build(root: str, own: str, *, rebuild: bool) -> str:
    digest = _digest(root)
    if not rebuild and os.path.isdir(own):
        for name in sorted(os.listdir(own), reverse=True):
            if name.startswith(f"{digest}-") and name.endswith(".duckdb"):
                return os.path.join(own, name)
    return _build(root, own, digest)


def _digest(root: str) -> str:
    import hashlib

    digest = hashlib.sha256()
    for path in _files(root):
        base = root if path.startswith(root) else _PACKAGE
        digest.update(os.fsencode(f"{os.path.relpath(path, base)}\0"))
        try:
            if not stat.S_ISREG(os.stat(path).st_mode):
                continue  # a pipe or a device, which may never end; the loader reports it
            with open(path, "rb") as file:
                content = file.read()
        except OSError:
            continue  # the loader reports it
        digest.update(f"{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:16]


def _build(root: str, own: str, digest: str) -> str:
    from pathlib import Path

    import duckdb

    from surveykit.catalog.load_once import load_once
    from surveykit.database.build import build

    catalog = load_once(Path(root))
    database = os.path.join(own, f"{digest}-{duckdb.__version__}.duckdb")
    try:
        os.makedirs(own, exist_ok=True)
        build(catalog, Path(database))
    except OSError as error:
        raise SurveyError(_unwritable(own, error.strerror or str(error))) from None
    except SurveyError as error:
        if os.access(own, os.W_OK):
            raise
        raise SurveyError(_unwritable(own, str(error))) from None
    return database


def _unwritable(own: str, reason: str) -> str:
    return f"the cache folder {own} cannot be written ({reason}); name another one in {ENVIRONMENT}"


def _remove_others(own: str, database: str) -> None:
    """Remove databases of earlier states, and what killed processes left. Nothing else is ever in this folder.

    A database that another process is about to open makes it ask again. Data that an earlier version moved out of
    memory may belong to a query that still runs, which takes an hour at most.
    """
    kept = {"manifest", os.path.basename(database)}
    others = [entry for entry in os.scandir(own) if entry.name not in kept]
    if not others:
        return
    import shutil
    from pathlib import Path

    from surveykit.beside import sweep

    sweep(Path(own))
    for entry in others:
        try:
            age = time.time() - entry.stat(follow_symlinks=False).st_mtime
            if entry.name.endswith((".duckdb", ".wal")) or age > _ABANDONED_SECONDS:
                shutil.rmtree(entry.path) if entry.is_dir(follow_symlinks=False) else os.unlink(entry.path)
        except OSError:
            continue  # gone already, or open on a platform that keeps open files


def _remove_old_catalogs(own: str) -> None:
    """Remove the databases of catalogs that were built longest ago; a day old at least, for somebody may be reading."""
    import re
    import shutil

    others = [
        entry
        for entry in os.scandir(os.path.dirname(own))
        if entry.path != own and re.fullmatch(r"[\w-]*-[0-9a-f]{8}", entry.name) and entry.is_dir(follow_symlinks=False)
    ]
    newest_first = sorted(others, key=lambda entry: entry.stat().st_mtime, reverse=True)
    for entry in newest_first[_KEPT_CATALOGS - 1 :]:
        if time.time() - entry.stat().st_mtime > _DAY:
            shutil.rmtree(entry.path, ignore_errors=True)
