"""The catalog from Python: records, and queries that return rows, pandas or Arrow tables."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack, overload

from surveykit.catalog.load import Catalog
from surveykit.catalog.load_once import load_once
from surveykit.catalog.locate import locate
from surveykit.catalog.records import Method
from surveykit.database import query
from surveykit.errors import MissingExtra

if TYPE_CHECKING:
    import pandas
    import pyarrow

Form = Literal["rows", "pandas", "arrow"]
Rows = list[dict[str, Any]]


class _Asked(TypedDict, total=False):
    """Further arguments of `Survey.query`, for its overloads."""

    select: str
    backbone: str | None
    order_by: str | None
    limit: int | None


def load(path: str | PathLike[str] | None = None) -> Survey:
    """Load a catalog.

    Args:
        path: its folder (default: SURVEYKIT_CATALOG, ./catalog, or the bundled one).

    Raises:
        CatalogError: with every problem of every file.
        SurveyError: there is no catalog.
    """
    return Survey(load_once(locate(None if path is None else fspath(path)).root))


class Survey:
    """A loaded and checked catalog.

    Queries use the current content of the files, under the same limits as `surveykit query`.
    """

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog

    @property
    def methods(self) -> Mapping[str, Method]:
        """Methods by id."""
        return self.catalog.methods

    @overload
    def query(self, condition: str | None = ..., *, as_: Literal["rows"] = ..., **more: Unpack[_Asked]) -> Rows: ...
    @overload
    def query(
        self, condition: str | None = ..., *, as_: Literal["pandas"], **more: Unpack[_Asked]
    ) -> pandas.DataFrame: ...
    @overload
    def query(self, condition: str | None = ..., *, as_: Literal["arrow"], **more: Unpack[_Asked]) -> pyarrow.Table: ...
    def query(
        self,
        condition: str | None = None,
        *,
        as_: Form = "rows",
        select: str = "*",
        backbone: str | None = None,
        order_by: str | None = None,
        limit: int | None = None,
    ) -> Any:
        """Methods for which a condition holds, with the measurements on a model.

        Returns:
            A list of dicts (`rows`), a pandas DataFrame or a pyarrow Table.

        Raises:
            QueryError: the condition is refused or wrong.
            MissingExtra: pandas or pyarrow is not installed.
        """
        root = str(self.catalog.root)
        found = query.ask(root, condition=condition, select=select, backbone=backbone, order_by=order_by, limit=limit)
        return _converted(found, as_)

    @overload
    def sql(self, select: str, *, as_: Literal["rows"] = ...) -> Rows: ...
    @overload
    def sql(self, select: str, *, as_: Literal["pandas"]) -> pandas.DataFrame: ...
    @overload
    def sql(self, select: str, *, as_: Literal["arrow"]) -> pyarrow.Table: ...
    def sql(self, select: str, *, as_: Form = "rows") -> Any:
        """The result of one SELECT on the tables and views that `surveykit fields` lists. Returns and raises as `query`."""
        return _converted(query.ask(str(self.catalog.root), sql=select), as_)


def _converted(result: query.Result, form: Form) -> Any:
    if form == "rows":
        return list(result.records())
    if form == "pandas":
        try:
            import pandas
        except ImportError:
            raise MissingExtra("pandas", "data") from None
        return pandas.DataFrame(result.rows, columns=result.columns)
    if form == "arrow":
        try:
            import pyarrow
        except ImportError:
            raise MissingExtra("pyarrow", "data") from None
        return pyarrow.Table.from_pylist(list(result.records())) if result.rows else pyarrow.table(
            {name: pyarrow.nulls(0) for name in result.columns}
        )  # fmt: skip
    raise ValueError(f"as_ is 'rows', 'pandas' or 'arrow', not '{form}'")
