-- What the database says of the survey, one row per fact, in words that no table or column of it has to keep: each
-- SELECT names the kind of fact in `part`, then what tells it from others of its kind. After a change of the schema
-- these queries change and `tests/golden/survey.jsonl` stays. The texts of the catalog's own queries are a part of
-- their own, since they follow the schema.

-- What is printed, cell by cell. Tables 1 and 2 have two rows of one name, so the method is told as well.
SELECT
    'figure' AS part, 'Table ' || table_number AS "table", row_label AS row, backbone AS model, column_name AS "column",
    printed, status, method
FROM claim;

SELECT
    'figure' AS part, 'Table 3' AS "table", dataset AS row, backbone AS model, 'microbatch' AS "column",
    CAST(microbatch AS VARCHAR) AS printed, 'printed' AS status
FROM microbatch;

SELECT
    'figure' AS part, 'Table 6' AS "table", concat_ws(', ', aspect, detail) AS row, NULL AS model,
    concat_ws(', ', category, subcategory) AS "column", printed, status
FROM category_cell;

SELECT
    'figure' AS part, 'Appendix B' AS "table", method || ', ' || dataset AS row, backbone AS model, 'seed' AS "column",
    seed_printed AS printed, if(seed_printed IS NULL, 'blank', 'printed') AS status, position
FROM raw_score;

SELECT
    'figure' AS part, 'Appendix B' AS "table", method || ', ' || dataset AS row, backbone AS model, 'score' AS "column",
    score_printed AS printed, if(score_printed IS NULL, 'blank', 'printed') AS status, position
FROM raw_score;

SELECT 'prompt' AS part, dataset, prompt FROM prompt;

SELECT 'missing' AS part, what, locator, reason FROM missing_in_source;

SELECT 'said' AS part, topic, locator, printed, value FROM said;

SELECT 'citation' AS part, key, section, times FROM citation;

-- How its names are read.
SELECT DISTINCT
    'name' AS part, 'Table ' || table_number AS "table", row_label AS printed, method, NULL AS configuration,
    NULL AS evidence
FROM claim
WHERE table_number < 5;

SELECT
    'name' AS part, 'Table 5' AS "table", row_label AS printed, configuration.method, configuration.id AS configuration,
    evidence
FROM survey_row
JOIN configuration ON configuration.id = survey_row.configuration;

SELECT 'name' AS part, table_label AS "table", printed, method, configuration, evidence FROM printed_name;

SELECT 'model name' AS part, 'Table 5' AS "table", survey_label AS printed, id AS model
FROM backbone
WHERE survey_label IS NOT NULL;

SELECT DISTINCT 'model name' AS part, 'Appendix B' AS "table", model AS printed, backbone AS model FROM raw_score;

-- What was judged, and why a print and our figure differ. `model` is the one that the cell names, `judged_on` the one
-- that was looked at.
SELECT
    'verdict' AS part, 'Table 5' AS "table", row_label AS row, backbone AS model, column_name AS "column", printed,
    method, verdict, outcome, configuration, backbone AS judged_on,
    format('{:.6g}', CAST(measured AS DOUBLE)) AS ours, NULL AS sense, NULL AS found_by, NULL AS candidates,
    NULL AS fitting, cause, fits_setup
FROM verdict;

SELECT
    'verdict' AS part, 'Table ' || table_number AS "table", row_label AS row, NULL AS model, column_name AS "column",
    printed, method, verdict, NULL AS outcome, configuration, backbone AS judged_on,
    coalesce(format('{:.6g}', try_cast(measured AS DOUBLE)), measured) AS ours, sense, found_by, candidates,
    fitting, cause, fits_setup
FROM cell_verdict;

SELECT
    'verdict reason' AS part, 'Table ' || table_number AS "table", row_label AS row, column_name AS "column", method,
    reason
FROM cell_verdict;

