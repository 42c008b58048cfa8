"""Where a method sits in a T5, drawn from its recipe: an encoder block, a decoder block and what is around them.

Nothing here knows a method or a kind of edit: what is drawn follows from where an edit goes and at which site it works.
"""

from __future__ import annotations

from html import escape
from types import MappingProxyType
from typing import Literal

from surveykit.recipes import Edit, Place, Quantization, Recipe, Role, Stage, Sublayer, Where
from surveykit.recipes.sites import OutputEdit
from surveykit.record import Record
from surveykit.site.drawing.svg import colour, text_at

Look = Literal["weight", "gating", "after", "beside", "states", "input", "kv", "parameter", "side", "trained", "base"]
LOOKS: MappingProxyType[Look, tuple[str, str, str]] = MappingProxyType(
    {
        "weight": ("update of a weight", "blue", "M0 8L8 0"),
        "gating": ("scaling or shift of features", "green", "M0 4H8"),
        "after": ("adapter after the sublayer", "orange", "M0 0L8 8"),
        "beside": ("adapter beside the sublayer", "orange", "M0 0L8 8M0 8L8 0"),
        "states": ("edit of a block's output", "sky", "M0 4H8M0 0L8 8"),
        "input": ("soft prompt before the input", "purple", "M4 0V8"),
        "kv": ("prefix before keys and values", "purple", "M2 0V8M6 0V8"),
        "parameter": ("update of any pretrained tensor", "yellow", "M0 4H8M4 0V8"),
        "side": ("network beside the model", "sky", "M0 2H8M0 6H8"),
        "trained": ("pretrained weights that are trained", "red", ""),
        "base": ("quantized frozen weights", "grey", "M1 1h2v2h-2zM5 5h2v2h-2z"),
    }
)  # fmt: skip
"""Words, colour and hatching of each thing that can be done at a place."""
_ATTENTION: tuple[tuple[str, Role, int], ...] = (
    ("norm", "norm", 40), ("q", "query", 30), ("k", "key", 30), ("v", "value", 30), ("o", "attention_output", 30),
    ("pos. bias", "position_bias", 56),
)  # fmt: skip
_FEED_FORWARD: tuple[tuple[str, Role, int], ...] = (
    ("norm", "norm", 46), ("in", "feed_forward_in", 48), ("(gate)", "feed_forward_gate", 52),
    ("out", "feed_forward_out", 48),
)  # fmt: skip
_PANEL, _WIDTH, _LEGEND = 84, 780, 19
_COLUMNS = {"encoder": 14, "decoder": 408}


class Mark(Record):
    """One line of the legend: what a recipe does, and where."""

    sign: str
    """A number for an edit, a letter otherwise; written at every place that is touched."""
    look: Look
    where: Where | None
    """None: everywhere."""
    words: str

    def at(self, role: Role, sublayer: Sublayer) -> bool:
        if self.where is None:
            return True
        roles = [role]
        if self.look == "trained":  # a whole module may be meant
            roles += ["attention"] if sublayer.endswith((".self", ".cross")) and role != "norm" else []
            roles += ["feed_forward"] if sublayer.endswith(".feed_forward") and role != "norm" else []
            roles += ["block"] if sublayer.endswith((".self", ".cross", ".feed_forward")) else []
        where = self.where.model_copy(update={"modules": None, "pattern": None})  # a drawing's modules have no names
        return any(where.fits(Place(r, sublayer, 0, 0, 0, 0, 0, 0, 0, 0)) for r in roles)


def marks(stage: Stage) -> list[Mark]:
    """What a stage does, in the order of its legend."""
    found = [
        Mark(sign=str(n), look=look(edit), where=edit.where, words=LOOKS[look(edit)][0] + _only(edit.where))
        for n, edit in enumerate(stage.edits, start=1)
    ]
    chosen: list[Where | None] = [None] if stage.train_everything else list(stage.train)
    for n, where in enumerate(chosen, start=1):
        masked = ", a part of their entries" if stage.mask and stage.mask.of == "pretrained" else ""
        turns = ", some layers at a time" if stage.drawn_layers else ""
        biases = ", their biases alone" if where and where.parameters == "bias" else ""
        found.append(
            Mark(
                sign="T" if len(chosen) == 1 else f"T{n}",
                look="trained",
                where=where,
                words=LOOKS["trained"][0] + masked + turns + biases + _only(where),
            )
        )
    if stage.base is not None:
        found.append(Mark(sign="B", look="base", where=stage.base.where, words=_base(stage.base)))
    return found


def look(edit: Edit) -> Look:
    """How an edit is drawn."""
    if isinstance(edit, OutputEdit) and "block" in edit.where.roles:
        return "states"
    if isinstance(edit, OutputEdit):
        return "beside" if edit.reads_input else "after"
    if edit.site == "weight" and "linear" not in edit.overhead():
        return "gating"
    site: Look = edit.site  # type: ignore[assignment]  # `output` is taken care of above
    return site


