"""settings.yaml: how training runs where its costs are traced."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from pydantic import Field, model_validator

from surveykit.catalog.measurements import Dtype, Whole
from surveykit.catalog.training import Training
from surveykit.errors import SurveyError, nearest
from surveykit.record import ID_PATTERN, Day, Record

if TYPE_CHECKING:
    from surveykit.catalog.load import Catalog


class BatchFrom(Record):
    """A source's table that gives the batch for each model."""

    source: str
    table: str
    column: str
    where: Mapping[str, str]
    """Cells by column: which of a model's rows is meant."""


FIELDS = frozenset((*Training.model_fields, "batch", "lengths"))
"""What a source can be asked about: fields of the step, and the text that it reads."""


class Stated(Record):
    """Where it stands that people train so."""

    fields: tuple[str, ...] = Field(min_length=1)
    """Fields of `training`, `batch` or `lengths` that it is said of."""
    says: str = Field(min_length=10)
    """What it says, in our words."""
    address: str = Field(pattern=r"^https://")
    """Where it was read."""
    checked: Day
    """The day on which it was read."""

    @model_validator(mode="after")
    def _fields_are_known(self) -> Self:
        for name in self.fields:
            if name not in FIELDS:
                raise ValueError(f"'{name}' is no field of a setting{nearest(name, FIELDS)}")
        return self


class Setting(Record):
    """A named way to train."""

    id: str = Field(pattern=ID_PATTERN)
    says: str = Field(min_length=10)
    batch: Whole | None = None
    """Examples at once, where no table gives it; null where people choose."""
    batch_from: BatchFrom | None = None
    lengths: tuple[Whole, ...] = ()
    """Positions of the input; the first is the one that is judged, the others show whether an answer depends on it. None
    where people choose."""
    target_length: Whole = 8
    """Positions of the decoder's input."""
    training: Training = Training()
    """How a training step runs."""
    also_dtypes: tuple[Dtype, ...] = ()
    """Further precisions, beside that of `training`, in which memory is recorded."""
    not_traced: str | None = None
    """Why memory is not traced in this setting; null where it is."""
    sources: tuple[Stated, ...] = ()
    """Where it stands that people train so."""

    @property
    def dtypes(self) -> tuple[Dtype, ...]:
        """The precisions in which memory is recorded."""
        return (self.training.dtype, *self.also_dtypes)


class Settings(Record):
    """The whole file."""

    settings: tuple[Setting, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        seen: set[str] = set()
        for setting in self.settings:
            if setting.id in seen:
                raise ValueError(f"the setting '{setting.id}' stands twice")
            seen.add(setting.id)
        return self


def setting_of(catalog: Catalog, name: str) -> Setting:
    """The setting of a name.

    Raises:
        SurveyError: there is none; it names the nearest, and all that there are.
    """
    if name not in catalog.settings:
        raise SurveyError(
            f"there is no setting '{name}'{nearest(name, catalog.settings)}; there are {', '.join(catalog.settings)}"
        )
    return catalog.settings[name]


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
    batch = batch_of(catalog, setting, model)
    assert batch is not None, "the setting in which claims are judged states its batch: the loader sees to it"
    trainings = tuple(setting.training.model_copy(update={"dtype": dtype}) for dtype in setting.dtypes)
    return Traced(batch, tuple(lengths), setting.target_length, trainings)


def batch_of(catalog: Catalog, setting: Setting, model: str) -> int | None:
    """Examples at once on a model: as a source's table says, else the setting's own; None where people choose."""
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
