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
        min_by(fits_setup, column_name) AS fits_setup
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
    reviewed.innocent,
    differing.fits_setup,
    other_setup.trainable AS fits_setup_trainable
FROM differing
JOIN table5 ON table5.backbone = differing.backbone AND table5.row_label = differing.row_label
LEFT JOIN explanation AS reviewed
    ON reviewed.method = differing.method AND reviewed.row_label = differing.row_label
    AND reviewed.text = differing.explanation
LEFT JOIN measurement AS other_setup
    ON other_setup.configuration = differing.fits_setup AND other_setup.backbone = differing.backbone;
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
COMMENT ON COLUMN discrepancies.outcome IS 'fits_another_setup, inconsistent, unresolved or unexplained';
COMMENT ON COLUMN discrepancies.cause IS 'Kind of cause';
COMMENT ON COLUMN discrepancies.explanation IS 'The reason, worded as what was found';
COMMENT ON COLUMN discrepancies.innocent IS 'How the figures can have come about without anybody''s fault';
COMMENT ON COLUMN discrepancies.fits_setup IS 'Another configuration, whose count equals the printed figures';
COMMENT ON COLUMN discrepancies.fits_setup_trainable IS 'What that configuration trains on this backbone, measured';
