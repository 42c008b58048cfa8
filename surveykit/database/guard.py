"""What a query may say: an allow-list over DuckDB's own parse tree.

DuckDB parses a text without running it (`json_serialize_sql`); everything found in that tree must be on the lists
below, so that what a newer DuckDB adds is refused until somebody allows it. Nothing is matched on the text itself.
This is the first of two walls: the second is the process that runs the query (`surveykit.database.child`).
"""

from __future__ import annotations

from surveykit.errors import QueryError, nearest

# Functions of conditions: they look at one row and cannot make a text much longer than it is.
CONDITION_FUNCTIONS = frozenset(
    """
    + - * / // % ! || ~~ !~~ ~~* !~~* ~~~ ^@
    abs ceil ceiling coalesce concat concat_ws contains ends_with even floor greatest ifnull if ilike_escape instr
    isfinite isnan least left length len like_escape ln log log10 lower lcase ltrim not_ilike_escape not_like_escape
    nullif position power pow prefix regexp_full_match regexp_matches regexp_extract right round rtrim sign sqrt
    starts_with strlen strpos substr substring suffix trim trunc upper ucase
    """.split()
)
# Functions of --select besides those: they sum rows up.
AGGREGATES = frozenset(
    """
    any_value arg_max arg_min array_agg avg bool_and bool_or corr count count_if count_star covar_pop covar_samp first
    geomean group_concat last list listagg mad max max_by mean median min min_by mode product quantile quantile_cont
    quantile_disc regr_intercept regr_r2 regr_slope skewness stddev stddev_pop stddev_samp string_agg sum var_pop
    var_samp variance
    """.split()
)
# Functions of whole statements besides those.
STATEMENT_FUNCTIONS = (
    CONDITION_FUNCTIONS
    | AGGREGATES
    | frozenset(
        """
        -> ->> @> <@ && ^ **
        array_contains array_extract array_length array_slice array_to_string array_value cardinality cume_dist
        date_diff date_part date_trunc day dense_rank exp filter first_value flatten generate_subscripts
        histogram json_array_length json_contains json_each json_exists json_extract json_extract_path
        json_extract_path_text json_extract_string json_keys json_type json_valid json_value lag last_value lead
        levenshtein jaccard jaro_winkler_similarity list_aggregate list_apply list_avg list_concat list_contains
        list_count list_distinct list_element list_extract list_filter list_first list_has list_has_all list_has_any
        list_last list_max list_median list_min list_pack list_position list_reverse list_slice list_sort list_sum
        list_transform list_unique list_value log2 map_keys map_values mod month nth_value ntile percent_rank rank
        regexp_extract_all regexp_replace regexp_split_to_array replace reverse row row_number split split_part
        str_split string_split string_to_array strftime struct_extract struct_pack to_json translate typeof unnest year
        """.split()
    )
)
TABLE_FUNCTIONS = frozenset({"unnest", "range", "generate_series", "json_each"})

_CONDITION_CLASSES = frozenset(
    {"COLUMN_REF", "CONSTANT", "COMPARISON", "CONJUNCTION", "BETWEEN", "OPERATOR", "CASE", "CAST", "TYPE", "FUNCTION"}
)
_STATEMENT_CLASSES = _CONDITION_CLASSES | {
    "SUBQUERY", "STAR", "WINDOW", "LAMBDA", "POSITIONAL_REFERENCE",
}
_OPERATORS = frozenset(
    """
    OPERATOR_NOT OPERATOR_IS_NULL OPERATOR_IS_NOT_NULL COMPARE_IN COMPARE_NOT_IN OPERATOR_COALESCE OPERATOR_NULLIF
    OPERATOR_TRY
    """.split()
)
_STATEMENT_OPERATORS = _OPERATORS | {"ARRAY_EXTRACT", "ARRAY_SLICE", "ARRAY_CONSTRUCTOR", "GROUPING_FUNCTION"}
_QUERY_NODES = frozenset({"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"})
_TABLE_NODES = frozenset({"BASE_TABLE", "SUBQUERY", "JOIN", "TABLE_FUNCTION", "EXPRESSION_LIST", "EMPTY", "PIVOT"})
_OTHER_NODES = frozenset(
    {
        "ORDER_MODIFIER", "LIMIT_MODIFIER", "DISTINCT_MODIFIER", "ORDER_DEFAULT", "ASCENDING", "DESCENDING",
    }
)  # fmt: skip
# Words that DuckDB answers as functions although they are written like columns.
_HIDDEN_FUNCTIONS = frozenset(
    """
    current_catalog current_database current_date current_localtime current_localtimestamp current_role
    current_schema current_time current_timestamp current_user localtime localtimestamp session_user user
    """.split()
)
_CAST_TYPES = frozenset(
    """
    BOOLEAN TINYINT SMALLINT INTEGER BIGINT HUGEINT UTINYINT USMALLINT UINTEGER UBIGINT UHUGEINT FLOAT DOUBLE DECIMAL
    VARCHAR DATE
    """.split()
)
_SYSTEM_PREFIXES = ("duckdb_", "pragma_", "sqlite_", "pg_", "information_schema")

