"""A source: a document or data set that makes claims, as the files of catalog/sources/<key> say it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Self, get_args

from pydantic import Field, JsonValue, model_validator

from surveykit.catalog.steps import Runs
from surveykit.record import Day, Record

Tier = Literal["printed", "measured_elsewhere"]
"""What stands behind a figure: it is claimed, or the source measured it itself."""
Blank = Literal["not_printed", "missing_in_source"]
"""What an empty cell is: nothing is printed there, or the text we used lacks what is."""
Unit = Literal[
    "parameters", "thousand", "million", "billion", "percent", "bytes", "KB", "KiB", "MB", "MiB", "GB", "GiB"
]
UNITS: tuple[Unit, ...] = get_args(Unit)
NAME_PATTERN = r"^[a-z][a-z0-9_]*$"
"""Names of tables and columns: they are names in SQL too."""


class Repository(Record):
    """Where files were read, so that anybody finds the same ones."""

    name: str = Field(pattern=r"^[^/\s]+/[^/\s]+$")
    """owner/name on GitHub."""
    revision: str = Field(pattern=r"^[0-9a-f]{7,40}$")
    file: str | None = None


class Source(Record):
    """source.yaml: what the source is, and how it was read."""

    name: str
    """Name used in sentences."""
    kind: Literal["survey", "paper", "benchmark", "documentation", "draft"]
    """survey, paper, benchmark, documentation or draft."""
    paper: str | None = None
    """Key of the source in papers.bib."""
    repository: Repository | None = None
    date: Day
    """Of the version that was read: year-month-day."""
    read: str = Field(min_length=10)
    """How we read it, and what is doubtful about the text."""
    tier: Tier
    """printed: its figures are claims; measured_elsewhere: it measured them itself."""
    sections: Mapping[str, str] = {}
    """Where the source describes methods: number of the section by id of the method."""

    @model_validator(mode="after")
    def _can_be_found(self) -> Self:
        if self.paper is None and self.repository is None and self.kind != "draft":
            raise ValueError("name the paper (a key of papers.bib) or the repository, so that others find the source")
        return self


class Column(Record):
    """What the cells of a column claim."""

    quantity: str
    """An id of quantities.yaml."""
    unit: Unit | None = None
    """Of the printed figures."""
    says: str | None = None
    """What the column shows, where the quantity does not say it all."""
    means: Mapping[str, str] = {}
    """How printed words are read."""
    blank: Blank | None = None
    """What an empty cell is, where it is not what the table says."""


class Table(Record):
    """tables/<id>.yaml: what rows and columns of tables/<id>.csv mean."""

    locator: str
    """Where the table stands in the source."""
    says: str = Field(min_length=5)
    """What it shows."""
    row: str | None = None
    """The column that names the method or configuration of a row; null where rows speak of no method."""
    model: str | None = None
    """The column that names the model of a row."""
    on: str | None = None
    """Id of the model that every row speaks of, where no column names it."""
    setting: str | None = None
    """An id of settings.yaml: where all rows were made alike, in one of its lengths and precisions, and nobody says which."""
    runs: Runs | None = None
    """How the runs of the rows were made, as far as memory depends on it."""
    blank: Blank = "not_printed"
    columns: Mapping[str, Column] = {}
    """Columns with claims."""
    text: Mapping[str, str] = {}
    """Other columns, and what each holds."""

    @model_validator(mode="after")
    def _names_are_plain(self) -> Self:
        if self.model is not None and self.on is not None:
            raise ValueError("`model` names a column, `on` names one model for all rows: give only one of them")
        if self.setting is not None and self.runs is not None:
            raise ValueError("`runs` names the setting too, as its `preset`: give only one of `setting` and `runs`")
        names = self.names()
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"the column '{name}' is declared twice")
        if "position" in names:
            raise ValueError("no column can be called 'position': it is the number of a row in the database")
        return self

    def names(self) -> list[str]:
        """All columns of the CSV file, in any order."""
        labels = [name for name in (self.row, self.model) if name is not None]
        return [*dict.fromkeys(labels), *self.columns, *self.text]


class MethodName(Record):
    """What a label of a row means."""

    printed: str
    tables: tuple[str, ...] = ()
    """Tables in which it means that; empty for all."""
    when: Mapping[str, str] = {}
    """Cells of the row by column, where the label alone does not tell which row is meant."""
    method: str | None
    """Id of the method; null where the catalog has no entry for it yet."""
    configuration: str | None = None
    """method/configuration, where the row speaks of one."""
    set: Mapping[str, JsonValue] = {}
    """Hyper-parameters in which the row's runs differ from that configuration; `roles@2` is one of the second edit."""
    evidence: str = Field(min_length=10)
    """Why we read the label so; of a method without an entry, what it is."""

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        if self.set and self.configuration is None:
            raise ValueError("`set` changes hyper-parameters: name the configuration in `configuration`")
        return self


