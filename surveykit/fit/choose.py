"""Two or three methods for a model, a device and a wish, from formulas. Pure: no torch.

`site/docs/assets/js/choose/answer.js` does the same in the browser; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from surveykit.fit.candidates import STANDINGS, MemoryBreakdown, Standing
from surveykit.fit.errors import DRIVER_CONTEXT
from surveykit.fit.formulas import Formulas, at_model

Matters = Literal["score", "memory", "disk", "speed"]
SHOWN = 3
"""Methods that an answer names."""


class UncoveredError(Exception):
    """A model for which there are no formulas; says why, for a reader."""


@dataclass(frozen=True)
class Setting:
    """How a step runs, as the page asks for it."""

    batch: int
    length: int
    precision: str
    """`16` (bfloat16) or `4` (NF4 with double quantization)."""
    attention: str
    checkpointing: str
    optimizer: str

    @property
    def run(self) -> str:
        """Its name among the settings that there are formulas for."""
        return f"{self.precision}.{self.attention}.{self.checkpointing}"


@dataclass(frozen=True)
class Known:
    """What is known of a configuration, whatever the setting."""

    configuration: str
    score: float | None
    """In the survey's experiment on the T5 that is nearest in size; None where there is none that counts."""
    compute: float | None
    """FLOPs of a training step, in percent of full tuning, on T5-Large."""
    stored: float | None
    """Bytes on disk for each trained number; None where that is not the same on every model."""


@dataclass(frozen=True)
class Pick:
    """A configuration in the setting that it is advised in."""

    configuration: str
    setting: Setting
    changes: tuple[str, ...]
    """What was changed in the setting that was asked for, so that it fits."""
    standing: Standing
    parts: MemoryBreakdown
    trained: float
    stored: float | None
    asked: int | None
    """Peak in the setting that was asked for; None where there is no formula."""


WAYS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("SDPA attention", {"attention": "sdpa"}),
    ("gradient checkpointing", {"checkpointing": "full"}),
    ("an 8-bit optimizer", {"optimizer": "adamw-8bit"}),
    ("4-bit base weights", {"precision": "4"}),
)
"""What can be changed so that a step fits, the cheapest first."""
_SINGLE = ((0,), (1,), (2,), (3,), (0, 1), (1, 2), (1, 3), (0, 1, 2), (0, 1, 3), (1, 2, 3), (0, 1, 2, 3))


def answer(
    formulas: Formulas,
    known: Sequence[Known],
    at: Callable[[Setting], Mapping[str, float]],
    setting: Setting,
    memory: float,
    *,
    overhead: bool,
    matters: Matters,
    errors: Mapping[str, tuple[float, float]],
) -> list[Pick]:
    """All configurations in their order; the first `SHOWN` are the answer.

    Args:
        at: dimensions of the model in a setting.
        memory: bytes of the device.
        overhead: whether inference may cost something, once all is merged that can be.
        errors: lowest and highest measured peak, in percent of the predicted one, by run.
    """
    by_name = {one.configuration: one for one in known}
    picks = []
    for configuration, configured in formulas.configurations.items():
        if configuration not in by_name or not (overhead or configured.overhead[1] == "none"):
            continue
        pick = _pick(formulas, configuration, at, setting, memory, errors)
        if pick is not None:
            values = formulas.values(at(setting))
            trained = sum(
                values[int(t)] * f for t, f in zip(configured.trained[::2], configured.trained[1::2], strict=True)
            )
            rate = by_name[configuration].stored
            picks.append(replace(pick, trained=trained, stored=None if rate is None else rate * trained))
    return sorted(
        picks, key=lambda pick: (STANDINGS.index(pick.standing), *_wish(pick, by_name[pick.configuration], matters))
    )


FORWARD_PERCENT = 100 / 3
"""A forward pass, which checkpointing does twice, beside full tuning, whose backward pass is two of them."""


def _wish(pick: Pick, known: Known, matters: Matters) -> tuple[float, ...]:
    """The place of a pick among those that stand alike: the smaller, the better."""
    score = (1.0, 0.0) if known.score is None else (0.0, -known.score)
    peak = float(pick.parts.peak)
    match matters:
        case "memory":
            return (peak if pick.asked is None else float(pick.asked),)  # all in the same setting
        case "disk":
            return (1e30 if pick.stored is None else pick.stored, peak)
        case "speed":
            again = FORWARD_PERCENT if pick.setting.checkpointing == "full" else 0.0
            return (1e30 if known.compute is None else known.compute + again, peak)
        case _:
            return (*score, len(pick.changes), peak)


