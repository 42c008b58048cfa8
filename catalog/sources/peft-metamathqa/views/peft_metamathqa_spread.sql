-- Spread of the runs of one experiment: same configuration, seed and device, while the library changed
CREATE VIEW peft_metamathqa_spread AS
SELECT
    printed.experiment,
    count(*) AS runs,  -- Published runs, at least three, all with the same number of trainable parameters
    min(printed.created_at)[:10] AS first_run,  -- Day of the earliest run
    max(printed.created_at)[:10] AS last_run,  -- Day of the latest run
    100 * avg(CAST(printed.test_accuracy AS DOUBLE)) AS mean_accuracy,  -- Percent of the test set, on average
    100 * (max(CAST(printed.test_accuracy AS DOUBLE)) - min(CAST(printed.test_accuracy AS DOUBLE)))
        AS accuracy_spread,  -- Highest minus lowest accuracy, in percentage points
    100 * min(CAST(printed.test_accuracy AS DOUBLE)) AS least_accuracy,  -- Percent of the test set, in the run with the fewest correct answers
    100 * max(CAST(printed.test_accuracy AS DOUBLE)) AS greatest_accuracy,  -- Percent of the test set, in the run with the most correct answers
    avg(CAST(printed.mem_reserved_max AS DOUBLE)) AS mean_peak_bytes,  -- Peak reserved memory in bytes, on average
    100 * (max(CAST(printed.mem_reserved_max AS DOUBLE)) / min(CAST(printed.mem_reserved_max AS DOUBLE)) - 1)
        AS peak_spread_percent,  -- How far the run with the most memory is above the one with the least, in percent of the latter
    min(CAST(printed.mem_reserved_max AS BIGINT)) AS least_peak_bytes,  -- Peak reserved memory in bytes, in the run with the least
    max(CAST(printed.mem_reserved_max AS BIGINT)) AS greatest_peak_bytes  -- Peak reserved memory in bytes, in the run with the most
FROM peft_metamathqa_history AS printed
GROUP BY printed.experiment, printed.max_steps, printed.lr, printed.seed, printed.accelerator
HAVING count(*) >= 3 AND count(DISTINCT printed.trainable) = 1;
