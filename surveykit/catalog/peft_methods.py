"""Each type of PEFT that the catalog has the method of, in our words: one function for each.

Each takes a configuration of the catalog, sets what the file sets, and puts its edits on the modules that PEFT would adapt.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from surveykit.catalog.peft_file import PeftFile
from surveykit.catalog.peft_targets import (
    ModelParts,
    NotOurs,
    Targets,
    as_where,
    by_pattern,
    selected,
    targets_of,
)  # fmt: skip
from surveykit.errors import SurveyError
from surveykit.recipes import KINDS, Edit, Where
from surveykit.recipes.base import InPeft
from surveykit.recipes.kronecker import Kronecker

_TARGETED = frozenset({"target_modules", "modules_to_save"})
_CHOSEN = _TARGETED | {"exclude_modules"}
_IN_LAYERS = _CHOSEN | {"layers_to_transform", "layers_pattern"}
_PROMPTS = frozenset({
    "num_virtual_tokens", "token_dim", "num_transformer_submodules", "num_attention_heads", "num_layers", "modules_to_save"})  # fmt: skip
_PATTERNS = frozenset({"rank_pattern", "alpha_pattern"})
WHOLE = "FULL"
"""What PEFT's benchmark calls full fine-tuning, for which PEFT itself has no type."""
_PLAIN_STARTS = ("gaussian", "orthogonal")
_STARTS = {start: start.replace("_", "-") for start in ("pissa", "olora", "mica", "corda", "eva", "lora_ga")}
"""Methods of the catalog that are LoRA with another start, by PEFT's name of the start."""


@dataclass(frozen=True)
class Adapted:
    """The modules that a file adapts, and how it names them."""

    file: PeftFile
    parts: ModelParts
    targets: Targets
    names: Sequence[str]

    def where(self, names: Sequence[str] | None = None) -> Where:
        """All of them, or some."""
        if names is None or len(names) == len(self.names):
            return as_where(self.file, self.parts, self.names, self.targets)
        ends = tuple(dict.fromkeys(name.rpartition(".")[2] for name in names))
        return as_where(self.file, self.parts, names, ends)

    def grouped(self, of: Callable[[str], dict[str, Any]]) -> Callable[[Sequence[Edit]], list[Edit]]:
        """One edit for each group of modules for which a function gives the same hyper-parameters."""
        groups: dict[tuple[tuple[str, Any], ...], list[str]] = {}
        for name in self.names:
            groups.setdefault(tuple(of(name).items()), []).append(name)
        places = [(dict(values), self.where(names)) for values, names in groups.items()]
        return lambda edits: [edits[0].model_copy(update={**values, "where": where}) for values, where in places]


@dataclass(frozen=True)
class Ours:
    """What a function below says: a configuration of the catalog, and what differs from it."""

    base: str
    set: Mapping[str, Any]
    """Hyper-parameters that differ, for the name."""
    adapted: Adapted | None = None
    edits: Callable[[Sequence[Edit]], list[Edit]] | None = None
    """From the edits of the base to those that are meant; None where they stay."""
    train: Sequence[Where] | None = None
    """The pretrained modules that are trained; None for those of the base."""
    notes: tuple[str, ...] = ()


def _adapted(file: PeftFile, parts: ModelParts) -> Adapted:
    targets = targets_of(file, parts)
    return Adapted(file, parts, targets, selected(file, parts, targets))


def _lora(file: PeftFile, parts: ModelParts) -> Ours:
    rank, alpha, adapted = file.whole("r", 8), file.number("lora_alpha", 8), _adapted(file, parts)
    start, notes = _start(file)
    method = "dora" if file.flag("use_dora") else _STARTS.get(start, "rslora" if file.flag("use_rslora") else "lora")
    also = {"scaling": "root_rank"} if file.flag("use_rslora") and method != "rslora" else {}
    of = _rank_and_alpha(file, adapted, rank, alpha)
    edits = adapted.grouped(lambda name: {**of(name), **also})
    return Ours(f"{method}/qv-r8", {"rank": rank, "alpha": alpha, **also}, adapted, edits, notes=notes)