class ModelName(Record):
    """What a label of a model means."""

    printed: str
    tables: tuple[str, ...] = ()
    when: Mapping[str, str] = {}
    """Cells of the row by column, where the label alone does not tell which model is meant, but the size beside it does."""
    model: str | None
    """Id of the model; null where the catalog does not have it."""
    reason: str | None = None
    """Why the catalog lacks it, or why we read the label so."""

    @model_validator(mode="after")
    def _reason_where_missing(self) -> Self:
        if self.model is None and self.reason is None:
            raise ValueError("say in `reason` why the catalog does not have this model")
        return self


class Names(Record):
    """names.yaml."""

    methods: tuple[MethodName, ...] = ()
    models: tuple[ModelName, ...] = ()


Cause = Literal[
    "other_configuration",
    "library_default",
    "other_module_set",
    "other_row",
    "other_model",
    "other_definition",
    "stored_not_trained",
    "truncated",
    "source_inconsistent",
    "unresolved",
]
NAMES_A_SETUP: frozenset[Cause] = frozenset(
    {"other_configuration", "library_default", "other_module_set", "other_row", "other_model"}
)
"""Causes that say where the printed figure comes from: they name the setup, and the check fails where it does not give it."""


class Setup(Record):
    """A configuration, and the model where it is not the one of the claim."""

    configuration: str
    """method/configuration."""
    model: str | None = None


class QuotedFigures(Record):
    """Printed figures of a row on one model, quoted: an explanation speaks of these and of no others."""

    model: str | None = None
    """Id of the row's model; null where the row names none."""
    printed: Mapping[str, str] = Field(min_length=1)
    """Figures by column, as printed."""


class Explanation(Record):
    """A reviewed reason why printed figures and ours differ."""

    table: str
    row: str
    """Label of the row."""
    figures: tuple[QuotedFigures, ...] = Field(min_length=1)
    """The printed figures that differ; a figure that changes in the table loses its explanation."""
    cause: Cause
    """Kind of cause of the difference."""
    text: str = Field(min_length=20)
    """The reason, worded as what was found: which counts match which figure."""
    innocent: str | None = Field(default=None, min_length=20)
    """An innocent explanation of the figures, and what speaks against our reading; needed if the row names its model, and
    if figures contradict each other."""
    evidence: str | None = None
    """A SELECT of one row whose values are the figures that the text derives."""
    fits_setup: Setup | None = None
    """What gives the printed figures exactly."""
    tried: tuple[str, ...] = ()
    """Configurations that were tried and do not give them."""
    correction: str | None = None
    """What could be printed instead, if figures contradict each other: a suggestion to the authors."""
    remark: str | None = Field(default=None, min_length=10)
    """Why figures that contradict each other are only a remark, not an erratum: what makes it small or uncertain."""

    @model_validator(mode="after")
    def _is_fair(self) -> Self:
        if (self.cause in NAMES_A_SETUP) != (self.fits_setup is not None):
            needed = "needs a setup" if self.cause in NAMES_A_SETUP else "goes without a setup"
            raise ValueError(f"the cause {self.cause} {needed} in fits_setup")
        if self.innocent is None and (self.models or self.cause == "source_inconsistent"):
            raise ValueError("give an innocent explanation of the figures in `innocent`")
        if self.remark is not None and self.cause != "source_inconsistent":
            raise ValueError("only figures that contradict each other (source_inconsistent) can be a mere remark")
        models = [quoted.model for quoted in self.figures]
        if len(set(models)) != len(models):
            raise ValueError("a model appears twice in `figures`")
        return self

    @property
    def models(self) -> tuple[str, ...]:
        """The models whose figures are explained, in the order of the file."""
        return tuple(quoted.model for quoted in self.figures if quoted.model is not None)

    @property
    def configurations(self) -> tuple[str, ...]:
        """Those that it compares with the printed figures."""
        return (*self.tried, self.fits_setup.configuration) if self.fits_setup else self.tried

    @property
    def counted_on(self) -> tuple[str, ...]:
        """The models on which it compares them."""
        setup = self.fits_setup
        return (setup.model,) if setup is not None and setup.model is not None else self.models

    @property
    def name(self) -> str:
        """Name that a second reader signs: the row and its models."""
        if self.models:
            return f"{self.row} on {' '.join(self.models)}"
        return f"{self.table}, {self.row}, {' '.join(column for quoted in self.figures for column in quoted.printed)}"

    def quotes(self, model: str | None, column: str, printed: str) -> bool:
        """Whether it speaks of this very figure."""
        return any(q.model == model and q.printed.get(column) == printed for q in self.figures)


class Explanations(Record):
    """explanations.yaml."""

    explanations: tuple[Explanation, ...]


KEY_PATTERN = r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$"
"""The key of a source is the name of its folder: an id that begins with a letter, since tables in SQL are named by it."""
