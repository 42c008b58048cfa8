"""SQL in the browser: the questions, the console that a script brings to life, and what can be asked for."""

from __future__ import annotations

import html
from itertools import groupby
from typing import Any
from urllib.parse import quote

import duckdb
from markupsafe import Markup

from surveykit.database.export import DATABASE
from surveykit.database.fields import Field, columns, tables
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
    parts = []
    for kind, group in groupby(tables(reader), key=lambda t: t.kind):
        parts.append(f"<h3>{kind.capitalize()}s</h3>")
        parts += [_block(t, [] if kind == "macro" else columns(reader, t.name)) for t in group]
    return Markup(f'<div class="sql-schema" id="sql-schema">{"".join(parts)}</div>')


def _block(table: Field, inside: list[Field]) -> str:
    """One table, as HTML whose every text is escaped for Markdown too."""
    name, head = table.name.partition("(")[0], f"{code(table.name)} {escape(table.comment or '')}"
    rows = "".join(
        f"<tr><td>{code(c.name)}</td><td>{escape(c.kind)}</td><td>{escape(c.comment or '')}</td></tr>" for c in inside
    )
    body = (
        f"<table><thead><tr><th>Column</th><th>Type</th><th>What it is</th></tr></thead><tbody>{rows}</tbody></table>"
        if rows
        else f"<p>Called with an argument in quotes, such as <code>FROM {escape(name)}(&#39;t5-3b&#39;)</code>.</p>"
    )
    return f'<details data-table="{_attribute(name)}"><summary>{head}</summary>{body}</details>'


def _attribute(text: str) -> str:
    return html.escape(text, quote=True).replace("\n", "&#10;")
