-- Results for the printed parameter figures of the survey's Table 5
CREATE VIEW table5_summary AS
WITH figure AS (
    SELECT * FROM verdict WHERE source = 'lialin2023scaling' AND table_name = 'table5' AND quantity = 'trainable'
),
rows_that_match AS (
    SELECT row_label, backbone, bool_and(configuration = judging.full_tuning) AS trains_all
    FROM figure, judging
    GROUP BY row_label, backbone
    HAVING bool_and(verdict = 'match')
)
SELECT
    count(*) AS figures,  -- Printed parameter figures of Table 5
    count(DISTINCT row_label || ' on ' || backbone) AS rows,  -- Rows of Table 5, each on one base model, that have a parameter figure
    (SELECT count(*) FROM rows_that_match) AS rows_match,  -- Rows all of whose parameter figures match
    (SELECT count(*) FROM rows_that_match WHERE trains_all) AS full_tuning_rows,  -- Of these, rows of full tuning, whose count is that of the model
    count(*) FILTER (outcome = 'match') AS match,  -- Figures that match ours at the printed rounding
    count(*) FILTER (outcome = 'fits_another_setup') AS fits_another_setup,  -- Figures that differ from the row's own configuration and equal the count of another one, which is named
    count(*) FILTER (outcome = 'inconsistent') AS inconsistent,  -- Figures that do not match the count beside them in the survey
    count(*) FILTER (outcome = 'unresolved') AS unresolved,  -- Figures that differ and are unresolved
    count(*) FILTER (outcome = 'unexplained') AS unexplained,  -- Figures that differ without an explanation
    count(*) FILTER (outcome = 'not_measured') AS not_measured  -- Figures whose configuration was not measured
FROM figure;
