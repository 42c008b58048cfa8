-- table2: the survey's Table 2 as printed, one row per row of the table.
CREATE VIEW table2 AS
SELECT
    method,
    row_label,
    max(printed) FILTER (column_name = 'trainable_percent') AS trainable_percent,
    max(printed) FILTER (column_name = 'changed_percent') AS changed_percent,
    max(printed) FILTER (column_name = 'under_1b') AS under_1b,
    max(printed) FILTER (column_name = 'under_20b') AS under_20b,
    max(printed) FILTER (column_name = 'over_20b') AS over_20b
FROM claim
WHERE table_number = 2
GROUP BY method, row_label;
COMMENT ON VIEW table2 IS 'The survey''s Table 2, as printed';
COMMENT ON COLUMN table2.method IS 'Method that the row is read as';
COMMENT ON COLUMN table2.row_label IS 'Label of the row';
COMMENT ON COLUMN table2.trainable_percent IS 'Trainable parameters in percent; may be a range or a bound';
COMMENT ON COLUMN table2.changed_percent IS 'Changed parameters in percent; may be a range or a bound';
COMMENT ON COLUMN table2.under_1b IS 'Evaluated under 1 billion parameters: ✓ or ✗';
COMMENT ON COLUMN table2.under_20b IS 'Evaluated under 20 billion parameters: ✓ or ✗';
COMMENT ON COLUMN table2.over_20b IS 'Evaluated over 20 billion parameters: ✓ or ✗';
