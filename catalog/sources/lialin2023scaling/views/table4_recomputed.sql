-- The survey's Table 4, whose scores the text we used lacks, recomputed from Appendix B
CREATE VIEW table4_recomputed AS
SELECT
    named.method_id,  -- Id of the method, as in method.id
    table4_readings.method,
    table4_readings.backbone,
    appendix_b.model,
    table4_readings.datasets,
    table4_readings.score_mean,
    table4_readings.score_std,
    table4_readings.score_mean + caveat.more AS score_if_fraction,  -- The mean if scores up to 1 are read as fractions of correct answers; NULL if there are none
    nullif(concat_ws('; ',
        'not above a constant prediction on ' || caveat.chance,
        caveat.fraction || ' may be printed as a share of 1 instead of a percentage'
    ), '') AS caveat  -- Why the mean is doubtful: datasets at chance level, or scores that may be fractions; NULL where nothing is found
FROM table4_readings
JOIN (SELECT DISTINCT method, method_id FROM appendix_b) AS named ON named.method = table4_readings.method
JOIN (SELECT DISTINCT backbone, model FROM appendix_b) AS appendix_b ON appendix_b.backbone = table4_readings.backbone
LEFT JOIN (
    SELECT
        backbone, method,
        string_agg(dataset, ', ' ORDER BY dataset) FILTER (kind = 'chance') AS chance,
        string_agg(dataset, ', ' ORDER BY dataset) FILTER (kind = 'fraction') AS fraction,
        sum(99 * mean / 4) FILTER (kind = 'fraction') AS more  -- a quarter of what 100 times the mean has more than it
    FROM score_caveat
    GROUP BY backbone, method
) AS caveat ON caveat.backbone = table4_readings.backbone AND caveat.method = table4_readings.method
WHERE table4_readings.position = 1;