def _start(file: PeftFile) -> tuple[str, tuple[str, ...]]:
    """Where LoRA starts, by PEFT's name; and what our recipes leave out of it."""
    said = file.content.get("init_lora_weights")
    start, _, steps = said.lower().partition("_niter_") if isinstance(said, str) else ("", "", "")
    if start in ("", *_PLAIN_STARTS):
        return "", ()
    if start not in _STARTS or file.flag("use_dora"):
        left_out = (
            f"init_lora_weights={said} is left out: it changes where training starts, and no number of parameters"
        )
        return start, (left_out,)
    settings = file.content.get(f"{start}_config") or {}
    rho = settings.get("rho", 2.0) if isinstance(settings, dict) else 2.0
    if start == "eva" and rho != 1:
        return start, (
            f"eva_config has rho {rho}: PEFT then moves ranks between layers by the data that it is given, and the sum of all "
            "ranks stays; what is counted has the same rank in every layer, which is rho 1",
        )
    return start, (f"{said} finds singular vectors by {steps} rounds of approximation, ours exactly",) if steps else ()


def _adalora(file: PeftFile, parts: ModelParts) -> Ours:
    adapted, rank = _adapted(file, parts), file.whole("init_r", 12)
    values: dict[str, Any] = {
        "rank": rank,
        "target": min(rank, file.whole("target_r", 8)),
        "alpha": file.number("lora_alpha", 8),
        "orthogonality": 0.0 if file.content.get("orth_reg_weight") == 0 else file.number("orth_reg_weight", 0.5),
    }
    kept = "rank_pattern is left out: it says what training left, and our figures are of its start"
    notes = (kept,) if file.content.get("rank_pattern") else ()
    return Ours("adalora/qv-r12-to-8", values, adapted, adapted.grouped(lambda _: values), notes=notes)


def _ia3(file: PeftFile, parts: ModelParts) -> Ours:
    adapted = _adapted(file, parts)
    inside = targets_of(file, parts, "feedforward_modules")

    def fed(name: str) -> bool:  # PEFT takes any end of a name here, of a whole part or not
        return re.fullmatch(inside, name) is not None if isinstance(inside, str) else name.endswith(inside)

    halves = [[name for name in adapted.names if fed(name) == side] for side in (False, True)]
    wheres = [adapted.where(half) if half else None for half in halves]

    def edits(base: Sequence[Edit]) -> list[Edit]:
        return [
            e.model_copy(update={"where": where}) for e, where in zip(base, wheres, strict=True) if where is not None
        ]

    shown = [inside] if isinstance(inside, str) else [*inside]
    return Ours("ia3/kv-ff", {"feedforward": [*shown]} if halves[1] else {}, adapted, edits)


def _lokr(file: PeftFile, parts: ModelParts) -> Ours:
    factor = file.content.get("decompose_factor") or -1
    if isinstance(factor, bool) or not isinstance(factor, int) or not (factor == -1 or factor > 0):
        raise SurveyError(f"{file.name}: decompose_factor must be -1 or a whole number of at least 1, not {factor}")
    sides: dict[str, Any] = {} if factor == -1 else {"factor": factor}
    adapted, linear = _adapted(file, parts), parts.named("linear")
    rank, alpha = file.whole("r", 8), file.number("alpha", 8)
    both = _rank_and_alpha(file, adapted, rank, alpha)

    def of(name: str) -> dict[str, Any]:
        r = both(name)["rank"]
        whole = Kronecker(kind="kronecker", where=Where(roles=("linear",)), scale=1.0, second_rank=None, **sides)
        longer = max(whole.tensors(linear[name])["second"].dims) if name in linear else 0
        return {
            "scale": both(name)["alpha"] / r,
            "second_rank": r if r < longer / 2 else None,
            "written_out": True,
            **sides,
        }

    usual = of(adapted.names[0])
    base = "krona/qv" if usual["second_rank"] is None else "krona/lokr-qv-r8"
    return Ours(base, usual, adapted, adapted.grouped(of))


