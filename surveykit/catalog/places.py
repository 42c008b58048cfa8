"""The places of a T5 from its dimensions alone, and how the trainable parameters of a recipe spread over them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Literal, get_args

from surveykit.catalog.dimensions import Dimensions
from surveykit.recipes import Edit, Place, Recipe, Role, Stage, Sublayer, Where
from surveykit.recipes.base import LINEAR_ROLES
from surveykit.recipes.numbering import numbered
from surveykit.recipes.sites import ParameterEdit

Location = Literal[
    "embeddings", "input", "encoder.self", "encoder.feed_forward", "decoder.self", "decoder.cross",
    "decoder.feed_forward", "final", "shared",
]  # fmt: skip
LOCATIONS: tuple[Location, ...] = get_args(Location)
"""In the order of a forward pass; `shared` is what places in several of them have together."""
_INSIDE: dict[Role, frozenset[str]] = {
    "attention": frozenset({"query", "key", "value", "attention_output", "position_bias"}),
    "feed_forward": frozenset({"feed_forward_in", "feed_forward_gate", "feed_forward_out"}),
    "block": LINEAR_ROLES | {"norm", "position_bias"},
}
_Tensor = tuple[Role, Sublayer, int]
"""Which pretrained tensor is meant: the role of its module, sublayer and layer."""


@lru_cache(maxsize=8)  # pages ask for those of the same few models, thousands of times
def t5_places(model: Dimensions) -> tuple[Place, ...]:
    """Every place of a T5, in the order in which the engine finds them in the model. Widths are features."""
    return tuple(_t5_places(model))


def _t5_places(model: Dimensions) -> Iterator[Place]:
    if model.model_type != "t5":
        raise ValueError(f"the places of a T5 were requested, but this is a {model.model_type}")
    d, inner, f = model.d_model, model.inner, model.d_ff

    def place(role: Role, sublayer: Sublayer, layer: int, layers: int, *shape: int, linear: bool = False) -> Place:
        fan_out, fan_in = (shape[0], shape[1]) if linear else (d, d)
        return Place(role, sublayer, layer, layers, fan_in, fan_out, d, inner, model.heads, f, shape,
                     model.relative_buckets, keys=inner)  # fmt: skip

    def attention(sublayer: Sublayer, layer: int, layers: int) -> Iterator[Place]:
        yield place("norm", sublayer, layer, layers, d)
        yield place("attention", sublayer, layer, layers)
        for role in ("query", "key", "value"):
            yield place(role, sublayer, layer, layers, inner, d, linear=True)
        yield place("attention_output", sublayer, layer, layers, d, inner, linear=True)
        if layer == 0 and sublayer != "decoder.cross":
            yield place("position_bias", sublayer, layer, layers, model.relative_buckets, model.heads)

    def feed_forward(sublayer: Sublayer, layer: int, layers: int) -> Iterator[Place]:
        yield place("norm", sublayer, layer, layers, d)
        yield place("feed_forward", sublayer, layer, layers)
        if model.gated:
            yield place("feed_forward_gate", sublayer, layer, layers, f, d, linear=True)
        yield place("feed_forward_in", sublayer, layer, layers, f, d, linear=True)
        yield place("feed_forward_out", sublayer, layer, layers, d, f, linear=True)

    yield replace(place("embedding", "outside", 0, 0, model.vocabulary, d), name="shared")
    yield place("head", "outside", 0, 0, model.vocabulary, d, linear=True)
    yield place("input", "encoder.input", 0, model.encoder_layers)
    for n in range(model.encoder_layers):
        yield from attention("encoder.self", n, model.encoder_layers)
    for n in range(model.encoder_layers):
        yield from feed_forward("encoder.feed_forward", n, model.encoder_layers)
    for n in range(model.encoder_layers):
        yield place("block", "encoder.block", n, model.encoder_layers)
    yield place("norm", "encoder.final", 0, 0, d)
    yield place("input", "decoder.input", 0, model.decoder_layers)
    for sublayer in ("decoder.self", "decoder.cross"):
        for n in range(model.decoder_layers):
            yield from attention(sublayer, n, model.decoder_layers)
    for n in range(model.decoder_layers):
        yield from feed_forward("decoder.feed_forward", n, model.decoder_layers)
    for n in range(model.decoder_layers):
        yield place("block", "decoder.block", n, model.decoder_layers)
    yield place("norm", "decoder.final", 0, 0, d)


def location(place: Place) -> Location:
    """The part of the model that a place lies in."""
    match place.sublayer:
        case "outside":
            return "embeddings"
        case "encoder.input" | "decoder.input":
            return "input"
        case "encoder.final" | "decoder.final":
            return "final"
        case "encoder.block":  # what a block gives is what its feed-forward adds to
            return "encoder.feed_forward"
        case "decoder.block":
            return "decoder.feed_forward"
        case sublayer:
            return sublayer


def trainable_by_location(recipe: Recipe, model: Dimensions) -> dict[Location, int]:
    """Trainable parameters of a recipe on a T5, in the stage that holds most of them, by where they are.

    Raises:
        ValueError: the model is no T5, or an edit does not fit its widths.
    """
    splits = [_stage(stage, model) for stage in recipe.stages]
    largest = max(splits, key=lambda split: sum(split.values()))
    return {name: largest[name] for name in LOCATIONS if largest.get(name)}


def _stage(stage: Stage, model: Dimensions) -> dict[Location, int]:
    counts: dict[Location, int] = {}

    def add(where: Location, entries: int) -> None:
        counts[where] = counts.get(where, 0) + entries

    for chosen in _trained(stage.train, stage.train_everything, stage.drawn_layers, model):
        add(location(chosen), _entries(chosen))
    for edit in stage.edits:
        groups: dict[str, list[Place]] = {}
        for there in _places_of(_Goes(edit.where, _own_groups(edit), edit), model, isinstance(edit, ParameterEdit)):
            add(location(there), sum(s.numel for s in edit.tensors(there).values() if s.trained))
            groups.setdefault(edit.group(there), []).append(there)
        for members in groups.values():
            common = sum(s.numel for s in edit.shared_tensors(members[0]).values() if s.trained)
            where = {location(member) for member in members}
            add(where.pop() if len(where) == 1 else "shared", common)
    return counts


@dataclass(frozen=True)
class _Goes:
    """All of an edit that decides over its places: edits that are equal in it go to the same ones."""

    where: Where
    own_groups: Edit | None
    """The edit, where it says which places share tensors."""
    edit: Edit = field(compare=False)


def _own_groups(edit: Edit) -> Edit | None:
    return None if type(edit).group is Edit.group else edit


@lru_cache(maxsize=64)  # the configurations of a method differ in numbers, and go to the same places
def _places_of(goes: _Goes, model: Dimensions, parameters: bool) -> tuple[Place, ...]:
    """Where an edit goes; one of pretrained parameters goes to each tensor once, however many names it has."""
    found = [place for place in t5_places(model) if goes.where.matches(place)]
    if parameters:
        by_tensor = {_tensor(place, model.tied): place for place in reversed(found) if place.shape}
        found = [*by_tensor.values()][::-1]
    return tuple(numbered(goes.edit, found))


@lru_cache(maxsize=64)
def _trained(
    train: tuple[Where, ...], everything: bool, drawn_layers: int | None, model: Dimensions
) -> tuple[Place, ...]:
    """The pretrained tensors that a stage trains, each once. A T5 has no biases, so that `bias` chooses nothing."""
    found: dict[_Tensor, Place] = {}
    for place in t5_places(model) if everything or train else ():
        if not place.shape:
            continue
        chosen = everything
        for where in train:
            if where.parameters == "bias" or chosen:
                continue
            inside = _INSIDE.items() if place.layers else ()
            modules = [replace(place, role=whole) for whole, roles in inside if place.role in roles]
            turn = drawn_layers is None or place.layers == 0 or place.layer < drawn_layers
            chosen = turn and any(where.matches(candidate) for candidate in (place, *modules))
        if chosen:
            found.setdefault(_tensor(place, model.tied), place)
    return tuple(found.values())


def _tensor(place: Place, tied: bool) -> _Tensor:
    role: Role = "embedding" if tied and place.role == "head" else place.role
    return role, place.sublayer, place.layer


def _entries(place: Place) -> int:
    entries = 1
    for side in place.shape:
        entries *= side
    return entries
