"""On how many model types of transformers do methods work? Every type with a class for text, counted, traced, compared.

A small model (few layers, of its default configuration's widths) of every model type that has a causal, seq2seq, masked
or classification class is made without weights, by transformers alone and by us. Each method is counted and traced on it,
or says why not; counts are compared with PEFT's and with sums over the modules. What is found is written to
benchmarks/breadth.json, which a page of the site and the README show. It ends with code 1 where there is a fault of
ours: an exception that is meant for no user, a message that blames transformers for what transformers builds, a count
that differs from another answer without a known reason. Some minutes on two cores; tests try a sample.

    python benchmarks/breadth.py [TYPE …]      # with types, nothing is written
"""

from __future__ import annotations

import copy
import datetime
import json
import logging
import re
import signal
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, cast

import peft
import torch
import transformers
from peft import LoraConfig, get_peft_model
from torch import nn
from tqdm import tqdm
from transformers import CONFIG_MAPPING, PreTrainedConfig, PreTrainedModel
from transformers.models.auto import modeling_auto
from transformers.pytorch_utils import Conv1D

from surveykit.catalog.locate import locate
from surveykit.catalog.selection import selected_recipes
from surveykit.engine import Instance, count
from surveykit.engine.models.model import Blueprint, blueprint_of
from surveykit.engine.on_model import measure_on
from surveykit.errors import RecipeError, SurveyError
from surveykit.processes import in_processes
from surveykit.recipes import Recipe
from surveykit.site.data.breadth import Breadth, Kind, ModelType, Tried

WRITTEN = Path(__file__).with_suffix(".json")
KINDS: dict[Kind, tuple[str, ...]] = {
    "seq2seq": ("SEQ_TO_SEQ_CAUSAL_LM",), "masked": ("MASKED_LM",), "causal": ("CAUSAL_LM",),
    "classification": ("SEQUENCE_CLASSIFICATION",), "several parts": ("IMAGE_TEXT_TO_TEXT", "TEXT_TO_WAVEFORM"),
}  # fmt: skip
"""Of several kinds that a type has, the first is what its models are published as. For the last, a type must have another
too, whose class cannot be built from its default configuration."""
CLASSES: dict[Kind, dict[str, Any]] = {
    kind: dict(kv for name in names for kv in getattr(modeling_auto, f"MODEL_FOR_{name}_MAPPING_NAMES").items())
    for kind, names in KINDS.items()
}
"""Names of classes by model type."""
GIVEN: dict[str, dict[str, Any]] = {
    "esm": {"vocab_size": 33, "pad_token_id": 1}, "hunyuan_v1_dense": {"head_dim": 128}, "hunyuan_v1_moe": {"head_dim": 128},
    "lfm2_moe": {"layer_types": ["conv", "full_attention"] * 16}, "ministral": {"head_dim": 128},
    "nemotron": {"num_key_value_heads": 8},
}  # fmt: skip
"""What default configurations lack, and published ones have."""
METHODS = {
    "LoRA, query and value": "lora/qv-r8", "LoRA, all linear layers": "", "Norms": "ln-tuning/norms",
    "Prefix": "prefix-tuning/flat-p30", "Prompt": "prompt-tuning/p20", "BitFit": "bitfit/native", "Adapters": "adapters/rf16",
}  # fmt: skip
ATTENTION, LINEAR, NORMS, PREFIX, PROMPT = list(METHODS)[:5]
RANK, POSITIONS, PROMPTS = 8, 30, 20
DEPTH = 8
"""Layers of a stack at most: so many that most patterns of kinds of layers occur."""
DEPTHS = {
    "num_hidden_layers", "num_layers", "n_layer", "n_layers", "depth", "encoder_layers", "decoder_layers", "num_encoder_layers",
    "num_decoder_layers", "speech_encoder_layers", "t2u_encoder_layers", "t2u_decoder_layers",
}  # fmt: skip
"""What configurations call the number of layers of a stack."""
LENGTH = 64
"""Positions of the traced sequence."""
SECONDS = 30
"""For one type. They are of the processor's time, so that a busy machine refuses no type."""


