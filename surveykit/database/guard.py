"""What a query may say: an allow-list over DuckDB's own parse tree.

DuckDB parses a text without running it (`json_serialize_sql`); everything found in that tree must be on the lists of
`surveykit.database.allowed`, so that what a newer DuckDB adds is refused until somebody allows it. Nothing is matched on the text itself.
This is the first of two walls: the second is the process that runs the query (`surveykit.database.child`).
"""

from __future__ import annotations

from surveykit.database import allowed
from surveykit.errors import QueryError, nearest

MAX_LENGTH = 20_000
"""Characters of a condition or statement."""


class Guard:
    """Checks the parse tree of one text.

    Args:
        tables: names that FROM may mention.
        macros: table macros that FROM may call.
        functions: names that expressions may call.
        whole: whether the text is a whole statement; otherwise it is one condition or one list of columns.
        stars: whether `*` may stand for all columns.
    """

    def __init__(
        self,
        tables: frozenset[str] = frozenset(),
        macros: frozenset[str] = frozenset(),
        functions: frozenset[str] = allowed.FUNCTIONS,
        *,
        whole: bool = False,
        stars: bool = False,
    ) -> None:
        self.tables = tables
        self.macros = macros
        self.functions = functions
        self.whole = whole
        self.classes = (
            allowed.STATEMENT_CLASSES
            if whole
            else allowed.CONDITION_CLASSES | {"STAR"}
            if stars
            else allowed.CONDITION_CLASSES
        )
        self.operators = allowed.STATEMENT_OPERATORS if whole else allowed.OPERATORS
        self.aggregates = False
        """Set when a function that sums rows up was met."""
        self.read: set[str] = set()
        """Tables, views and table macros of ours that FROM mentions."""

    def check(self, tree: object, scope: frozenset[str] = frozenset()) -> None:
        """Walk a part of a tree; `scope` holds the names that WITH defines around it.

        Raises:
            QueryError: something in it is not on the lists.
        """
        if isinstance(tree, list):
            for part in tree:
                self.check(part, scope)
        elif isinstance(tree, dict):
            self._node(tree, scope)

    def _node(self, node: dict[str, object], scope: frozenset[str]) -> None:
        if "class" in node:
            self._expression(node, scope)
            return
        kind = str(node.get("type"))
        if node.get("sample"):
            raise QueryError("TABLESAMPLE is not allowed in a query; use LIMIT")
        if "cte_map" in node:
            scope = self._query(node, scope)
        elif kind in allowed.TABLE_NODES and "alias" in node:
            self._table(node, scope)
        elif kind == "SHOW_REF" and self.whole:
            if node["show_type"] not in allowed.DESCRIPTIONS or not node["query"]:
                raise QueryError(f"SHOW, and DESCRIBE without a table, are not allowed; {FIELDS}")
        elif "type" in node and kind not in allowed.OTHER_NODES:
            raise QueryError(f"{_word(kind)} is not allowed in a query")
        for name, part in node.items():
            if name != "cte_map":
                self.check(part, scope)

    def _query(self, node: dict[str, object], scope: frozenset[str]) -> frozenset[str]:
        """Check one SELECT with its WITH; each name is known to what follows its definition, no earlier."""
        if node["type"] not in allowed.QUERY_NODES or not self.whole:
            raise QueryError("only one plain SELECT is allowed" if self.whole else "a subquery is not allowed here")
        if node["type"] in ("RECURSIVE_CTE_NODE", "CTE_NODE"):
            scope |= {str(node["cte_name"]).lower()}
        for entry in node["cte_map"]["map"]:  # type: ignore[index]
            name = str(entry["key"]).lower()
            if not name.isidentifier() or name.startswith(allowed.SYSTEM_PREFIXES):
                raise QueryError(f"WITH cannot define '{name}'; choose another name")
            self.check(entry["value"], scope)
            scope |= {name}
        return scope

    def _table(self, node: dict[str, object], scope: frozenset[str]) -> None:
        if not self.whole:
            raise QueryError("a condition cannot name tables; pass a whole SELECT with --sql")
        if node["type"] == "BASE_TABLE":
            name = str(node["table_name"]).lower()
            known = self.tables if _is_in_main(node) else frozenset() if _qualified(node) else self.tables | scope
            if name not in known:
                raise QueryError(
                    f"no table or view '{_path(node, name)}'{_instead(_path(node, name), self.tables | scope)}"
                )
            self.read |= {name} - scope
        elif node["type"] == "TABLE_FUNCTION":
            function = node["function"]
            assert isinstance(function, dict)
            name = str(function["function_name"]).lower()
            known = self.macros | allowed.TABLE_FUNCTIONS
            _refuse_for_a_reason(name)
            if name not in known or (_qualified(function) and not (_is_in_main(function) and name in self.macros)):
                raise QueryError(f"no table macro '{_path(function, name)}'{_instead(name, known)}")
            self.read |= {name} & self.macros
            for part in ("filter", "order_bys", "arguments"):
                self.check(function.get(part), scope)
            node["function"] = None  # its name is checked; it is no scalar function

    def _expression(self, node: dict[str, object], scope: frozenset[str]) -> None:
        kind = str(node["class"])
        if kind not in self.classes:
            raise QueryError(f"{_word(kind)} is not allowed here{_HINTS.get(kind, '')}")
        if kind in ("FUNCTION", "WINDOW"):
            self._function(node, kind)
        elif kind == "OPERATOR" and node["type"] not in self.operators:
            raise QueryError(f"{_word(node['type'])} is not allowed here")
        elif kind == "TYPE" and (_qualified(node) or str(node["type_name"]).upper() not in allowed.CAST_TYPES):
            name = str(node["type_name"])
            close = nearest(name.upper(), allowed.CAST_TYPES, cutoff=0.7) or f"; use {', '.join(_USUAL_TYPES)}"
            raise QueryError(f"a cast to '{_path(node, name)}' is not allowed{close}")
        elif kind == "COLUMN_REF":
            names = node["column_names"]
            assert isinstance(names, list)
            if len(names) == 1:
                _refuse_hidden(str(names[0]))
        for part in node.values():
            self.check(part, scope)

    def _function(self, node: dict[str, object], kind: str) -> None:
        """Check one call, also of the form `column.function()`."""
        name = str(node["function_name"]).lower()
        owner, *others = _parts(node)[:-1] or [""]
        _refuse_hidden(owner)
        if name not in self.functions:
            if name in allowed.STATEMENT_FUNCTIONS:
                raise QueryError(f"the function '{name}' is not allowed here{_HINTS['WINDOW']}")
            _refuse_for_a_reason(name)
            close = nearest(name, (f for f in self.functions if f.isidentifier()), cutoff=0.7)
            raise QueryError(f"queries have no function '{_path(node, name)}'{close}")
        if others or owner.lower() in allowed.SCHEMAS:
            raise QueryError(f"the function '{_path(node, name)}' is not allowed; write {name}(…)")
        if name in allowed.CALLING_BY_NAME:
            _check_named(node, name)
        self.aggregates |= name in allowed.AGGREGATES and kind == "FUNCTION"


