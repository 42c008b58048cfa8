-- The survey's Appendix B: raw results, one row per printed row
CREATE VIEW appendix_b AS
SELECT
    printed.position,
    printed.model,
    printed.method,
    printed.dataset,
    CAST(printed.seed AS INTEGER) AS seed,  -- Random seed; NULL where the cell is blank
    CAST(printed.score AS DOUBLE) AS score,  -- Accuracy in percent, or ROUGE-L on CNN; NULL where the cell is blank
    printed.seed AS seed_printed,  -- Random seed as printed; NULL where the cell is blank
    printed.score AS score_printed,  -- Score as printed; NULL where the cell is blank
    claim.backbone,
    claim.method AS method_id,  -- Method that we read the name as
    claim.configuration
FROM lialin2023scaling_appendix_b AS printed
JOIN claim ON claim.source = 'lialin2023scaling' AND claim.table_name = 'appendix_b' AND claim.position = printed.position;
