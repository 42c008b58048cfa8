-- Mean scores of Appendix B on RTE, COPA and BoolQ that are at chance level or may be fractions
-- One row for each reason to doubt a mean.
CREATE VIEW score_caveat AS
WITH constant_prediction (dataset, score) AS (VALUES ('RTE', 52.71), ('COPA', 55), ('BoolQ', 62.17)),
per_dataset AS (
    SELECT
        backbone, method, method_id, dataset, avg(score ORDER BY position) AS mean,
        min(score) AS least, max(score) AS greatest
    FROM appendix_b
    WHERE score IS NOT NULL
    GROUP BY ALL
)
SELECT
    per_dataset.backbone,
    per_dataset.method,
    per_dataset.method_id,
    per_dataset.dataset,
    reason.kind,  -- chance: not above a constant prediction; fraction: every run prints a number up to 1, perhaps a fraction of correct answers instead of a percentage
    per_dataset.mean,  -- Mean over the runs, as printed
    constant_prediction.score AS constant_prediction  -- Score of always predicting the more frequent class: a value that recurs in failed runs of several methods
FROM per_dataset
JOIN constant_prediction ON constant_prediction.dataset = per_dataset.dataset
CROSS JOIN (VALUES ('chance'), ('fraction')) AS reason (kind)
WHERE CASE reason.kind
    WHEN 'chance' THEN per_dataset.mean <= constant_prediction.score + 0.005
    ELSE per_dataset.least > 0 AND per_dataset.greatest <= 1
END;
