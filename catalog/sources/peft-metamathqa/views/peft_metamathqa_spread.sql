-- How far runs of one experiment lie apart: the same configuration, seed and device, while the library changed
CREATE VIEW peft_metamathqa_spread AS
SELECT
    experiment,
    count(*) AS runs, -- published runs, three at least, all with the same number of trainable parameters
    min(created_at)[:10] AS first_run, -- day
    max(created_at)[:10] AS last_run, -- day
    100 * avg(CAST(test_accuracy AS DOUBLE)) AS mean_accuracy, -- percent of the test set
    100 * (max(CAST(test_accuracy AS DOUBLE)) - min(CAST(test_accuracy AS DOUBLE))) AS accuracy_spread, -- highest less lowest, in points of percent
    avg(CAST(mem_reserved_max AS DOUBLE)) AS mean_peak_bytes, -- reserved memory at its highest
    100 * (max(CAST(mem_reserved_max AS DOUBLE)) / min(CAST(mem_reserved_max AS DOUBLE)) - 1) AS peak_spread_percent -- how much the highest run lies above the lowest
FROM peft_metamathqa_history
GROUP BY experiment, max_steps, lr, seed, accelerator
HAVING count(*) >= 3 AND count(DISTINCT nullif(trainable, '')) = 1
ORDER BY experiment;
