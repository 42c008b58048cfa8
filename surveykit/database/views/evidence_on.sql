-- Evidence for each method's row: method, kind, about, value, source, locator
CREATE MACRO evidence_on(backbone_id) AS TABLE
SELECT
    method,
    'column' AS kind,
    name AS about,
    CASE WHEN status = 'known' THEN value ELSE status END AS value,
    source,
    locator,
    1 AS part,
    list_position(['type', 'disk', 'ram', 'bp', 'overhead'], name) AS place
FROM attribute
UNION ALL
SELECT
    method, 'claim', column_name, coalesce(printed, status), source, locator, 2,
    row_number() OVER (ORDER BY source, table_name, locator)
FROM claim
WHERE method IS NOT NULL AND (backbone IS NULL OR backbone = backbone_id)
UNION ALL
SELECT
    configuration.method,
    'measured',
    count_of.about,
    CAST(count_of.value AS VARCHAR),
    'engine, from ' || measurement.provenance || CASE WHEN measurement.is_stale THEN ', stale' ELSE '' END,
    measurement.configuration || ' on ' || measurement.backbone || ', run ' || measurement.run,
    3,
    count_of.place
FROM measurement
JOIN configuration ON configuration.id = measurement.configuration AND configuration.is_default,
LATERAL (
    VALUES ('trainable', measurement.trainable, 1), ('added', measurement.added, 2), ('stored', measurement.stored, 3)
) AS count_of (about, value, place)
WHERE measurement.backbone = backbone_id AND measurement.status = 'counted';
