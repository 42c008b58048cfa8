-- One row per method, measured on T5-Large; methods_on(backbone_id) has other base models
CREATE VIEW methods AS SELECT * FROM methods_on((SELECT judged_on FROM judging));
