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
        functions: frozenset[str] = allowed.CONDITION_FUNCTIONS,
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
            if _qualified(node) or name not in self.tables | scope:
                raise QueryError(f"no table or view '{_path(node, name)}'{nearest(name, self.tables | scope)}")
            self.read |= {name} - scope
        elif node["type"] == "TABLE_FUNCTION":
            function = node["function"]
            assert isinstance(function, dict)
            name = str(function["function_name"]).lower()
            known = self.macros | allowed.TABLE_FUNCTIONS
            if _qualified(function) or name not in known:
                raise QueryError(f"no table macro '{_path(function, name)}'{nearest(name, known)}")
            self.read |= {name} & self.macros
            for part in ("filter", "order_bys", "arguments"):
                self.check(function.get(part), scope)
            node["function"] = None  # its name is checked; it is no scalar function

    def _expression(self, node: dict[str, object], scope: frozenset[str]) -> None:
        kind = str(node["class"])
        if kind not in self.classes:
            raise QueryError(f"{_word(kind)} is not allowed here{_HINTS.get(kind, '')}")
        if kind in ("FUNCTION", "WINDOW"):
            name = str(node["function_name"]).lower()
            if _qualified(node) or name not in self.functions:
                close = nearest(name, (f for f in self.functions if f.isidentifier()), cutoff=0.7)
                raise QueryError(f"the function '{_path(node, name)}' is not allowed{close}")
            self.aggregates |= name in allowed.AGGREGATES
        elif kind == "OPERATOR" and node["type"] not in self.operators:
            raise QueryError(f"{_word(node['type'])} is not allowed here")
        elif kind == "TYPE" and (_qualified(node) or node["type_name"] not in allowed.CAST_TYPES):
            name = str(node["type_name"])
            raise QueryError(
                f"a cast to '{_path(node, name)}' is not allowed{nearest(name.upper(), allowed.CAST_TYPES)}"
            )
        elif kind == "COLUMN_REF":
            names = node["column_names"]
            assert isinstance(names, list)
            if len(names) == 1 and str(names[0]).lower() in allowed.HIDDEN_FUNCTIONS:
                raise QueryError(f"'{names[0]}' is not allowed")
        for part in node.values():
            self.check(part, scope)


_HINTS = {
    "SUBQUERY": "; pass a whole SELECT with --sql",
    "WINDOW": "; pass a whole SELECT with --sql",
    "PARAMETER": "; write the value itself",
}


def _qualified(node: dict[str, object]) -> bool:
    """Whether a name carries a schema or a database: ours never do."""
    path = node.get("qualified_name")
    parts = path.get("path") if isinstance(path, dict) else None
    named = [node.get(key) for key in ("schema", "schema_name", "catalog", "catalog_name")]
    return any(named) or not isinstance(parts, list) or len(parts) > 1


def _path(node: dict[str, object], name: str) -> str:
    path = node.get("qualified_name")
    parts = path.get("path") if isinstance(path, dict) else None
    return ".".join(map(str, parts)) if parts else name


def _word(kind: object) -> str:
    return str(kind).replace("_", " ").lower()
