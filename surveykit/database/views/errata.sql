-- errata: what in the survey contradicts the survey itself, one numbered entry each, with the query to run again. Errata
-- matter to a reader of the survey; remarks are small, or rest on a paper that we have not read.
CREATE VIEW errata AS
WITH queries AS (
    SELECT statement, string_agg('-- ' || reading || chr(10) || trim(sql, chr(10) || ' '), chr(10) || chr(10) ORDER BY position) AS sql
    FROM statement_reading
    GROUP BY statement
),
sentences AS (
    SELECT
        statement.remark,
        1 AS part,
        statements.position AS place,
        'sentence' AS kind,
        statements.id,
        statements.locator,
        CAST(NULL AS VARCHAR) AS printed,
        statements.says,
        statements.headline,
        statements.note AS finding,
        statement.innocent,
        statement.correction,
        second_reading.date AS signed,
        'surveykit audit --id ' || statements.id AS rerun,
        queries.sql
    FROM statements
    JOIN statement USING (id)
    JOIN queries ON queries.statement = statements.id
    LEFT JOIN second_reading ON second_reading.finding = statements.id AND second_reading.stands
    WHERE statements.status = 'contradicted'
),
figures AS (
    SELECT
        explanation.remark,
        2 AS part,
        row_number() OVER (ORDER BY verdict.locator) AS place,
        'figure' AS kind,
        trim(regexp_replace(lower(verdict.row_label), '[^a-z0-9]+', '-', 'g'), '-')
            || '-' || verdict.backbone || '-' || replace(verdict.column_name, '_', '-') AS id,
        verdict.locator,
        verdict.printed,
        CAST(NULL AS VARCHAR) AS says,
        CAST(NULL AS VARCHAR) AS headline,
        verdict.explanation AS finding,
        explanation.innocent,
        explanation.correction,
        second_reading.date AS signed,
        'SELECT row_label, backbone, column_name, printed, measured, verdict FROM verdict WHERE row_label = '''
            || replace(verdict.row_label, '''', '''''') || ''' AND backbone = ''' || verdict.backbone
            || ''' ORDER BY column_name' AS sql
    FROM verdict
    LEFT JOIN (explanation_figure AS figure JOIN explanation USING (method, position))
        ON explanation.method = verdict.method AND explanation.row_label = verdict.row_label
        AND figure.backbone = verdict.backbone AND figure.column_name = verdict.column_name
        AND figure.printed = verdict.printed
    LEFT JOIN second_reading ON second_reading.finding = verdict.row_label || ' on ' || verdict.backbone AND second_reading.stands
    WHERE verdict.outcome = 'inconsistent'
),
-- The tables' percentages were made in the methods' papers, so what we see in a row of them is a remark, once for the row.
cells AS (
    SELECT
        'It rests on the paper of the method, which we have not read.' AS remark,
        3 AS part,
        row_number() OVER (ORDER BY table_number, row_label, method) AS place,
        'cell' AS kind,
        'table-' || table_number || '-' || method AS id,
        'Table ' || table_number || ', row ' || row_label AS locator,
        string_agg(DISTINCT cell_verdict.printed, ', ' ORDER BY cell_verdict.printed) AS printed,
        CAST(NULL AS VARCHAR) AS says,
        CAST(NULL AS VARCHAR) AS headline,
        string_agg(cell_explanation.text, ' ' ORDER BY claimed) AS finding,
        string_agg(cell_explanation.innocent, ' ' ORDER BY claimed) AS innocent,
        CAST(NULL AS VARCHAR) AS correction,
        CAST(NULL AS DATE) AS signed,
        'SELECT locator, printed, measured, sense, reason FROM cell_verdict WHERE method = ''' || method
            || ''' AND cause = ''source_inconsistent''' AS sql
    FROM (
        SELECT *, list_position(['trainable_percent', 'changed_percent'], column_name) AS claimed FROM cell_verdict
    ) AS cell_verdict
    JOIN cell_explanation USING (method, table_number, column_name)
    WHERE cell_verdict.cause = 'source_inconsistent'
    GROUP BY table_number, row_label, method
),
quoted AS (
    SELECT *, 'surveykit query --sql "' || sql || '"' AS rerun FROM figures
    UNION ALL BY NAME
    SELECT *, 'surveykit query --sql "' || sql || '"' AS rerun FROM cells
)
SELECT
    row_number() OVER (ORDER BY remark IS NOT NULL, part, place, id) AS number,
    if(remark IS NULL, 'erratum', 'remark') AS weight,
    kind,
    id,
    locator,
    printed,
    says,
    headline,
    finding,
    innocent,
    correction,
    remark,
    signed,
    rerun,
    sql
FROM (SELECT * FROM sentences UNION ALL BY NAME SELECT * FROM quoted);
COMMENT ON VIEW errata IS 'What in the survey contradicts the survey itself, to be sent to its authors';
COMMENT ON COLUMN errata.number IS 'Order, from 1: errata, then remarks, each by place';
COMMENT ON COLUMN errata.weight IS 'erratum (matters to a reader of the survey, stands in the letter) or remark';
COMMENT ON COLUMN errata.kind IS 'sentence, figure (of Table 5) or cell (a row of Tables 1 and 2)';
COMMENT ON COLUMN errata.id IS 'Identifier, which stays when entries come and go';
COMMENT ON COLUMN errata.locator IS 'Where it stands';
COMMENT ON COLUMN errata.printed IS 'The figure or cell, as printed; NULL for a sentence';
COMMENT ON COLUMN errata.says IS 'What the sentence says, in our words; NULL for a figure or cell';
COMMENT ON COLUMN errata.headline IS 'What was found, in one sentence; NULL for a figure or cell';
COMMENT ON COLUMN errata.finding IS 'What the survey prints elsewhere, or what follows from it';
COMMENT ON COLUMN errata.innocent IS 'How it can have come about without anybody''s fault';
COMMENT ON COLUMN errata.correction IS 'What could stand there instead; NULL where nothing is suggested';
COMMENT ON COLUMN errata.remark IS 'What makes a remark small or uncertain; NULL for an erratum';
COMMENT ON COLUMN errata.signed IS 'Day on which somebody who did not write it checked it; NULL where nobody has since it last changed';
COMMENT ON COLUMN errata.rerun IS 'The command that shows it again';
COMMENT ON COLUMN errata.sql IS 'Its queries';
