-- The survey's Table 2: ends of ranges as numbers, ticks as truth values
CREATE VIEW table2 AS
SELECT
    claim.method,
    claim.row_label,
    any_value(attribute.value) AS type,  -- Type of the method (Table 1)
    max(claim.printed) FILTER (column_name = 'trainable_percent') AS trainable_printed,  -- Trainable parameters in percent, as printed
    CAST(max(claim.value_min) FILTER (column_name = 'trainable_percent') AS DOUBLE) AS trainable_min,  -- Lower end of the printed trainable percent
    CAST(max(claim.value_max) FILTER (column_name = 'trainable_percent') AS DOUBLE) AS trainable_max,  -- Upper end of the printed trainable percent
    max(claim.printed) FILTER (column_name = 'changed_percent') AS changed_printed,  -- Changed parameters in percent, as printed
    CAST(max(claim.value_min) FILTER (column_name = 'changed_percent') AS DOUBLE) AS changed_min,  -- Lower end of the printed changed percent; of a bound such as >0.5, the bound
    CAST(max(claim.value_max) FILTER (column_name = 'changed_percent') AS DOUBLE) AS changed_max,  -- Upper end of the printed changed percent
    max(claim.printed) FILTER (column_name = 'under_1b') = '✓' AS under_1b,  -- Evaluated on models of fewer than 1 billion parameters
    max(claim.printed) FILTER (column_name = 'under_20b') = '✓' AS under_20b,  -- Evaluated on models of fewer than 20 billion parameters
    max(claim.printed) FILTER (column_name = 'over_20b') = '✓' AS over_20b  -- Evaluated on models of more than 20 billion parameters
FROM claim
JOIN attribute ON attribute.method = claim.method AND attribute.name = 'type'
WHERE claim.source = 'lialin2023scaling' AND claim.table_name = 'table2'
GROUP BY claim.method, claim.row_label;
