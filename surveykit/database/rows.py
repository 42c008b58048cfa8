"""What a table is: a record whose fields are its columns and whose docstrings are its comments.

The type of a field gives the column's type, NOT NULL and CHECK; `identity` gives the primary key (without a NULL in it). A field of type
`MethodId` refers to the table `method`.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, ClassVar, Literal, Self, Union, get_args, get_origin, get_type_hints

from pydantic.fields import FieldInfo

from surveykit.catalog.load import Catalog
from surveykit.descriptions import descriptions
from surveykit.record import MOST, InDatabase, Record

Json = Annotated[str, InDatabase(type="JSON")]
BigInt = Annotated[int, InDatabase(type="BIGINT")]
_TYPES = {str: "VARCHAR", int: "INTEGER", bool: "BOOLEAN", float: "DOUBLE"}
_BOUNDS = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}


class Row(Record):
    # A comment, since a docstring would be that of every table without one: the base class of all tables.

    derived: ClassVar[tuple[str, ...]] = ()
    """Properties that are columns too, after the fields."""
    left_out: ClassVar[tuple[str, ...]] = ()
    """Fields that are no columns."""
    shown: ClassVar[tuple[str, ...]] = ()
    """All columns in order, where they are not the fields and then what is derived."""
    rules: ClassVar[tuple[str, ...]] = ()
    """Constraints that no single field tells, in SQL."""

    @classmethod
    def of_catalog(cls, catalog: Catalog) -> Iterable[Self]:
        """The rows of the table; none where a query fills it."""
        return ()

    @classmethod
    def of(cls, record: object = None, **more: Any) -> Self:
        """The row of a record that was checked when it was read: its fields by their names, and `more`."""
        make: Any = cls.model_construct
        row: Self = make(**{name: getattr(record, name) for name in cls.model_fields if name not in more}, **more)
        return row


@dataclass
class Column:
    """A column of a table, as its field declares it."""

    name: str
    comment: str
    type: str = ""
    refers_to: str = ""
    nullable: bool = False
    checks: list[str] = field(default_factory=list)

    def declaration(self) -> str:
        """Its line in CREATE TABLE."""
        checks = f" CHECK ({' AND '.join(self.checks)})" if self.checks else ""
        reference = f" REFERENCES {self.refers_to}" if self.refers_to else ""
        return f"{self.name} {self.type}{'' if self.nullable else ' NOT NULL'}{checks}{reference}"


def table_name(table: type[Row]) -> str:
    """The name of the class in lower case, words joined by underscores."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", table.__name__).lower()


@cache
def columns(table: type[Row]) -> list[Column]:
    """The columns of a table in order: fields, then derived ones, or those that it names."""
    fields = [name for name in table.model_fields if name not in table.left_out]
    return [_column_of(table, name) for name in table.shown or (*fields, *table.derived)]


def _column_of(table: type[Row], name: str) -> Column:
    if info := table.model_fields.get(name):
        return _column(name, info.description or descriptions(table).get(name), info.annotation, info.metadata)
    getter = getattr(table, name).fget
    return _column(name, getter.__doc__, get_type_hints(getter)["return"], [])


def create(table: type[Row]) -> str:
    """The statements that create a table with its comments."""
    name, found = table_name(table), columns(table)
    lines = [column.declaration() for column in found]
    unknown = {column.name for column in found if column.nullable}
    key = "UNIQUE" if unknown & {*table.identity} else "PRIMARY KEY"  # a primary key has no NULL
    lines += [f"{key} ({', '.join(table.identity)})"] if table.identity else []
    made = f"CREATE TABLE {name} ({', '.join([*lines, *table.rules])});"
    comments = {column.name: column.comment for column in found}
    return made + comment("TABLE", name, sentence(inspect.getdoc(table)), comments)


def comment(kind: str, name: str, text: str, columns: dict[str, str]) -> str:
    """The statements that comment on a table, view or macro, and on its columns."""
    on = {f"{kind} {name}": text} | {f'COLUMN {name}."{column}"': about for column, about in columns.items()}
    return "".join(f"COMMENT ON {what} IS {_quoted(about)};" for what, about in on.items())


def sentence(docstring: str | None) -> str:
    """A docstring in one line, without its full stop."""
    return " ".join((docstring or "").split()).removesuffix(".")


def _column(name: str, docstring: str | None, annotation: Any, metadata: list[Any]) -> Column:
    column = Column(name, sentence(docstring))
    decimals = None
    for part in [*_unfolded(annotation), *metadata]:
        if part is NoneType:
            column.nullable = True
        elif isinstance(part, InDatabase):
            column.type, column.refers_to = part.type or column.type, part.refers_to
            column.comment = column.comment or part.comment
        elif get_origin(part) is Literal:
            column.type = _TYPES[type(get_args(part)[0])]
            column.checks.append(f"{name} IN ({', '.join(map(_quoted, get_args(part)))})")
        elif getattr(part, "max_digits", None) is not None:
            decimals = part
        elif isinstance(part, type) and part in _TYPES:
            column.type = _TYPES[part]
        for bound, sign in _BOUNDS.items():
            limit = getattr(part, bound, None)
            if limit is not None and limit != MOST:
                column.checks.append(f"{name} {sign} {limit}")
                if isinstance(limit, int) and limit > MOST:
                    column.type = "BIGINT"
    if decimals is not None:
        column.type = f"DECIMAL({decimals.max_digits}, {decimals.decimal_places})"
    assert column.type, f"the type of {name} has no form in SQL: {annotation}"
    return column


def _unfolded(annotation: Any) -> Iterator[Any]:
    """The types and marks in an annotation; NoneType where it may be None."""
    if get_origin(annotation) in (Union, UnionType):
        for part in get_args(annotation):
            yield from _unfolded(part)
    elif get_origin(annotation) is Annotated:
        inner, *marks = get_args(annotation)
        yield from _unfolded(inner)
        for mark in marks:
            yield from mark.metadata if isinstance(mark, FieldInfo) else [mark]
    else:
        yield annotation


def _quoted(value: object) -> str:
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(value)