def types() -> list[str]:
    names = {name for kind, names in CLASSES.items() if kind != "several parts" for name in names}
    return sorted(names & {*CONFIG_MAPPING})


def class_names(model_type: str) -> Iterator[tuple[Kind, str]]:
    for kind, names in CLASSES.items():
        found = names.get(model_type, ())
        yield from ((kind, name) for name in ((found,) if isinstance(found, str) else found))


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    def stop(*_: Any) -> None:
        raise TimeoutError(f"over {seconds} s")

    signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


def cut(config: PreTrainedConfig) -> PreTrainedConfig:
    """The same with at most `DEPTH` layers in each stack, lists of a value for each layer cut with them."""
    config = copy.deepcopy(config)
    left = [config]
    while left:
        said = vars(one := left.pop())
        left += [value for value in said.values() if isinstance(value, PreTrainedConfig)]
        deep = {name: n for name, n in said.items() if name in DEPTHS and isinstance(n, int) and n > DEPTH}
        long = {name: v for name, v in said.items() if isinstance(v, list | tuple) and len(v) in deep.values()}
        for name in deep:
            setattr(one, name, DEPTH)
        for name, values in long.items():
            setattr(one, name, values[:DEPTH])
    return config


def made(name: str, config: PreTrainedConfig) -> PreTrainedModel:
    """What transformers alone builds, without weights."""
    with torch.device("meta"):
        return cast(PreTrainedModel, getattr(transformers, name)(copy.deepcopy(config)))


def built(model_type: str) -> tuple[Kind, PreTrainedConfig, PreTrainedModel] | str:
    """The first of its classes that transformers builds from a small default configuration, or the whole one; or why none."""
    reason = "transformers has no class for it"
    try:
        config = CONFIG_MAPPING[model_type](**GIVEN.get(model_type, {}))
    except Exception as error:
        return f"no default configuration: {_line(error)}"
    for kind, name in class_names(model_type):
        for small in (cut(config), config):
            small.architectures = [name]  # as in a published config.json
            try:
                return kind, small, made(name, small)
            except Exception as error:
                reason = f"{name}: {_line(error)}"
    return reason


def recipe(*edits: dict[str, Any]) -> Recipe:
    stage = {"name": "fine_tuning", "scope": "task", "edits": edits, "train": []}
    return Recipe.model_validate_json(json.dumps({"stages": [stage]}))


def linear(modules: Iterable[str] = ()) -> Recipe:
    """LoRA on whole linear layers, all or those of these names: what PEFT makes of `target_modules`."""
    where = {"roles": ["linear"], **({"modules": [*modules]} if modules else {})}
    return recipe({"kind": "low_rank", "where": where, "rank": RANK, "alpha": 8.0, "gate": "none"})


def recipes() -> dict[str, Recipe]:
    found = dict(selected_recipes(locate(None).root, [name for name in METHODS.values() if name]))
    return {method: found[name] if name else linear() for method, name in METHODS.items()}


def examined(model_type: str, *, traced: bool = True) -> ModelType:
    """Count, trace and compare on one type. Raises nothing: what should not happen is a fault."""
    made_by_transformers = built(model_type)
    if isinstance(made_by_transformers, str):
        return _row(model_type, refused=made_by_transformers)
    kind, config, plain = made_by_transformers
    about = {"kind": kind, "architecture": type(plain).__name__, "parameters": plain.num_parameters()}
    tried: dict[str, Tried] = {}
    compared: list[Comparison] = []
    try:
        with at_most(SECONDS):
            blueprint = blueprint_of(config)
            instance = blueprint.build()
            wanted = recipes()
            tried |= {method: _counted(instance, method, recipe) for method, recipe in wanted.items()}
            compared += comparisons(instance, plain, {method: row.trainable for method, row in tried.items()})
            if traced:
                tried |= _traced(blueprint, {name: wanted[name] for name, row in tried.items() if row.trainable}, tried)
    except SurveyError as error:
        message = _line(error)
        blamed = re.search(r"transformers (cannot build|has no model)", message)
        fault = [f"transformers builds {type(plain).__name__}, but: {message}"] if blamed else []
        return _row(model_type, **about, tried=tried.values(), refused=message, faults=fault)
    except Exception as error:
        return _row(model_type, **about, tried=tried.values(), faults=[f"{type(error).__name__}: {_line(error)}"])
    return _row(model_type, **about, tried=tried.values(), **_sorted(compared))


