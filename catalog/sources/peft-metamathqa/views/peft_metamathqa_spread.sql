-- How far runs of one experiment lie apart: the same configuration, seed and device, while the library changed
CREATE VIEW peft_metamathqa_spread AS
SELECT
    printed.experiment,
    count(*) AS runs,  -- Published runs, three at least, all with the same number of trainable parameters
    min(printed.created_at)[:10] AS first_run,  -- Day of the earliest run
    max(printed.created_at)[:10] AS last_run,  -- Day of the latest run
    100 * avg(CAST(printed.test_accuracy AS DOUBLE)) AS mean_accuracy,  -- Percent of the test set, on average
    100 * (max(CAST(printed.test_accuracy AS DOUBLE)) - min(CAST(printed.test_accuracy AS DOUBLE)))
        AS accuracy_spread,  -- Highest less lowest accuracy, in points of percent
    100 * min(CAST(printed.test_accuracy AS DOUBLE)) AS least_accuracy,  -- Percent of the test set, in the run with fewest right answers
    100 * max(CAST(printed.test_accuracy AS DOUBLE)) AS greatest_accuracy,  -- Percent of the test set, in the run with most right answers
    avg(CAST(printed.mem_reserved_max AS DOUBLE)) AS mean_peak_bytes,  -- Bytes of reserved memory at its highest, on average
    100 * (max(CAST(printed.mem_reserved_max AS DOUBLE)) / min(CAST(printed.mem_reserved_max AS DOUBLE)) - 1)
        AS peak_spread_percent,  -- How far the run with most memory lies above the one with least, in percent of the latter
    min(CAST(printed.mem_reserved_max AS BIGINT)) AS least_peak_bytes,  -- Bytes of reserved memory at its highest, in the run with least
    max(CAST(printed.mem_reserved_max AS BIGINT)) AS greatest_peak_bytes  -- Bytes of reserved memory at its highest, in the run with most
FROM peft_metamathqa_history AS printed
GROUP BY printed.experiment, printed.max_steps, printed.lr, printed.seed, printed.accelerator
HAVING count(*) >= 3 AND count(DISTINCT printed.trainable) = 1;
