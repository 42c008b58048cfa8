"""The records of the catalog. Torch-free; the JSON Schemas in catalog/schema are made from these classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Self

from pydantic import Field, JsonValue, field_validator, model_validator

from surveykit import formula
from surveykit.catalog.figures import parse_figure
from surveykit.errors import FormulaError
from surveykit.recipes import Recipe
from surveykit.record import Record

ID_PATTERN = r"^[a-z0-9]+(-[a-z0-9]+)*$"

MethodType = Literal["A", "S", "R", "AS", "AR", "ARS", "none"]
Family = Literal["adapter", "soft_prompt", "other_additive", "selective", "reparametrization", "hybrid", "baseline"]
Overhead = Literal["ffn", "linear", "gating", "input", "decoder"]
Source = Literal["survey_table", "survey_text", "paper", "derived"]
Status = Literal["known", "not_stated", "not_applicable"]

OVERHEAD_PRINTED: Mapping[str, tuple[Overhead, ...]] = {
    "No overhead": (),
    "+ FFN": ("ffn",),
    "+ input": ("input",),
    "+ FFN and input": ("ffn", "input"),
    "+ linear layer": ("linear",),
    "+ gating": ("gating",),
    "+ decoder": ("decoder",),
}
"""How Table 1 words the inference overhead, and what we read in it."""

Tick = Literal["✓", "✗"]


class Table1Row(Record):
    """A row of the survey's Table 1, as printed."""

    row: str
    """The method's name in the table."""
    type: Literal["A", "S", "R", "AS", "AR", "ARS"]
    disk: Tick
    ram: Tick
    bp: Tick
    overhead: Literal["No overhead", "+ FFN", "+ input", "+ FFN and input", "+ linear layer", "+ gating", "+ decoder"]
    note: str | None = None
    """A footnote of the table, in our words."""


class Table2Row(Record):
    """A row of the survey's Table 2, as printed."""

    row: str
    """The method's name in the table."""
    trainable_percent: str
    """Trainable parameters in percent, as printed; a range or a bound stays text."""
    changed_percent: str
    """Changed parameters in percent, as printed."""
    under_1b: Tick
    """Evaluated on models of fewer than 1 billion parameters."""
    under_20b: Tick
    """… of fewer than 20 billion."""
    over_20b: Tick
    """… of more than 20 billion."""
    note: str | None = None

    @field_validator("trainable_percent", "changed_percent")
    @classmethod
    def _is_figure(cls, printed: str) -> str:
        parse_figure(printed)
        return printed


class SurveyPlace(Record):
    """Where the survey treats the method, and what its tables say of it."""

    section: str = Field(pattern=r"^[0-9]+(\.[0-9]+)?$")
    """Number of the section that describes it."""
    table1: Table1Row | None
    """Null: the method has no row there."""
    table2: Table2Row | None


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
    name: str
    """The class or configuration string; of a repository, owner/name; for `none`, a word on what was looked for."""
    snippet: str | None = None
    """A few lines that put the method on a loaded model."""
    note: str | None = None


