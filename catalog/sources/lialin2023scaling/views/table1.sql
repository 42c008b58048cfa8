-- The survey's Table 1, ticks as truth values
CREATE VIEW table1 AS
SELECT
    method,
    row_label,
    max(printed) FILTER (column_name = 'type') AS type,  -- Categories that the survey gives the method: A additive, S selective, R based on reparametrization; several together
    max(printed) FILTER (column_name = 'disk') = '✓' AS disk,  -- Whether it saves disk space
    max(printed) FILTER (column_name = 'ram') = '✓' AS ram,  -- Whether it saves memory in training
    max(printed) FILTER (column_name = 'bp') = '✓' AS bp,  -- Whether it saves backpropagation through the base model
    max(printed) FILTER (column_name = 'overhead') AS overhead_printed  -- Inference overhead, in the table's words
FROM claim
WHERE source = 'lialin2023scaling' AND table_name = 'table1'
GROUP BY method, row_label;