def _only(where: Where | None) -> str:
    return "" if where is None or (where.layers is None and where.span is None) else ", in some layers only"


def _base(base: Quantization) -> str:
    return f"frozen weights in {base.bits} bits"


def block_picture(recipe: Recipe) -> str:
    """The SVG of what the last stage of a recipe does, with a legend."""
    found = marks(recipe.stages[-1])
    text = colour("text")
    parts = [_box(220, 8, 340, 30, "token embedding", found, "embedding", "outside")]
    for name, x in _COLUMNS.items():
        parts += [_arrow(f"M{x + 179} 38V52"), *_stack(name, x, found)]
    parts.append(_arrow("M264 324H390V242H420"))
    parts.append(text_at(272, 318, "keys and values", "quiet", 10, "start"))
    legend = 494
    for n, mark in enumerate(found):
        y = legend + n * _LEGEND
        parts.append(_area(16, y - 11, 26, 15, [mark.look]))
        parts.append(text_at(29, y + 1, mark.sign, "text", 11, "middle", bold=True))
        parts.append(text_at(52, y + 1, mark.words, "text", 12, "start"))
    if not found:
        parts.append(text_at(16, legend + 1, "Nothing is trained.", "text", 12, "start"))
    height = legend + max(len(found), 1) * _LEGEND
    used = {mark.look for mark in found}
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" fill="{text}" '
        f"font-family=\"'DejaVu Sans', Verdana, sans-serif\">\n<defs>{_patterns(used)}"
        f'<marker id="block-tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0 0L8 4L0 8z" style="fill: {colour("grey")}"/></marker></defs>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _stack(name: str, x: int, found: list[Mark]) -> list[str]:
    """One column: input, block, final norm and what follows."""
    decoder = name == "decoder"
    inputs: Sublayer = "decoder.input" if decoder else "encoder.input"
    final: Sublayer = "decoder.final" if decoder else "encoder.final"
    own: Sublayer = "decoder.self" if decoder else "encoder.self"
    feed: Sublayer = "decoder.feed_forward" if decoder else "encoder.feed_forward"
    panels: list[tuple[str, Sublayer]] = [("self-attention", own)]
    panels += [("cross-attention", "decoder.cross")] if decoder else []
    panels += [("feed-forward", feed)]
    prompts = [m for m in found if m.look == "input" and m.at("input", inputs)]
    parts = [_box(x + 110, 54, 138, 28, f"{name} input", found, "embedding", "outside")]
    if prompts:
        parts.append(_chip(x + 6, 54, 98, 28, "prompt", prompts))
    top, bottom = 108, 108 + len(panels) * (_PANEL + 8) + 8
    parts.append(f'<rect x="{x}" y="{top - 8}" width="322" height="{bottom - top + 10}" rx="6" style="fill: none; '
                 f'stroke: {colour("grey")}; stroke-dasharray: 5 3"/>')  # fmt: skip
    parts.append(text_at(x + 4, top - 13, f"{name} block, repeated", "quiet", 10, "start"))
    parts.append(_arrow(f"M{x + 179} 82V{top - 9}"))
    for n, (words, sublayer) in enumerate(panels):
        parts += _panel(x + 8, top + n * (_PANEL + 8), words, sublayer, found)
    edited = [m for m in found if m.look == "states" and m.at("block", "decoder.block" if decoder else "encoder.block")]
    if edited:
        parts.append(_chip(x + 192, bottom - 15, 122, 16, "hidden states", edited, row=True))
    parts += [
        _arrow(f"M{x + 179} {bottom + 2}V{bottom + 15}"),
        _box(x + 110, bottom + 17, 138, 30, "final norm", found, "norm", final),
    ]
    if decoder:
        parts += [_arrow(f"M{x + 179} {bottom + 47}V{bottom + 58}"),
                  _box(x + 90, bottom + 60, 178, 30, "output layer", found, "head", "outside")]  # fmt: skip
    sides = [m for m in found if m.look == "side" and m.at("input", inputs)]
    if sides:
        parts.append(_area(x + 338, top - 8, 30, bottom - top + 10, ["side"]))
        label = f"side network {' '.join(m.sign for m in sides)}"
        parts.append(text_at(x + 349, top + 6, label, "text", 12, "start", rotate=True, bold=True))
        parts += [_arrow(f"M{x + 314} {top + 42 + n * (_PANEL + 8)}H{x + 336}") for n in range(len(panels))]
        if decoder:
            parts.append(_arrow(f"M{x + 353} {bottom + 2}V{bottom + 75}H{x + 270}"))
    return parts


