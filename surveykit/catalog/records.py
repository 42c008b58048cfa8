"""A method, as its file says it. The JSON Schema in catalog/schema is made from these classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Self

from pydantic import Field, JsonValue, model_validator

from surveykit import formula
from surveykit.catalog.claims import SurveyPlace
from surveykit.errors import FormulaError
from surveykit.recipes import Recipe
from surveykit.recipes.base import Overhead
from surveykit.record import ID_PATTERN, Record

MethodType = Literal["A", "S", "R", "AS", "AR", "ARS", "none"]
Family = Literal["adapter", "soft_prompt", "other_additive", "selective", "reparametrization", "hybrid", "baseline"]
Source = Literal["survey_table", "survey_text", "paper", "derived"]
Status = Literal["known", "not_stated", "not_applicable"]


class _Judged(Record):
    status: Status
    source: Source
    """Where the value comes from."""
    reason: str = Field(min_length=10)
    """The sentence or figure it rests on, or why there is no value."""

    def _check(self, has_value: bool) -> Self:
        if (self.status == "known") != has_value:
            raise ValueError(f"status '{self.status}' needs {'a' if self.status == 'known' else 'no'} value")
        return self


class TypeValue(_Judged):
    value: MethodType | None

    @model_validator(mode="after")
    def _known_has_value(self) -> Self:
        return self._check(self.value is not None)


class FlagValue(_Judged):
    value: bool | None

    @model_validator(mode="after")
    def _known_has_value(self) -> Self:
        return self._check(self.value is not None)


class OverheadValue(_Judged):
    kinds: tuple[Overhead, ...] | None
    """Everything that inference costs beyond the backbone; an empty list means nothing."""

    @model_validator(mode="after")
    def _known_has_value(self) -> Self:
        return self._check(self.kinds is not None)


class Effective(Record):
    """What we say of a method where Table 1 has no row for it. A column that the table gives is not repeated."""

    type: TypeValue
    disk: FlagValue
    ram: FlagValue
    bp: FlagValue
    overhead: OverheadValue


class Relation(Record):
    kind: Literal["extends", "combines", "variant_of", "initialised_by"]
    method: str = Field(pattern=ID_PATTERN)


class Implementation(Record):
    """Code that a user can run."""

    library: Literal["peft", "adapters", "transformers", "repository", "none"]
    """Library that has it; none: nothing was found."""
    name: str
    """The class or configuration string; of a repository, owner/name; for `none`, a word on what was looked for."""
    snippet: str | None = None
    """A few lines that put the method on a loaded model."""
    note: str | None = None
    """What to know about it."""


class Formula(Record):
    """Closed forms of the counts, over the symbols of `surveykit.formula`."""

    let: dict[str, str]
    """Symbols of this configuration in order; each may use those before it."""
    trainable: str
    """Parameters that the optimizer holds (the largest stage)."""
    added: str
    """New parameters, as trained."""
    expanded: str
    """New entries of the network once all that can is merged, with products written out."""
    stored: str
    """Numbers to keep for each task."""
    changed: str
    """Entries of the pretrained weights that can differ once all that can is merged."""
    update_rank: str
    """Largest rank of the change of a pretrained matrix; 0 where none changes."""
    trainable_task: str | None = None
    """Held by the optimizer in the last stage; null where it is `trainable`."""
    effective: str | None = None
    """Of those, the ones that may move; null where no mask is on."""
    stored_shared: str | None = None
    """Numbers to keep once for all tasks; null for none."""
    optimizer_state: str | None = None
    """Numbers that the optimizer keeps; null where they are two for each trainable one."""
    quantized: str | None = None
    """Pretrained numbers in few bits; null for none."""

    def forms(self) -> dict[str, str]:
        """The closed form of each count, by its name in a measurement."""
        task = self.trainable_task or self.trainable
        return {
            "trainable": self.trainable,
            "trainable_task": task,
            "effective": self.effective or task,
            "added": self.added,
            "expanded": self.expanded,
            "stored": self.stored,
            "stored_shared": self.stored_shared or "0",
            "changed": self.changed,
            "update_rank": self.update_rank,
            "optimizer_state": self.optimizer_state or f"2*({self.trainable})",
            "quantized": self.quantized or "0",
        }

    def values(self, symbols: Mapping[str, int]) -> dict[str, int]:
        """Each count by its name, on the model whose symbols these are.

        Raises:
            FormulaError: an unknown symbol, a division by zero, or a number beyond 64 bits.
        """
        bound = formula.bind(self.let, symbols)
        return {name: formula.evaluate(text, bound) for name, text in self.forms().items()}

    @model_validator(mode="after")
    def _evaluates(self) -> Self:
        try:
            self.values(dict.fromkeys(formula.BACKBONE_SYMBOLS, 4096))
        except FormulaError as error:
            raise ValueError(str(error)) from None
        return self


class Oracle(Record):
    """The same configuration in a library, whose count the tests compare with ours."""

    library: Literal["peft", "adapters"]
    config: str
    """Class name (PEFT), or class name of a configuration (adapters)."""
    arguments: dict[str, JsonValue]
    """Its arguments; those left out are the library's defaults."""
    trainable: str | None = None
    """Where the library's count differs from ours: its own formula."""
    differs_because: str | None = None
    """… and the hyper-parameter or design that makes it differ."""

    @model_validator(mode="after")
    def _difference_has_reason(self) -> Self:
        if (self.trainable is None) != (self.differs_because is None):
            raise ValueError("a library's own formula and the reason why it differs go together")
        return self


