"""Claims: every printed cell of every source, with what it is about. All that follows begins here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeVar

from surveykit.catalog.source_folder import Cells, PrintedTable, SourceFolder
from surveykit.catalog.sources import MethodName, ModelName, Tier, Unit
from surveykit.catalog.steps import NoStepError, Runs, Step, UnreadableRowError, step_of
from surveykit.catalog.variations import varied_name

if TYPE_CHECKING:
    from surveykit.catalog.load import Catalog

Name = TypeVar("Name", MethodName, ModelName)
DASH = frozenset({"-", "–", "—"})
"""What is printed where a source gives no figure on purpose."""
CellStatus = Literal["printed", "dash", "not_printed", "missing_in_source"]


@dataclass(frozen=True)
class Claim:
    """One cell of a table of a source."""

    source: str
    table: str
    position: int
    """Of the row in its table, from 1."""
    row: str
    """The row's label, as printed; empty where rows have none."""
    column: str
    quantity: str
    unit: Unit | None
    model_label: str | None
    """The model's label, as printed."""
    method: str | None
    """Id of the method; None where the catalog has no entry for it, or the row speaks of none."""
    configuration: str | None
    """The configuration that the row speaks of, with the hyper-parameters in which it differs; None where it names none."""
    model: str | None
    """Id of the model; None where the row names none, or the catalog does not have it."""
    setting: str | None
    """The id of the setting that the table names."""
    printed: str | None
    status: CellStatus
    means: str | None
    """How the printed word is read, where the table says so."""
    locator: str
    tier: Tier
    unknown: str | None
    """What of it the catalog does not have, in a sentence."""
    step: Step | None = None
    """The training step that the row is of, where the table states it."""
    no_step: str | None = None
    """Why memory of the row is not predicted, where the table says so."""

    @property
    def stated(self) -> bool:
        """Whether it is about memory of runs of which the table says how they were made, or why that is not comparable."""
        return self.step is not None or self.no_step is not None

    @property
    def place(self) -> tuple[str, str, int, str]:
        """What tells claims apart."""
        return self.source, self.table, self.position, self.column


def claims(catalog: Catalog, source: str | None = None) -> Iterator[Claim]:
    """Every claim of a catalog, or of one source, in printed order."""
    for folder in catalog.sources.values():
        if source in (None, folder.key):
            for table in folder.tables.values():
                yield from _of_table(catalog, folder, table)


def _of_table(catalog: Catalog, folder: SourceFolder, table: PrintedTable) -> Iterator[Claim]:
    meaning = table.meaning
    names = [n for n in folder.names.methods if table.id in n.tables or not n.tables]
    models = [n for n in folder.names.models if table.id in n.tables or not n.tables]
    for position, cells in enumerate(table.rows, start=1):
        label = cells[meaning.row] if meaning.row else ""
        name = next(iter(names_of(cells, label, names)), None) if meaning.row else None
        model_label = cells[meaning.model] if meaning.model else None
        model = next(iter(names_of(cells, model_label or "", models)), None)
        configuration = configuration_of(name) if name else None
        stands_at = f"{model_label}, {label}" if model_label and label else f"row {label or model_label or position}"
        setting = meaning.runs.preset if meaning.runs else meaning.setting
        step, no_step = _step(catalog, meaning.runs, cells)
        for column, what in meaning.columns.items():
            printed, status = _read(cells[column], what.blank or meaning.blank)
            yield Claim(
                folder.key, table.id, position, label, column, what.quantity, what.unit, model_label,
                name.method if name else None, configuration, meaning.on or (model.model if model else None),
                setting, printed, status, what.means.get(printed or ""),
                f"{meaning.locator}, {stands_at}, {column}", folder.source.tier, _unknown(name, model),
                step, no_step,
            )  # fmt: skip


def _step(catalog: Catalog, runs: Runs | None, cells: Cells) -> tuple[Step | None, str | None]:
    if runs is None or runs.preset not in catalog.settings:
        return None, None
    try:
        return step_of(runs, catalog.settings[runs.preset], cells), None
    except NoStepError as reason:
        return None, str(reason)
    except UnreadableRowError:  # reported where the source is checked
        return None, None


def configuration_of(name: MethodName) -> str | None:
    """The full name of the configuration that a label means, with the hyper-parameters in which its runs differ."""
    return varied_name(name.configuration, name.set) if name.configuration else None


def names_of(cells: Cells, label: str, names: Iterable[Name]) -> list[Name]:
    """Every reading of a label that fits its row; when a source is read, it is checked to be one."""
    return [
        name for name in names
        if name.printed == label and all(cells.get(column) == cell for column, cell in name.when.items())
    ]  # fmt: skip


def _read(cell: str, blank: Literal["not_printed", "missing_in_source"]) -> tuple[str | None, CellStatus]:
    if cell == "":
        return None, blank
    return (None, "dash") if cell in DASH else (cell, "printed")


def _unknown(name: MethodName | None, model: ModelName | None) -> str | None:
    if name is not None and name.method is None:
        return f"The catalog has no entry for this yet. {name.evidence}"
    if model is not None and model.model is None:
        return f"The catalog does not have this model. {model.reason}"
    return None
