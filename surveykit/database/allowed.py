"""What may occur in a query: names of DuckDB's functions, and of the kinds of nodes in its parse tree.

Whatever is not listed is refused. Left out on purpose: all that reads settings, files, other tables or the clock, and
functions that make much out of little (`repeat`, `lpad`, `format`, `list_resize`).
"""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Functions of conditions: they look at one row and cannot make a text much longer than it is.
CONDITION_FUNCTIONS = _words("""
    + - * / // % ! || ~~ !~~ ~~* !~~* ~~~ ^@
    abs ceil ceiling coalesce concat concat_ws contains ends_with even floor greatest ifnull if ilike_escape instr
    isfinite isnan least left length len like_escape ln log log10 lower lcase ltrim not_ilike_escape not_like_escape
    nullif position power pow prefix regexp_full_match regexp_matches regexp_extract right round rtrim sign sqrt
    starts_with strlen strpos substr substring suffix trim trunc upper ucase
""")
# Functions of --select besides those: they sum rows up.
AGGREGATES = _words("""
    any_value arg_max arg_min array_agg avg bool_and bool_or corr count count_if count_star covar_pop covar_samp first
    geomean group_concat last list listagg mad max max_by mean median min min_by mode product quantile quantile_cont
    quantile_disc regr_intercept regr_r2 regr_slope skewness stddev stddev_pop stddev_samp string_agg sum var_pop
    var_samp variance
""")
# Functions of whole statements besides those.
STATEMENT_FUNCTIONS = (
    CONDITION_FUNCTIONS
    | AGGREGATES
    | _words("""
    -> ->> @> <@ && ^ **
    array_contains array_extract array_length array_slice array_to_string array_value cardinality cume_dist
    date_diff date_part date_trunc day dense_rank exp filter first_value flatten generate_subscripts
    histogram json_array_length json_contains json_each json_exists json_extract json_extract_path
    json_extract_path_text json_extract_string json_keys json_type json_valid json_value lag last_value lead
    levenshtein jaccard jaro_winkler_similarity list_apply list_avg list_concat list_contains
    list_count list_distinct list_element list_extract list_filter list_first list_has list_has_all list_has_any
    list_last list_max list_median list_min list_pack list_position list_reverse list_slice list_sort list_sum
    list_transform list_unique list_value log2 map_keys map_values mod month nth_value ntile percent_rank rank
    regexp_extract_all regexp_replace regexp_split_to_array replace reverse row row_number split split_part
    str_split string_split string_to_array strftime struct_extract struct_pack to_json translate typeof unnest year
""")
)
TABLE_FUNCTIONS = frozenset({"unnest", "range", "generate_series", "json_each"})

CONDITION_CLASSES = frozenset(
    {"COLUMN_REF", "CONSTANT", "COMPARISON", "CONJUNCTION", "BETWEEN", "OPERATOR", "CASE", "CAST", "TYPE", "FUNCTION"}
)
STATEMENT_CLASSES = CONDITION_CLASSES | {
    "SUBQUERY",
    "STAR",
    "WINDOW",
    "LAMBDA",
    "POSITIONAL_REFERENCE",
}
OPERATORS = _words("""
    OPERATOR_NOT OPERATOR_IS_NULL OPERATOR_IS_NOT_NULL COMPARE_IN COMPARE_NOT_IN OPERATOR_COALESCE OPERATOR_NULLIF
    OPERATOR_TRY
""")
STATEMENT_OPERATORS = OPERATORS | {"ARRAY_EXTRACT", "ARRAY_SLICE", "ARRAY_CONSTRUCTOR", "GROUPING_FUNCTION"}
QUERY_NODES = frozenset({"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"})
TABLE_NODES = frozenset({"BASE_TABLE", "SUBQUERY", "JOIN", "TABLE_FUNCTION", "EXPRESSION_LIST", "EMPTY", "PIVOT"})
OTHER_NODES = frozenset(
    {"ORDER_MODIFIER", "LIMIT_MODIFIER", "DISTINCT_MODIFIER", "ORDER_DEFAULT", "ASCENDING", "DESCENDING"}
)
# Words that DuckDB answers as functions although they are written like columns.
HIDDEN_FUNCTIONS = _words("""
    current_catalog current_database current_date current_localtime current_localtimestamp current_role
    current_schema current_time current_timestamp current_user localtime localtimestamp session_user user
""")
CAST_TYPES = _words("""
    BOOLEAN TINYINT SMALLINT INTEGER BIGINT HUGEINT UTINYINT USMALLINT UINTEGER UBIGINT UHUGEINT FLOAT DOUBLE DECIMAL
    VARCHAR DATE
""")
SYSTEM_PREFIXES = ("duckdb_", "pragma_", "sqlite_", "pg_", "information_schema")
