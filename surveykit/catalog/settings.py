"""settings.yaml: how training runs where its costs are traced."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import Field

from surveykit.catalog.measurements import Dtype, Whole
from surveykit.catalog.training import Training
from surveykit.record import ID_PATTERN, Record

if TYPE_CHECKING:
    from surveykit.catalog.load import Catalog


class BatchFrom(Record):
    """A source's table that gives the batch for each model."""

    source: str
    table: str
    column: str
    where: Mapping[str, str]
    """Cells by column: which of a model's rows is meant."""


class Setting(Record):
    """A named way to train."""

    id: str = Field(pattern=ID_PATTERN)
    says: str = Field(min_length=10)
    batch: Whole
    """Examples at once, where no table gives it."""
    batch_from: BatchFrom | None = None
    lengths: tuple[Whole, ...] = Field(min_length=1)
    """Positions of the input; the first is the one that is judged, the others show whether an answer depends on it."""
    target_length: Whole
    """Positions of the decoder's input."""
    training: Training = Training()
    """How a training step runs."""
    dtypes: tuple[Dtype, ...] = Field(min_length=1)
    not_traced: str | None = None
    """Why memory is not traced in this setting; null where it is."""


class Settings(Record):
    """The whole file."""

    settings: tuple[Setting, ...] = Field(min_length=1)


@dataclass(frozen=True)
class Traced:
    """The settings in which one configuration is traced on one model."""

    batch: int
    """Examples at once."""
    lengths: tuple[int, ...]
    target_length: int
    trainings: tuple[Training, ...]
    """One for each precision."""

    def rows(self) -> set[tuple[int, int, int, str]]:
        """What each row of memory is of: batch, length, target length, precision."""
        return {
            (self.batch, length, self.target_length, training.dtype)
            for length in self.lengths
            for training in self.trainings
        }


def traced_settings(catalog: Catalog, configuration: str, model: str) -> Traced:
    """Those of method/configuration on a model.

    Defaults of methods, and what claims about memory name, are traced at all lengths; others at the one that is judged.
    """
    judging = catalog.quantities.judging
    setting = catalog.settings[judging.setting]
    every = catalog.configuration(configuration).default or (configuration, model) in catalog.memory_claimed
    lengths = dict.fromkeys((judging.length, *setting.lengths)) if every else (judging.length,)
    trainings = tuple(setting.training.model_copy(update={"dtype": dtype}) for dtype in setting.dtypes)
    return Traced(batch_of(catalog, setting, model), tuple(lengths), setting.target_length, trainings)


def batch_of(catalog: Catalog, setting: Setting, model: str) -> int:
    """Examples at once on a model: as a source's table says, else the setting's own."""
    given = setting.batch_from
    folder = catalog.sources.get(given.source) if given else None
    if given is None or folder is None or given.table not in folder.tables:
        return setting.batch
    table = folder.tables[given.table]
    labels = {n.printed for n in folder.names.models if n.model == model and given.table in (*n.tables, given.table)}
    for cells in table.rows:
        if cells[table.meaning.model or ""] in labels and all(cells[c] == v for c, v in given.where.items()):
            return int(cells[given.column])
    return setting.batch
