"""Rows as text: the last step, and the only one that formats numbers."""

from __future__ import annotations

from surveykit.streams import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

FORMATS = ("table", "json", "csv", "markdown", "latex")
_NARROWEST = 12
"""Characters that a wrapped column keeps at least."""
_LONGEST_WORD = 24
"""Characters of words that are not broken."""


def render(
    columns: Sequence[str], rows: Sequence[Sequence[Any]], format: str, width: int | None = None, caption: str = ""
) -> str:
    """Write rows in one of the formats.

    `json` is a list of objects and `csv` follows RFC 4180; both keep every digit. `table`, `markdown` and `latex` (a tabular
    with the rules of booktabs) are for reading: they round to four significant digits and group the digits of counts.

    Args:
        width: characters that a line of a table may have, None for any number. A table that cannot be so narrow is
            written as one block per row.
        caption: what the figures are of, for a table that is pasted elsewhere: `markdown` and `latex` have it.
    """
    if format == "json":
        return _json(columns, rows)
    if format == "csv":
        return _csv(columns, rows)
    if format == "markdown":
        text = _markdown(columns, rows)
        return f"{text}\n\n{caption}" if caption else text
    if format == "latex":
        text = _latex(columns, rows)
        head = ["\\begin{table}", "\\centering", f"\\caption{{{in_latex(caption)}}}"]
        return "\n".join([_BOOKTABS, *head, text, "\\end{table}"]) if caption else f"{_BOOKTABS}\n{text}"
    return _table(columns, rows, width)