def _pick(
    formulas: Formulas, configuration: str, at: Callable[[Setting], Mapping[str, float]], setting: Setting,
    memory: float, errors: Mapping[str, tuple[float, float]],
) -> Pick | None:  # fmt: skip
    """A configuration as it was asked for, or with the fewest changes that make it fit; where none does, as it comes nearest."""
    tried: list[Pick] = []
    asked: int | None = None
    for numbers in ((), *_SINGLE):
        changed = setting
        for number in numbers:
            changed = replace(changed, **WAYS[number][1])
        if any(replace(setting, **WAYS[number][1]) == setting for number in numbers):
            continue
        parts = formulas.memory(configuration, changed.run, changed.optimizer, at(changed))
        if parts is None:
            continue
        if not numbers:
            asked = parts.peak
        words = tuple(WAYS[number][0] for number in numbers)
        found = Pick(
            configuration, changed, words, standing(parts.peak, memory, errors[changed.run]), parts, 0.0, None, asked
        )
        if found.standing == "fits":
            return found
        tried.append(found)
    if not tried:
        return None
    return min(
        tried,
        key=lambda pick: (
            STANDINGS.index(pick.standing),
            len(pick.changes) if pick.standing == "tight" else pick.parts.peak,
        ),
    )


def standing(peak: float, memory: float, error: tuple[float, float]) -> Standing:
    """Whether a predicted peak fits beside the driver's context, even if it is the largest that it may mean."""
    room = memory - DRIVER_CONTEXT
    if high(peak, error) <= room:
        return "fits"
    return "tight" if low(peak, error) <= room else "does not fit"


def low(peak: float, error: tuple[float, float]) -> float:
    """The smallest peak that a predicted one may mean."""
    return min(peak, peak * (1 + error[0] / 100))


def high(peak: float, error: tuple[float, float]) -> float:
    """The largest one."""
    return max(peak, peak * (1 + error[1] / 100))


_TIED = {"llama": False, "mistral": False, "qwen2": False, "qwen3": False, "gemma": True, "gemma2": True, "t5": True}
"""Whether input and output share a table, where a configuration does not say."""
_HEAD_WIDTH = {"gemma": 256, "gemma2": 256, "qwen3": 128}
"""Width of a head, where a configuration does not say and it is not the width over the heads."""


def architecture(config: Mapping[str, Any]) -> str:
    """Which formulas a configuration of transformers has.

    Raises:
        UncoveredError: none, or it is no configuration.
    """
    kind = config.get("model_type")
    if not isinstance(kind, str) or not kind:
        raise UncoveredError("it has no model_type")
    if kind not in (*_TIED, "bert"):
        raise UncoveredError(f"models of type {kind} have no formulas here")
    t5, bert = kind == "t5", kind == "bert"
    needed = (
        ["d_model", "d_ff", "d_kv", "num_heads", "num_layers"]
        if t5
        else ["hidden_size", "intermediate_size", "num_attention_heads", "num_hidden_layers"]
    )
    for name in [*needed, "vocab_size", *(["max_position_embeddings"] if bert else [])]:
        if type(config.get(name)) is not int or config[name] < 1:
            raise UncoveredError(f"its {name} is missing or not a whole number above 0")
    if config.get("quantization_config"):
        raise UncoveredError("its weights are already quantized (quantization_config)")
    heads = config["num_heads" if t5 else "num_attention_heads"]
    kv = config.get("num_key_value_heads") or heads
    if type(kv) is not int or kv < 1 or heads % kv:
        raise UncoveredError("its number of query heads is not a multiple of its number of key and value heads")
    if config["num_layers" if t5 else "num_hidden_layers"] < 6:
        raise UncoveredError("it has fewer than 6 layers")
    for name in ("attention_bias", "mlp_bias", "use_sliding_window", "attention_dropout"):
        if config.get(name):
            raise UncoveredError(f"its {name} is on")
    width = at_model(complete(config), 1, 1)["hd"]
    if width % 8 or width > 256:
        raise UncoveredError(f"its heads have {width} features; kernels need a multiple of 8, at most 256")
    act = str(config.get("hidden_act", config.get("hidden_activation", "")))
    if act and not act.startswith("silu" if kind in ("llama", "mistral", "qwen2", "qwen3") else "gelu") and not t5:
        raise UncoveredError(f"its activation is {act}")
    if bert:
        return "bert"
    tied = "tied" if config.get("tie_word_embeddings", _TIED[kind]) else "untied"
    if t5:
        if config.get("num_decoder_layers", config["num_layers"]) != config["num_layers"]:
            raise UncoveredError("its stacks have different numbers of layers")
        shape = str(config.get("feed_forward_proj", "relu"))
        if shape not in ("relu", "gated-gelu"):
            raise UncoveredError(f"its feed-forward is {shape}")
        return f"t5-{'gated' if shape == 'gated-gelu' else 'relu'}-{tied}"
    return f"{kind}-{'mha' if kv == heads else 'mqa' if kv == 1 else 'gqa'}-{tied}"


def complete(config: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration with the width of its heads, where the type has one of its own."""
    own = _HEAD_WIDTH.get(str(config.get("model_type")))
    return {**({} if own is None else {"head_dim": own}), **{k: v for k, v in config.items() if v is not None}}
