-- methods_on(backbone_id): one row per method, measured on one backbone; columns as in the view methods.
CREATE MACRO methods_on(backbone_id) AS TABLE
SELECT * FROM method_on_backbone WHERE backbone = backbone_id;
COMMENT ON MACRO TABLE methods_on IS 'One row per method, measured on the backbone that is named; columns as in methods';
