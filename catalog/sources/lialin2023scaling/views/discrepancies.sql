-- Rows of Table 5 whose printed parameter figures differ from ours, with the reviewed reason
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
        min_by(explained, column_name) AS explanation,
        min_by(explanation, column_name) AS reviewed,
        min_by(fits_setup, column_name) AS fits_setup
    FROM verdict
    WHERE source = 'lialin2023scaling' AND table_name = 'table5' AND verdict = 'differs'
    GROUP BY backbone, row_label, method, configuration
)
SELECT
    differing.backbone,
    differing.row_label,
    differing.method,
    differing.configuration,
    table5.params_millions_printed,
    table5.params_percent_printed,
    differing.millions_differ,  -- Whether the millions differ
    differing.percent_differs,  -- Whether the percent differ
    table5.trainable_measured,
    table5.params_millions_measured,
    table5.params_percent_measured,
    differing.outcome,
    differing.cause,
    differing.explanation,  -- The reason, worded as what was found
    reviewed.innocent,
    differing.fits_setup,
    other_setup.trainable AS fits_setup_trainable  -- Measured: trainable parameters of that configuration on this base model
FROM differing
JOIN table5 ON table5.backbone = differing.backbone AND table5.row_label = differing.row_label
LEFT JOIN explanation AS reviewed ON reviewed.source = 'lialin2023scaling' AND reviewed.position = differing.reviewed
LEFT JOIN measurement AS other_setup
    ON other_setup.configuration = differing.fits_setup AND other_setup.backbone = differing.backbone;
