-- Suspicious data in sources' tables: rows that the queries find, and the reviewed number
CREATE VIEW data_audit AS
SELECT
    data_check.source,
    data_check.position,
    data_check.id,
    data_check.looks_for,
    data_check.found AS found_reviewed,  -- Rows, as reviewed
    data_check_result.found,
    data_check.note,
    data_check.innocent,
    data_check.sql,
    data_check_result.rows,
    data_check_result.error
FROM data_check
LEFT JOIN data_check_result ON data_check_result.data_check = data_check.id;