def _row(name: str, **said: Any) -> ModelType:
    nothing: dict[str, Any] = {"kind": None, "architecture": None, "parameters": None, "refused": None}
    several = {field: tuple(said.pop(field, ())) for field in ("tried", "compared", "known", "faults")}
    return ModelType(name=name, **{**nothing, **said}, **several)


def _counted(instance: Instance, method: str, wanted: Recipe) -> Tried:
    trainable, reason = None, None
    try:
        trainable = count(wanted, instance).trainable
    except RecipeError as error:
        reason = _line(error)
    if trainable == 0:
        reason = "the model has no such parameters"
    return Tried(method=method, trainable=trainable, peak_bytes=None, reason=reason)


def _traced(blueprint: Blueprint, wanted: dict[str, Recipe], counted: dict[str, Tried]) -> dict[str, Tried]:
    found = zip(wanted, measure_on(blueprint, wanted.items(), batch=1, length=LENGTH), strict=True)
    return {
        method: counted[method].model_copy(update={"peak_bytes": costs.peak_bfloat16, "reason": costs.reason})
        for method, costs in found
    }


class Comparison(NamedTuple):
    """One of our counts beside another answer."""

    name: str
    ours: int | None
    theirs: int | str
    """The other answer, or why there is none."""


def comparisons(instance: Instance, plain: PreTrainedModel, ours: dict[str, int | None]) -> Iterator[Comparison]:
    """Every count that another answer is there for."""
    yield Comparison("parameters", instance.parameters, plain.num_parameters())
    layers = [module for module in plain.modules() if isinstance(module, nn.Linear | Conv1D)]
    widths = [sum(layer.weight.shape) for layer in layers if layer is not plain.get_output_embeddings()]
    yield Comparison("all linear layers, by shapes", ours[LINEAR], RANK * sum(widths))
    yield Comparison("all linear layers, as PEFT", ours[LINEAR], _peft(plain, "all-linear"))
    places = [slot.place for slot in instance.slots if slot.place.role in ("query", "value")]
    if places and ours[ATTENTION] is not None:
        names = sorted({place.name for place in places})
        yield Comparison("query and value, as PEFT", count(linear(names), instance).trainable, _peft(plain, names))
        yield Comparison(
            "query and value, by shapes", ours[ATTENTION], RANK * sum(p.fan_in + p.fan_out for p in places)
        )
    if ours[NORMS] is not None:
        yield Comparison("norms", ours[NORMS], _norms(plain))
    if ours[PREFIX] is not None:
        widths = sum(s.place.fan_out for s in instance.slots if s.place.role in ("key", "value"))
        yield Comparison("prefixes, by shapes", ours[PREFIX], POSITIONS * widths)
        if cached := _cached(plain):
            yield Comparison("prefixes, as the cache", ours[PREFIX], POSITIONS * cached)
    if ours[PROMPT] is not None:
        yield Comparison("prompts", ours[PROMPT], PROMPTS * plain.get_input_embeddings().weight.shape[1])


def _sorted(compared: list[Comparison]) -> dict[str, list[str]]:
    """Comparisons by how they came out, those that differ in words."""
    found: dict[str, list[str]] = {"compared": [], "known": [], "faults": []}
    for name, ours, theirs in compared:
        if isinstance(theirs, str):
            found["known"].append(f"{name}: {theirs}")
        elif ours == theirs:
            found["compared"].append(name)
        else:
            found["faults"].append(f"{name}: {ours} is ours, {theirs} the other answer")
    return found


