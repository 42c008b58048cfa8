-- errata: what in the survey contradicts the survey itself, one numbered entry each, with the query to run again.
CREATE VIEW errata AS
WITH queries AS (
    SELECT statement, string_agg('-- ' || reading || chr(10) || trim(sql, chr(10) || ' '), chr(10) || chr(10) ORDER BY position) AS sql
    FROM statement_reading
    GROUP BY statement
),
sentences AS (
    SELECT
        1 AS part,
        statements.position AS place,
        'sentence' AS kind,
        statements.id,
        statements.locator,
        CAST(NULL AS VARCHAR) AS printed,
        statements.says,
        statements.note AS finding,
        statement.correction,
        'surveykit audit --id ' || statements.id AS rerun,
        queries.sql
    FROM statements
    JOIN statement USING (id)
    JOIN queries ON queries.statement = statements.id
    WHERE statements.status = 'contradicted'
),
figures AS (
    SELECT
        2 AS part,
        row_number() OVER (ORDER BY verdict.locator) AS place,
        'figure' AS kind,
        trim(regexp_replace(lower(verdict.row_label), '[^a-z0-9]+', '-', 'g'), '-')
            || '-' || verdict.backbone || '-' || replace(verdict.column_name, '_', '-') AS id,
        verdict.locator,
        verdict.printed,
        CAST(NULL AS VARCHAR) AS says,
        verdict.explanation AS finding,
        explanation.correction,
        'SELECT row_label, backbone, column_name, printed, measured, verdict FROM verdict WHERE row_label = '''
            || replace(verdict.row_label, '''', '''''') || ''' AND backbone = ''' || verdict.backbone
            || ''' ORDER BY column_name' AS sql
    FROM verdict
    LEFT JOIN (explanation_figure AS figure JOIN explanation USING (method, position))
        ON explanation.method = verdict.method AND explanation.row_label = verdict.row_label
        AND figure.backbone = verdict.backbone AND figure.column_name = verdict.column_name
        AND figure.printed = verdict.printed
    WHERE verdict.outcome = 'inconsistent'
),
cells AS (
    SELECT
        3 AS part,
        row_number() OVER (ORDER BY locator, method) AS place,
        'cell' AS kind,
        'table-' || table_number || '-' || method || '-' || replace(column_name, '_', '-') AS id,
        locator,
        printed,
        CAST(NULL AS VARCHAR) AS says,
        explanation AS finding,
        CAST(NULL AS VARCHAR) AS correction,
        'SELECT locator, printed, measured, sense, reason FROM cell_verdict WHERE locator = '''
            || replace(locator, '''', '''''') || '''' AS sql
    FROM cell_verdict
    WHERE cause = 'source_inconsistent'
),
quoted AS (
    SELECT *, 'surveykit query --sql "' || sql || '"' AS rerun FROM figures
    UNION ALL BY NAME
    SELECT *, 'surveykit query --sql "' || sql || '"' AS rerun FROM cells
)
SELECT
    row_number() OVER (ORDER BY part, place, id) AS number,
    kind,
    id,
    locator,
    printed,
    says,
    finding,
    correction,
    rerun,
    sql
FROM (SELECT * FROM sentences UNION ALL BY NAME SELECT * FROM quoted);
COMMENT ON VIEW errata IS 'What in the survey contradicts the survey itself, to be sent to its authors';
COMMENT ON COLUMN errata.number IS 'Order, from 1';
COMMENT ON COLUMN errata.kind IS 'sentence, figure (of Table 5) or cell (of Tables 1 and 2)';
COMMENT ON COLUMN errata.id IS 'Identifier, which stays when entries come and go';
COMMENT ON COLUMN errata.locator IS 'Where it stands';
COMMENT ON COLUMN errata.printed IS 'The figure or cell, as printed; NULL for a sentence';
COMMENT ON COLUMN errata.says IS 'What the sentence says, in our words; NULL for a figure or cell';
COMMENT ON COLUMN errata.finding IS 'What the survey prints elsewhere, or what follows from it';
COMMENT ON COLUMN errata.correction IS 'What could stand there instead; NULL where nothing is suggested';
COMMENT ON COLUMN errata.rerun IS 'The command that shows it again';
COMMENT ON COLUMN errata.sql IS 'Its queries';
