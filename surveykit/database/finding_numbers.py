"""The two numbers of a finding: the printed and the measured figure that are furthest apart, or those the catalog names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from surveykit.catalog.findings import Telling, number
from surveykit.database.reading import Reader

_CELLS = """
SELECT COALESCE(e.position, 0) AS explanation, c.table_name, c.position, c.column_name, c.row_label, c.method,
    c.backbone, COALESCE(b.name, c.model_label) AS model, c.printed, c.unit, c.value_min, v.value, v.measured,
    v.verdict IN ('differs', 'partly', 'outside_range') AS differs, v.outcome, v.fits_setup
FROM claim AS c
JOIN verdict AS v USING (source, table_name, position, column_name)
LEFT JOIN backbone AS b ON b.id = c.backbone
LEFT JOIN (
    SELECT e.source, e.position, e.table_name, e.row_label, f.backbone, f.column_name, f.printed
    FROM explanation AS e JOIN explanation_figure AS f ON f.source = e.source AND f.explanation = e.position
) AS e ON e.source = c.source AND e.table_name = c.table_name AND e.row_label = c.row_label
    AND e.backbone IS NOT DISTINCT FROM c.backbone AND e.column_name = c.column_name AND e.printed = c.printed
WHERE c.source = ? AND c.printed IS NOT NULL AND (e.position IS NOT NULL OR v.outcome = 'unexplained')
ORDER BY explanation, c.table_name, c.position, c.column_name
"""
_WHOLE = {"million": 1_000_000, "thousand": 1000, "billion": 1_000_000_000}
UNITS = {"percent": " %"}
"""How units are shown that are not shown by their names."""


@dataclass(frozen=True)
class Cell:
    """A printed figure that an explanation speaks of, beside ours."""

    explanation: int
    """Position of the explanation; 0 where there is none."""
    table_name: str
    position: int
    """Number of the row in its table."""
    column_name: str
    row_label: str
    method: str | None
    backbone: str | None
    model: str | None
    """What the model is called; None where the row names none."""
    printed: str
    unit: str | None
    value_min: Decimal | None
    value: Decimal | None
    """Ours, in the unit of the printed figure."""
    measured: str | None
    differs: bool
    outcome: str
    fits_setup: str | None


@dataclass(frozen=True)
class Pair:
    """Two numbers side by side, in one unit; its fields are columns of the table `finding`."""

    first_says: str
    first_value: float
    first_text: str
    second_says: str
    second_value: float
    second_text: str

    @property
    def factor(self) -> float | None:
        """How many times the smaller the larger is; None where one of them is not above zero."""
        low, high = sorted((self.first_value, self.second_value))
        return high / low if low > 0 else None


def cells_of(reader: Reader, source: str) -> list[Cell]:
    """The cells of a source that an explanation quotes, or that nobody has explained."""
    return [Cell(**vars(row)) for row in reader.all(_CELLS, source)]


def pair_of(cells: Sequence[Cell]) -> Pair | None:
    """The printed figure that is furthest from ours; counts come before percentages, which say the same once more."""
    pairs = [
        (cell.unit != "percent", pair.factor, pair)
        for cell in cells
        if cell.differs and cell.value and cell.value_min and (pair := _beside(cell)).factor
    ]
    return max(pairs, key=lambda found: found[:2])[2] if pairs else None


def _beside(cell: Cell) -> Pair:
    assert cell.value is not None
    assert cell.value_min is not None
    unit = cell.unit or ""
    named = UNITS.get(unit, f" {unit}")
    shown = cell.printed if cell.printed[-1:].isalpha() else f"{_grouped(cell.printed)}{named}"
    absolute = cell.value * _WHOLE.get(unit, 1)
    if unit in _WHOLE:
        ours = f"{cell.value:,.2f} {unit}" if absolute >= 1_000_000 else f"{number(absolute)} parameters"
    else:
        ours = f"{number(cell.value)}{named}"
    where = f" on {cell.model}" if cell.model else ""
    return Pair(f"printed{where}", float(cell.value_min), shown.strip(), "our count", float(cell.value), ours.strip())


def _grouped(printed: str) -> str:
    whole, point, decimals = printed.partition(".")
    return f"{int(whole):,}{point}{decimals}" if whole.isdigit() else printed


def told_pair(told: Telling, values: Mapping[str, Any]) -> Pair:
    """The two numbers that the catalog names.

    Raises:
        KeyError: the queries have no such column.
    """
    (first, a), (second, b) = ((bar, values[bar.figure]) for bar in told.bars)
    return Pair(
        first.says, float(a), f"{number(a)} {first.unit or ''}".strip(),
        second.says, float(b), f"{number(b)} {second.unit or ''}".strip(),
    )  # fmt: skip
