-- Every printed parameter figure of the survey's Table 5 beside ours
CREATE VIEW table5_verdict AS
SELECT
    verdict.locator,
    verdict.method,
    verdict.row_label,
    verdict.configuration,
    verdict.backbone,
    backbone.name AS backbone_name,  -- Name of the model
    verdict.column_name,
    verdict.printed,
    claim.value_min,
    claim.decimals,
    verdict.value AS measured,  -- Our figure in the column's unit; NULL when nothing was measured
    verdict.verdict,
    verdict.outcome,
    verdict.cause,
    verdict.explained AS explanation,  -- The reviewed reason of a difference
    verdict.explanation AS position,  -- Position of that explanation, as in explanation.position
    explanation.innocent,
    explanation.evidence,
    verdict.fits_setup
FROM verdict
JOIN claim USING (source, table_name, position, column_name)
JOIN backbone ON backbone.id = verdict.backbone
LEFT JOIN explanation ON explanation.source = verdict.source AND explanation.position = verdict.explanation
WHERE verdict.source = 'lialin2023scaling' AND verdict.table_name = 'table5' AND verdict.quantity = 'trainable';
