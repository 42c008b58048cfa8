"""The other way: one of our configurations on a model as PEFT's, with the names of that model's modules."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from surveykit.catalog.peft_file import PeftFile
from surveykit.catalog.peft_targets import ALL_LINEAR, ModelParts, selected
from surveykit.errors import SurveyError
from surveykit.recipes import KINDS, Edit, FactorRates, Preconditioning, Recipe, Stage, Where
from surveykit.recipes.adaptive import AdaptiveLowRank
from surveykit.recipes.gated_attention import GatedAttention
from surveykit.recipes.generalized import Generalized, GeneralizedVectors
from surveykit.recipes.kronecker import Kronecker
from surveykit.recipes.low_rank import LowRank
from surveykit.recipes.optimizers import Reduced
from surveykit.recipes.scale import Scale
from surveykit.recipes.soft_prompt import Prefix, Prompt
from surveykit.recipes.starts import STABLE_GAMMA
from surveykit.recipes.weight_decomposed import WeightDecomposed

CLASSES = {
    "LORA": "LoraConfig", "ADALORA": "AdaLoraConfig", "IA3": "IA3Config", "LOKR": "LoKrConfig", "GLORA": "GloraConfig",
    "LN_TUNING": "LNTuningConfig", "PREFIX_TUNING": "PrefixTuningConfig",
    "PROMPT_TUNING": "PromptTuningConfig", **{kind.peft.type: kind.peft.config for kind in KINDS if kind.peft is not None},
}  # fmt: skip
"""What PEFT calls the class of a type."""
STEPS = 10_000
"""Training steps that PEFT is told of where it asks for their number."""


@dataclass(frozen=True)
class PeftArguments:
    """A configuration of PEFT."""

    peft_type: str
    arguments: Mapping[str, Any] = field(hash=False)
    notes: tuple[str, ...]
    """What has to be known of it, a sentence each."""

    def python(self) -> str:
        """What one pastes."""
        return f"from peft import {CLASSES[self.peft_type]}\n\n{self.assigned('config')}"

    def assigned(self, variable: str) -> str:
        """The configuration as the value of a variable, without the import of its class."""
        name, said = CLASSES[self.peft_type], [f"{key}={_literal(value)}" for key, value in self.arguments.items()]
        line = f"{variable} = {name}({', '.join(said)})"
        return line if len(line) <= 100 else "\n".join([f"{variable} = {name}(", *(f"    {one}," for one in said), ")"])

    def json(self) -> str:
        """The adapter_config.json."""
        return json.dumps({"peft_type": self.peft_type, **self.arguments}, indent=2)

    def noting(self, note: str) -> PeftArguments:
        """The same with one more note."""
        return replace(self, notes=(*self.notes, note))

    def file(self, name: str) -> PeftFile:
        """The same as what a file says."""
        return PeftFile(name, self.peft_type, dict(self.arguments))


def peft_arguments(recipe: Recipe, parts: ModelParts, task: str) -> PeftArguments:
    """A recipe as PEFT says it on a model.

    Args:
        task: what PEFT calls the task of the model's class.

    Raises:
        SurveyError: PEFT cannot say it; the message says what of it.
    """
    if len(recipe.stages) > 1:
        raise _no("several stages of training")
    (stage,) = recipe.stages
    for what, there in {
        "a mask over what is trained": stage.mask, "several passes for each step": stage.passes > 1,
        "edits that are merged and begun anew": stage.restarts,
        "projected gradients": isinstance(stage.optimizer, Reduced),
        "layers that are trained in turn": stage.drawn_layers,
    }.items():  # fmt: skip
        if there:
            raise _no(what)
    if stage.train_everything:
        raise SurveyError("full fine-tuning needs nothing of PEFT: train the model as it is")
    found = _of_edits(stage, parts) if stage.edits else _of_norms(stage, parts)
    bits = None if stage.base is None else f"load the model in {stage.base.bits} bits first"
    notes = (*found.notes, *([bits] if bits else []), *_optimizer(stage), *_fused(stage, parts))
    return PeftArguments(found.peft_type, {"task_type": task, **found.arguments}, notes)


def _optimizer(stage: Stage) -> list[str]:
    """What of `peft.optimizers` makes the optimizer of a stage."""
    match stage.optimizer:
        case FactorRates(up_rate=ratio):
            return [f"train with create_loraplus_optimizer of peft.optimizers, loraplus_lr_ratio={_number(ratio)}"]
        case Preconditioning(factors="both", damping=damping):
            return [f"train with create_riemannian_optimizer of peft.optimizers, reg={damping}"]
    return []


def _of_edits(stage: Stage, parts: ModelParts) -> PeftArguments:
    kinds = {type(edit) for edit in stage.edits}
    first = stage.edits[0]
    if len(kinds) == 1 and first.peft is not None:
        found = _as_declared(stage.edits, parts)
    elif len(kinds) > 1 or type(first) not in _SAID:
        kinds_said = " and ".join(sorted({edit.kind.replace("_", " ") for edit in stage.edits}))
        raise _no(f"{kinds_said} ({_OTHERS.get(first.kind, 'see the implementations of the method in the catalog')})")
    else:
        found = _SAID[type(first)](stage.edits, parts)
    also = _also_trained(stage.train, parts, [*_names(parts, [edit.where for edit in stage.edits])])
    return PeftArguments(found.peft_type, {**found.arguments, **also}, found.notes)


def _as_declared(edits: Sequence[Edit], parts: ModelParts) -> PeftArguments:
    said = edits[0].peft
    assert said is not None
    for edit in edits:
        optional = {name: field.default for name, field in type(edit).model_fields.items() if not field.is_required()}
        if unsaid := [n for n, usual in optional.items() if n not in said.arguments and getattr(edit, n) != usual]:
            raise _no(f"{edit.kind.replace('_', ' ')} with {unsaid[0]}={getattr(edit, unsaid[0])}")
    values = [{name: getattr(edit, name) for name in said.arguments} for edit in edits]
    if any(one != values[0] for one in values):
        raise _no("several such edits with other hyper-parameters")
    lists = {
        argument: [*dict.fromkeys(f".{name.rpartition('.')[2]}" for name in _names(parts, wheres))]
        for name, by in said.listed.items() for argument, value in by.items()
        if (wheres := [edit.where for edit in edits if getattr(edit, name) == value])
    }  # fmt: skip
    arguments = said.says(values[0], lists)
    for edit in edits if said.listed else ():
        for name in _names(parts, [edit.where]):
            if said.read_at(arguments, name) != {field: getattr(edit, field) for field in said.listed}:
                raise _no(f"such edits of two sides where modules have the name of {name}")
    if said.targeted:
        places = _targets(said.type, parts, [edit.where for edit in edits])
    else:
        places = _PLACES[edits[0].site](edits, parts)
    return PeftArguments(said.type, {**arguments, **places}, ())


def _low_rank(edits: Sequence[LowRank | WeightDecomposed], parts: ModelParts) -> PeftArguments:
    first = edits[0]
    _only([edit.model_copy(update={"rank": first.rank, "alpha": first.alpha}) for edit in edits])
    if isinstance(first, LowRank) and first.gate != "none":
        raise _no("a gate on LoRA")
    said: dict[str, Any] = {"r": first.rank, "lora_alpha": _number(first.alpha)}
    said |= _targets("LORA", parts, [edit.where for edit in edits])
    ranks, alphas = {}, {}
    for edit in edits[1:]:
        for end in _ends(parts, _names(parts, [edit.where])):
            if edit.rank != first.rank:
                ranks[end] = edit.rank
            if edit.alpha != first.alpha:
                alphas[end] = _number(edit.alpha)
    said |= {"rank_pattern": ranks} if ranks else {}
    said |= {"alpha_pattern": alphas} if alphas else {}
    said |= {"use_rslora": True} if first.scaling == "root_rank" else {}
    if isinstance(first, WeightDecomposed):
        return PeftArguments("LORA", {**said, "use_dora": True}, ())
    if (first.initial == "mica") != (first.trains == "down"):
        raise _no(f"LoRA that starts as {first.initial} and trains {first.trains}")
    said |= {} if first.initial == "zeros" else {"init_lora_weights": first.initial, **_SETTINGS.get(first.initial, {})}
    frozen = "lora_A is to be frozen, which no configuration says: create_lorafa_optimizer of peft.optimizers does it"
    return PeftArguments("LORA", said, (frozen,) if first.trains == "up" else ())


_SETTINGS: dict[str, dict[str, Any]] = {
    "eva": {"eva_config": {"rho": 1.0}}, "corda": {"corda_config": {"corda_method": "ipm"}},
    "lora_ga": {"lora_ga_config": {"direction": "ArB2r", "scale": "stable", "stable_gamma": STABLE_GAMMA}},
}  # fmt: skip
"""What PEFT has to be told beside the name of a start that reads data."""


def _adaptive(edits: Sequence[AdaptiveLowRank], parts: ModelParts) -> PeftArguments:
    first = _only(edits)
    said = {"init_r": first.rank, "target_r": first.target, "lora_alpha": _number(first.alpha)}
    said |= {"orth_reg_weight": first.orthogonality, "total_step": STEPS}
    note = f"set total_step to the number of training steps: {STEPS} stands there because PEFT asks for one"
    return PeftArguments("ADALORA", said | _targets("ADALORA", parts, [first.where]), (note,))


def _scale(edits: Sequence[Scale], parts: ModelParts) -> PeftArguments:
    if any(edit.side == "layer" for edit in edits):
        raise _no("one factor for a whole layer")
    inputs = [edit.where for edit in edits if edit.side == "input"]
    said = _targets("IA3", parts, [edit.where for edit in edits])
    fed = _targets("IA3", parts, inputs)["target_modules"] if inputs else []
    targets = said["target_modules"]
    if isinstance(targets, list) != isinstance(fed, list) or targets == ALL_LINEAR:
        said["target_modules"], fed = (
            _any_layer(_names(parts, [e.where for e in edits])),
            _any_layer(_names(parts, inputs)),
        )
    elif isinstance(targets, list):
        said["target_modules"] = list(dict.fromkeys([*targets, *fed]))  # PEFT wants the second list to be a part of it
    return PeftArguments("IA3", {**said, "feedforward_modules": fed}, ())


def _kronecker(edits: Sequence[Kronecker], parts: ModelParts) -> PeftArguments:
    first, linear = _only(edits), parts.named("linear")
    whole = first.model_copy(update={"second_rank": None})
    names = _names(parts, [first.where])
    longer = [max(whole.tensors(linear[name])["second"].dims) for name in names]
    rank = first.second_rank or max(longer)
    if first.second_rank is not None and any(rank >= side / 2 for side in longer):
        raise _no("a second factor of a rank that is half its longer side or more, which PEFT trains whole")
    said = {"r": rank, "alpha": _number(rank * first.scale)}
    said |= {} if first.factor is None else {"decompose_factor": first.factor}
    return PeftArguments("LOKR", said | _targets("LOKR", parts, [first.where]), ())


def _generalized(edits: Sequence[Generalized], parts: ModelParts) -> PeftArguments:
    first = _only(edits)
    biased = any(f"{name}.bias" in parts.biases for name in _names(parts, [first.where]))
    if first.choice != "low_rank" or first.biases or biased:
        raise _no("GLoRA with terms for biases, or drawn by chance, as surveykit has them")
    return PeftArguments("GLORA", {"r": first.rank, **_targets("GLORA", parts, [first.where])}, ())


def _vectors(edits: Sequence[GeneralizedVectors], parts: ModelParts) -> PeftArguments:
    first = _only(edits)
    if any(f"{name}.bias" in parts.biases for name in _names(parts, [first.where])):
        raise _no("GLoRA's vectors without further terms on layers that have a bias")
    return PeftArguments("GLORA", {"config_A_B": "vector", **_targets("GLORA", parts, [first.where])}, ())


def _prefix(edits: Sequence[Prefix], parts: ModelParts) -> PeftArguments:
    first = _only(edits)
    if _before_keys(edits, parts):
        raise _no("a prefix for some layers alone")
    if first.gate != "none" or first.width != "inner":
        raise _no("a gate on a prefix, or keys of another width")
    said: dict[str, Any] = {"num_virtual_tokens": first.length}
    if first.hidden is not None:
        if any(place.keys != place.d_model for place in parts.named("attention").values()):
            raise _no("a prefix from a network that is as wide as the model where keys are narrower")
        said |= {"prefix_projection": True, "encoder_hidden_size": first.hidden}
    return PeftArguments("PREFIX_TUNING", said, ())


def _before_keys(edits: Sequence[Edit], parts: ModelParts) -> dict[str, Any]:
    """Before the keys of how many attentions from the last: nothing where they are all."""
    everywhere = list(parts.named("attention").values())
    places = [place for place in everywhere if edits[0].where.matches(place)]
    if parts.both_stacks or places != everywhere[len(everywhere) - len(places) :]:
        raise _no("keys and values for each attention of an encoder and a decoder, or for some layers but the last")
    return {} if places == everywhere else {"adapter_layers": len(places)}


def _prompt(edits: Sequence[Prompt], parts: ModelParts) -> PeftArguments:
    if len({edit.length for edit in edits}) > 1:
        raise _no("prompts of several lengths")
    said = {"num_virtual_tokens": edits[0].length, **_in_front(edits, parts)}
    return PeftArguments("PROMPT_TUNING", said, ())


def _in_front(edits: Sequence[Edit], parts: ModelParts) -> dict[str, Any]:
    """In front of how many stacks prompts stand."""
    sublayers = [edit.where.sublayers for edit in edits]
    stacks = len({name for names in sublayers for name in names or ("encoder.input", "decoder.input")})
    if parts.both_stacks and sublayers == [("decoder.input",)]:
        raise _no("prompts in front of the decoder alone")
    return {"num_transformer_submodules": stacks} if parts.both_stacks else {}


def _tables(edits: Sequence[Edit], parts: ModelParts) -> dict[str, Any]:
    """The tables of embeddings that are meant."""
    return {"target_modules": [*_ends(parts, _names(parts, [edits[0].where]))]}


def _attentions(edits: Sequence[Edit], parts: ModelParts) -> dict[str, Any]:
    """Before which attentions, for a kind of edit: an adaption prompt wants to be told their number where they are all."""
    said = _before_keys(edits, parts)
    whole = {"adapter_layers": len(parts.named("attention"))} if isinstance(edits[0], GatedAttention) else {}
    return whole | said


_PLACES = {"input": _in_front, "kv": _attentions, "parameter": _tables}
"""Where kinds that go on no linear layers go, by their site."""
_SAID: dict[type[Edit], Any] = {
    LowRank: _low_rank, WeightDecomposed: _low_rank, AdaptiveLowRank: _adaptive, Scale: _scale, Kronecker: _kronecker,
    Generalized: _generalized, GeneralizedVectors: _vectors, Prefix: _prefix, Prompt: _prompt,
}  # fmt: skip
"""For each kind of edit that PEFT has, the function that says it."""
_OTHERS = {"bottleneck": "the library adapters has it", "hypercomplex": "the library adapters has it"}


def _of_norms(stage: Stage, parts: ModelParts) -> PeftArguments:
    """A stage that trains pretrained parameters alone."""
    if any({*where.roles} != {"norm"} or where.parameters != "all" for where in stage.train):
        raise _no("a type that trains pretrained parameters alone, other than norms")
    return PeftArguments("LN_TUNING", _targets("LN_TUNING", parts, stage.train), ())


def _also_trained(train: Sequence[Where], parts: ModelParts, adapted: Collection[str]) -> dict[str, Any]:
    said: dict[str, Any] = {}
    saved = [where for where in train if where.parameters == "all"]
    if saved:
        said["modules_to_save"] = [*_ends(parts, _names(parts, saved), whole_parts=False)]
    for where in train:
        if where.parameters == "bias":
            names = {f"{name}.bias" for name in _names(parts, [where])} & parts.biases
            own = {f"{name}.bias" for name in adapted} & parts.biases
            if names not in (own, parts.biases):
                raise _no("a way to train some biases that are not those of the adapted layers")
            said["bias"] = "all" if names == parts.biases else "lora_only"
    return said


def _names(parts: ModelParts, wheres: Iterable[Where]) -> list[str]:
    """Names of the modules at some places, in the model's order."""
    found = {place.name for place in parts.places for where in wheres if where.matches(place)}
    return [name for name in parts.modules if name in found]


