-- One row per method, measured on the named base model; columns as in methods
CREATE MACRO methods_on(backbone_id) AS TABLE
SELECT * FROM method_on_backbone WHERE backbone = backbone_id;
