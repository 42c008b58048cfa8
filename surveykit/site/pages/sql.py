"""SQL in the browser: the questions, the console that a script brings to life, and what can be asked for."""

from __future__ import annotations

import html
from itertools import groupby
from typing import Any
from urllib.parse import quote

import duckdb
from markupsafe import Markup

from surveykit.database.export import DATABASE
from surveykit.database.questions import QUESTIONS
from surveykit.database.reading import Reader
from surveykit.site.inputs import Surroundings
from surveykit.site.pages.downloads import FOLDER, Files, size
from surveykit.site.text.markdown import code, escape, fence

SQL = "sql.md"
ENGINE = "assets/duckdb"
"""Where the engine lies on the site; the scripts of the page know it too."""


def sql_context(reader: Reader, files: Files, around: Surroundings) -> dict[str, Any]:
    """What the page shows."""
    engine, packed = around.engine, len(files[f"{FOLDER}/{DATABASE}.gz"])
    return {
        "engine": engine,
        "offline": around.offline,
        "licences": f"{ENGINE}/licences.txt",
        "download": size(engine.download_bytes + packed) if engine else "",
        "duckdb": duckdb.__version__,
        "console": _console(engine.duckdb, size(engine.download_bytes + packed)) if engine else "",
        "questions": [
            (q.asks, f"#q={quote(q.sql)}" if engine else None, fence(q.sql, "sql"), fence(q.command, "sh")) for q in QUESTIONS
        ],
        "schema": _schema(reader),
    }  # fmt: skip


def _console(version: str, download: str) -> Markup:
    """The console, hidden until its script runs. It stands in one block of HTML, which Markdown leaves alone."""
    options = "".join(
        f'<button type="button" class="md-button" data-sql="{_attribute(q.sql)}">{html.escape(q.asks)}</button>'
        for q in QUESTIONS
    )
    return Markup(
        f"""<p class="without-scripts">The console needs JavaScript. The questions below also run on the command line.</p>
<div id="sql-console" class="sql-console" data-base=".." data-duckdb="{html.escape(version)}" hidden>
<div class="sql-questions" role="group" aria-label="Example questions">{options}</div>
<label for="sql-text">Query</label>
<textarea id="sql-text" rows="7" spellcheck="false" autocapitalize="off" autocomplete="off" aria-describedby="sql-hint">{html.escape(QUESTIONS[0].sql)}</textarea>
<div class="sql-actions">
<button type="button" class="md-button md-button--primary" id="sql-run">Load the engine ({download}) and run</button>
<button type="button" class="md-button" id="sql-stop" hidden>Stop</button>
<button type="button" class="md-button" id="sql-csv" hidden>Download CSV</button>
<button type="button" class="md-button" id="sql-link">Copy link</button>
<span id="sql-hint">Ctrl+Enter runs the query.</span>
</div>
<p id="sql-status" role="status" aria-live="polite"></p>
<pre id="sql-error" role="alert" hidden></pre>
<div id="sql-result" class="sql-result" role="region" aria-label="Result" tabindex="0" hidden></div>
</div>"""
    )


def _schema(reader: Reader) -> Markup:
    """Every view, macro and table with its columns, each in a block that opens."""
    columns: dict[str, list[Any]] = {}
    for c in reader.all(
        "SELECT table_name, column_name, data_type, comment FROM duckdb_columns() WHERE NOT internal"
        " ORDER BY table_name, column_index"
    ):
        columns.setdefault(c.table_name, []).append(c)
    found = reader.all(
        "SELECT view_name AS name, view_name AS called, 'Views' AS kind, comment FROM duckdb_views() WHERE NOT internal"
        " UNION ALL SELECT function_name, function_name || '(' || array_to_string(parameters, ', ') || ')', 'Macros', comment"
        " FROM duckdb_functions() WHERE NOT internal AND function_type = 'table_macro'"
        " UNION ALL SELECT table_name, table_name, 'Tables', comment FROM duckdb_tables() WHERE NOT internal"
        " ORDER BY list_position(['Views', 'Macros', 'Tables'], kind), name"
    )
    parts = []
    for kind, group in groupby(found, key=lambda t: t.kind):
        parts.append(f"<h3>{kind}</h3>")
        parts += [_block(t.name, t.called, t.comment or "", columns.get(t.called, [])) for t in group]
    return Markup(f'<div class="sql-schema" id="sql-schema">{"".join(parts)}</div>')


def _block(name: str, called: str, comment: str, columns: list[Any]) -> str:
    """One table, as HTML whose every text is escaped for Markdown too."""
    head = f"{code(called)} {escape(comment)}"
    rows = "".join(
        f"<tr><td>{code(c.column_name)}</td><td>{escape(c.data_type)}</td><td>{escape(c.comment or '')}</td></tr>"
        for c in columns
    )
    body = (
        f"<table><thead><tr><th>Column</th><th>Type</th><th>What it is</th></tr></thead><tbody>{rows}</tbody></table>"
        if rows
        else f"<p>Called with an argument in quotes, such as <code>FROM {escape(name)}(&#39;t5-3b&#39;)</code>.</p>"
    )
    return f'<details data-table="{_attribute(name)}"><summary>{head}</summary>{body}</details>'


def _attribute(text: str) -> str:
    return html.escape(text, quote=True).replace("\n", "&#10;")