class SurveyRow(Record):
    """A row of the survey's Table 5 that we read as this configuration."""

    row: str
    """The row's label, as printed."""
    evidence: str = Field(min_length=10)
    """Why this configuration is the one the row speaks of."""


class Configuration(Record):
    """A method with all its hyper-parameters."""

    id: str = Field(pattern=ID_PATTERN)
    name: str
    default: bool
    """Whether the method's own page and columns use this one; exactly one per method."""
    default_with_biases: bool = False
    """Whether it is meant instead where the method alone is named and the model has biases of its own; one at most."""
    basis: Literal["paper", "library_default", "survey_text", "fitted", "variant"]
    """Where the hyper-parameters come from; `fitted`: chosen because its count is a printed figure."""
    basis_note: str = Field(min_length=10)
    """The place that states them, or what was varied."""
    survey_rows: tuple[SurveyRow, ...] = ()
    also_on: tuple[str, ...] = ()
    """Backbones beyond the T5s on which it is measured too: those of the papers."""
    recipe: Recipe
    formula: Formula
    oracles: tuple[Oracle, ...] = ()


Cause = Literal[
    "other_configuration",
    "library_default",
    "other_module_set",
    "other_row",
    "stored_not_trained",
    "source_inconsistent",
    "unresolved",
]


class ExplainedFigures(Record):
    """Printed figures of one row on one backbone, quoted: an explanation speaks of these and of no others."""

    backbone: str
    params_millions: str | None = None
    """As printed; null when that figure is not explained here."""
    params_percent: str | None = None

    @model_validator(mode="after")
    def _speaks_of_something(self) -> Self:
        if not self.printed():
            raise ValueError("quote at least one printed figure")
        return self

    def printed(self) -> dict[Literal["params_millions", "params_percent"], str]:
        """The quoted figures by column."""
        found: dict[Literal["params_millions", "params_percent"], str] = {}
        if self.params_millions is not None:
            found["params_millions"] = self.params_millions
        if self.params_percent is not None:
            found["params_percent"] = self.params_percent
        return found


class Explanation(Record):
    """A reviewed reason why printed figures and ours differ."""

    row: str
    """Label of the row of Table 5."""
    figures: tuple[ExplainedFigures, ...] = Field(min_length=1)
    """The printed figures that differ; a figure that changes in the table loses its explanation."""
    cause: Cause
    text: str = Field(min_length=20)
    """The reason, worded as what was found: which counts match which figure."""
    innocent: str = Field(min_length=20)
    """How the printed figures can have come about without anybody's fault, and what speaks against our reading."""
    evidence: str | None = None
    """A SELECT of one row whose values are the figures that the text derives."""
    fits_setup: str | None = None
    """A configuration (method/configuration) that gives the printed figures exactly."""
    tried: tuple[str, ...] = ()
    """Configurations that were tried and do not give them; three at least where the cause is unresolved."""
    correction: str | None = None
    """What could be printed instead, where figures contradict each other: a suggestion to the survey's authors."""
    remark: str | None = Field(default=None, min_length=10)
    """Why figures that contradict each other are a mere remark and no erratum: what makes it small or uncertain."""

    @model_validator(mode="after")
    def _has_evidence(self) -> Self:
        if self.cause == "unresolved":
            if len(set(self.tried)) < 3:
                raise ValueError("an unresolved difference needs at least three different tried configurations")
            if self.fits_setup is not None:
                raise ValueError("a figure that fits another setup is not unresolved; name its cause")
        elif (self.cause in ("source_inconsistent", "stored_not_trained")) != (self.fits_setup is None):
            raise ValueError(
                f"the cause {self.cause} needs {'no' if self.fits_setup else 'a'} configuration in fits_setup"
            )
        if self.remark is not None and self.cause != "source_inconsistent":
            raise ValueError("only figures that contradict each other (source_inconsistent) can be a mere remark")
        if len({quoted.backbone for quoted in self.figures}) != len(self.figures):
            raise ValueError("a backbone stands twice in `figures`")
        return self

    @property
    def backbones(self) -> tuple[str, ...]:
        return tuple(quoted.backbone for quoted in self.figures)

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(sorted({column for quoted in self.figures for column in quoted.printed()}))


