-- discrepancies: one row per row of Table 5 and backbone where a printed parameter figure differs from ours.
CREATE VIEW discrepancies AS
WITH differing AS (
    SELECT
        backbone,
        row_label,
        method,
        configuration,
        bool_or(column_name = 'params_millions') AS millions_differ,
        bool_or(column_name = 'params_percent') AS percent_differs,
        -- One row may have two explanations; the one of the millions is shown then.
        min_by(outcome, column_name) AS outcome,
        min_by(cause, column_name) AS cause,
        min_by(explanation, column_name) AS explanation,
        min_by(reproduced_by, column_name) AS reproduced_by
    FROM verdict
    WHERE verdict = 'differs'
    GROUP BY backbone, row_label, method, configuration
)
SELECT
    differing.backbone,
    differing.row_label,
    differing.method,
    differing.configuration,
    table5.params_millions_printed,
    table5.params_percent_printed,
    differing.millions_differ,
    differing.percent_differs,
    table5.trainable_measured,
    table5.params_millions_measured,
    table5.params_percent_measured,
    differing.outcome,
    differing.cause,
    differing.explanation,
    differing.reproduced_by,
    reproduction.trainable AS reproduced_trainable
FROM differing
JOIN table5 ON table5.backbone = differing.backbone AND table5.row_label = differing.row_label
LEFT JOIN measurement AS reproduction
    ON reproduction.configuration = differing.reproduced_by AND reproduction.backbone = differing.backbone;
COMMENT ON VIEW discrepancies IS 'Rows of Table 5 whose printed parameter figures differ from ours, with the reviewed reason';
COMMENT ON COLUMN discrepancies.backbone IS 'Id of the base model, as in backbone.id';
COMMENT ON COLUMN discrepancies.row_label IS 'First cell of the row, as printed';
COMMENT ON COLUMN discrepancies.method IS 'Id of the method, as in method.id';
COMMENT ON COLUMN discrepancies.configuration IS 'Configuration that the row is read as';
COMMENT ON COLUMN discrepancies.params_millions_printed IS 'Parameters in millions, as printed';
COMMENT ON COLUMN discrepancies.params_percent_printed IS 'Parameters in percent, as printed';
COMMENT ON COLUMN discrepancies.millions_differ IS 'Whether the millions differ';
COMMENT ON COLUMN discrepancies.percent_differs IS 'Whether the percent differ';
COMMENT ON COLUMN discrepancies.trainable_measured IS 'Measured: parameters that the optimizer holds';
COMMENT ON COLUMN discrepancies.params_millions_measured IS 'Measured: trainable parameters in millions';
COMMENT ON COLUMN discrepancies.params_percent_measured IS 'Measured: trainable parameters in percent of the base model''s';
COMMENT ON COLUMN discrepancies.outcome IS 'reproduced, inconsistent, unresolved or unexplained';
COMMENT ON COLUMN discrepancies.cause IS 'Kind of cause';
COMMENT ON COLUMN discrepancies.explanation IS 'The reason, worded as what was found';
COMMENT ON COLUMN discrepancies.reproduced_by IS 'A configuration that gives the printed figures';
COMMENT ON COLUMN discrepancies.reproduced_trainable IS 'What that configuration trains on this backbone, measured';
