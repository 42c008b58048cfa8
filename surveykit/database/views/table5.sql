-- table5: the survey's Table 5, one row per backbone and row of the table: what is printed, and for the two
-- columns of parameters what we count and how the two compare.
CREATE VIEW table5 AS
WITH printed AS (
    SELECT
        backbone,
        row_label,
        method,
        configuration,
        max(printed) FILTER (column_name = 'score') AS score_printed,
        max(printed) FILTER (column_name = 'params_millions') AS params_millions_printed,
        max(printed) FILTER (column_name = 'params_percent') AS params_percent_printed,
        max(printed) FILTER (column_name = 'ram_gb') AS ram_gb_printed,
        max(printed) FILTER (column_name = 'throughput_train') AS throughput_train_printed,
        max(printed) FILTER (column_name = 'throughput_infer') AS throughput_infer_printed
    FROM claim
    WHERE table_number = 5
    GROUP BY backbone, row_label, method, configuration
),
judged AS (
    SELECT
        backbone,
        row_label,
        max(measured) FILTER (column_name = 'params_millions') AS params_millions_measured,
        max(measured) FILTER (column_name = 'params_percent') AS params_percent_measured,
        max(verdict) FILTER (column_name = 'params_millions') AS params_millions_verdict,
        max(outcome) FILTER (column_name = 'params_millions') AS params_millions_outcome,
        max(verdict) FILTER (column_name = 'params_percent') AS params_percent_verdict,
        max(outcome) FILTER (column_name = 'params_percent') AS params_percent_outcome
    FROM verdict
    GROUP BY backbone, row_label
)
SELECT
    printed.backbone,
    backbone.survey_label AS backbone_label,
    printed.row_label,
    printed.method,
    printed.configuration,
    CAST(printed.params_millions_printed AS DOUBLE) AS params_millions,
    CAST(printed.params_percent_printed AS DOUBLE) AS params_percent,
    CAST(printed.ram_gb_printed AS DOUBLE) AS ram_gb,
    CAST(printed.throughput_train_printed AS DOUBLE) AS throughput_train,
    CAST(printed.throughput_infer_printed AS DOUBLE) AS throughput_infer,
    printed.score_printed,
    printed.params_millions_printed,
    printed.params_percent_printed,
    printed.ram_gb_printed,
    printed.throughput_train_printed,
    printed.throughput_infer_printed,
    measurement.trainable AS trainable_measured,
    CAST(judged.params_millions_measured AS DOUBLE) AS params_millions_measured,
    CAST(judged.params_percent_measured AS DOUBLE) AS params_percent_measured,
    judged.params_millions_verdict,
    judged.params_millions_outcome,
    judged.params_percent_verdict,
    judged.params_percent_outcome
FROM printed
JOIN backbone ON backbone.id = printed.backbone
LEFT JOIN measurement
    ON measurement.configuration = printed.configuration AND measurement.backbone = printed.backbone
LEFT JOIN judged ON judged.backbone = printed.backbone AND judged.row_label = printed.row_label;
COMMENT ON VIEW table5 IS 'The survey''s Table 5 as printed, beside our counts of parameters';
COMMENT ON COLUMN table5.backbone IS 'Id of the base model, as in backbone.id';
COMMENT ON COLUMN table5.backbone_label IS 'Its label in the table';
COMMENT ON COLUMN table5.params_millions IS 'Printed: parameters in millions';
COMMENT ON COLUMN table5.params_percent IS 'Printed: parameters in percent';
COMMENT ON COLUMN table5.ram_gb IS 'Printed: peak memory in training, GB';
COMMENT ON COLUMN table5.throughput_train IS 'Printed: throughput in training, full tuning = 100';
COMMENT ON COLUMN table5.throughput_infer IS 'Printed: throughput in inference, full tuning = 100';
COMMENT ON COLUMN table5.row_label IS 'First cell of the row, as printed';
COMMENT ON COLUMN table5.method IS 'Method that the row is read as';
COMMENT ON COLUMN table5.configuration IS 'Configuration that the row is read as';
COMMENT ON COLUMN table5.score_printed IS 'Score; NULL where the text we used lacks it';
COMMENT ON COLUMN table5.params_millions_printed IS 'Parameters in millions';
COMMENT ON COLUMN table5.params_percent_printed IS 'Parameters in percent';
COMMENT ON COLUMN table5.ram_gb_printed IS 'Memory in GB, as printed';
COMMENT ON COLUMN table5.throughput_train_printed IS 'Throughput in training';
COMMENT ON COLUMN table5.throughput_infer_printed IS 'Throughput in inference';
COMMENT ON COLUMN table5.trainable_measured IS 'Measured: parameters that the optimizer holds';
COMMENT ON COLUMN table5.params_millions_measured IS 'Measured: trainable parameters in millions';
COMMENT ON COLUMN table5.params_percent_measured IS 'Measured: trainable parameters in percent of the base model''s';
COMMENT ON COLUMN table5.params_millions_verdict IS 'Whether the printed millions match';
COMMENT ON COLUMN table5.params_millions_outcome IS 'How the printed millions compare with ours, explanation included';
COMMENT ON COLUMN table5.params_percent_verdict IS 'Whether the printed percent match';
COMMENT ON COLUMN table5.params_percent_outcome IS 'How the printed percent compare with ours, explanation included';
