-- What in the survey contradicts the survey itself, to be sent to its authors
-- Errata matter to a reader of the survey; remarks are small, or rest on a paper that we have not read.
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
    row_number() OVER (ORDER BY remark IS NOT NULL, part, place, id) AS number,  -- Order, from 1: errata, then remarks, each by place
    if(remark IS NULL, 'erratum', 'remark') AS weight,  -- erratum (matters to a reader of the survey, stands in the letter) or remark
    kind,  -- sentence, figure (of Table 5) or cell (a row of Tables 1 and 2)
    id,  -- Identifier, which stays when entries come and go
    locator,  -- Where it stands
    printed,  -- The figure or cell, as printed; NULL for a sentence
    says,  -- What the sentence says, in our words; NULL for a figure or cell
    headline,  -- What was found, in one sentence; NULL for a figure or cell
    finding,  -- What the survey prints elsewhere, or what follows from it
    innocent,  -- How it can have come about without anybody's fault
    correction,  -- What could stand there instead; NULL where nothing is suggested
    remark,  -- What makes a remark small or uncertain; NULL for an erratum
    signed,  -- Day on which somebody who did not write it checked it; NULL where nobody has since it last changed
    rerun,  -- The command that shows it again
    sql  -- The queries of the entry
FROM (SELECT * FROM sentences UNION ALL BY NAME SELECT * FROM quoted);
