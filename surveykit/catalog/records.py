"""A method, as its file says it. The JSON Schema in catalog/schema is made from these classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Self

from pydantic import Field, JsonValue, model_validator

from surveykit import formula
from surveykit.catalog.dimensions import Dimensions, Trait
from surveykit.errors import FormulaError
from surveykit.recipes import Recipe
from surveykit.recipes.base import Overhead
from surveykit.record import ID_PATTERN, Day, Record

MethodType = Literal["A", "S", "R", "AS", "AR", "ARS", "none"]
Family = Literal["adapter", "soft_prompt", "other_additive", "selective", "reparametrization", "hybrid", "baseline"]
Idea = Literal[
    "baseline", "adapter", "soft_prompt", "prefix", "side_network", "bias_or_norm", "sparse", "layers", "embedding", "scaling",
    "low_rank", "low_rank_start", "low_rank_optimizer", "shared_factors", "spectral", "orthogonal", "structured", "full_rank",
    "representation", "mixture", "quantized", "memory_saving",
]  # fmt: skip
"""What methods have in common, finer than the survey's families."""
Source = Literal["survey_text", "paper", "derived"]
Status = Literal["known", "not_stated", "not_applicable"]


class _Judged(Record):
    status: Status
    source: Source
    """Where the value comes from."""
    reason: str = Field(min_length=10)
    """The sentence or figure it rests on, or why there is no value."""

    @model_validator(mode="after")
    def _known_has_value(self) -> Self:
        (own,) = type(self).model_fields.keys() - _Judged.model_fields.keys()
        if (self.status == "known") != (getattr(self, own) is not None):
            raise ValueError(f"status '{self.status}' needs {'a' if self.status == 'known' else 'no'} value")
        return self


class TypeValue(_Judged):
    value: MethodType | None


class FlagValue(_Judged):
    value: bool | None


class OverheadValue(_Judged):
    kinds: tuple[Overhead, ...] | None
    """Everything that inference costs beyond the backbone; an empty list means nothing."""


class Effective(Record):
    """What we say of a method of which no source does. What a source claims is not repeated."""

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
    """The class or configuration string; of a repository, owner/name; for `none`, a note on what was searched."""
    snippet: str | None = None
    """A few lines that apply the method to a loaded model."""
    note: str | None = None
    """What to know about it."""


class Formula(Record):
    """Closed forms of the counts, over the symbols of `surveykit.formula`."""

    assumes: tuple[Trait, ...] = ()
    """What must be true of a model for all these forms to hold: they have no value on any other."""
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
    """Largest rank of the change to a pretrained matrix; 0 where none changes."""
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
        return formula.values(self.let, self.forms(), symbols)

    def values_on(self, dimensions: Dimensions) -> dict[str, int] | None:
        """Each count by its name on a model; None where the formula does not hold there. Raises as `values`."""
        if not dimensions.has_symbols or not self._relies_on <= dimensions.traits:
            return None
        return self.values(dimensions.symbols())

    @property
    def _relies_on(self) -> set[Trait]:
        """What it assumes, and, where it speaks of I and not of Kv, that keys and values are as wide as queries."""
        mentioned = frozenset().union(*map(formula.names_in, (*self.let.values(), *self.forms().values())))
        return {*self.assumes, *({"keys_as_queries"} if "I" in mentioned and "Kv" not in mentioned else ())}

    @model_validator(mode="after")
    def _evaluates(self) -> Self:
        try:
            self.values(dict.fromkeys(formula.MODEL_SYMBOLS, 4096))
        except FormulaError as error:
            raise ValueError(str(error)) from None
        return self


class Oracle(Record):
    """The same configuration in a library, whose count the tests compare with ours."""

    library: Literal["peft", "adapters"]
    """Library whose count is compared: peft or adapters."""
    config: str
    """Class name (PEFT), or class name of a configuration (adapters)."""
    arguments: dict[str, JsonValue]
    """Its arguments; those left out are the library's defaults."""
    trainable: str | None = None
    """The library's own formula, if its count differs from ours."""
    differs_because: str | None = None
    """The hyper-parameter or design that makes it differ."""

    @model_validator(mode="after")
    def _difference_has_reason(self) -> Self:
        if (self.trainable is None) != (self.differs_because is None):
            raise ValueError("give both a library's own formula and the reason why it differs, or neither")
        return self


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
    also_on: tuple[str, ...] = ()
    """Models beyond the T5s on which it is measured too: those of the papers."""
    recipe: Recipe
    formula: Formula | None
    """Null where the closed form is not known; then another count stands in for it."""
    oracles: tuple[Oracle, ...] = ()


class Method(Record):
    """An entry of the catalog: one method, and how it is instantiated."""

    id: str = Field(pattern=ID_PATTERN)
    """Name of its file in catalog/methods: page address and database key."""
    name: str
    """Name for readers."""
    also_called: tuple[str, ...] = ()
    paper: str
    """Key of the paper in papers.bib."""
    family: Family
    """Family in the survey's taxonomy."""
    families: tuple[Idea, ...] = Field(min_length=1)
    """The ideas that it uses, the main one first."""
    added: Day | None = None
    """Day on which the entry was added to the catalog; NULL for entries of its first edition."""
    idea: str = Field(min_length=40)
    """One paragraph in our words: what is trained and why."""
    tradeoff: str = Field(min_length=20)
    """Costs or drawbacks of the method that its paper or a survey stresses."""
    pseudocode: str = Field(min_length=20)
    """The forward pass in our words, PyTorch-like."""
    effective: Effective | None = None
    """Needed where the source that `methods` shows says nothing of the method."""
    relations: tuple[Relation, ...] = ()
    implementations: tuple[Implementation, ...] = Field(min_length=1)
    reconstruction: str | None = None
    """What we filled in where the paper does not specify the method; NULL if nothing."""
    not_instantiated: str | None = None
    """Why the engine has no recipe for the method yet; NULL if it has one."""
    configurations: tuple[Configuration, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        defaults = [c.id for c in self.configurations if c.default]
        if bool(self.configurations) == (self.not_instantiated is not None):
            raise ValueError("a method needs configurations, or must say in `not_instantiated` why it has none")
        if self.configurations and len(defaults) != 1:
            raise ValueError(f"exactly one configuration must be the default, not {len(defaults)}")
        if sum(c.default_with_biases for c in self.configurations) > 1:
            raise ValueError("only one configuration can be the default on models with biases")
        ids = [c.id for c in self.configurations]
        if len(set(ids)) != len(ids):
            raise ValueError("two configurations have the same id")
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
    """Key of the entry in papers.bib."""
    title: str
    """Full title of the paper."""
    authors: tuple[str, ...]
    year: int = Field(ge=1900, le=2100)
    """Year of publication."""
    venue: str | None
    """Conference or journal; NULL for a preprint."""
    url: str | None
    """Address of the paper; NULL where the bibliography gives none."""
    arxiv: str | None
    """Number at arXiv, such as 2106.09685; NULL where there is none."""
    doi: str | None
    """Digital object identifier."""
    bibtex: str
    """The BibTeX entry in papers.bib."""