def _panel(x: int, y: int, words: str, sublayer: Sublayer, found: list[Mark]) -> list[str]:
    """One sublayer: its matrices in a row, adapters behind and beside them, a prefix below keys and values."""
    attention = not sublayer.endswith("feed_forward")
    parts = [f'<rect x="{x}" y="{y}" width="306" height="{_PANEL}" rx="4" style="fill: {colour("panel")}; '
             f'stroke: {colour("grid")}"/>', text_at(x + 8, y + 14, words, "text", 11, "start")]  # fmt: skip
    at = x + 8
    for label, role, width in _ATTENTION if attention else _FEED_FORWARD:
        if role == "position_bias" and sublayer == "decoder.cross":
            continue
        parts.append(_box(at, y + 20, width, 32, label, found, role, sublayer))
        at += width + 4
    module: Role = "attention" if attention else "feed_forward"
    behind = [m for m in found if m.look == "after" and m.at(module, sublayer)]
    beside = [m for m in found if m.look == "beside" and m.at(module, sublayer)]
    prefix = [m for m in found if m.look == "kv" and m.at(module, sublayer)]
    if behind:
        parts.append(_chip(x + 250, y + 20, 52, 32, "adapter", behind))
    at = x + 58
    if prefix:
        at = x + 82
        width = 54 + 12 * len(prefix)
        parts.append(_chip(at, y + 57, width, 22, "prefix", prefix, row=True))
        at += width + 8
    if beside:
        parts.append(_chip(at, y + 57, 120 if prefix else 180, 22, "adapter", beside, row=True))
    return parts


def _box(x: int, y: int, width: int, height: int, label: str, found: list[Mark], role: Role, sublayer: Sublayer) -> str:
    """A module with weights, hatched by what is done to them."""
    here = [m for m in found if m.look in ("weight", "gating", "parameter", "trained", "base") and m.at(role, sublayer)]
    if not here:
        return _plain(x, y, width, height, label)
    signs = list(dict.fromkeys(m.sign for m in here))
    tip = escape("; ".join(dict.fromkeys(f"{m.sign}: {m.words}" for m in here)))
    looks = list(dict.fromkeys(m.look for m in here))
    shown = " ".join(signs) if len(signs) < 6 else f"{signs[0]}–{signs[-1]}"
    one_row = width > 100
    parts = [f"<g><title>{escape(label)}: {tip}</title>", _area(x, y, width, height, looks)]
    if one_row:
        parts.append(text_at(x + width // 2, y + height // 2 + 4, f"{label}  {shown}", "text", 12, "middle", bold=True))
    else:
        parts.append(text_at(x + width // 2, y + 14, label, "text", 11, "middle", bold=True))
        parts.append(text_at(x + width // 2, y + 27, shown, "text", 10, "middle", bold=True))
    return "".join([*parts, "</g>"])


def _chip(x: int, y: int, width: int, height: int, label: str, here: list[Mark], row: bool = False) -> str:
    """A new module."""
    signs = " ".join(m.sign for m in here) if len(here) < 6 else f"{here[0].sign}–{here[-1].sign}"
    tip = escape("; ".join(f"{m.sign}: {m.words}" for m in here))
    area = _area(x, y, width, height, list(dict.fromkeys(m.look for m in here)))
    if row or width > 80:
        words = text_at(x + width // 2, y + height // 2 + 4, f"{label}  {signs}", "text", 11, "middle", bold=True)
    else:
        words = text_at(x + width // 2, y + 14, label, "text", 10, "middle", bold=True)
        words += text_at(x + width // 2, y + 27, signs, "text", 10, "middle", bold=True)
    return f"<g><title>{tip}</title>{area}{words}</g>"


def _plain(x: int, y: int, width: int, height: int, label: str) -> str:
    return (f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="3" style="fill: {colour("paper")}; '
            f'stroke: {colour("grey")}"/>') + text_at(x + width // 2, y + height // 2 + 4, label, "quiet", 11, "middle")  # fmt: skip


def _area(x: int, y: int, width: int, height: int, looks: list[Look]) -> str:
    """A rectangle in equal parts, each in the colour and hatching of one look, with a pale ground for letters."""
    parts = []
    share = width / len(looks)
    for n, one in enumerate(looks):
        left = x + n * share
        shape = f'<rect x="{left:g}" y="{y}" width="{share:g}" height="{height}" rx="3"'
        ground = colour("paper")
        parts.append(f'{shape} style="fill: {ground}"/>{shape} style="fill: url(#block-{one}); stroke: '
                     f'{colour(LOOKS[one][1])}; stroke-width: 2"/>')  # fmt: skip
    return "".join(parts)


def _patterns(used: set[Look]) -> str:
    found = []
    for one in LOOKS:
        if one in used:
            _, ink, lines = LOOKS[one]
            pattern = f'<pattern id="block-{one}" width="8" height="8" patternUnits="userSpaceOnUse">'
            tone = f'<rect width="8" height="8" style="fill: {colour(ink)}; opacity: .22"/>'
            hatch = f'<path d="{lines}" style="stroke: {colour(ink)}; fill: none; opacity: .45"/>' if lines else ""
            found.append(f"{pattern}{tone}{hatch}</pattern>")
    return "".join(found)


def _arrow(path: str) -> str:
    return f'<path d="{path}" style="fill: none; stroke: {colour("grey")}; stroke-width: 1.4" marker-end="url(#block-tip)"/>'
