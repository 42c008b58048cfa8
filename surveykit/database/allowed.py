"""What may occur in a query: names of DuckDB's functions, and of the kinds of nodes in its parse tree.

The rule for functions: the result depends on the arguments alone (`random` and `uuid` are the exceptions), and nothing
is read or changed: no file, setting, clock, table or state. Whatever is not listed is refused, so that what a newer
DuckDB adds waits until somebody allows it. How much memory and time a function takes is not decided here: the process
that runs the query has hard limits (`surveykit.database.child`).
"""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Functions of one row.
FUNCTIONS = _words("""
    != !~~ !~~* % & && * ** + - -> ->> / // < <-> << <= <=> <@ = > >= >> ! @ @> ^ ^@ xor | || ~ ~~ ~~* ~~~

    abs acos acosh add asin asinh atan atan2 atanh binom bit_count cbrt ceil ceiling cos cosh cot degrees divide even
    exp factorial fdiv floor fmod gamma gcd greatest greatest_common_divisor isfinite isinf isnan lcm least
    least_common_multiple lgamma ln log log10 log2 mod multiply nextafter pi pow power radians random round round_even
    roundbankers sign signbit sin sinh sqrt subtract tan tanh trunc

    ascii bar base64 bin bit_length bit_position char_length character_length chr concat concat_ws contains
    damerau_levenshtein decode editdist3 encode ends_with format formatreadabledecimalsize formatreadablesize
    format_bytes from_base64 from_binary from_hex get_bit hamming hash hex ilike_escape instr jaccard jaro_similarity
    jaro_winkler_similarity lcase left left_grapheme len length length_grapheme levenshtein like_escape lower lpad
    ltrim md5 md5_number md5_number_lower md5_number_upper mismatches not_ilike_escape not_like_escape octet_length ord
    overlay parse_dirname parse_dirpath parse_filename parse_formatted_bytes parse_path path_join position prefix printf
    regexp_escape regexp_extract regexp_extract_all regexp_full_match regexp_matches regexp_replace
    regexp_split_to_array repeat replace reverse right right_grapheme rpad rtrim set_bit sha1 sha256 split split_part
    starts_with str_split str_split_regex string_split string_split_regex string_to_array strip_accents strlen strpos
    substr substring substring_grapheme suffix to_base to_base64 to_binary to_hex translate trim ucase unbin unhex
    unicode upper url_decode url_encode uuid gen_random_uuid

    century date_add date_diff date_part date_sub date_trunc datediff datepart datesub datetrunc day dayname dayofmonth
    dayofweek dayofyear days_in_month decade epoch epoch_ms epoch_ns epoch_us era hour isodow isoyear julian last_day
    make_date make_time make_timestamp make_timestamp_ms make_timestamp_ns microsecond millennium millisecond minute
    month monthname nanosecond quarter second strftime strptime time_bucket to_centuries to_days to_decades to_hours
    to_microseconds to_millennia to_milliseconds to_minutes to_months to_quarters to_seconds to_weeks to_years
    try_strptime week weekday weekofyear year yearweek

    coalesce if ifnull nullif row switch typeof

    aggregate apply array_aggr array_aggregate array_append array_apply array_cat array_concat array_contains
    array_cosine_distance array_cosine_similarity array_cross_product array_distance array_distinct array_dot_product
    array_extract array_filter array_grade_up array_has array_has_all array_has_any array_indexof array_inner_product
    array_intersect array_length array_negative_dot_product array_negative_inner_product array_pop_back array_pop_front
    array_position array_prepend array_push_back array_push_front array_reduce array_resize array_reverse
    array_reverse_sort array_select array_slice array_sort array_to_json array_to_string array_transform array_unique
    array_value array_where array_zip cardinality element_at filter flatten generate_series generate_subscripts grade_up
    list_aggr list_aggregate list_any_value list_append list_apply list_approx_count_distinct list_avg list_bit_and
    list_bit_or list_bit_xor list_bool_and list_bool_or list_cat list_concat list_contains list_cosine_distance
    list_cosine_similarity list_count list_distance list_distinct list_dot_product list_element list_entropy
    list_extract list_filter list_first list_grade_up list_has list_has_all list_has_any list_histogram list_indexof
    list_inner_product list_intersect list_kurtosis list_kurtosis_pop list_last list_mad list_max list_median list_min
    list_mode list_negative_dot_product list_negative_inner_product list_pack list_position list_prepend list_product
    list_reduce list_resize list_reverse list_reverse_sort list_select list_sem list_skewness list_slice list_sort
    list_stddev_pop list_stddev_samp list_string_agg list_sum list_transform list_unique list_value list_var_pop
    list_var_samp list_where list_zip map map_concat map_contains map_entries map_extract map_extract_value
    map_from_entries map_keys map_values range reduce struct_concat struct_contains struct_extract struct_extract_at
    struct_has struct_indexof struct_insert struct_keys struct_pack struct_position struct_update struct_values
    union_extract union_tag union_value

    json json_array json_array_length json_contains json_deep_merge json_exists json_extract json_extract_path
    json_extract_path_text json_extract_string json_insert json_keys json_merge_patch json_merge_patch_diff
    json_normalize json_object json_pretty json_quote json_remove json_replace json_set json_strip_nulls json_structure
    json_type json_valid json_value row_to_json to_json
""")
# Functions that sum rows up.
AGGREGATES = _words("""
    any_value approx_count_distinct approx_quantile approx_top_k arbitrary arg_max arg_max_null arg_max_nulls_last
    arg_min arg_min_null arg_min_nulls_last argmax argmin array_agg avg bit_and bit_or bit_xor bitstring_agg bool_and
    bool_or corr count count_if count_star countif covar_pop covar_samp entropy favg first fsum geomean geometric_mean
    group_concat histogram json_group_array json_group_object json_group_structure kahan_sum kurtosis kurtosis_pop last
    list listagg mad max max_by mean median min min_by mode product quantile quantile_cont quantile_disc regr_avgx
    regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy reservoir_quantile sem skewness
    stddev stddev_pop stddev_samp string_agg sum sumkahan var_pop var_samp variance wavg weighted_avg
""")
# Functions that make rows out of one, and those of OVER (…).
UNNESTING = _words("unnest json_each")
WINDOWS = _words("""
    cume_dist dense_rank fill first_value lag last_value lead nth_value ntile percent_rank rank rank_dense row_number
""")
TABLE_FUNCTIONS = frozenset({"unnest", "range", "generate_series", "json_each"})
SELECT_FUNCTIONS = FUNCTIONS | AGGREGATES | {"unnest"}
STATEMENT_FUNCTIONS = FUNCTIONS | AGGREGATES | UNNESTING | WINDOWS
# The second argument of these is the name of a function.
CALLING_BY_NAME = _words("list_aggr list_aggregate array_aggr array_aggregate aggregate")

