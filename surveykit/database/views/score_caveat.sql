-- score_caveat: mean scores of Appendix B that a reader must not take at their face: a row for each reason.
-- chance: not above the score of a constant prediction, the value that failed runs of several methods repeat.
-- fraction: every run prints a number above 0 and up to 1, which may be a share of right answers instead of a percentage.
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
    reason.kind,
    per_dataset.mean,
    constant_prediction.score AS constant_prediction
FROM per_dataset
JOIN constant_prediction ON constant_prediction.dataset = per_dataset.dataset
CROSS JOIN (VALUES ('chance'), ('fraction')) AS reason (kind)
WHERE CASE reason.kind
    WHEN 'chance' THEN per_dataset.mean <= constant_prediction.score + 0.005
    ELSE per_dataset.least > 0 AND per_dataset.greatest <= 1
END;
COMMENT ON VIEW score_caveat IS 'Mean scores of Appendix B on RTE, COPA and BoolQ that are at chance level or may be fractions';
COMMENT ON COLUMN score_caveat.backbone IS 'Id of the base model, as in backbone.id';
COMMENT ON COLUMN score_caveat.method IS 'Method, as printed in Appendix B';
COMMENT ON COLUMN score_caveat.method_id IS 'Method that the name is read as';
COMMENT ON COLUMN score_caveat.dataset IS 'Name of the dataset in the survey';
COMMENT ON COLUMN score_caveat.kind IS 'chance: not above a constant prediction; fraction: every run prints a number up to 1, maybe a share of right answers instead of a percentage';
COMMENT ON COLUMN score_caveat.mean IS 'Mean over the runs, as printed';
COMMENT ON COLUMN score_caveat.constant_prediction IS 'Score of always predicting the more frequent class: a value that failed runs of several methods repeat';