def without_empty(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> tuple[list[str], list[list[Any]]]:
    """The same without columns that say nothing, but for the first: for reading."""
    told = [i for i in range(len(columns)) if i == 0 or any(row[i] is not None for row in rows)]
    return [columns[i] for i in told], [[row[i] for i in told] for row in rows]


def shown(value: Any) -> str:
    """A value as people read it."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, str):
        return visible(value).expandtabs(4)
    if isinstance(value, list):
        return ", ".join(map(shown, value))
    if _is_number(value):
        return _significant(float(value))
    return visible(str(value))


def _significant(value: float) -> str:
    """Four significant digits, never in powers of ten, without trailing zeros."""
    if value != value or value in (float("inf"), float("-inf")):
        return str(value)
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    text = f"{value:.{_decimals(value)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _decimals(value: float) -> int:
    exponent = int(f"{value:e}".partition("e")[2])
    return max(0, 3 - exponent)


def _is_number(value: Any) -> bool:
    return hasattr(value, "__float__") and not isinstance(value, str)


def _is_counted(name: str, values: Sequence[Any]) -> bool:
    present = [value for value in values if value is not None]
    return bool(present) and all(_is_number(value) and not isinstance(value, bool) for value in present)


def _cells(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[list[str]]:
    # A year is a number that is not counted in thousands.
    years = {i for i, name in enumerate(columns) if name == "year"}
    return [[str(value) if i in years and value else shown(value) for i, value in enumerate(row)] for row in rows]


def _alignment(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    return ["right" if _is_counted(name, [row[i] for row in rows]) else "left" for i, name in enumerate(columns)]


def _table(columns: Sequence[str], rows: Sequence[Sequence[Any]], width: int | None) -> str:
    cells = _cells(columns, rows)
    if cells and width is not None:
        fitting = _wrapped(columns, cells, width)
        if fitting is None:
            return _blocks(columns, cells, width)
        cells = fitting
    lines = [[text.split("\n") for text in row] for row in cells]
    widths = [
        max(len(name), *(len(line) for row in lines for line in row[i])) if lines else len(name)
        for i, name in enumerate(columns)
    ]
    sides = _alignment(columns, rows)

    def written(texts: Sequence[str]) -> str:
        padded = (
            text.rjust(size) if side == "right" else text.ljust(size)
            for text, size, side in zip(texts, widths, sides, strict=True)
        )
        return "  ".join(padded).rstrip()

    found = [written(columns), "  ".join("-" * size for size in widths)]
    for row in lines:
        for i in range(max(map(len, row))):
            found.append(written([cell[i] if i < len(cell) else "" for cell in row]))
    return "\n".join(found)


def _wrapped(columns: Sequence[str], cells: list[list[str]], width: int) -> list[list[str]] | None:
    """Break the widest texts into lines until the table fits; None when it cannot."""
    widths = [
        max(len(name), *(len(line) for row in cells for line in row[i].split("\n"))) for i, name in enumerate(columns)
    ]
    words = [max((len(word) for row in cells for word in row[i].split()), default=0) for i in range(len(columns))]
    least = [
        max(len(name), min(widths[i], max(_NARROWEST, min(words[i], _LONGEST_WORD)))) for i, name in enumerate(columns)
    ]
    between = 2 * (len(columns) - 1)
    if sum(least) + between > width:
        return None
    while sum(widths) + between > width:
        widest = max(range(len(widths)), key=lambda i: widths[i] - least[i])
        widths[widest] = max(least[widest], widths[widest] - (sum(widths) + between - width))
    return [[_filled(text, widths[i]) for i, text in enumerate(row)] for row in cells]


def _filled(text: str, width: int) -> str:
    """A text with lines of at most so many characters, each indented as it was."""
    if all(len(line) <= width for line in text.split("\n")):
        return text
    from textwrap import fill

    filled = []
    for line in text.split("\n"):
        indent = line[: len(line) - len(line.lstrip())][: width // 2]
        filled.append(fill(line.strip(), width, initial_indent=indent, subsequent_indent=indent))
    return "\n".join(filled)


def _blocks(columns: Sequence[str], cells: list[list[str]], width: int) -> str:
    """Each row as one line for each column, its name and its value, with the value's other lines below each other."""
    longest = max(len(name) for name in columns)
    beside = longest + 2 + _NARROWEST <= width  # else the value begins on the line below the name
    indent = " " * (longest + 2 if beside else min(2, width - 1))

    def line(name: str, text: str) -> str:
        value = _filled(text, max(1, width - len(indent))).replace("\n", f"\n{indent}")
        return f"{name.ljust(longest)}  {value}" if beside else f"{_filled(name, max(1, width))}\n{indent}{value}"

    return "\n\n".join("\n".join(line(name, text) for name, text in zip(columns, row, strict=True)) for row in cells)


def _markdown(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    def line(texts: Sequence[str]) -> str:
        plain = (" ".join(text.replace("\\", "\\\\").replace("|", "\\|").split()) for text in texts)
        return f"| {' | '.join(plain)} |"

    rule = ["---:" if side == "right" else "---" for side in _alignment(columns, rows)]
    return "\n".join([line(columns), line(rule), *map(line, _cells(columns, rows))])


_LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", "–": "--", "—": "---", "…": r"\dots{}", "×": r"$\times$", "·": r"$\cdot$",
    "−": "$-$", "±": r"$\pm$", "≤": r"$\leq$", "≥": r"$\geq$", "²": "$^2$", "³": "$^3$", "ᵀ": r"$^\top$",
}  # fmt: skip
"""Signs that LaTeX reads as commands, and those that its default fonts lack."""
_BOOKTABS = r"% needs \usepackage{booktabs}"


def in_latex(text: str) -> str:
    """A text in one line that LaTeX and BibTeX print as it is."""
    return "".join(_LATEX.get(sign, sign) for sign in " ".join(text.split()))


def _latex(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    def line(texts: Sequence[str]) -> str:
        cells = [in_latex(text) for text in texts]
        # A bracket at the start of a row would be read as an argument of the line break before it.
        return " & ".join(["{[}" + cells[0][1:] if cells[0].startswith("[") else cells[0], *cells[1:]]) + r" \\"

    sides = "".join("r" if side == "right" else "l" for side in _alignment(columns, rows))
    head = [rf"\begin{{tabular}}{{{sides}}}", r"\toprule", line(columns), r"\midrule"]
    return "\n".join([*head, *map(line, _cells(columns, rows)), r"\bottomrule", r"\end{tabular}"])


def _json(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    import json

    records = [dict(zip(columns, map(_jsonable, row), strict=True)) for row in rows]
    return json.dumps(records, ensure_ascii=False, indent=2)


def _jsonable(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | str | list | dict):
        return value
    if _is_number(value):
        number = float(value)
        return number if abs(number) < float("inf") else None  # JSON has no infinity, and no NaN
    return str(value)


def _csv(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    import csv
    import io

    def cell(value: Any) -> Any:
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, list | dict):
            import json

            return json.dumps(value, ensure_ascii=False)
        if hasattr(value, "as_tuple"):  # a Decimal, without the zeros that only the column's type adds
            text = f"{value:f}"
            return text.rstrip("0").rstrip(".") if "." in text else text
        return value

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([cell(value) for value in row] for row in rows)
    return text.getvalue().removesuffix("\r\n")
