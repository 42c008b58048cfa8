-- table3: the survey's Table 3, one row per model and dataset.
CREATE VIEW table3 AS SELECT backbone, backbone_label, dataset, microbatch FROM microbatch;
COMMENT ON VIEW table3 IS 'The survey''s Table 3: microbatch sizes';
COMMENT ON COLUMN table3.backbone IS 'Id of the base model, as in backbone.id';
COMMENT ON COLUMN table3.backbone_label IS 'Its label in Table 5';
COMMENT ON COLUMN table3.dataset IS 'Name of the dataset in the survey';
COMMENT ON COLUMN table3.microbatch IS 'Examples processed at once';
