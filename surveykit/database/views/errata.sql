-- Places where a source contradicts itself, to be sent to its authors
-- Errata matter to a reader of the survey; remarks are small, or rest on a paper that we have not read.
CREATE VIEW errata AS
WITH queries AS (
    SELECT statement, string_agg('-- ' || reading || chr(10) || trim(sql, chr(10) || ' '), chr(10) || chr(10) ORDER BY position) AS sql
    FROM statement_reading
    GROUP BY statement
),
sentences AS (
    SELECT
        statement.source,
        statement.remark,
        1 AS part,
        statements.position AS place,
        'sentence' AS kind,
        statements.id,
        statements.locator,
        statements.says,
        statements.headline,
        statements.note AS finding,
        statement.innocent,
        statement.correction,
        second_reading.date AS signed,
        'surveykit audit --id ' || statements.id AS rerun,
        queries.sql
    FROM statements
    JOIN statement USING (source, id)
    JOIN queries ON queries.statement = statements.id
    LEFT JOIN second_reading ON second_reading.source = statements.source AND second_reading.finding = statements.id AND second_reading.stands
    WHERE statements.status = 'contradicted'
),
figures AS (
    SELECT
        verdict.source,
        explanation.remark,
        2 AS part,
        row_number() OVER (ORDER BY verdict.locator) AS place,
        'figure' AS kind,
        trim(regexp_replace(lower(verdict.row_label), '[^a-z0-9]+', '-', 'g'), '-')
            || '-' || verdict.backbone || '-' || replace(verdict.column_name, '_', '-') AS id,
        verdict.locator,
        verdict.printed,
        verdict.explained AS finding,
        explanation.innocent,
        explanation.correction,
        second_reading.date AS signed,
        'SELECT row_label, backbone, column_name, printed, measured, verdict FROM verdict WHERE source = ''' || verdict.source
            || ''' AND row_label = ''' || replace(verdict.row_label, '''', '''''') || ''' AND backbone = ''' || verdict.backbone
            || ''' ORDER BY column_name' AS sql
    FROM verdict
    JOIN explanation ON explanation.source = verdict.source AND explanation.position = verdict.explanation
    LEFT JOIN second_reading ON second_reading.source = verdict.source
        AND second_reading.finding = verdict.row_label || ' on ' || verdict.backbone AND second_reading.stands
    WHERE verdict.outcome = 'inconsistent' AND verdict.found_by = 'named'
),
-- Where a row names no configuration, its figures were made elsewhere: what we see in a row is a remark, once for the row.
cells AS (
    SELECT
        source,
        'It rests on the paper of the method, which we have not read.' AS remark,
        3 AS part,
        row_number() OVER (ORDER BY table_name, row_label, method) AS place,
        'cell' AS kind,
        replace(table_name, 'table', 'table-') || '-' || method AS id,
        any_value(regexp_replace(locator, ', [a-z0-9_]+$', '')) AS locator,
        string_agg(DISTINCT printed, ', ' ORDER BY printed) AS printed,
        string_agg(text, ' ' ORDER BY position) AS finding,
        string_agg(innocent, ' ' ORDER BY position) AS innocent,
        'SELECT locator, printed, measured, sense, reason FROM verdict WHERE source = ''' || source || ''' AND method = ''' || method
            || ''' AND cause = ''source_inconsistent''' AS sql
    FROM (
        SELECT verdict.source, verdict.table_name, verdict.method, verdict.row_label, explanation.position,
            any_value(verdict.locator) AS locator, any_value(verdict.printed) AS printed,
            any_value(explanation.text) AS text, any_value(explanation.innocent) AS innocent
        FROM verdict
        JOIN explanation ON explanation.source = verdict.source AND explanation.position = verdict.explanation
        WHERE verdict.cause = 'source_inconsistent' AND verdict.found_by IS DISTINCT FROM 'named'
        GROUP BY ALL
    )
    GROUP BY source, table_name, row_label, method
),
quoted AS (
    SELECT *, 'surveykit query --sql "' || sql || '"' AS rerun FROM figures
    UNION ALL BY NAME
    SELECT *, 'surveykit query --sql "' || sql || '"' AS rerun FROM cells
)
SELECT
    source,  -- Key of the source, as in source.key
    row_number() OVER (PARTITION BY source ORDER BY remark IS NOT NULL, part, place, id) AS number,  -- Order, from 1: errata, then remarks, each by place
    if(remark IS NULL, 'erratum', 'remark') AS weight,  -- erratum (matters to a reader of the survey, stands in the letter) or remark
    kind,  -- sentence, figure (of a row that names its configuration) or cell (of one that does not)
    id,  -- Identifier, which never changes
    locator,  -- Where it stands
    printed,  -- The figure or cell, as printed; NULL for a sentence
    says,  -- What the sentence says, in our words; NULL for a figure or cell
    headline,  -- What was found, in one sentence; NULL for a figure or cell
    finding,  -- What the survey prints elsewhere, or what follows from it
    innocent,  -- An innocent explanation
    correction,  -- A suggested replacement; NULL if there is none
    remark,  -- Why the remark is small or uncertain; NULL for an erratum
    signed,  -- Day on which a second reader checked it; NULL if nobody has since its last change
    rerun,  -- The command that reproduces it
    sql  -- The queries of the entry
FROM (SELECT * FROM sentences UNION ALL BY NAME SELECT * FROM quoted);