def _peft(plain: PreTrainedModel, targets: str | list[str]) -> int | str:
    """Trainable parameters of PEFT's LoRA, or why it refuses."""
    config = LoraConfig(r=RANK, lora_alpha=8, target_modules=targets)
    try:
        with torch.device("meta"):
            wrapped = get_peft_model(copy.deepcopy(plain), config, low_cpu_mem_usage=True)
    except Exception as error:  # whatever PEFT, or the model in its hands, makes of it
        return f"PEFT refuses: {_line(error)}"
    found = sum(p.numel() for p in wrapped.parameters() if p.requires_grad)
    if tensors := wrapped.peft_config["default"].target_parameters:
        return f"PEFT counts {found:,}, as it adds the experts' tensors ({', '.join(sorted(tensors))})"
    return found


def _cached(plain: PreTrainedModel) -> int | None:
    """Numbers that a decoder alone keeps of each position: keys and values of all layers. None where it keeps none, or
    does not run without weights."""
    if plain.config.is_encoder_decoder:
        return None
    try:
        with torch.no_grad():
            cache = plain(
                input_ids=torch.ones((1, 3), dtype=torch.int64, device="meta"), use_cache=True
            ).past_key_values
        kept = [tensor for layer in cache.layers for tensor in (layer.keys, layer.values)]
    except Exception:  # whatever a model makes of tensors without values, or of having no cache
        return None
    return sum(tensor.shape[1] * tensor.shape[3] for tensor in kept if tensor is not None and tensor.dim() == 4)


def _norms(plain: PreTrainedModel) -> int:
    """Parameters of all modules in front of the head that have norm in their class's name, and no parts."""
    base = cast(nn.Module, plain.base_model)
    norms = [m for m in base.modules() if "norm" in type(m).__name__.lower() and not list(m.children())]
    return sum(p.numel() for p in {id(p): p for norm in norms for p in norm.parameters()}.values())


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:400] or type(error).__name__


def quiet() -> Callable[[str], ModelType]:
    """In a worker: one thread, and no warnings of what transformers deprecates."""
    warnings.simplefilter("ignore")
    logging.disable(logging.ERROR)
    torch.set_num_threads(1)
    return examined


def main() -> int:
    wanted = sys.argv[1:] or types()
    found = {}
    work = in_processes(quiet, (), wanted, 2)
    for name, row in tqdm(work, total=len(wanted), unit="type", disable=None):
        found[name] = row
    breadth = Breadth(
        date=datetime.date.today(), torch=torch.__version__.partition("+")[0], transformers=transformers.__version__,
        peft=peft.__version__, methods=tuple(METHODS), types=tuple(found[name] for name in sorted(found)),
    )  # fmt: skip
    for row in breadth.types:
        print(f"{row.name:28} {row.architecture or ''} {row.refused or ''}")
        for t in row.tried:
            print(f"    {t.method:24} {'–' if t.trainable is None else f'{t.trainable:,}':>15} {t.reason or ''}")
        print(*(f"    fault: {words}" for words in row.faults), sep="\n", end="\n" if row.faults else "")
    for method in METHODS:
        print(f"{method:28} counted {breadth.counted[method]}, traced {breadth.traced[method]}")
    print(", ".join(f"{name} equal on {number}" for name, number in breadth.equal.items()))
    print(breadth.sentence)
    if not sys.argv[1:]:
        WRITTEN.write_text(_written(breadth), encoding="utf-8")
    return 1 if breadth.faults else 0


def _written(breadth: Breadth) -> str:
    """A line for each type, so that a change of one is one line."""
    around = breadth.model_copy(update={"types": ()}).model_dump_json()
    lines = ",\n".join(row.model_dump_json() for row in breadth.types)
    return around.replace('"types":[]', f'"types":[\n{lines}\n]') + "\n"


if __name__ == "__main__":
    sys.exit(main())
