"""The proof of a number, folded beside it: how it comes about, and the query that gives it."""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup

from surveykit.site.text.markdown import escape, joined


def proof(lines: Iterable[object], command: str) -> Markup:
    """A `proof` that opens in place, within a line or a cell of a table; it needs no script.

    Args:
        lines: formula with its numbers, configuration, setting, place in the source; text is escaped, empty lines are left out.
        command: what to type to get the number.
    """
    said = [f"<span>{escape(line)}</span>" for line in lines if line]
    query = f'<span>Ask for it: <code class="query">{escape(command)}</code></span>'
    return Markup(f'<details class="proof"><summary>proof</summary>{joined(map(Markup, [*said, query]), "")}</details>')


def sql_command(sql: str) -> str:
    """The command that runs a query, as typed in a shell."""
    for character in '\\"$`':
        sql = sql.replace(character, f"\\{character}")
    return f'surveykit query --sql "{sql}"'


def rows_where(relation: str, columns: str, **where: object) -> str:
    """The command that gives columns of the rows with these values."""
    conditions = " AND ".join(
        f"{name} = {value}" if isinstance(value, int) else f"{name} = '{str(value).replace(chr(39), chr(39) * 2)}'"
        for name, value in where.items()
    )
    return sql_command(f"SELECT {columns} FROM {relation} WHERE {conditions}")
