-- Sentences of sources with the status from their readings, and the reviewed status
CREATE VIEW statements AS
SELECT
    statement.source,
    statement.position,
    statement.id,
    statement.locator,
    statement.says,
    statement.headline,
    statement.status AS status_reviewed,  -- Status that reviewers entered: the one the queries must give
    CASE
        WHEN count(statement_reading.position) = 0 THEN 'not_checkable'
        WHEN bool_or(statement_result.error IS NOT NULL OR statement_result.holds IS NULL) THEN 'failed'
        WHEN bool_and(statement_result.holds) THEN 'holds'
        WHEN NOT bool_or(statement_result.holds) THEN 'contradicted'
        ELSE 'depends_on_reading'
    END AS status,  -- holds (every reading), contradicted (none), depends_on_reading, not_checkable, or failed
    count(statement_reading.position) AS readings,  -- Number of readings
    statement.note,
    statement.reason,
    statement.innocent
FROM statement
LEFT JOIN statement_reading ON statement_reading.statement = statement.id
LEFT JOIN statement_result
    ON statement_result.statement = statement_reading.statement AND statement_result.position = statement_reading.position
GROUP BY ALL;
