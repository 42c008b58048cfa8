-- Every measurement: configuration on base model, with percentages and the values of the closed forms
CREATE VIEW measured AS
SELECT
    configuration.method,
    measurement.configuration,
    configuration.name AS configuration_name,  -- What distinguishes it from other configurations of the method
    configuration.is_default,
    configuration.basis,
    measurement.backbone,
    measurement.status,
    measurement.reason,
    measurement.trainable,
    CAST(measurement.trainable * 100 AS DOUBLE) / CAST(backbone.parameters AS DOUBLE) AS trainable_percent,  -- Trainable parameters in percent of the base model's
    measurement.trainable_task,
    measurement.trained_pretrained,
    measurement.added,
    measurement.stored,
    formula_value.trainable AS formula_trainable,  -- Trainable parameters by the closed form
    formula_value.added AS formula_added,  -- Added parameters by the closed form
    formula_value.stored AS formula_stored,  -- Numbers to keep by the closed form
    measurement.trainable = formula_value.trainable
        AND measurement.added = formula_value.added
        AND measurement.stored = formula_value.stored AS formulas_agree,  -- Whether all three closed forms give the measured counts; NULL where there are none for this base model
    measurement.provenance,
    measurement.is_stale,
    measurement.run,
    run.date
FROM measurement
JOIN configuration ON configuration.id = measurement.configuration
JOIN backbone ON backbone.id = measurement.backbone
LEFT JOIN formula_value
    ON formula_value.configuration = measurement.configuration AND formula_value.backbone = measurement.backbone
JOIN run ON run.run = measurement.run;
