-- methods_on(backbone_id): one row per method, with the figures of its default configuration on one backbone.
-- Percentages are of the bare backbone. A method that was not measured there has NULL in the measured columns.
CREATE MACRO methods_on(backbone_id) AS TABLE
WITH column_of AS (
    SELECT
        method,
        max(value) FILTER (name = 'type') AS type,
        max(value) FILTER (name = 'disk') AS disk,
        max(value) FILTER (name = 'ram') AS ram,
        max(value) FILTER (name = 'bp') AS bp,
        max(value) FILTER (name = 'overhead') AS overhead,
        max(source) FILTER (name = 'type') AS type_source,
        max(source) FILTER (name = 'disk') AS disk_source,
        max(source) FILTER (name = 'ram') AS ram_source,
        max(source) FILTER (name = 'bp') AS bp_source,
        max(source) FILTER (name = 'overhead') AS overhead_source
    FROM attribute
    GROUP BY method
),
printed_in_table2 AS (
    SELECT
        method,
        max(value_min) FILTER (column_name = 'trainable_percent') AS trainable_percent_min,
        max(value_max) FILTER (column_name = 'trainable_percent') AS trainable_percent_max,
        max(value_min) FILTER (column_name = 'changed_percent') AS changed_percent_min,
        max(value_max) FILTER (column_name = 'changed_percent') AS changed_percent_max,
        max(printed) FILTER (column_name = 'trainable_percent') AS trainable_percent_printed,
        max(printed) FILTER (column_name = 'changed_percent') AS changed_percent_printed,
        max(printed) FILTER (column_name = 'under_1b') = '✓' AS evaluated_under_1b,
        max(printed) FILTER (column_name = 'under_20b') = '✓' AS evaluated_under_20b,
        max(printed) FILTER (column_name = 'over_20b') = '✓' AS evaluated_over_20b
    FROM claim
    WHERE table_number = 2
    GROUP BY method
),
judged AS (
    SELECT
        method,
        count(*) FILTER (verdict = 'match') AS figures_match,
        count(*) FILTER (verdict = 'differs') AS figures_differ
    FROM verdict
    GROUP BY method
),
found_in AS (
    SELECT method, bool_or(library = 'peft') AS in_peft, bool_or(library = 'adapters') AS in_adapters
    FROM implementation
    GROUP BY method
)
SELECT
    method.id,
    method.name,
    column_of.type,
    CAST(column_of.disk AS BOOLEAN) AS disk,
    CAST(column_of.ram AS BOOLEAN) AS ram,
    CAST(column_of.bp AS BOOLEAN) AS bp,
    column_of.overhead,
    overhead.overhead_ffn,
    overhead.overhead_linear,
    overhead.overhead_gating,
    overhead.overhead_input,
    overhead.overhead_decoder,
    method.family,
    method.section,
    paper.year,
    method.paper,
    printed_in_table2.trainable_percent_min,
    printed_in_table2.trainable_percent_max,
    printed_in_table2.changed_percent_min,
    printed_in_table2.changed_percent_max,
    printed_in_table2.trainable_percent_printed,
    printed_in_table2.changed_percent_printed,
    printed_in_table2.evaluated_under_1b,
    printed_in_table2.evaluated_under_20b,
    printed_in_table2.evaluated_over_20b,
    coalesce(found_in.in_peft, false) AS in_peft,
    coalesce(found_in.in_adapters, false) AS in_adapters,
    method.reconstruction IS NOT NULL AS is_reconstruction,
    configuration.id AS configuration,
    backbone.id AS backbone,
    measurement.trainable AS trainable_measured,
    CAST(measurement.trainable * 100 AS DOUBLE) / CAST(backbone.parameters AS DOUBLE) AS trainable_percent_measured,
    measurement.added AS added_measured,
    measurement.stored AS stored_measured,
    measurement.is_stale,
    coalesce(judged.figures_match, 0) AS figures_match,
    coalesce(judged.figures_differ, 0) AS figures_differ,
    column_of.type_source,
    column_of.disk_source,
    column_of.ram_source,
    column_of.bp_source,
    column_of.overhead_source
FROM method
JOIN paper ON paper.key = method.paper
JOIN backbone ON backbone.id = backbone_id
JOIN configuration ON configuration.method = method.id AND configuration.is_default
LEFT JOIN column_of ON column_of.method = method.id
LEFT JOIN overhead ON overhead.method = method.id
LEFT JOIN printed_in_table2 ON printed_in_table2.method = method.id
LEFT JOIN found_in ON found_in.method = method.id
LEFT JOIN judged ON judged.method = method.id
LEFT JOIN measurement ON measurement.configuration = configuration.id AND measurement.backbone = backbone.id;
COMMENT ON MACRO TABLE methods_on IS 'One row per method, measured on the backbone that is named; columns as in methods';
