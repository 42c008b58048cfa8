"""Reading the catalog: query, fields, audit, cite, sources."""

from __future__ import annotations

from surveykit.database.query import DEFAULT_SELECT, MAX_ROWS, TIMEOUT_SECONDS

TYPE_CHECKING = False  # importing typing would delay every query
if TYPE_CHECKING:
    from surveykit.api.names import Folder, Names
    from surveykit.database.audit import Audit
    from surveykit.database.fields import Field
    from surveykit.database.query import Result
    from surveykit.database.sources import CountedSource


def query(
    condition: str | None = None, *, sql: str | None = None, select: str | None = None, order_by: str | None = None,
    limit: int | None = None, backbone: str | None = None, evidence: bool = False, timeout: float = TIMEOUT_SECONDS,
    max_rows: int = MAX_ROWS, catalog: Folder | None = None,
) -> Result:  # fmt: skip
    """Methods for which a condition holds, or the result of one SELECT.

    Args:
        condition: a condition in SQL; None for all methods.
        sql: instead, a whole SELECT on the tables and views that `fields` lists.
        select, order_by, limit: columns (`*` for all), order and number of the methods.
        backbone: id of the model of the measured columns (default: T5-Large).
        evidence: also return the evidence for each method's row.
        timeout: seconds before the query is stopped.
        max_rows: more rows are an error, never a silent cut.

    Returns:
        Rows with their `columns` and `types` (DuckDB's names), and `evidence`; `records()` gives one dict for each row.

    Raises:
        QueryError: the query is refused or wrong, or exceeds a limit.
        CatalogError: the catalog is invalid.
    """
    from surveykit.catalog.locate import locate
    from surveykit.database.query import ask
    from surveykit.errors import QueryError

    others = {"condition": condition, "--select": select, "--order-by": order_by, "--limit": limit,
              "--backbone": backbone, "--evidence": evidence or None}  # fmt: skip
    for option, value in others.items() if sql is not None else ():
        if value is not None:
            raise QueryError(
                f"--sql is a whole statement and cannot be combined with {option}; write that into the SELECT"
            )
    return ask(
        locate(catalog).folder, sql=sql, condition=condition, select=select or DEFAULT_SELECT, order_by=order_by,
        limit=limit, backbone=backbone, evidence=evidence, timeout=timeout, max_rows=max_rows,
    )  # fmt: skip


def fields(table: str | None = None, *, catalog: Folder | None = None) -> list[Field]:
    """What queries can name: every table, view and macro, or the columns of one.

    Args:
        table: one table or view.

    Returns:
        Name, kind (of a column: its type in DuckDB) and comment of each; views first, columns in their order.

    Raises:
        QueryError: there is no such table; the nearest is named.
        CatalogError: the catalog is invalid.
    """
    from surveykit.api.names import database_of
    from surveykit.database.fields import columns, tables
    from surveykit.database.reading import reading

    with reading(database_of(catalog)) as reader:
        return tables(reader) if table is None else columns(reader, table)


def audit(*, catalog: Folder | None = None) -> Audit:
    """The survey's sentences and raw data, checked against its own tables.

    Returns:
        Statements with their readings, data checks with the rows they find, and findings: results that are no longer
        the reviewed ones. `named(id)` is one of them.

    Raises:
        CatalogError: the catalog is invalid.
    """
    from surveykit.api.names import database_of
    from surveykit.database.audit import audited
    from surveykit.database.reading import reading

    with reading(database_of(catalog)) as reader:
        return audited(reader)


def cite(name: Names, *, catalog: Folder | None = None) -> list[str]:
    """BibTeX of methods or papers.

    Args:
        name: ids of methods, or keys of papers.

    Returns:
        One entry for each paper, in the order of the names.

    Raises:
        SurveyError: there is no such method or paper; the nearest is named.
        CatalogError: the catalog is invalid.
    """
    from surveykit.api.names import database_of, several
    from surveykit.database.methods import citations
    from surveykit.database.reading import reading

    with reading(database_of(catalog)) as reader:
        return citations(reader, several(name))


def sources(*, catalog: Folder | None = None) -> list[CountedSource]:
    """The sources of claims, with their verdicts.

    Returns:
        Each source with its kind, tier and date, and the number of its printed cells by verdict.

    Raises:
        CatalogError: the catalog is invalid.
    """
    from surveykit.api.names import database_of
    from surveykit.database.reading import reading
    from surveykit.database.sources import counted_sources

    with reading(database_of(catalog)) as reader:
        return counted_sources(reader)
