-- What the catalog holds
CREATE VIEW summary AS
SELECT
    (SELECT count(*) FROM method) AS methods,  -- Number of methods
    (SELECT count(*) FROM methods WHERE after_survey) AS methods_after_survey,  -- Of these, methods that the source whose ticks are shown does not mention
    (SELECT count(*) FROM configuration WHERE varies IS NULL) AS configurations,  -- Number of configurations of all methods
    (SELECT count(*) FROM backbone) AS backbones,  -- Number of models in the catalog
    (SELECT count(*) FROM measurement WHERE status = 'counted') AS measurements,  -- Successful measurements
    (SELECT count(*) FROM source) AS sources,  -- Number of sources
    (SELECT count(*) FROM claim WHERE status = 'printed') AS claims;  -- Printed cells of all sources
