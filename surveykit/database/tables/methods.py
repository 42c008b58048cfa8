"""Tables of methods, their configurations and papers: what the files of catalog/methods and papers.bib say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Literal, Self

from pydantic import Field

from surveykit.catalog import records
from surveykit.catalog.claims import Claim
from surveykit.catalog.load import Catalog
from surveykit.catalog.matched import is_matched
from surveykit.catalog.variations import unvaried_name
from surveykit.database.rows import Json, Row
from surveykit.recipes.base import OVERHEAD_KINDS, canonical
from surveykit.record import ConfigurationId, MethodId, PaperKey

_TICKS = {"✓": "true", "✗": "false"}
_ATTRIBUTES = ("type", "disk", "ram", "bp", "overhead")


class Paper(Row, records.Paper):
    """Papers cited by the catalog."""

    identity = ("key",)

    authors: str  # type: ignore[assignment]
    """Authors, separated by semicolons."""

    @classmethod
    def of_catalog(cls, catalog: Catalog) -> Iterator[Self]:
        return (cls.of(paper, authors="; ".join(paper.authors)) for paper in catalog.papers.values())


class Method(Row, records.Method):
    """One row per method: facts that do not depend on a base model."""

    identity = ("id",)
    shown = ("id", "name", "family", "section", "paper", "idea", "tradeoff", "pseudocode", "reconstruction",
             "not_instantiated", "added")  # fmt: skip

    paper: PaperKey
    section: str | None
    """Section that describes it, in the source whose ticks `methods` shows; NULL if there is none."""

    @classmethod
    def of_catalog(cls, catalog: Catalog) -> Iterator[Self]:
        source = catalog.sources.get(catalog.quantities.judging.word_of or "")
        sections = source.source.sections if source else {}
        return (cls.of(method, section=sections.get(method.id)) for method in catalog.methods.values())


class _OfMethod(Row):
    # The id of the method comes before the fields of the record.
    method: MethodId


class Alias(_OfMethod):
    """Other names of methods."""

    identity = ("method", "name")

    name: str
    """Another name of the method."""

    @classmethod
    def of_catalog(cls, catalog: Catalog) -> Iterator[Self]:
        return (cls(method=m.id, name=name) for m in catalog.methods.values() for name in m.also_called)


class Relation(_OfMethod):
    """How methods build on each other."""

    identity = ("method", "kind", "other")

    kind: Literal["extends", "combines", "variant_of", "initialised_by"]
    """Relation to the other method."""
    other: MethodId
    """Id of the other method."""

    @classmethod
    def of_catalog(cls, catalog: Catalog) -> Iterator[Self]:
        for m in catalog.methods.values():
            yield from (cls(method=m.id, kind=r.kind, other=r.method) for r in m.relations)


class _Numbered(_OfMethod):
    position: int = Field(ge=0)
    """Order in its file, from 0."""


class Idea(_Numbered):
    """What methods have in common, finer than the survey's families; a method can use several ideas."""

    identity = ("method", "position")

    name: records.Idea
    """The idea; the main one of a method comes first."""

    @classmethod
    def of_catalog(cls, catalog: Catalog) -> Iterator[Self]:
        for m in catalog.methods.values():
            yield from (cls(method=m.id, position=i, name=name) for i, name in enumerate(m.families))


class Implementation(records.Implementation, _Numbered):
    """Code that a user can run."""

    identity = ("method", "position")

    @classmethod
    def of_catalog(cls, catalog: Catalog) -> Iterator[Self]:
        for m in catalog.methods.values():
            yield from (cls.of(e, method=m.id, position=i) for i, e in enumerate(m.implementations))


