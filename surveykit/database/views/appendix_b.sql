-- The survey's Appendix B: raw results, one row per printed row
CREATE VIEW appendix_b AS
SELECT
    raw_score.position,
    raw_score.model,
    raw_score.method,
    raw_score.dataset,
    CAST(raw_score.seed_printed AS INTEGER) AS seed,  -- Random seed; NULL where the cell is blank
    CAST(raw_score.score_printed AS DOUBLE) AS score,  -- Accuracy in percent, or ROUGE-L on CNN; NULL where the cell is blank
    raw_score.seed_printed,
    raw_score.score_printed,
    raw_score.backbone,
    printed_name.method AS method_id,  -- Method that the name is read as
    printed_name.configuration
FROM raw_score
JOIN printed_name ON printed_name.table_label = 'Appendix B' AND printed_name.printed = raw_score.method;
