"""A plain table of claims: the configurations of its lines, and all its errors."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from surveykit.api.peft import model_of, opened_peft
from surveykit.catalog.changes import Changes, changed, changes_of
from surveykit.catalog.claims import Claim
from surveykit.catalog.files import read_text
from surveykit.catalog.load import Catalog
from surveykit.catalog.peft_file import PeftFile
from surveykit.catalog.sources import UNITS, Unit
from surveykit.catalog.variations import named, typed
from surveykit.errors import CatalogError, ChangeError, Problem, SurveyError, nearest
from surveykit.recipes import Recipe

NEEDED = ("method", "column", "printed")
OPTIONAL = ("peft", "model", "unit", "locator")
PLACES = ("targets", "roles", "layers", "top_layers", "also_train", "head")
"""Columns that change a configuration as the options of these names do; any further column is a hyper-parameter."""
_AS_TYPED = ("targets", "also_train")
"""Of them, those in which a dot, a plus or a space may be part of the text."""
TICKS = ("✓", "✗", "yes", "no")
MOST_ROWS = 10_000


class TableError(CatalogError):
    """A table of claims is invalid. `problems` holds all errors found, sorted by place."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        super().__init__(problems)
        self.args = (str(self).replace("the catalog", "the table", 1),)


@dataclass(frozen=True)
class Row:
    """A line of the table."""

    line: int
    claim: Claim
    stated: tuple[str, Recipe] | PeftFile
    """Its configuration: one of the catalog, by its full name, or one of PEFT."""
    changes: Changes
    """Of that configuration; of PEFT's, none but a task's head."""
    model: str
    """As the line, or the user, names it."""

    @property
    def on(self) -> str:
        """What tells its model, with a task's head or without, from others."""
        return self.claim.model or self.model

    def problem(self, message: str) -> Problem:
        """A fault of this line."""
        return Problem(self.claim.source, self.line, 1, message)