class Attribute(_OfMethod):
    """Columns of each method in effect: as a source claims them, otherwise as we say."""

    identity = ("method", "name")
    rules = ("CHECK ((status = 'known') = (value IS NOT NULL))",)

    name: Literal["type", "disk", "ram", "bp", "overhead"]
    """Column: type, disk, ram, bp or overhead."""
    value: str | None
    """Type letters; true or false; overhead as a canonical set such as none or ffn+input."""
    status: records.Status
    """Whether there is a value, and why not."""
    source: str
    """Where the value comes from: the key of a source whose table says so, or survey_text, paper or derived where we say it."""
    locator: str
    """Row of the table, or the sentence it rests on."""

    @classmethod
    def of_catalog(cls, catalog: Catalog) -> Iterator[Self]:
        claimed = {
            (c.method, c.quantity): c
            for c in catalog.claims
            if c.source == catalog.quantities.judging.word_of and c.quantity in _ATTRIBUTES and c.printed
        }
        for method in catalog.methods.values():
            for name in _ATTRIBUTES:
                claim = claimed.get((method.id, name))
                yield cls._claimed(claim, name) if claim else cls._ours(method, name)

    @classmethod
    def _claimed(cls, claim: Claim, name: str) -> Self:
        printed = claim.means or claim.printed or ""
        return cls.of(
            method=claim.method, name=name, value=_TICKS.get(printed, printed), status="known", source=claim.source,
            locator=claim.locator.rpartition(", ")[0],
        )  # fmt: skip

    @classmethod
    def _ours(cls, method: records.Method, name: str) -> Self:
        judged = getattr(method.effective, name, None)
        if judged is None:
            return cls.of(
                method=method.id, name=name, value=None, status="not_stated", source="derived",
                locator="No source says it, and neither do we.",
            )  # fmt: skip
        value = judged.kinds if name == "overhead" else judged.value
        text = None if value is None else canonical(value) if name == "overhead" else str(value)
        return cls.of(
            judged, method=method.id, name=name, value=text.lower() if text and name != "type" else text,
            locator=judged.reason,
        )  # fmt: skip


class Overhead(_OfMethod):
    """Inference overhead beyond the base model, as a set; all NULL if it is not stated."""

    identity = ("method",)

    overhead_ffn: bool | None
    """Whether inference runs an additional feed-forward network."""
    overhead_linear: bool | None
    """Whether inference runs an additional linear layer."""
    overhead_gating: bool | None
    """Whether inference runs an additional gating or scaling."""
    overhead_input: bool | None
    """Whether the input of inference is longer."""
    overhead_decoder: bool | None
    """Whether inference runs an additional decoder."""

    @classmethod
    def of_catalog(cls, catalog: Catalog) -> Iterator[Self]:
        for attribute in Attribute.of_catalog(catalog):
            if attribute.name == "overhead":
                kinds = None if attribute.value is None else attribute.value.split("+")
                flags = {f"overhead_{kind}": None if kinds is None else kind in kinds for kind in OVERHEAD_KINDS}
                yield cls(method=attribute.method, **flags)


class Backbone(Row):
    """Pretrained models, by the dimensions that their configurations state; widths in features."""

    identity = ("id",)
    rules = ("CHECK (inner_width = heads * d_kv)", "CHECK (encoder_layers + decoder_layers > 0)")

    id: str
    """Name of its folder in catalog/models."""
    name: str
    """Name for readers."""
    checkpoint: str | None
    """Where the weights are published: owner/name on the Hugging Face hub; NULL where they are not."""
    architecture: str
    """Family of networks, as transformers calls it: t5, bert, llama and so on."""
    paper: PaperKey | None
    d_model: int = Field(gt=0)
    """Width of the residual stream."""
    d_ff: int = Field(gt=0)
    """Width of the feed-forward."""
    d_kv: int = Field(gt=0)
    """Width of one attention head."""
    heads: int = Field(gt=0)
    """Attention heads, of queries."""
    kv_heads: int = Field(gt=0)
    """Heads of keys and of values; fewer where several heads of queries share one."""
    inner_width: int
    """Inner width of attention: heads times d_kv."""
    encoder_layers: int = Field(ge=0)
    """Layers of the encoder; 0 without one."""
    decoder_layers: int = Field(ge=0)
    """Layers of the decoder; 0 without one."""
    vocabulary: int = Field(gt=0)
    """Rows of the token embedding."""
    relative_buckets: int = Field(ge=0)
    """Buckets of the relative position bias; 0 without one."""
    positions: int = Field(ge=0)
    """Rows of each table of learned positions; 0 without one."""
    token_types: int = Field(ge=0)
    """Rows of the table of token types; 0 without one."""
    gated: bool | None
    """Whether the feed-forward has a second, gating input matrix; NULL where the configuration does not tell."""
    tied: bool
    """Whether the output layer is the token embedding."""
    parameters: int | None = Field(gt=0, le=10**16)
    """Parameters, each counted once: the base of percentages; NULL if neither a source nor a formula gives them."""
    parameters_stated: bool
    """Whether a source states that number; else a formula gives it."""
    parameters_source: str
    """Where the number comes from, or why there is none."""
    has_symbols: bool
    """Whether formulas have values on it, because their symbols describe its layout."""

    @classmethod
    def of_catalog(cls, catalog: Catalog) -> Iterator[Self]:
        for m in catalog.models.values():
            d = m.dimensions
            yield cls.of(
                d, id=m.id, name=m.name, checkpoint=m.checkpoint, architecture=d.model_type, paper=m.paper,
                inner_width=d.inner, parameters=m.size, parameters_stated=m.parameters is not None,
                parameters_source=m.parameters_source,
            )  # fmt: skip


