"""The database as JSON files for programs, each with a JSON Schema beside it.

A file is an object with `rows`, or one method's document; a row is a row of a table or view, and its schema is made of
that table's columns: name, type, comment, and whether it may be null. No field has two types, apart from null for what
is unknown. Within `v1`, fields are added but neither renamed nor given another type.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from surveykit import __version__
from surveykit.database.fields import tables
from surveykit.database.reading import Reader

ROOT = "api/v1"
VERSION = 1
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_TYPES = {
    "VARCHAR": "string", "BOOLEAN": "boolean", "DOUBLE": "number", "DECIMAL": "number", "DATE": "string", "JSON": "object",
    **dict.fromkeys(("BIGINT", "INTEGER", "HUGEINT", "SMALLINT"), "integer"),
}  # fmt: skip

Schema = dict[str, Any]


class Resource(NamedTuple):
    """A file of rows."""

    name: str
    table: str
    key: tuple[str, ...]
    """Columns that name a row: never null, and the order of the rows."""


RESOURCES = (
    Resource("methods", "methods", ("id",)),
    Resource("backbones", "backbone", ("id",)),
    Resource("configurations", "configuration", ("id",)),
    Resource("implementations", "implementation", ("method", "position")),
    Resource("relations", "relation", ("method", "kind", "other")),
    Resource("measurements", "measured", ("configuration", "backbone")),
    Resource("costs", "cost", ("configuration", "backbone")),
    Resource("memory", "memory_use", ("configuration", "backbone", "length", "dtype")),
    Resource("trials", "trial", ("configuration",)),
    Resource("sources", "sources", ("source",)),
    Resource("claims", "claim", ("source", "table_name", "position", "column_name")),
    Resource("verdicts", "verdict", ("source", "table_name", "position", "column_name")),
    Resource("table1", "table1", ("method",)),
    Resource("table2", "table2", ("method",)),
    Resource("table3", "table3", ("backbone", "dataset")),
    Resource("table4-recomputed", "table4_recomputed", ("backbone", "method")),
    Resource("table5", "table5", ("backbone", "row_label")),
    Resource("table6", "table6", ("position",)),
    Resource("appendix-b", "appendix_b", ("position",)),
    Resource("statements", "statements", ("id",)),
    Resource("data-audit", "data_audit", ("id",)),
    Resource("errata", "errata", ("id",)),
    Resource("findings", "finding", ("source", "id")),
    Resource("papers", "papers", ("key",)),
)
# What a method's document holds besides its own row: name, table with a column `method`, key.
_PARTS = (
    ("also_called", "alias", ("name",)),
    ("attributes", "attribute", ("name",)),
    ("relations", "relation", ("kind", "other")),
    ("implementations", "implementation", ("position",)),
    ("configurations", "configuration", ("id",)),
    ("measurements", "measured", ("configuration", "backbone")),
    ("claims", "claim", ("source", "table_name", "position", "column_name")),
    ("verdicts", "verdict", ("source", "table_name", "position", "column_name")),
)


def api_files(reader: Reader) -> Iterator[tuple[str, str]]:
    """Path and text of every file of the API."""
    tables = _Tables(reader)
    entries = []
    for resource in RESOURCES:
        rows = tables.rows(resource.table, resource.key)
        path, schema = f"{resource.name}.json", f"schema/{resource.name}.schema.json"
        yield f"{ROOT}/{path}", _rows_file(resource.name, schema, rows)
        yield f"{ROOT}/{schema}", _text(_rows_schema(resource, tables))
        entries.append(
            {"name": resource.name, "about": tables.comment(resource.table), "path": path, "schema": schema, "rows": len(rows)}
        )  # fmt: skip
    yield f"{ROOT}/schema/method.schema.json", _text(_document_schema(tables))
    documents = _documents(tables)
    for method, document in documents.items():
        yield f"{ROOT}/methods/{method}.json", _text(document)
    index = {
        "api": VERSION,
        "surveykit": __version__,
        "about": "The surveykit catalog as JSON. Paths are below this file's folder.",
        "licence": "Apache-2.0",
        "resources": entries,
        "method": {
            "path": "methods/{id}.json",
            "schema": "schema/method.schema.json",
            "ids": list(documents),
        },
    }
    yield f"{ROOT}/index.json", _text(index)
    yield f"{ROOT}/schema/index.schema.json", _text(_index_schema())


class _Tables:
    """Rows, columns and comments of tables and views."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._comments = {t.name: t.comment for t in tables(reader)}
        self._columns: dict[str, list[Any]] = {}
        for c in reader.all(
            "SELECT table_name, column_name, data_type, comment, is_nullable FROM duckdb_columns()"
            " WHERE NOT internal ORDER BY table_name, column_index"
        ):
            self._columns.setdefault(c.table_name, []).append(c)

    def comment(self, table: str) -> str:
        return self._comments[table] or table

    def rows(self, table: str, key: tuple[str, ...]) -> list[dict[str, Any]]:
        found = self._reader.all(f"SELECT * FROM {table} ORDER BY {', '.join(key)}")
        parsed = {c.column_name for c in self._columns[table] if c.data_type == "JSON"}
        return [
            {
                name: json.loads(value) if name in parsed and value else _plain(value)
                for name, value in vars(row).items()
            }
            for row in found
        ]

    def schema(self, table: str, key: tuple[str, ...]) -> Schema:
        """The schema of one row."""
        columns = self._columns[table]
        return {
            "type": "object",
            "additionalProperties": False,
            "required": [c.column_name for c in columns],
            "properties": {c.column_name: _field(c, c.is_nullable and c.column_name not in key) for c in columns},
        }


