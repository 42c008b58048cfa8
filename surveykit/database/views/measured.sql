-- measured: every measurement with its percentage, the value of the closed form and the configuration's name.
CREATE VIEW measured AS
SELECT
    configuration.method,
    measurement.configuration,
    configuration.name AS configuration_name,
    configuration.is_default,
    configuration.basis,
    measurement.backbone,
    measurement.status,
    measurement.reason,
    measurement.trainable,
    CAST(measurement.trainable * 100 AS DOUBLE) / CAST(backbone.parameters AS DOUBLE) AS trainable_percent,
    measurement.trainable_task,
    measurement.trained_pretrained,
    measurement.added,
    measurement.stored,
    formula_value.trainable AS formula_trainable,
    formula_value.added AS formula_added,
    formula_value.stored AS formula_stored,
    measurement.trainable = formula_value.trainable
        AND measurement.added = formula_value.added
        AND measurement.stored = formula_value.stored AS formulas_agree,
    measurement.provenance,
    measurement.is_stale,
    measurement.run,
    run.date
FROM measurement
JOIN configuration ON configuration.id = measurement.configuration
JOIN backbone ON backbone.id = measurement.backbone
JOIN formula_value
    ON formula_value.configuration = measurement.configuration AND formula_value.backbone = measurement.backbone
JOIN run ON run.run = measurement.run;
COMMENT ON VIEW measured IS 'Every measurement: configuration on backbone';
COMMENT ON COLUMN measured.method IS 'Id of the method, as in method.id';
COMMENT ON COLUMN measured.configuration IS 'Id of the configuration, as in configuration.id';
COMMENT ON COLUMN measured.configuration_name IS 'Its name';
COMMENT ON COLUMN measured.is_default IS 'Whether it is the method''s default';
COMMENT ON COLUMN measured.basis IS 'Where its hyper-parameters come from';
COMMENT ON COLUMN measured.backbone IS 'Id of the base model, as in backbone.id';
COMMENT ON COLUMN measured.status IS 'counted or failed';
COMMENT ON COLUMN measured.reason IS 'Why it failed';
COMMENT ON COLUMN measured.trainable IS 'Parameters that the optimizer holds in the largest stage';
COMMENT ON COLUMN measured.trainable_percent IS 'Trainable parameters in percent of the base model''s';
COMMENT ON COLUMN measured.trainable_task IS 'Parameters that the optimizer holds in the last stage of each task';
COMMENT ON COLUMN measured.trained_pretrained IS 'Pretrained parameters among the trainable ones';
COMMENT ON COLUMN measured.added IS 'New parameters, as trained';
COMMENT ON COLUMN measured.stored IS 'Numbers to keep for each task';
COMMENT ON COLUMN measured.formula_trainable IS 'Trainable parameters by the closed form';
COMMENT ON COLUMN measured.formula_added IS 'New parameters by the closed form';
COMMENT ON COLUMN measured.formula_stored IS 'Numbers to keep by the closed form';
COMMENT ON COLUMN measured.formulas_agree IS 'Whether all three closed forms give the measured counts';
COMMENT ON COLUMN measured.provenance IS 'What the backbone was built from';
COMMENT ON COLUMN measured.is_stale IS 'Whether recipe, backbone or code changed since';
COMMENT ON COLUMN measured.run IS 'The run that found it';
COMMENT ON COLUMN measured.date IS 'Date of that run';
