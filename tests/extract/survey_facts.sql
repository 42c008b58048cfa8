-- What the database says of the survey, one row per fact, in words that no table or column of it has to keep: each
-- SELECT names the kind of fact in `part`, then what tells it from others of its kind. After a change of the schema
-- these queries change and `tests/golden/survey.jsonl` stays. The texts of the catalog's own queries are a part of
-- their own, since they follow the schema.

-- What is printed, cell by cell. Tables 1 and 2 have two rows of one name, so the method is told as well.
SELECT
    'figure' AS part, replace(table_name, 'table', 'Table ') AS "table", row_label AS row, backbone AS model,
    column_name AS "column", printed, status, method
FROM claim
WHERE source = 'lialin2023scaling' AND table_name IN ('table1', 'table2', 'table5');

SELECT
    'figure' AS part, 'Table 3' AS "table", dataset AS row, backbone AS model, 'microbatch' AS "column",
    CAST(microbatch AS VARCHAR) AS printed, 'printed' AS status
FROM table3;

SELECT
    'figure' AS part, 'Table 6' AS "table", concat_ws(', ', aspect, detail) AS row, NULL AS model,
    concat_ws(', ', category, subcategory) AS "column", printed, status
FROM table6;

SELECT
    'figure' AS part, 'Appendix B' AS "table", method || ', ' || dataset AS row, backbone AS model, 'seed' AS "column",
    seed_printed AS printed, if(seed_printed IS NULL, 'blank', 'printed') AS status, position
FROM appendix_b;

SELECT
    'figure' AS part, 'Appendix B' AS "table", method || ', ' || dataset AS row, backbone AS model, 'score' AS "column",
    score_printed AS printed, if(score_printed IS NULL, 'blank', 'printed') AS status, position
FROM appendix_b;

SELECT 'prompt' AS part, dataset, prompt FROM prompt;

SELECT 'missing' AS part, what, locator, reason FROM missing_in_source WHERE source = 'lialin2023scaling';

SELECT 'said' AS part, topic, locator, printed, value FROM said WHERE source = 'lialin2023scaling';

SELECT 'citation' AS part, key, section, times FROM citation WHERE source = 'lialin2023scaling';

-- How its names are read.
SELECT DISTINCT
    'name' AS part, 'Table ' || right(table_name, 1) AS "table", printed, method, NULL AS configuration, NULL AS evidence
FROM printed_name
WHERE source = 'lialin2023scaling' AND table_name IN ('table1', 'table2');

SELECT
    'name' AS part, 'Table 5' AS "table", printed, configuration.method, configuration.id AS configuration, evidence
FROM printed_name
JOIN configuration ON configuration.id = printed_name.configuration
WHERE source = 'lialin2023scaling' AND table_name = 'table5';

SELECT
    'name' AS part, if(table_name = 'table4', 'Table 4', 'Appendix B') AS "table", printed, method, configuration, evidence
FROM printed_name
WHERE source = 'lialin2023scaling' AND table_name IN ('table4', 'appendix_b');

SELECT
    'model name' AS part, if(table_name = 'table5', 'Table 5', 'Appendix B') AS "table", printed, backbone AS model
FROM printed_model
WHERE source = 'lialin2023scaling' AND table_name IN ('table5', 'appendix_b');

-- What was judged, and why a print and our figure differ. `model` is the one that the cell names, `judged_on` the one
-- that was looked at.
SELECT
    'verdict' AS part, 'Table 5' AS "table", row_label AS row, backbone AS model, column_name AS "column", printed,
    method, verdict, outcome, configuration, backbone AS judged_on, format('{:.6g}', CAST(value AS DOUBLE)) AS ours,
    NULL AS sense, NULL AS found_by, NULL AS candidates, NULL AS fitting, cause, fits_setup
FROM verdict
WHERE source = 'lialin2023scaling' AND table_name = 'table5' AND quantity = 'trainable';

SELECT
    'verdict' AS part, 'Table ' || right(table_name, 1) AS "table", row_label AS row, NULL AS model,
    column_name AS "column", printed, method, verdict, NULL AS outcome, configuration, backbone AS judged_on,
    coalesce(format('{:.6g}', try_cast(measured AS DOUBLE)), measured) AS ours, sense, found_by, candidates,
    fitting, cause, fits_setup
FROM verdict
WHERE source = 'lialin2023scaling' AND table_name IN ('table1', 'table2');

SELECT
    'verdict reason' AS part, 'Table ' || right(table_name, 1) AS "table", row_label AS row, column_name AS "column",
    method, reason
FROM verdict
WHERE source = 'lialin2023scaling' AND table_name IN ('table1', 'table2');