# Why a function is refused, for those whose name somebody may type; a word that ends in _ stands for all that begin so.
REFUSALS = tuple(
    (reason, tuple(names.split()))
    for reason, names in {
        "it reads or writes files": "read_ parquet_ glob sniff_csv arrow_scan pandas_scan seq_scan copy_",
        "it reads the clock; write the date itself, as in DATE '2026-01-31'": """
            now today age ago current_date current_time current_timestamp current_localtime current_localtimestamp
            localtime localtimestamp get_current_time get_current_timestamp transaction_timestamp""",
        "it depends on the time zone of this machine; use TIMESTAMP": """
            timezone timezone_ to_timestamp make_timestamptz pg_timezone_names""",
        "it reads settings or the state of the database; surveykit fields lists tables and columns": """
            current_ session_user user getenv getvariable in_search_path version txid_current nextval currval setval duckdb_
            pragma_ pg_ has_ which_secret sqlite_ information_schema get_block_size stats vector_type checkpoint
            force_checkpoint""",
        "it runs SQL out of a text; write the SELECT itself": """
            query query_table json_execute_serialized_sql json_serialize_sql json_deserialize_sql json_serialize_plan""",
        "it waits, stops the query or changes the state of DuckDB": """
            sleep_ms pg_sleep error assert_true setseed write_log""",
    }.items()
)

CONDITION_CLASSES = _words("""
    BETWEEN CASE CAST COLLATE COLUMN_REF COMPARISON CONJUNCTION CONSTANT FUNCTION LAMBDA OPERATOR TYPE
""")
STATEMENT_CLASSES = CONDITION_CLASSES | {"SUBQUERY", "STAR", "WINDOW", "POSITIONAL_REFERENCE"}
OPERATORS = _words("""
    OPERATOR_NOT OPERATOR_IS_NULL OPERATOR_IS_NOT_NULL COMPARE_IN COMPARE_NOT_IN OPERATOR_COALESCE OPERATOR_NULLIF
    OPERATOR_TRY ARRAY_EXTRACT ARRAY_SLICE ARRAY_CONSTRUCTOR STRUCT_EXTRACT
""")
STATEMENT_OPERATORS = OPERATORS | {"GROUPING_FUNCTION"}
QUERY_NODES = frozenset({"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"})
TABLE_NODES = frozenset({"BASE_TABLE", "SUBQUERY", "JOIN", "TABLE_FUNCTION", "EXPRESSION_LIST", "EMPTY", "PIVOT"})
OTHER_NODES = frozenset(
    {"ORDER_MODIFIER", "LIMIT_MODIFIER", "DISTINCT_MODIFIER", "ORDER_DEFAULT", "ASCENDING", "DESCENDING"}
)
# DESCRIBE and SUMMARIZE of a SELECT; SHOW lists what is not ours as well.
DESCRIPTIONS = frozenset({"DESCRIBE", "SUMMARY"})
# Words that DuckDB answers as functions although they are written like columns.
HIDDEN_FUNCTIONS = _words("""
    current_catalog current_database current_date current_localtime current_localtimestamp current_role
    current_schema current_time current_timestamp current_user localtime localtimestamp session_user user
""")
CAST_TYPES = _words("""
    BOOLEAN BOOL LOGICAL TINYINT SMALLINT SHORT INTEGER INT SIGNED BIGINT LONG HUGEINT UTINYINT USMALLINT UINTEGER
    UBIGINT UHUGEINT INT1 INT2 INT4 INT8 FLOAT FLOAT4 REAL DOUBLE FLOAT8 DECIMAL DEC NUMERIC VARCHAR TEXT STRING CHAR
    BPCHAR JSON DATE TIME TIMESTAMP DATETIME INTERVAL LIST ARRAY
""")
SCHEMAS = frozenset({"main", "temp", "system", "pg_catalog", "information_schema"})
SYSTEM_PREFIXES = ("duckdb_", "pragma_", "sqlite_", "pg_", "information_schema")


def refusal(name: str) -> str:
    """Why a function is refused; empty where no more can be said than that it is not on the lists."""
    for reason, names in REFUSALS:
        if any(name == word or (word.endswith("_") and name.startswith(word)) for word in names):
            return reason
    return ""
