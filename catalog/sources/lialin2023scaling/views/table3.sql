-- The survey's Table 3: microbatch sizes
CREATE VIEW table3 AS
SELECT
    printed_model.backbone,
    printed.model AS backbone_label,  -- Label of the base model, as printed
    printed.dataset,
    CAST(printed.microbatch AS INTEGER) AS microbatch  -- Examples processed at once on one device
FROM lialin2023scaling_table3 AS printed
JOIN printed_model ON printed_model.source = 'lialin2023scaling' AND printed_model.table_name = 'table3' AND printed_model.printed = printed.model;
