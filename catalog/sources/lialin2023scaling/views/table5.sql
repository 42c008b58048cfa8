-- The survey's Table 5 as printed, beside our counts of parameters
CREATE VIEW table5 AS
WITH printed AS (
    SELECT
        backbone,
        row_label,
        method,
        configuration,
        any_value(model_label) AS model_label,
        max(printed) FILTER (column_name = 'score') AS score_printed,
        max(printed) FILTER (column_name = 'params_millions') AS params_millions_printed,
        max(printed) FILTER (column_name = 'params_percent') AS params_percent_printed,
        max(printed) FILTER (column_name = 'ram_gb') AS ram_gb_printed,
        max(printed) FILTER (column_name = 'throughput_train') AS throughput_train_printed,
        max(printed) FILTER (column_name = 'throughput_infer') AS throughput_infer_printed
    FROM claim
    WHERE source = 'lialin2023scaling' AND table_name = 'table5'
    GROUP BY backbone, row_label, method, configuration
),
judged AS (
    SELECT
        backbone,
        row_label,
        max(value) FILTER (column_name = 'params_millions') AS params_millions_measured,
        max(value) FILTER (column_name = 'params_percent') AS params_percent_measured,
        max(verdict) FILTER (column_name = 'params_millions') AS params_millions_verdict,
        max(outcome) FILTER (column_name = 'params_millions') AS params_millions_outcome,
        max(verdict) FILTER (column_name = 'params_percent') AS params_percent_verdict,
        max(outcome) FILTER (column_name = 'params_percent') AS params_percent_outcome
    FROM verdict
    WHERE source = 'lialin2023scaling' AND table_name = 'table5' AND quantity = 'trainable'
    GROUP BY backbone, row_label
)
SELECT
    printed.backbone,
    printed.model_label AS backbone_label,  -- Label of the base model in the table
    printed.row_label,
    printed.method,
    printed.configuration,
    CAST(printed.params_millions_printed AS DOUBLE) AS params_millions,  -- Printed: parameters in millions
    CAST(printed.params_percent_printed AS DOUBLE) AS params_percent,  -- Printed: parameters in percent
    CAST(printed.ram_gb_printed AS DOUBLE) AS ram_gb,  -- Printed: peak memory in training, GB
    CAST(printed.throughput_train_printed AS DOUBLE) AS throughput_train,  -- Printed: throughput in training, full tuning = 100
    CAST(printed.throughput_infer_printed AS DOUBLE) AS throughput_infer,  -- Printed: throughput in inference, full tuning = 100
    printed.score_printed,  -- Score; NULL where the text we used lacks it
    printed.params_millions_printed,  -- Parameters in millions
    printed.params_percent_printed,  -- Parameters in percent
    printed.ram_gb_printed,  -- Memory in GB, as printed
    printed.throughput_train_printed,  -- Throughput in training
    printed.throughput_infer_printed,  -- Throughput in inference
    measurement.trainable AS trainable_measured,  -- Measured: parameters that the optimizer updates
    CAST(judged.params_millions_measured AS DOUBLE) AS params_millions_measured,  -- Measured: trainable parameters in millions
    CAST(judged.params_percent_measured AS DOUBLE) AS params_percent_measured,  -- Measured: trainable parameters in percent of the base model's
    judged.params_millions_verdict,  -- Whether the printed millions match
    judged.params_millions_outcome,  -- How the printed millions compare with ours, explanation included
    judged.params_percent_verdict,  -- Whether the printed percent match
    judged.params_percent_outcome  -- How the printed percent compare with ours, explanation included
FROM printed
LEFT JOIN measurement
    ON measurement.configuration = printed.configuration AND measurement.backbone = printed.backbone
LEFT JOIN judged ON judged.backbone = printed.backbone AND judged.row_label = printed.row_label;