def _targets(kind: str, parts: ModelParts, wheres: Sequence[Where]) -> dict[str, Any]:
    """The shortest targets that mean these places and no other module.

    Raises:
        SurveyError: there is no such place, or one that PEFT does not adapt.
    """
    names, linear = _names(parts, wheres), parts.named("linear")
    if not names:
        raise SurveyError(f"the model has no {' or '.join(where.words() for where in wheres)}")
    if kind != "LN_TUNING" and (other := next((name for name in names if name not in linear), None)):
        raise _no(f"such an edit on {other}, which is no linear layer in front of the output layer")
    if {*names} == {*parts.linear}:
        return {"target_modules": ALL_LINEAR}
    return next(said for said in _candidates(kind, parts, names) if _mean(kind, parts, said, names))


def _candidates(kind: str, parts: ModelParts, names: list[str]) -> Iterator[dict[str, Any]]:
    """Ways to say which modules are meant, the easiest to read first; the last holds always."""
    ends = _ends(parts, names)
    if not any(re.search(r"(^|\.)\d+\.", end) for end in ends):
        yield {"target_modules": [*ends]}
    if kind in ("LORA", "ADALORA", "LOKR"):
        layers = sorted({int(number[1]) for name in names if (number := re.match(r".*?\.(\d+)\.", name))})
        last = [*dict.fromkeys(name.rpartition(".")[2] for name in names)]
        yield {"target_modules": last, "layers_to_transform": layers}
    yield {"target_modules": _any_layer(names)}
    yield {"target_modules": names}