CellCause = Literal[
    "other_configuration",
    "other_module_set",
    "other_backbone",
    "other_definition",
    "source_inconsistent",
    "unresolved",
]
NAMES_A_SETUP: frozenset[CellCause] = frozenset({"other_configuration", "other_module_set", "other_backbone"})
"""Causes that say where the printed cell comes from: they name the setup, and the check fails where it does not give it."""


class Setup(Record):
    """A configuration on a base model."""

    configuration: str
    """method/configuration."""
    backbone: str


class CellExplanation(Record):
    """A reviewed reason why a cell of Table 1 or 2 and what we measure differ."""

    table: Literal[1, 2]
    column: Literal["disk", "ram", "bp", "overhead", "trainable_percent", "changed_percent"]
    printed: str
    """The cell, quoted: an explanation speaks of it and of no other."""
    cause: CellCause
    text: str = Field(min_length=20)
    """The reason, worded as what was found."""
    innocent: str | None = Field(default=None, min_length=20)
    """How the cell can have come about without anybody's fault; needed where figures contradict each other."""
    evidence: str | None = None
    """A SELECT of one row whose values are the figures that the text derives."""
    fits_setup: Setup | None = None
    """What gives the printed cell; needed by the causes that claim that something does."""

    @model_validator(mode="after")
    def _is_fair(self) -> Self:
        if self.cause == "source_inconsistent" and self.innocent is None:
            raise ValueError("say in `innocent` how the cell can have come about without anybody's fault")
        return self

    @model_validator(mode="after")
    def _names_what_it_claims(self) -> Self:
        if (self.cause in NAMES_A_SETUP) != (self.fits_setup is not None):
            needed = "needs a setup" if self.cause in NAMES_A_SETUP else "goes without a setup"
            raise ValueError(f"the cause {self.cause} {needed} in fits_setup")
        return self


class Method(Record):
    """An entry of the catalog: one method, what the survey says of it, and how it is instantiated."""

    id: str = Field(pattern=ID_PATTERN)
    """Same as the file's name: page address and database key."""
    name: str
    also_called: tuple[str, ...] = ()
    paper: str
    """Key of the paper in papers.bib."""
    family: Family
    survey: SurveyPlace
    idea: str = Field(min_length=40)
    """One paragraph in our words: what is trained and why."""
    tradeoff: str = Field(min_length=20)
    """What the method costs or loses, as the survey stresses it."""
    pseudocode: str = Field(min_length=20)
    """The forward pass in our words, PyTorch-like."""
    effective: Effective | None = None
    """Needed exactly when Table 1 has no row for the method."""
    relations: tuple[Relation, ...] = ()
    implementations: tuple[Implementation, ...] = Field(min_length=1)
    reconstruction: str | None = None
    """Where the paper leaves the method's shape open: what we filled in. Null when nothing was."""
    not_instantiated: str | None = None
    """Why the engine has no recipe for the method yet; null when it has."""
    configurations: tuple[Configuration, ...] = ()
    explanations: tuple[Explanation, ...] = ()
    """Of figures of Table 5."""
    cell_explanations: tuple[CellExplanation, ...] = ()
    """Of cells of Tables 1 and 2."""

    @model_validator(mode="after")
    def _quotes_what_is_printed(self) -> Self:
        for one in self.cell_explanations:
            row = self.survey.table1 if one.table == 1 else self.survey.table2
            printed = None if row is None else getattr(row, one.column, None)
            if printed != one.printed:
                raise ValueError(f"Table {one.table}, {one.column} prints {printed}, not {one.printed}")
        return self

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        defaults = [c.id for c in self.configurations if c.default]
        if bool(self.configurations) == (self.not_instantiated is not None):
            raise ValueError("a method has configurations, or says in `not_instantiated` why it has none")
        if self.configurations and len(defaults) != 1:
            raise ValueError(f"exactly one configuration must be the default, not {len(defaults)}")
        if sum(c.default_with_biases for c in self.configurations) > 1:
            raise ValueError("only one configuration can be the default on models with biases")
        ids = [c.id for c in self.configurations]
        if len(set(ids)) != len(ids):
            raise ValueError("two configurations have the same id")
        if (self.survey.table1 is None) == (self.effective is None):
            raise ValueError("`effective` is needed when Table 1 has no row for the method, and only then")
        return self

    @property
    def default(self) -> Configuration | None:
        """The default configuration; None when the method is not instantiated."""
        return next((c for c in self.configurations if c.default), None)

    def default_on(self, *, biases: bool) -> Configuration | None:
        """The configuration that is meant where the method alone is named, on a model with or without biases."""
        return next((c for c in self.configurations if biases and c.default_with_biases), self.default)


class Paper(Record):
    """An entry of papers.bib."""

    key: str
    title: str
    authors: tuple[str, ...]
    year: int
    venue: str | None
    url: str | None
    arxiv: str | None
    doi: str | None
    bibtex: str