SELECT
    'explanation' AS part, 'Table 5' AS "table", row_label AS row, method,
    (
        SELECT list({'model': backbone, 'column': column_name, 'printed': printed} ORDER BY backbone, column_name)
        FROM explanation_figure AS f
        WHERE f.method = e.method AND f.position = e.position
    ) AS figures,
    cause, text, innocent, fits_setup,
    (
        SELECT list(configuration ORDER BY configuration)
        FROM explanation_tried AS t
        WHERE t.method = e.method AND t.position = e.position
    ) AS tried,
    correction, remark
FROM explanation AS e;

SELECT
    'explanation' AS part, 'Table ' || table_number AS "table", v.row_label AS row, method,
    [{'model': NULL, 'column': column_name, 'printed': printed}] AS figures,
    e.cause, e.text, e.innocent, v.fits_setup, NULL AS tried, NULL AS correction, NULL AS remark
FROM cell_explanation AS e
JOIN cell_verdict AS v USING (method, table_number, column_name, printed);

-- What is said of its sentences and of its raw data.
SELECT
    'statement' AS part, id, locator, headline, says, found.status, statement.status AS status_reviewed, statement.note,
    statement.reason, statement.innocent, correction, remark
FROM statement
JOIN (SELECT id, status FROM statements) AS found USING (id);

SELECT 'reading' AS part, statement, position, reading, holds, CAST(figures AS JSON) AS figures, error
FROM statement_reading
JOIN statement_result USING (statement, position);

SELECT
    'data check' AS part, id, looks_for, result.found, c.found AS found_reviewed, CAST(result.rows AS JSON) AS rows,
    result.error, note, innocent
FROM data_check AS c
JOIN data_check_result AS result ON result.data_check = c.id;

SELECT 'second reading' AS part, finding, date, outcome, stands FROM second_reading;

-- Memory of Table 5, which is predicted and not judged.
SELECT
    'memory' AS part, 'Table 5' AS "table", row_label AS row, backbone AS model, method, configuration, batch, length,
    dtype, printed_gb, predicted_gb, error_percent, is_best_setting, read_as, read_as_gb
FROM memory_prediction;

SELECT
    'memory setting' AS part, sample, backbone AS model, length, dtype, rows, mean_error_percent,
    mean_absolute_error_percent, least_error_percent, greatest_error_percent, rank_correlation, is_chosen
FROM memory_setting;

-- What the survey, or we where it is silent, say of each method.
SELECT 'method column' AS part, method, a.name AS "column", value, a.status, a.source, locator, word_of
FROM attribute AS a
JOIN methods ON methods.id = a.method;

-- The queries.
SELECT 'query' AS part, 'explanation' AS of, 'Table 5' AS "table", method || ', ' || position AS id, evidence AS sql
FROM explanation
WHERE evidence IS NOT NULL;

SELECT
    'query' AS part, 'explanation' AS of, 'Table ' || table_number AS "table", method || ', ' || column_name AS id,
    evidence AS sql
FROM cell_explanation
WHERE evidence IS NOT NULL;

SELECT 'query' AS part, 'statement' AS of, id, evidence AS sql FROM statement WHERE evidence IS NOT NULL;

SELECT 'query' AS part, 'reading' AS of, statement || ', ' || position AS id, sql FROM statement_reading;

SELECT 'query' AS part, 'data check' AS of, id, sql FROM data_check;

SELECT 'query' AS part, 'rows of a data check' AS of, id, evidence AS sql FROM data_check WHERE evidence IS NOT NULL;

SELECT 'query' AS part, 'erratum' AS of, id, sql FROM errata WHERE sql IS NOT NULL;

-- The views that users name in their queries, row by row.
SELECT 'view table1' AS part, * FROM table1;

SELECT 'view table2' AS part, * FROM table2;

SELECT 'view table3' AS part, * FROM table3;

SELECT 'view table4_recomputed' AS part, * FROM table4_recomputed;

SELECT 'view table5' AS part, * FROM table5;

SELECT 'view table6' AS part, * FROM table6;

SELECT 'view appendix_b' AS part, * FROM appendix_b;

SELECT 'view discrepancies' AS part, * FROM discrepancies;

SELECT 'view errata' AS part, * EXCLUDE (sql) FROM errata;
