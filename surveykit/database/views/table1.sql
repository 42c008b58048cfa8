-- table1: the survey's Table 1, one row per row of the table; the ticks as truth values.
CREATE VIEW table1 AS
SELECT
    method,
    row_label,
    max(printed) FILTER (column_name = 'type') AS type,
    max(printed) FILTER (column_name = 'disk') = '✓' AS disk,
    max(printed) FILTER (column_name = 'ram') = '✓' AS ram,
    max(printed) FILTER (column_name = 'bp') = '✓' AS bp,
    max(printed) FILTER (column_name = 'overhead') AS overhead_printed
FROM claim
WHERE table_number = 1
GROUP BY method, row_label;
COMMENT ON VIEW table1 IS 'The survey''s Table 1';
COMMENT ON COLUMN table1.method IS 'Method that the row is read as';
COMMENT ON COLUMN table1.row_label IS 'First cell of the row, as printed';
COMMENT ON COLUMN table1.type IS 'Categories that the survey gives the method: A additive, S selective, R based on reparametrization; several together';
COMMENT ON COLUMN table1.disk IS 'Whether it saves disk';
COMMENT ON COLUMN table1.ram IS 'Whether it saves memory in training';
COMMENT ON COLUMN table1.bp IS 'Whether it saves backpropagation through the backbone';
COMMENT ON COLUMN table1.overhead_printed IS 'Inference overhead, in the table''s words';