class Configuration(Row):
    """A method with all its hyper-parameters; exactly one per method is the default."""

    identity = ("id",)

    id: str
    """Names of method and configuration, as in lora/qv-r8."""
    method: MethodId
    name: str
    """What distinguishes it from other configurations of the method."""
    is_default: bool
    """Whether it is the method's default, which the method's columns use."""
    basis: Literal["paper", "library_default", "survey_text", "fitted", "variant"]
    """Where the hyper-parameters come from."""
    basis_note: str
    """The place that states them, or what was varied."""
    recipe: Json
    """What the engine executes, as JSON."""
    formula_let: Json | None
    """Symbols of this configuration, in order, as a JSON object; NULL where no closed form is known."""
    formula_trainable: str | None
    """Closed form of the trainable parameters; NULL where none is known."""
    formula_added: str | None
    """Closed form of the added parameters; NULL where none is known."""
    formula_stored: str | None
    """Closed form of the numbers to keep for each task; NULL where none is known."""
    varies: str | None
    """The configuration from which this one differs in hyper-parameters, because a source uses it; NULL for the methods' own."""
    is_matched: bool
    """Whether it has the places (query and value) and the rank (8) of LoRA's default, so that counts can be compared."""

    @classmethod
    def of_catalog(cls, catalog: Catalog) -> Iterator[Self]:
        matched_to = catalog.quantities.judging.matched_to
        reference = next((c.recipe for name, _, c in catalog.configurations() if name == matched_to), None)
        own = [(name, method.id, c, None) for name, method, c in catalog.configurations()]
        varied = [(name, name.partition("/")[0], c, unvaried_name(name)) for name, c in catalog.variations.items()]
        for name, method_id, c, varies in [*own, *varied]:
            forms = {f"formula_{form}": getattr(c.formula, form, None) for form in ("trainable", "added", "stored")}
            yield cls.of(
                c, id=name, method=method_id, is_default=c.default, recipe=c.recipe.model_dump_json(), varies=varies,
                formula_let=json.dumps(c.formula.let) if c.formula else None,
                is_matched=varies is None and is_matched(c.recipe, reference), **forms,
            )  # fmt: skip


class Oracle(Row, records.Oracle):
    """The same configuration in a library, whose count the tests compare with ours."""

    identity = ("configuration", "position")
    shown = ("configuration", "position", "library", "config", "arguments", "trainable", "differs_because")
    rules = ("CHECK ((trainable IS NULL) = (differs_because IS NULL))",)

    configuration: ConfigurationId
    position: int = Field(ge=0)
    """Order in its file, from 0."""
    arguments: Json  # type: ignore[assignment]
    """Arguments, as a JSON object."""

    @classmethod
    def of_catalog(cls, catalog: Catalog) -> Iterator[Self]:
        for name, _, c in catalog.configurations():
            for i, oracle in enumerate(c.oracles):
                yield cls.of(oracle, configuration=name, position=i, arguments=json.dumps(oracle.arguments))