class Table:
    """Reads the lines of a table.

    Args:
        model: the model of lines that name none.
        changes: what the user changes in the configurations of all lines that have a place for it, as keyword arguments
            of `changes_of`; what a line says of the same wins.
        peft: the PEFT configuration of lines without a method.
        sized: whether a budget sets rank, bottleneck, length…
    """

    def __init__(
        self, catalog: Catalog, model: str | None, changes: Mapping[str, Any], peft: str | None, *, sized: bool
    ) -> None:
        self._catalog = catalog
        self._model = model
        self._peft = peft
        self._changes = changes
        self._sized = sized

    def rows(self, path: Path) -> list[Row]:
        """The lines of a file.

        Raises:
            TableError: with every error.
        """
        text, problem = read_text(path, path.name)
        if text is None:
            raise TableError([problem] if problem else [])
        reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")), strict=True)  # spreadsheets begin with a mark
        problems: list[Problem] = []
        rows: list[Row] = []
        try:
            columns = list(reader.fieldnames or ())
            by_peft = self._peft is not None or "peft" in columns
            needed = [c for c in NEEDED if c != "method" or not by_peft]
            faults = [f"the column '{c}' is missing{nearest(c, columns)}" for c in needed if c not in columns]
            faults += [f"the column '{c}' appears twice" for c in dict.fromkeys(columns) if columns.count(c) > 1]
            problems += [Problem(path.name, 1, 1, fault) for fault in faults]
            for cells in reader if not problems else ():
                if None in cells or None in cells.values():
                    problems.append(Problem(path.name, reader.line_num, 1, f"this line has not {len(columns)} cells"))
                    continue
                try:
                    rows.append(self._row(cells, reader.line_num, path.name))
                except ChangeError as error:
                    problems += [Problem(path.name, reader.line_num, 1, fault) for fault in error.faults]
                except SurveyError as error:
                    problems.append(Problem(path.name, reader.line_num, 1, str(error)))
                if len(rows) > MOST_ROWS:
                    raise TableError([Problem(path.name, reader.line_num, 1, f"more than {MOST_ROWS:,} rows")])
        except csv.Error as error:
            problems.append(Problem(path.name, max(reader.line_num, 1), 1, f"not CSV: {error}"))
        if not problems and not rows:
            problems.append(Problem(path.name, 1, 1, "the table has no rows"))
        if problems:
            raise TableError(problems)
        return rows

    def _row(self, cells: Mapping[str, str], line: int, file: str) -> Row:
        """The claim of a line. Raises SurveyError for what is wrong with it."""
        catalog = self._catalog
        quantity = catalog.quantities.by_id.get(cells["column"].strip())
        if quantity is None:
            known = catalog.quantities.by_id
            raise SurveyError(
                f"there is no quantity '{cells['column']}'{nearest(cells['column'], known)}; there are {', '.join(known)}"
            )
        unit = cells.get("unit", "").strip() or None
        if unit is not None and unit not in UNITS:
            raise SurveyError(f"there is no unit '{unit}'{nearest(unit, UNITS)}; there are {', '.join(UNITS)}")
        printed = cells["printed"].strip()
        stated = self._stated(cells)
        changes = self._changed(cells, stated)
        on = cells.get("model", "").strip() or self._model
        if isinstance(stated, PeftFile):
            on, method, row = model_of(on, [stated], catalog.root), None, stated.name
            name = named(f"peft/{stated.peft_type}", {"file": row})
        elif on:
            method, row = stated[0].partition("/")[0], cells["method"]
            name = changes.name(stated[0])
        else:
            raise SurveyError("no model: name one in the row's column `model`, or for all rows with --model")
        label = on if changes.head is None else named(on, {"head": changes.head})
        claim = Claim(
            source=file, table=file, position=line, row=row, column=quantity.id, quantity=quantity.id,
            unit=_unit(unit), model_label=on, method=method, configuration=name, model=label,
            setting=None, printed=_parsable(printed, quantity.compare), status="printed", means=None,
            locator=cells.get("locator", "").strip() or f"line {line}", tier="printed", unknown=None,
        )  # fmt: skip
        return Row(line, claim, stated, changes, on)

    def _stated(self, cells: Mapping[str, str]) -> tuple[str, Recipe] | PeftFile:
        """What a line speaks of."""
        said, catalog = cells.get("method", "").strip(), self._catalog
        peft = cells.get("peft", "").strip() or (None if said else self._peft)
        if peft is not None:
            if said:
                raise SurveyError(f"the row names both a method, {said}, and a PEFT configuration; remove one")
            return opened_peft(peft)
        method, _, own = said.partition("/")
        if method not in catalog.methods:
            raise SurveyError(f"there is no method '{method}'{nearest(method, catalog.methods)}")
        default = catalog.methods[method].default
        if default is None:
            raise SurveyError(f"{method} has no configuration: {catalog.methods[method].not_instantiated}")
        base = f"{method}/{own or default.id}"
        ids = [c.id for c in catalog.methods[method].configurations]
        if own and own not in ids:
            raise SurveyError(f"{method} has no configuration '{own}'{nearest(own, ids)}; it has {', '.join(ids)}")
        return base, catalog.recipe(base)

    def _changed(self, cells: Mapping[str, str], stated: tuple[str, Recipe] | PeftFile) -> Changes:
        """What a line and the user change in a configuration. Raises ChangeError for what the line has no place for."""
        own = {name.strip(): _value(name.strip(), cell) for name, cell in cells.items() if cell.strip()}
        own = {name: value for name, value in own.items() if name not in (*NEEDED, *OPTIONAL)}
        places = {name: own.pop(name) for name in PLACES if name in own}
        if isinstance(stated, PeftFile):
            if others := [*own, *places.keys() - {"head"}]:
                raise SurveyError(
                    f"{', '.join(others)} applies to methods only: change a PEFT configuration in its own file"
                )
            return changes_of(head=places.get("head", self._changes.get("head")))
        given = {**self._changes, **places, "set": {**(self._changes.get("set") or {}), **own}}
        changes = changes_of(**given)
        unfit = changes.unfit(stated[1])
        if faults := [reason for name, reason in unfit.items() if name in own or name in places]:
            raise ChangeError(faults)
        changes = changes.without(unfit)
        changed(changes, [stated], sized=self._sized)
        return changes


def _unit(text: str | None) -> Unit | None:
    return next((unit for unit in UNITS if unit == text), None)


def _parsable(printed: str, compare: str) -> str:
    from surveykit.catalog.figures import parse_figure

    try:
        if compare in ("rounding", "predicted"):
            parse_figure(printed)
        if compare == "tick" and printed not in TICKS:
            raise ValueError(f"'{printed}' is not a tick: {', '.join(TICKS)}")
    except ValueError as error:
        raise SurveyError(str(error)) from None
    return printed


def _value(name: str, cell: str) -> Any:
    return cell.strip() if name in _AS_TYPED else typed(cell)