def _glora(file: PeftFile, parts: ModelParts) -> Ours:
    terms = file.content.get("config_A_B", "lora")
    if terms not in ("lora", "vector"):
        raise NotOurs(f"surveykit's GLoRA has no terms '{terms}', only low-rank terms and vectors")
    adapted = _adapted(file, parts)
    if any(f"{name}.bias" in parts.biases for name in adapted.names):
        raise NotOurs("if a layer has a bias, PEFT's GLoRA trains further terms, which have another size in surveykit")
    if terms == "vector":
        return Ours("glora/qv-vectors", {}, adapted, adapted.grouped(lambda _: {}))
    values = {"rank": file.whole("r", 8)}
    return Ours("glora/qv-r8", values, adapted, adapted.grouped(lambda _: values))


def _norms(file: PeftFile, parts: ModelParts) -> Ours:
    adapted = _adapted(file, parts)
    where = as_where(file, parts, adapted.names, adapted.targets, "norm")
    return Ours("ln-tuning/norms", {}, adapted, train=[where])


def _prefix(file: PeftFile, parts: ModelParts) -> Ours:
    _before_keys(file, parts)
    values: dict[str, Any] = {"length": file.whole("num_virtual_tokens", 0)}
    if not file.flag("prefix_projection"):
        return Ours("prefix-tuning/flat-p30", values, edits=_with(values))
    attentions = parts.named("attention").values()
    widths = {place.keys for place in attentions}
    if widths != {place.d_model for place in attentions}:
        raise NotOurs("the network of PEFT's prefix is as wide as a key, surveykit's is as wide as the model")
    values["hidden"] = file.whole("encoder_hidden_size", *widths)
    return Ours("prefix-tuning/mlp-p30-h512", values, edits=_with(values))


def _before_keys(file: PeftFile, parts: ModelParts) -> dict[str, Where]:
    """Where keys and values go: before those of every attention, or of the last so many, where a file says how many.

    Raises:
        NotOurs: PEFT's are others.
    """
    attentions = parts.named("attention").values()
    if parts.both_stacks:
        raise NotOurs("PEFT has one prefix for the decoder, surveykit one for each attention of both stacks")
    widths = {place.keys for place in attentions}
    said = {key: file.content.get(key) for key in ("num_layers", "token_dim")}
    if len(widths) != 1 or any(
        value not in (None, own) for value, own in zip(said.values(), (len(attentions), *widths), strict=True)
    ):
        raise NotOurs("PEFT's prefix has one width in all layers, but the model's attentions differ in width")
    last = file.whole("adapter_layers", len(attentions))
    if last == len(attentions):
        return {}
    return {"where": Where(roles=("attention",), layers=tuple(range(-last, 0)))}


def _prompt(file: PeftFile, parts: ModelParts) -> Ours:
    values: dict[str, Any] = {"length": file.whole("num_virtual_tokens", 0)}
    both = bool(_in_front(file, parts))
    return Ours("prompt-tuning/p100-both" if both else "prompt-tuning/p100", values, edits=_with(values))


def _in_front(file: PeftFile, parts: ModelParts) -> dict[str, Where]:
    """Where a prompt stands that a file puts in front of both stacks; nothing where it means one.

    Raises:
        NotOurs: the file means another model.
    """
    stacks = file.whole("num_transformer_submodules", 2 if parts.task == "SEQ_2_SEQ_LM" else 1)
    if stacks > 1 + parts.both_stacks:
        raise NotOurs(f"num_transformer_submodules is {stacks}, but the model has fewer stacks")
    width = file.content.get("token_dim")
    if any(width not in (None, place.d_model) for place in parts.named("input").values()):
        raise NotOurs(f"token_dim is {width}, which is not this model's width")
    both = Where(roles=("input",), sublayers=("encoder.input", "decoder.input"))
    return {"where": both} if stacks == 2 else {}


def _tables(file: PeftFile, parts: ModelParts) -> dict[str, Where]:
    """The tables of embeddings that a file names; nothing where it means that of tokens."""
    if file.names("target_modules") is None:
        return {}
    targets = targets_of(file, parts)
    return {"where": as_where(file, parts, selected(file, parts, targets), targets, "embedding")}


_PLACES = {"input": _in_front, "kv": _before_keys, "parameter": _tables}
"""Where kinds that go on no linear layers go, by their site."""


