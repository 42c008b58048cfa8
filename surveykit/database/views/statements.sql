-- statements: the survey's checkable sentences with the status that their readings give and the one that was reviewed.
CREATE VIEW statements AS
SELECT
    statement.position,
    statement.id,
    statement.locator,
    statement.says,
    statement.headline,
    statement.status AS status_reviewed,
    CASE
        WHEN count(statement_reading.position) = 0 THEN 'not_checkable'
        WHEN bool_or(statement_result.error IS NOT NULL OR statement_result.holds IS NULL) THEN 'failed'
        WHEN bool_and(statement_result.holds) THEN 'holds'
        WHEN NOT bool_or(statement_result.holds) THEN 'contradicted'
        ELSE 'depends_on_reading'
    END AS status,
    count(statement_reading.position) AS readings,
    statement.note,
    statement.reason,
    statement.innocent
FROM statement
LEFT JOIN statement_reading ON statement_reading.statement = statement.id
LEFT JOIN statement_result
    ON statement_result.statement = statement_reading.statement AND statement_result.position = statement_reading.position
GROUP BY ALL;
COMMENT ON VIEW statements IS 'Sentences of the survey, checked against its own tables';
COMMENT ON COLUMN statements.position IS 'Order, from 1';
COMMENT ON COLUMN statements.id IS 'Short name, unique in this table';
COMMENT ON COLUMN statements.locator IS 'Where the sentence stands';
COMMENT ON COLUMN statements.says IS 'What it says, in our words';
COMMENT ON COLUMN statements.headline IS 'What was found, in one sentence';
COMMENT ON COLUMN statements.status_reviewed IS 'Status that reviewers entered: the one the queries must give';
COMMENT ON COLUMN statements.status IS 'holds (every reading), contradicted (none), depends_on_reading, not_checkable, or failed';
COMMENT ON COLUMN statements.readings IS 'Number of readings';
COMMENT ON COLUMN statements.note IS 'Reviewed note with the figures';
COMMENT ON COLUMN statements.reason IS 'Why it cannot be checked; NULL when it can';
COMMENT ON COLUMN statements.innocent IS 'How a contradicted sentence can have come about without anybody''s fault';