SELECT
    'explanation' AS part, 'Table ' || right(table_name, 1) AS "table", row_label AS row,
    (
        SELECT any_value(method) FROM verdict AS v
        WHERE v.source = e.source AND (v.explanation = e.position OR (v.table_name = e.table_name AND v.row_label = e.row_label AND e.table_name = 'table5'))
    ) AS method,
    (
        SELECT list({'model': backbone, 'column': column_name, 'printed': printed} ORDER BY backbone, column_name)
        FROM explanation_figure AS f
        WHERE f.source = e.source AND f.explanation = e.position
    ) AS figures,
    cause, text, innocent, fits_setup,
    (
        SELECT list(configuration ORDER BY configuration)
        FROM explanation_tried AS t
        WHERE t.source = e.source AND t.explanation = e.position
    ) AS tried,
    correction, remark
FROM explanation AS e
WHERE source = 'lialin2023scaling';

-- What is said of its sentences and of its raw data.
SELECT
    'statement' AS part, id, locator, headline, says, found.status, statement.status AS status_reviewed, statement.note,
    statement.reason, statement.innocent, correction, remark
FROM statement
JOIN (SELECT id, status FROM statements) AS found USING (id)
WHERE source = 'lialin2023scaling';

SELECT 'reading' AS part, statement, position, reading, holds, CAST(figures AS JSON) AS figures, error
FROM statement_reading
JOIN statement_result USING (statement, position)
JOIN statement ON statement.id = statement_reading.statement AND source = 'lialin2023scaling';

SELECT
    'data check' AS part, id, looks_for, result.found, c.found AS found_reviewed, CAST(result.rows AS JSON) AS rows,
    result.error, note, innocent
FROM data_check AS c
JOIN data_check_result AS result ON result.data_check = c.id
WHERE source = 'lialin2023scaling';

SELECT 'second reading' AS part, finding, date, outcome, stands FROM second_reading WHERE source = 'lialin2023scaling';

-- Memory of Table 5, which is predicted and not judged.
SELECT
    'memory' AS part, 'Table 5' AS "table", row_label AS row, backbone AS model, method, configuration, batch, length,
    dtype, printed_gb, predicted_gb, error_percent, is_best_setting, read_as, read_as_gb
FROM memory_tried
WHERE source = 'lialin2023scaling';

SELECT
    'memory setting' AS part, sample, backbone AS model, length, dtype, rows, mean_error_percent,
    mean_absolute_error_percent, least_error_percent, greatest_error_percent, rank_correlation, is_chosen
FROM memory_setting
WHERE source = 'lialin2023scaling';

-- What the survey, or we where it is silent, say of each of its methods.
SELECT
    'method column' AS part, method, a.name AS "column", value, a.status,
    replace(a.source, 'lialin2023scaling', 'survey_table') AS source, locator,
    replace(word_of, 'lialin2023scaling', 'survey') AS word_of
FROM attribute AS a
JOIN methods ON methods.id = a.method
WHERE NOT after_survey;

-- The queries.
SELECT
    'query' AS part, 'explanation' AS of, 'Table ' || right(table_name, 1) AS "table", name AS id, evidence AS sql
FROM explanation
WHERE source = 'lialin2023scaling' AND evidence IS NOT NULL;

SELECT 'query' AS part, 'statement' AS of, id, evidence AS sql FROM statement WHERE source = 'lialin2023scaling' AND evidence IS NOT NULL;

SELECT 'query' AS part, 'reading' AS of, statement || ', ' || r.position AS id, r.sql
FROM statement_reading AS r
JOIN statement ON statement.id = r.statement AND source = 'lialin2023scaling';

SELECT 'query' AS part, 'data check' AS of, id, sql FROM data_check WHERE source = 'lialin2023scaling';

SELECT 'query' AS part, 'rows of a data check' AS of, id, evidence AS sql FROM data_check WHERE source = 'lialin2023scaling' AND evidence IS NOT NULL;

SELECT 'query' AS part, 'erratum' AS of, id, sql FROM errata WHERE source = 'lialin2023scaling' AND sql IS NOT NULL;

-- The views that users name in their queries, row by row.
SELECT 'view table1' AS part, * FROM table1;

SELECT 'view table2' AS part, * FROM table2;

SELECT 'view table3' AS part, * FROM table3;

SELECT 'view table4_recomputed' AS part, * FROM table4_recomputed;

SELECT 'view table5' AS part, * FROM table5;

SELECT 'view table6' AS part, * FROM table6;

SELECT 'view appendix_b' AS part, * FROM appendix_b;

SELECT 'view discrepancies' AS part, * FROM discrepancies;

SELECT 'view errata' AS part, * EXCLUDE (source, sql) FROM errata WHERE source = 'lialin2023scaling';
