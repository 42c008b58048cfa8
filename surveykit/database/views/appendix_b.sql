-- appendix_b: the survey's raw results, one row per printed row, with seeds and scores as numbers beside the print.
CREATE VIEW appendix_b AS
SELECT
    raw_score.position,
    raw_score.model,
    raw_score.method,
    raw_score.dataset,
    CAST(raw_score.seed_printed AS INTEGER) AS seed,
    CAST(raw_score.score_printed AS DOUBLE) AS score,
    raw_score.seed_printed,
    raw_score.score_printed,
    raw_score.backbone,
    printed_name.method AS method_id,
    printed_name.configuration
FROM raw_score
JOIN printed_name ON printed_name.table_label = 'Appendix B' AND printed_name.printed = raw_score.method;
COMMENT ON VIEW appendix_b IS 'The survey''s Appendix B: raw results';
COMMENT ON COLUMN appendix_b.position IS 'Order, from 1';
COMMENT ON COLUMN appendix_b.model IS 'Name of the base model, as printed in Appendix B';
COMMENT ON COLUMN appendix_b.method IS 'Name of the method, as printed in Appendix B';
COMMENT ON COLUMN appendix_b.dataset IS 'Name of the dataset in the survey';
COMMENT ON COLUMN appendix_b.seed IS 'Random seed; NULL where the cell is blank';
COMMENT ON COLUMN appendix_b.score IS 'Accuracy in percent, or ROUGE-L on CNN; NULL where the cell is blank';
COMMENT ON COLUMN appendix_b.seed_printed IS 'Random seed as text, exactly as in the cell';
COMMENT ON COLUMN appendix_b.score_printed IS 'Accuracy in percent, or ROUGE-L on CNN, as text exactly as in the cell';
COMMENT ON COLUMN appendix_b.backbone IS 'Id of the base model, as in backbone.id';
COMMENT ON COLUMN appendix_b.method_id IS 'Method that the name is read as';
COMMENT ON COLUMN appendix_b.configuration IS 'Configuration that the name is read as';
