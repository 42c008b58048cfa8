-- Sources with the number of their claims, by verdict
CREATE VIEW sources AS
SELECT
    source.key AS source,  -- Key of the source: the name of its folder
    source.name,
    source.kind,
    source.tier,
    source.date,
    count(DISTINCT verdict.table_name) AS tables,  -- Tables with claims
    count(verdict.locator) AS claims,  -- Printed cells
    count(*) FILTER (verdict.verdict = 'match') AS match,  -- Cells that equal our figure at the printed rounding
    count(*) FILTER (verdict.verdict = 'within_range') AS within_range,  -- Cells whose range or bound contains our figure
    count(*) FILTER (verdict.verdict = 'outside_range') AS outside_range,  -- Cells whose range or bound does not contain our figure
    count(*) FILTER (verdict.verdict = 'partly') AS partly,  -- Cells that agree in part
    count(*) FILTER (verdict.verdict = 'differs') AS differs,  -- Cells that differ from ours
    count(*) FILTER (verdict.verdict = 'predicted') AS predicted,  -- Cells beside a prediction whose error is shown
    count(*) FILTER (verdict.verdict = 'not_comparable') AS not_comparable,  -- Cells that are shown but not judged
    count(*) FILTER (verdict.verdict = 'not_measured') AS not_measured,  -- Cells whose method or model the catalog cannot measure yet
    count(*) FILTER (verdict.outcome = 'unexplained') AS unexplained  -- Cells that differ without a reviewed reason
FROM source
LEFT JOIN verdict ON verdict.source = source.key
GROUP BY source.key, source.name, source.kind, source.tier, source.date;
