-- Every cell of the survey's Tables 1 and 2 beside our measurement
CREATE VIEW cell_verdict AS
SELECT
    verdict.locator,
    verdict.method,
    CAST(right(verdict.table_name, 1) AS INTEGER) AS table_number,  -- 1 or 2: which table of the survey
    verdict.row_label,
    verdict.column_name,
    verdict.printed,
    verdict.configuration,
    verdict.backbone,
    verdict.measured,
    verdict.verdict,
    verdict.sense,
    sense.says AS sense_says,  -- What our figure counts, in words; NULL if it is not a count
    coalesce(sense.position = 1, true) AS is_own_sense,  -- Whether the sense is the one that the column names
    verdict.reason,
    verdict.found_by,
    verdict.candidates,
    verdict.fitting,
    verdict.cause,
    verdict.explained AS explanation,  -- The reviewed reason of a difference
    verdict.fits_setup
FROM verdict
LEFT JOIN sense ON sense.quantity = verdict.quantity AND sense.id = verdict.sense
WHERE verdict.source = 'lialin2023scaling' AND verdict.table_name IN ('table1', 'table2');