def _field(column: Any, nullable: bool) -> Schema:
    of_one = column.data_type.removesuffix("[]")
    kind = _TYPES[of_one.partition("(")[0]]
    several = {"items": {"type": kind}} if of_one != column.data_type else {}
    kind = "array" if several else kind
    found: Schema = {"type": [kind, "null"] if nullable else kind, **several}
    found |= {"format": "date"} if column.data_type == "DATE" else {}
    return found | ({"description": column.comment} if column.comment else {})


def _plain(value: Any) -> Any:
    """A value as JSON has it: decimals as numbers, dates as text."""
    if value is None or isinstance(value, bool | int | float | str | list):
        return value
    return float(value) if hasattr(value, "as_tuple") else value.isoformat()


def _rows_file(name: str, schema: str, rows: list[dict[str, Any]]) -> str:
    """One row to a line, so that two versions can be compared."""
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    head = json.dumps({"$schema": schema, "api": VERSION, "resource": name}, ensure_ascii=False)
    return f'{head[:-1]}, "rows": [\n{lines}\n]}}\n'


def _documents(tables: _Tables) -> dict[str, dict[str, Any]]:
    """Every method's document by its id."""
    papers = {paper["key"]: paper for paper in tables.rows("paper", ("key",))}
    found: dict[str, dict[str, Any]] = {}
    for method in tables.rows("method", ("id",)):
        found[method["id"]] = {
            "$schema": "../schema/method.schema.json", "api": VERSION, "method": method,
            "paper": papers[method["paper"]], **{name: [] for name, *_ in _PARTS},
        }  # fmt: skip
    for name, table, key in _PARTS:
        for row in tables.rows(table, key):
            if row["method"] is not None:  # a source may speak of methods that have no entry yet
                found[row["method"]][name].append(row)
    return found


def _document_schema(tables: _Tables) -> Schema:
    parts: Schema = {name: _array(tables.schema(table, key), tables.comment(table)) for name, table, key in _PARTS}
    return _whole(
        "One method with all that the catalog says of it",
        {"method": tables.schema("method", ("id",)), "paper": tables.schema("paper", ("key",)), **parts},
    )


def _rows_schema(resource: Resource, tables: _Tables) -> Schema:
    about = tables.comment(resource.table)
    row = tables.schema(resource.table, resource.key)
    return _whole(about, {"resource": {"const": resource.name}, "rows": _array(row, about)})


def _index_schema() -> Schema:
    text, number = {"type": "string"}, {"type": "integer"}
    entry = {"name": text, "about": text, "path": text, "schema": text, "rows": number}
    method = {"path": text, "schema": text, "ids": {"type": "array", "items": text}}
    found = _whole(
        "What the API holds",
        {
            "surveykit": text, "about": text, "licence": text,
            "resources": _array(_object(entry), "Files of rows"), "method": _object(method),
        },
    )  # fmt: skip
    del found["properties"]["$schema"]
    return found


def _whole(title: str, properties: Schema) -> Schema:
    fixed = {"$schema": {"type": "string"}, "api": {"const": VERSION}}
    found = _object(fixed | properties)
    found["required"].remove("$schema")
    return {"$schema": _DIALECT, "title": title, **found}


def _object(properties: Schema) -> Schema:
    return {"type": "object", "additionalProperties": False, "required": list(properties), "properties": properties}


def _array(items: Schema, about: str) -> Schema:
    return {"type": "array", "description": about, "items": items}


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1) + "\n"
