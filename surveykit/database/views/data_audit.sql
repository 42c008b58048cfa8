-- data_audit: what the queries for suspicious data find, beside what was reviewed.
CREATE VIEW data_audit AS
SELECT
    data_check.position,
    data_check.id,
    data_check.looks_for,
    data_check.found AS found_reviewed,
    data_check_result.found,
    data_check.note,
    data_check.innocent,
    data_check.sql,
    data_check_result.rows,
    data_check_result.error
FROM data_check
LEFT JOIN data_check_result ON data_check_result.data_check = data_check.id;
COMMENT ON VIEW data_audit IS 'Suspicious data in the survey''s raw results';
COMMENT ON COLUMN data_audit.position IS 'Order, from 1';
COMMENT ON COLUMN data_audit.id IS 'Id of the data check, as in data_check.id';
COMMENT ON COLUMN data_audit.looks_for IS 'What the query looks for';
COMMENT ON COLUMN data_audit.found_reviewed IS 'Rows, as reviewed';
COMMENT ON COLUMN data_audit.found IS 'Rows that it finds; NULL when the query failed';
COMMENT ON COLUMN data_audit.note IS 'What the rows are';
COMMENT ON COLUMN data_audit.innocent IS 'How they can have come about without anybody''s fault';
COMMENT ON COLUMN data_audit.sql IS 'The query';
COMMENT ON COLUMN data_audit.rows IS 'The rows, as a JSON list of objects';
COMMENT ON COLUMN data_audit.error IS 'Why the query failed; NULL when it did not';