def _everything(file: PeftFile, parts: ModelParts) -> Ours:
    return Ours("full-tuning/all", {})


def _with(values: Mapping[str, Any]) -> Callable[[Sequence[Edit]], list[Edit]]:
    return lambda edits: [edit.model_copy(update=values) for edit in edits]


def _rank_and_alpha(file: PeftFile, adapted: Adapted, rank: int, alpha: float) -> Callable[[str], dict[str, Any]]:
    """What the patterns of a file give each module."""
    ranks, alphas = by_pattern(file, "rank_pattern", adapted.names), by_pattern(file, "alpha_pattern", adapted.names)

    def of(name: str) -> dict[str, Any]:
        own = ranks[name] or rank
        if own != int(own):
            raise SurveyError(
                f"{file.name}: rank_pattern gives {name} the rank {own}; it must be a whole number of at least 1"
            )
        return {"rank": int(own), "alpha": alphas[name] or alpha}

    return of


TRANSLATIONS: dict[str, tuple[Callable[[PeftFile, ModelParts], Ours], frozenset[str]]] = {
    "LORA": (_lora, _IN_LAYERS | _PATTERNS | {"bias", "r", "lora_alpha", "use_rslora", "use_dora", "init_lora_weights"}),
    "ADALORA": (_adalora, _IN_LAYERS | {
        "bias", "r", "init_r", "target_r", "lora_alpha", "orth_reg_weight", "init_lora_weights", "rank_pattern"}),
    "IA3": (_ia3, _CHOSEN | {"feedforward_modules"}),
    "LOKR": (_lokr, _IN_LAYERS | _PATTERNS | {"r", "alpha", "decompose_factor"}),
    "GLORA": (_glora, _TARGETED | {"bias", "r", "config_A_B", "config_C", "config_D_E"}),
    "LN_TUNING": (_norms, _CHOSEN),
    "PREFIX_TUNING": (_prefix, _PROMPTS | {"encoder_hidden_size", "prefix_projection"}),
    "PROMPT_TUNING": (_prompt, _PROMPTS),
    WHOLE: (_everything, frozenset()),
}  # fmt: skip
"""By PEFT's name of a type: its function, and the keys that it reads. Kinds that say in `InPeft` what PEFT calls them need none."""

Translate = Callable[[PeftFile, ModelParts], Ours]


def translation_of(file: PeftFile) -> tuple[Translate, frozenset[str]] | None:
    """The function that translates a file, and the keys that it reads; None where we have no recipe."""
    for kind in sorted(KINDS, key=lambda kind: -len((*kind.peft.means, *kind.peft.needs)) if kind.peft else 0):
        said = kind.peft  # the most particular first
        if said is not None and said.type == file.peft_type and said.is_meant(file.content):
            places = _IN_LAYERS | {"bias"} if said.targeted else _PROMPTS | {"adapter_layers", "target_modules"}
            return _as_declared(kind, said), places | said.keys
    return TRANSLATIONS.get(file.peft_type)


def _as_declared(kind: type[Edit], said: InPeft) -> Translate:
    def translate(file: PeftFile, parts: ModelParts) -> Ours:
        values = said.read(file.content)
        _allowed(kind, said, values)
        if not said.targeted:
            return Ours(said.entry, values, edits=_with({**values, **_PLACES[kind.site](file, parts)}))
        adapted = _adapted(file, parts)
        missing = [name for name in adapted.names if {*said.read_at(file.content, name)} != {*said.listed}]
        if missing:
            lists = " and ".join(argument for by in said.listed.values() for argument in by)
            raise NotOurs(f"{missing[0]} is in none of {lists}, or in several of them")
        return Ours(
            said.entry, values, adapted, adapted.grouped(lambda name: values | said.read_at(file.content, name))
        )

    return translate


def _allowed(kind: type[Edit], said: InPeft, values: Mapping[str, Any]) -> None:
    """Raises NotOurs where PEFT allows a choice, a network's activation say, that our kind does not have."""
    for name, value in values.items():
        field = kind.model_fields[name].annotation
        if get_origin(field) is Literal and value not in get_args(field):
            raise NotOurs(f"surveykit's {kind.__name__} has no {said.arguments[name][0]} {value}")
