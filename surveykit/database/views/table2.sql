-- table2: the survey's Table 2, one row per row of the table; ranges with their ends, ticks as truth values.
CREATE VIEW table2 AS
SELECT
    claim.method,
    claim.row_label,
    any_value(attribute.value) AS type,
    max(claim.printed) FILTER (column_name = 'trainable_percent') AS trainable_printed,
    CAST(max(claim.value_min) FILTER (column_name = 'trainable_percent') AS DOUBLE) AS trainable_min,
    CAST(max(claim.value_max) FILTER (column_name = 'trainable_percent') AS DOUBLE) AS trainable_max,
    max(claim.printed) FILTER (column_name = 'changed_percent') AS changed_printed,
    CAST(max(claim.value_min) FILTER (column_name = 'changed_percent') AS DOUBLE) AS changed_min,
    CAST(max(claim.value_max) FILTER (column_name = 'changed_percent') AS DOUBLE) AS changed_max,
    max(claim.printed) FILTER (column_name = 'under_1b') = '✓' AS under_1b,
    max(claim.printed) FILTER (column_name = 'under_20b') = '✓' AS under_20b,
    max(claim.printed) FILTER (column_name = 'over_20b') = '✓' AS over_20b
FROM claim
JOIN attribute ON attribute.method = claim.method AND attribute.name = 'type'
WHERE claim.table_number = 2
GROUP BY claim.method, claim.row_label;
COMMENT ON VIEW table2 IS 'The survey''s Table 2';
COMMENT ON COLUMN table2.method IS 'Method that the row is read as';
COMMENT ON COLUMN table2.row_label IS 'First cell of the row, as printed';
COMMENT ON COLUMN table2.type IS 'Type of the method (Table 1)';
COMMENT ON COLUMN table2.trainable_printed IS 'Trainable parameters in percent, as printed';
COMMENT ON COLUMN table2.trainable_min IS 'Lower end of the printed trainable percent';
COMMENT ON COLUMN table2.trainable_max IS 'Upper end of the printed trainable percent';
COMMENT ON COLUMN table2.changed_printed IS 'Changed parameters in percent, as printed';
COMMENT ON COLUMN table2.changed_min IS 'Lower end of the printed changed percent; of a bound such as >0.5, the bound';
COMMENT ON COLUMN table2.changed_max IS 'Upper end of the printed changed percent';
COMMENT ON COLUMN table2.under_1b IS 'Evaluated on models of fewer than 1 billion parameters';
COMMENT ON COLUMN table2.under_20b IS 'Evaluated on models of fewer than 20 billion parameters';
COMMENT ON COLUMN table2.over_20b IS 'Evaluated on models of more than 20 billion parameters';