DEFAULT_BACKBONE = "t5-large"
"""What the measured columns of the view `methods` speak of."""

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
        functions: frozenset[str] = CONDITION_FUNCTIONS,
        *,
        whole: bool = False,
        stars: bool = False,
    ) -> None:
        self.tables = tables
        self.macros = macros
        self.functions = functions
        self.whole = whole
        self.classes = _STATEMENT_CLASSES if whole else _CONDITION_CLASSES | {"STAR"} if stars else _CONDITION_CLASSES
        self.operators = _STATEMENT_OPERATORS if whole else _OPERATORS
        self.aggregates = False
        """Set when a function that sums rows up was met."""

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
        kind = node.get("type")
        if "cte_map" in node:
            scope = self._query(node, scope)
        elif kind in _TABLE_NODES and "alias" in node:
            self._table(node, scope)
        elif "type" in node and kind not in _OTHER_NODES:
            raise QueryError(f"{_word(kind)} is not allowed in a query")
        for name, part in node.items():
            if name != "cte_map":
                self.check(part, scope)

    def _query(self, node: dict[str, object], scope: frozenset[str]) -> frozenset[str]:
        """Check one SELECT with its WITH; each name is known to what follows its definition, no earlier."""
        if node["type"] not in _QUERY_NODES or not self.whole:
            raise QueryError("only one plain SELECT is allowed" if self.whole else "a subquery is not allowed here")
        if node["type"] in ("RECURSIVE_CTE_NODE", "CTE_NODE"):
            scope |= {str(node["cte_name"]).lower()}
        for entry in node["cte_map"]["map"]:  # type: ignore[index]
            name = str(entry["key"]).lower()
            if not name.isidentifier() or name.startswith(_SYSTEM_PREFIXES):
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
        elif node["type"] == "TABLE_FUNCTION":
            function = node["function"]
            assert isinstance(function, dict)
            name = str(function["function_name"]).lower()
            allowed = self.macros | TABLE_FUNCTIONS
            if _qualified(function) or name not in allowed:
                raise QueryError(f"no table macro '{_path(function, name)}'{nearest(name, allowed)}")
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
                close = nearest(name, (f for f in self.functions if f.isidentifier()))
                raise QueryError(f"the function '{_path(node, name)}' is not allowed{close}")
            self.aggregates |= name in AGGREGATES
        elif kind == "OPERATOR" and node["type"] not in self.operators:
            raise QueryError(f"{_word(node['type'])} is not allowed here")
        elif kind == "TYPE" and (_qualified(node) or node["type_name"] not in _CAST_TYPES):
            name = str(node["type_name"])
            raise QueryError(f"a cast to '{_path(node, name)}' is not allowed{nearest(name.upper(), _CAST_TYPES)}")
        elif kind == "COLUMN_REF":
            names = node["column_names"]
            assert isinstance(names, list)
            if len(names) == 1 and str(names[0]).lower() in _HIDDEN_FUNCTIONS:
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
