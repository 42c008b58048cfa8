-- summary: one row that counts what the catalog holds and how the printed parameter figures of Table 5 ended.
CREATE VIEW summary AS
WITH rows_that_match AS (
    SELECT row_label, backbone, bool_and(configuration = judging.full_tuning) AS trains_all
    FROM verdict, judging
    GROUP BY row_label, backbone
    HAVING bool_and(verdict = 'match')
)
SELECT
    (SELECT count(*) FROM method) AS methods,
    (SELECT count(*) FROM configuration) AS configurations,
    (SELECT count(*) FROM backbone) AS backbones,
    (SELECT count(*) FROM measurement WHERE status = 'counted') AS measurements,
    count(*) AS figures,
    count(DISTINCT row_label || ' on ' || backbone) AS rows,
    (SELECT count(*) FROM rows_that_match) AS rows_match,
    (SELECT count(*) FROM rows_that_match WHERE trains_all) AS full_tuning_rows,
    count(*) FILTER (outcome = 'match') AS match,
    count(*) FILTER (outcome = 'fits_another_setup') AS fits_another_setup,
    count(*) FILTER (outcome = 'inconsistent') AS inconsistent,
    count(*) FILTER (outcome = 'unresolved') AS unresolved,
    count(*) FILTER (outcome = 'unexplained') AS unexplained,
    count(*) FILTER (outcome = 'not_measured') AS not_measured
FROM verdict;
COMMENT ON VIEW summary IS 'What the catalog holds, and how the printed parameter figures of Table 5 ended';
COMMENT ON COLUMN summary.methods IS 'Number of methods';
COMMENT ON COLUMN summary.configurations IS 'Number of configurations of all methods';
COMMENT ON COLUMN summary.backbones IS 'Number of base models in the catalog';
COMMENT ON COLUMN summary.measurements IS 'Successful measurements';
COMMENT ON COLUMN summary.figures IS 'Printed parameter figures of Table 5';
COMMENT ON COLUMN summary.rows IS 'Rows of Table 5, each on one base model, that have a parameter figure';
COMMENT ON COLUMN summary.rows_match IS 'Rows all of whose parameter figures match';
COMMENT ON COLUMN summary.full_tuning_rows IS 'Of these, rows of full tuning, whose count is that of the model';
COMMENT ON COLUMN summary.match IS 'Figures that match ours at the printed rounding';
COMMENT ON COLUMN summary.fits_another_setup IS 'Figures that differ from the row''s own configuration and equal the count of another one, which is named';
COMMENT ON COLUMN summary.inconsistent IS 'Figures that do not match the count beside them in the survey';
COMMENT ON COLUMN summary.unresolved IS 'Figures that differ and are unresolved';
COMMENT ON COLUMN summary.unexplained IS 'Figures that differ without an explanation';
COMMENT ON COLUMN summary.not_measured IS 'Figures whose configuration was not measured';