FIELDS = "surveykit fields lists the tables, and surveykit fields TABLE the columns of one"
_USUAL_TYPES = ("INTEGER", "DOUBLE", "DECIMAL", "VARCHAR", "BOOLEAN", "DATE", "TIMESTAMP")
_HINTS = {
    "SUBQUERY": "; pass a whole SELECT with --sql",
    "WINDOW": "; pass a whole SELECT with --sql",
    "PARAMETER": "; write the value itself",
}


def _refuse_hidden(word: str) -> None:
    if word.lower() in allowed.HIDDEN_FUNCTIONS:
        raise QueryError(f"'{word}' is not allowed: {allowed.refusal(word.lower())}")


def _refuse_for_a_reason(name: str) -> None:
    reason = allowed.refusal(name)
    if reason:
        raise QueryError(f"the function '{name}' is not allowed: {reason}")


def _check_named(node: dict[str, object], name: str) -> None:
    """The function that `list_aggregate(list, 'name')` calls is an aggregate as well as if it were called itself."""
    arguments = node["arguments"]
    assert isinstance(arguments, list)
    named = arguments[0 if _qualified(node) else 1 :][:1]  # in `column.list_aggregate('sum')` the list stands before
    called = [
        part["expression"]["literal"].get("text", "") for part in named if part["expression"]["class"] == "CONSTANT"
    ]
    if not called or str(called[0]).lower() not in allowed.AGGREGATES:
        raise QueryError(f"{name} is not allowed with this; it needs the name of an aggregate in quotes, such as 'sum'")


def _parts(node: dict[str, object]) -> list[str]:
    """A name with what it is qualified by, the widest first."""
    path = node["qualified_name"]
    assert isinstance(path, dict)
    parts = [str(part) for part in path["path"]]
    named = [node.get(key) for key in ("catalog", "catalog_name", "schema", "schema_name")]
    assert [part for part in named if part] == parts[:-1]  # both forms of the tree say the same
    return parts


def _qualified(node: dict[str, object]) -> bool:
    """Whether a name carries a schema or a database."""
    return len(_parts(node)) > 1


def _is_in_main(node: dict[str, object]) -> bool:
    """Whether a name carries the schema of our tables, and nothing else."""
    return [part.lower() for part in _parts(node)[:-1]] == ["main"]


def _path(node: dict[str, object], name: str) -> str:
    return ".".join(_parts(node)) or name


def _instead(name: str, known: frozenset[str]) -> str:
    return nearest(name, known, cutoff=0.6) or f"; {FIELDS}"


def _word(kind: object) -> str:
    return str(kind).replace("_", " ").lower()