class Formula(Record):
    """Closed forms of the counts, over the symbols of `surveykit.formula`."""

    let: dict[str, str]
    """Symbols of this configuration in order; each may use those before it."""
    trainable: str
    """Parameters that the optimizer holds (the largest stage)."""
    added: str
    """New parameters, as trained."""
    stored: str
    """Numbers to keep for each task."""

    @model_validator(mode="after")
    def _evaluates(self) -> Self:
        symbols = dict.fromkeys(formula.BACKBONE_SYMBOLS, 4096)
        try:
            bound = formula.bind(self.let, symbols)
            for text in (self.trainable, self.added, self.stored):
                formula.evaluate(text, bound)
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
    basis: Literal["paper", "library_default", "survey_text", "reproduction", "variant"]
    """Where the hyper-parameters come from; `reproduction`: chosen because a printed figure follows from it."""
    basis_note: str = Field(min_length=10)
    """The place that states them, or what was varied."""
    survey_rows: tuple[SurveyRow, ...] = ()
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
Column = Literal["score", "params_millions", "params_percent", "ram_gb", "throughput_train", "throughput_infer"]


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
    reproduced_by: str | None = None
    """A configuration (method/configuration) that gives the printed figures exactly."""
    tried: tuple[str, ...] = ()
    """Configurations that were tried and do not give them; three at least where the cause is unresolved."""

    @model_validator(mode="after")
    def _has_evidence(self) -> Self:
        if self.cause == "unresolved":
            if len(set(self.tried)) < 3:
                raise ValueError("an unresolved difference needs at least three different tried configurations")
            if self.reproduced_by is not None:
                raise ValueError("a difference that a configuration reproduces is not unresolved; name its cause")
        elif (self.cause in ("source_inconsistent", "stored_not_trained")) != (self.reproduced_by is None):
            raise ValueError(f"the cause {self.cause} needs {'no' if self.reproduced_by else 'a'} configuration in reproduced_by")
        if len({quoted.backbone for quoted in self.figures}) != len(self.figures):
            raise ValueError("a backbone stands twice in `figures`")
        return self

    @property
    def backbones(self) -> tuple[str, ...]:
        return tuple(quoted.backbone for quoted in self.figures)

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(sorted({column for quoted in self.figures for column in quoted.printed()}))


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
    configurations: tuple[Configuration, ...] = Field(min_length=1)
    explanations: tuple[Explanation, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        defaults = [c.id for c in self.configurations if c.default]
        if len(defaults) != 1:
            raise ValueError(f"exactly one configuration must be the default, not {len(defaults)}")
        ids = [c.id for c in self.configurations]
        if len(set(ids)) != len(ids):
            raise ValueError("two configurations have the same id")
        if (self.survey.table1 is None) == (self.effective is None):
            raise ValueError("`effective` is needed when Table 1 has no row for the method, and only then")
        return self

    @property
    def default(self) -> Configuration:
        return next(c for c in self.configurations if c.default)


class Backbone(Record):
    """A pretrained model, by its dimensions. Widths are numbers of features."""

    id: str = Field(pattern=ID_PATTERN)
    name: str
    survey_label: str | None
    """Its label in the survey's Table 5; null when it is not there."""
    checkpoint: str
    """Where the weights are published (owner/name on the Hugging Face hub)."""
    architecture: Literal["t5"]
    paper: str
    d_model: int = Field(ge=1)
    d_ff: int = Field(ge=1)
    d_kv: int = Field(ge=1)
    """Width of one attention head."""
    heads: int = Field(ge=1)
    encoder_layers: int = Field(ge=1)
    decoder_layers: int = Field(ge=1)
    vocabulary: int = Field(ge=1)
    """Rows of the token embedding."""
    relative_buckets: int = Field(ge=1)
    gated: bool
    """Whether the feed-forward has a second, gating input matrix (T5 v1.1)."""
    tied: bool
    """Whether the output layer is the token embedding."""
    parameters: int = Field(ge=1)
    """Expected count, each parameter once."""
    parameters_source: str = Field(min_length=10)

    @property
    def inner(self) -> int:
        return self.heads * self.d_kv

    def symbols(self) -> dict[str, int]:
        """The symbols of formulas, with the closed form of the backbone's own count as `N`."""
        d, inner, f, h = self.d_model, self.inner, self.d_ff, self.heads
        le, ld, v, u = self.encoder_layers, self.decoder_layers, self.vocabulary, self.relative_buckets
        attentions, feed_forwards, norms = le + 2 * ld, le + ld, 2 * le + 3 * ld + 2
        gates, tokens = (2 if self.gated else 1), (1 if self.tied else 2)
        linear = 4 * attentions * d * inner + feed_forwards * (1 + gates) * d * f
        total = tokens * v * d + norms * d + 2 * u * h + linear
        return {
            "d": d, "I": inner, "f": f, "H": h, "Le": le, "Ld": ld, "V": v, "U": u, "G": gates, "T": tokens,
            "A": attentions, "F": feed_forwards, "L": norms, "N": total,
        }  # fmt: skip

    @model_validator(mode="after")
    def _count_holds(self) -> Self:
        expected = self.symbols()["N"]
        if expected != self.parameters:
            raise ValueError(f"these dimensions give {expected:,} parameters, not {self.parameters:,}")
        return self


class TableCell(Record):
    """One printed figure of Table 5: one fact per row of the file."""

    backbone_label: str
    row: str
    column: Column
    printed: str | None
    status: Literal["printed", "dash", "missing_in_source"]

    @model_validator(mode="after")
    def _text_when_printed(self) -> Self:
        if (self.status == "printed") != (self.printed is not None):
            raise ValueError("a cell has text exactly when its status is 'printed'")
        if self.printed is not None:
            parse_figure(self.printed)
        return self


class Measurement(Record):
    """What the engine counted for one configuration on one backbone."""

    configuration: str
    """method/configuration"""
    backbone: str
    status: Literal["counted", "failed"]
    reason: str | None
    """Why it failed; null when it did not."""
    trainable: int | None = Field(ge=0)
    """Parameters that the optimizer holds, in the largest stage."""
    trainable_task: int | None = Field(ge=0)
    """… in the last stage that is run for each task."""
    trained_pretrained: int | None = Field(ge=0)
    """Pretrained parameters among the trainable ones of that stage."""
    added: int | None = Field(ge=0)
    """New parameters, as trained."""
    stored: int | None = Field(ge=0)
    """Numbers to keep for each task."""
    provenance: Literal["config", "header", "weights"]
    """What the backbone was built from."""
    key: str = Field(pattern=r"^[0-9a-f]{16}$")
    """Staleness key: recipe, sources of the engine, backbone."""
    run: str
    """The run that found it, a key of runs.csv."""


class Run(Record):
    """The environment that measurements came from."""

    run: str
    date: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$")
    surveykit: str
    python: str
    torch: str
    transformers: str


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
