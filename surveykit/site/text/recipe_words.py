"""A recipe in words. Works on the recipe's data, so that a new kind of edit needs nothing here."""

from __future__ import annotations

from html import unescape
from typing import Any

from markupsafe import Markup

from surveykit.site.text.markdown import escape, joined
from surveykit.site.text.words import listed, words

KINDS = {
    "low_rank": "Low-rank update",
    "bottleneck": "Bottleneck adapter",
    "hypercomplex_bottleneck": "Adapter of Kronecker products",
    "kronecker": "Kronecker-product update",
    "scale": "Learned scaling",
    "prompt": "Soft prompt",
    "prefix": "Prefix of keys and values",
    "fitted_low_rank": "Low-rank update fitted to the rounding",
    "expert_bottleneck": "Adapter of several experts",
    "gated_difference": "Gated difference of every tensor",
    "fastfood": "Fastfood projection of one vector",
    "weight_decomposed": "Low-rank update of direction and magnitude",
    "low_rank_representation": "Edit of hidden states in a subspace",
}
ROLES = {
    "attention_output": "output projection",
    "feed_forward_in": "feed-forward input",
    "feed_forward_gate": "feed-forward gate",
    "feed_forward_out": "feed-forward output",
    "attention": "whole attention modules",
    "feed_forward": "whole feed-forward modules",
    "norm": "normalisation vectors",
    "position_bias": "relative position biases",
    "embedding": "token embedding",
    "head": "output layer",
    "input": "embedded input",
    "block": "whole blocks",
}
SUBLAYERS = {
    "encoder.self": "self-attention of the encoder",
    "decoder.self": "self-attention of the decoder",
    "decoder.cross": "cross-attention",
    "encoder.feed_forward": "feed-forward of the encoder",
    "decoder.feed_forward": "feed-forward of the decoder",
    "encoder.final": "end of the encoder",
    "decoder.final": "end of the decoder",
    "encoder.input": "input of the encoder",
    "decoder.input": "input of the decoder",
    "encoder.block": "blocks of the encoder",
    "decoder.block": "blocks of the decoder",
    "outside": "outside the stacks",
}
SETTINGS = {
    "every": "steps between projections",
    "one": "one factor for each",
    "up_rate": "rate of the second factor as a multiple",
}
OPTIMIZERS = {
    "projected_gradient": "Gradients projected",
    "scaled_gradient": "Gradients scaled by a random projection of them",
    "factor_rates": "Learning rates of low-rank factors",
    "preconditioning": "Gradients of low-rank factors preconditioned",
}
VALUES = {
    "inner": "heads × width of a head",
    "d_model": "d_model",
    "sequence_mean_sigmoid": "sigmoid, mean over positions",
}


def recipe_lines(recipe: dict[str, Any]) -> list[Markup]:
    """One line for each thing that a recipe does."""
    stages = recipe["stages"]
    lines = []
    for number, stage in enumerate(stages, start=1):
        prefix = f"Stage {number}, {words(stage['name'], {})} ({_scope(stage)}): " if len(stages) > 1 else ""
        lines += [escape(prefix) + Markup(" ") + line if prefix else line for line in _stage(stage)]
    return lines


def in_short(recipe: dict[str, Any]) -> list[Markup]:
    """What a recipe trains, each kind of edit with where it goes and without its settings, each once."""
    lines: list[Markup] = []
    for stage in recipe["stages"]:
        for edit in stage["edits"]:
            places = listed(words(role, ROLES) for role in edit["where"]["roles"])
            lines.append(Markup(f"**{escape(_kind(edit))}** on ") + escape(places))
        if stage["train_everything"] or stage["train"] or not stage["edits"]:
            lines += _stage({**stage, "edits": []})
    return list(dict.fromkeys(lines))


def plain_lines(recipe: dict[str, Any]) -> list[str]:
    """The same without markup, for descriptions of pictures."""
    return [unescape(str(line).replace("**", "")) for line in recipe_lines(recipe)]


def _scope(stage: dict[str, Any]) -> str:
    return "once for all tasks" if stage["scope"] == "shared" else "for each task"


def _stage(stage: dict[str, Any]) -> list[Markup]:
    lines = [_edit(edit) for edit in stage["edits"]]
    if stage["train_everything"]:
        lines.append(Markup("**All pretrained parameters** are trained."))
    lines += [Markup("**Pretrained parameters that are trained:** ") + escape(_where(w)) for w in stage["train"]]
    lines += [Markup(f"**{escape(name)}:** ") + escape(text) for name, text in _conditions(stage)]
    return lines or [Markup("Nothing is trained.")]


def _conditions(stage: dict[str, Any]) -> list[tuple[str, str]]:
    """What else a stage says: where it starts, which entries may move, what the optimizer and the backbone hold."""
    found = []
    if stage.get("starts_from") == "previous":
        found.append(("Starts from", "the stage before"))
    mask = stage.get("mask")
    if mask:
        share = f"{mask['keep_ppm'] / 10_000:g} % of the {mask['of']} entries, chosen by {words(mask['rule'], {})}"
        found.append(("May move", f"{share}, across the {mask['across']}"))
    if stage.get("passes", 1) > 1:
        found.append(("Forward passes for each step", str(stage["passes"])))
    if stage.get("restarts"):
        found.append(("Merged and begun anew", f"{stage['restarts']} times"))
    if stage.get("drawn_layers"):
        found.append(("Trained in turn", f"{stage['drawn_layers']} layers of each stack at a time, drawn by chance"))
    optimizer, base = stage.get("optimizer"), stage.get("base")
    if optimizer:
        found.append((words(optimizer["kind"], OPTIMIZERS), _rule(optimizer)))
    if base:
        found.append(("Frozen weights", f"{base['bits']} bits in blocks of {base['block']}"))
    return found


def _rule(optimizer: dict[str, Any]) -> str:
    match optimizer["kind"]:
        case "factor_rates":
            return f"{optimizer['up_rate']:g} times as much for up"
        case "preconditioning":
            return f"of {optimizer['factors']}, with a damping of {optimizer['damping']:g}"
    return f"rank {optimizer['rank']}, anew every {optimizer['every']} steps"


def _edit(edit: dict[str, Any]) -> Markup:
    values = [_value(key, value) for key, value in edit.items() if key not in ("kind", "where")]
    settings = Markup(": ") + joined(values) if values else Markup("")
    return Markup(f"**{escape(_kind(edit))}** on ") + escape(_where(edit["where"])) + settings


def _kind(edit: dict[str, Any]) -> str:
    kind = words(str(edit["kind"]), KINDS)
    return kind[:1].upper() + kind[1:]


def _where(where: dict[str, Any]) -> str:
    text = listed(words(role, ROLES) for role in where["roles"])
    if where["sublayers"] is not None:
        text += f" ({listed(words(place, SUBLAYERS) for place in where['sublayers'])} only)"
    if where.get("span") is not None:
        start, end, of = where["span"]
        text += f", layers from {start}/{of} to {end}/{of} of each stack"
    if where["layers"] is not None:
        text += f", layers {listed(str(layer) for layer in where['layers'])} of each stack"
    if where.get("parameters") == "bias":
        text += ", their biases only"
    return text


def _value(key: str, value: Any) -> str:
    if isinstance(value, bool):
        shown = "yes" if value else "no"
    elif value is None:
        shown = "none"
    elif isinstance(value, float):
        shown = f"{value:g}"
    elif isinstance(value, str):
        shown = words(value, VALUES)
    else:
        shown = str(value)
    return f"{words(key, SETTINGS)} {shown}"
