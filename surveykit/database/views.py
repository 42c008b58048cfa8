"""The views and macros of the folder views and of sources, one a file, and their comments.

The first line of a file is the comment of what it creates. A column that a view computes has its comment behind it:
`count(*) AS readings,  -- Number of readings`. Any other column has the comment of the table or view that it comes from:
the one that stands before its name, as in `statement.id`, or the first after FROM or JOIN with a column of this name.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path

import duckdb

from surveykit.catalog.files import read_text
from surveykit.database.child import check_statement, readable
from surveykit.database.rows import comment
from surveykit.errors import CatalogError, Problem, QueryError

_FOLDER = Path(__file__).parent / "views"
_COMMENTED = re.compile(r"(\w+)[,;]? +-- (.+)$", re.MULTILINE)
_QUALIFIED = re.compile(r"^ +(\w+)\.(\w+),?$", re.MULTILINE)
_SOURCE = re.compile(r"\b(?:FROM|JOIN) \(?(\w+)")

Comments = dict[str, dict[str, str]]
"""Of columns, by table and name."""


@dataclass(frozen=True)
class View:
    """A view, macro or stored view as its file says it."""

    name: str
    kind: str
    """VIEW, TABLE or MACRO."""
    sql: str

    @property
    def about(self) -> str:
        return self.sql.partition("\n")[0].removeprefix("-- ")

    @property
    def sources(self) -> list[str]:
        """What follows FROM and JOIN, in order: tables, other views, names of WITH."""
        return _SOURCE.findall(self.sql)

    def comments(self, columns: list[str], known: Comments) -> dict[str, str]:
        """The comment of each column, empty where there is none; `known` are those of tables and earlier views."""
        written = dict(_COMMENTED.findall(self.sql))
        owners = {column: owner for owner, column in _QUALIFIED.findall(self.sql)}
        found = {}
        for column in columns:
            places = [known.get(place, {}) for place in (owners.get(column, ""), *self.sources)]
            found[column] = written.get(column) or next((place[column] for place in places if column in place), "")
        return found


def own_views() -> dict[str, View]:
    """Those of the folder views by name."""
    return {view.name: view for view in map(_read, sorted(_FOLDER.glob("*.sql")))}


def create_views(connection: duckdb.DuckDBPyConnection, known: Comments, of_sources: Mapping[str, Path]) -> None:
    """Create all views and macros with their comments, each after those that it reads.

    Args:
        known: comments of the columns of tables.
        of_sources: files of views that sources bring, by what each is called in a problem: anybody's SQL, which passes
            the same guard as a user's query.

    Raises:
        CatalogError: a file of a source is not one view of its own name over one SELECT on our tables.
        CycleError: views read each other in a circle.
    """
    known, own = dict(known), own_views()
    theirs: dict[str, View] = {}
    files: dict[str, str] = {}
    for file, path in of_sources.items():
        with _told(file):
            theirs[path.stem] = _read_of_source(path, {*known, *own, *theirs})
            files[path.stem] = file
    views = {**theirs, **own}
    reads = {name: [source for source in view.sources if source in views] for name, view in views.items()}
    tables, macros = readable(connection)
    for name in TopologicalSorter(reads).static_order():
        view = views[name]
        with _told(files[name]) if name in theirs else nullcontext():
            if name in theirs:
                check_statement(connection, view.sql.partition(" AS")[2].strip().removesuffix(";"), (tables, macros))
            connection.execute(view.sql)
            if view.kind == "MACRO":
                known[name] = {c: text for source in view.sources for c, text in known.get(source, {}).items()}
                connection.execute(comment("MACRO TABLE", name, view.about, {}))
            else:
                described = connection.execute(f"FROM {name} LIMIT 0").description or []
                known[name] = view.comments([column[0] for column in described], known)
                connection.execute(comment(view.kind, name, view.about, known[name]))
                tables |= {name}


@contextmanager
def _told(file: str) -> Iterator[None]:
    """What is wrong with a view that a source brings is a problem of its file."""
    try:
        yield
    except (QueryError, duckdb.Error) as error:
        reason = " ".join(str(error).split()).removeprefix("--sql: ")
        raise CatalogError([Problem(file, 0, 0, reason)]) from error


def _read(path: Path) -> View:
    sql = path.read_text(encoding="utf-8")
    created = re.search(r"^CREATE (\w+) (\w+)", sql, re.MULTILINE)
    assert created is not None, f"{path.name} creates no view or macro"
    return View(created[2], created[1], sql)


def _read_of_source(path: Path, taken: Collection[str]) -> View:
    """A view that a source brings. Raises QueryError where the file is something else."""
    text, problem = read_text(path, path.name)
    if text is None:
        raise QueryError(str(problem))
    created = re.match(r"(?:--[^\n]*\n)*CREATE VIEW ([a-z][a-z0-9_]*) AS\s", text)
    if created is None or created[1] != path.stem:
        raise QueryError(f"the file must begin with comments and CREATE VIEW {path.stem} AS, and hold one SELECT")
    if path.stem in taken:
        raise QueryError("a table or view of this name already exists; choose another")
    return View(path.stem, "VIEW", text)