def _any_layer(names: Iterable[str]) -> str:
    """A regular expression for modules of these names in any layer."""
    patterns = (re.sub(r"(?<=\\\.)\d+(?=\\\.)", r"\\d+", re.escape(name)) for name in names)
    return "|".join(dict.fromkeys(patterns))


def _mean(kind: str, parts: ModelParts, said: Mapping[str, Any], names: list[str]) -> bool:
    """Whether PEFT takes just these modules."""
    file = PeftFile("", kind, said)
    try:
        return selected(file, parts, file.names("target_modules") or ()) == names
    except SurveyError:  # it means none
        return False


def _ends(parts: ModelParts, names: Collection[str], *, whole_parts: bool = True) -> tuple[str, ...]:
    """Ends of paths that mean these modules and no other, each as short as can be.

    Args:
        whole_parts: whether an end is compared part by part; PEFT compares letters where it saves whole modules.
    """
    others = [name for name in parts.modules if name not in {*names}]
    found: dict[str, None] = {}
    for name in names:
        words = name.split(".")
        ends = [".".join(words[-n:]) for n in range(1, len(words) + 1)]
        dot = "." if whole_parts else ""
        fit = (end for end in ends if not any(other == end or other.endswith(dot + end) for other in others))
        found[next(fit, name)] = None
    return tuple(found)


def _fused(stage: Stage, parts: ModelParts) -> list[str]:
    """A word where our edits are on one role of a matrix that several share, and PEFT's are on the whole matrix."""
    linear = parts.named("linear")
    parted = {
        place.name.rpartition(".")[2]
        for edit in stage.edits for place in parts.places
        if edit.site == "weight" and edit.where.matches(place) and place.name in linear
        and place.fan_out != linear[place.name].fan_out
    }  # fmt: skip
    whole = f"{' and '.join(sorted(parted))} has several roles: PEFT adapts all of it, surveykit's recipe those named"
    return [whole] if parted else []


def _only(edits: Sequence[Any]) -> Any:
    if len({edit.model_copy(update={"where": edits[0].where}).model_dump_json() for edit in edits}) > 1:
        raise _no("several such edits with other hyper-parameters")
    return edits[0]


def _number(value: float) -> float:
    return int(value) if value == int(value) else value


def _literal(value: Any) -> str:
    """A value as Python writes it, with the quotes of JSON."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_literal(key)}: {_literal(one)}' for key, one in value.items())}}}"
    return repr(value) if value is None or isinstance(value, bool) else json.dumps(value)


def _no(what: str) -> SurveyError:
    return SurveyError(f"PEFT does not have {what}")
