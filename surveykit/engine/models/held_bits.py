"""In how many bits a config.json says that the weights of linear layers are held, and the bytes that this takes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import nn
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.pytorch_utils import Conv1D

from surveykit.catalog.training import Training
from surveykit.recipes import Quantization, Where


@dataclass(frozen=True)
class HeldBits:
    """How the weights of linear layers are held; all other parameters keep their width."""

    words: str
    """The library and the width, and the formula."""
    bytes: Callable[[int, int], int]
    """Of a weight with so many inputs and outputs."""
    wide: tuple[str, ...]
    """Names, or beginnings or ends of names, of layers that keep their width."""
    output_wide: bool
    """Whether the output layer and what is tied to it also do."""

    int8: bool = False
    """Whether weights are multiplied as they are held, as LLM.int8 does; all others are restored before."""

    def layers(self, model: PreTrainedModel, pretrained: Iterable[nn.Parameter]) -> Iterator[nn.Linear | Conv1D]:
        """The layers that are held so, all of them pretrained."""
        known, wide = {*map(id, pretrained)}, {*self.wide, *(model._keep_in_fp32_modules or ())}
        if self.output_wide:
            from transformers.quantizers.base import get_keys_to_not_convert  # elsewhere before transformers 5

            wide.update(get_keys_to_not_convert(model))
            *_, last = (name for name, parameter in model.named_parameters() if id(parameter) in known)
            wide.add(last.removesuffix(".weight"))  # what was added stands behind it, and hides it
        for name, module in model.named_modules():
            if (
                isinstance(module, nn.Linear | Conv1D)
                and id(module.weight) in known
                and not any(name.startswith(f"{said}.") or name.endswith(said) for said in wide)
            ):
                yield module


def held_bits(config: PreTrainedConfig) -> HeldBits | None:
    """What a configuration says, of the libraries whose formats are known here; None without a word of it."""
    said = said_of_bits(config)
    method, wide = said.get("quant_method") or "bitsandbytes", _names(said)
    if method == "bitsandbytes" and said.get("load_in_4bit"):
        return _normal_float(bool(said.get("bnb_4bit_use_double_quant")), wide)
    if method == "bitsandbytes" and said.get("load_in_8bit"):
        return _int8(wide)
    bits, group = said.get("bits"), said.get("group_size", 128)
    if method in ("gptq", "awq") and isinstance(bits, int) and isinstance(group, int) and 0 < bits <= 8:
        index = 4 if method == "gptq" else 0  # GPTQ also keeps the group of each input
        each = "all weights of an output" if group < 1 else f"each {group} weights"
        words = f"{method.upper()}, {bits} bits a weight, and 2 bytes and {bits} bits for {each}"
        return HeldBits(words, partial(_in_groups, bits=bits, group=group, index=index), wide, True)
    return None


def bits_of_bitsandbytes(training: Training) -> HeldBits | None:
    """What a record of training says; None where weights keep their width."""
    match training.base_bits:
        case 4:
            return _normal_float(training.double_quant)
        case 8:
            return _int8()
        case _:
            return None


def _normal_float(double: bool, wide: tuple[str, ...] = ()) -> HeldBits:
    block = Quantization(
        where=Where(roles=("linear",)), grid="normal_float", bits=4, block=64, scale_block=256 if double else None
    )
    scale = "1 byte, and 4 for 256 of these," if double else "4 bytes"
    words = f"bitsandbytes, 4 bits a weight and {scale} for each 64 weights"
    return HeldBits(words, lambda inputs, outputs: block.bytes(inputs * outputs), wide, not wide)


def _int8(wide: tuple[str, ...] = ()) -> HeldBits:
    words = "bitsandbytes, 8 bits a weight and 4 bytes for each output"
    return HeldBits(words, lambda inputs, outputs: (inputs + 4) * outputs, wide, not wide, int8=True)


def said_of_bits(config: PreTrainedConfig) -> Mapping[str, Any]:
    """The quantization_config of a configuration; {} without one."""
    asked = getattr(config, "quantization_config", None) or {}
    return asked if isinstance(asked, Mapping) else vars(asked)


def _names(said: Mapping[str, Any]) -> tuple[str, ...]:
    found = said.get("llm_int8_skip_modules") or said.get("modules_to_not_convert")
    return tuple(name for name in found if isinstance(name, str) and name) if isinstance(found, list) else ()


def _in_groups(inputs: int, outputs: int, *, bits: int, group: int, index: int) -> int:
    groups = outputs * (-(-inputs // group) if group > 0 else 1)
    return -(-inputs * outputs * bits // 8) + 2 * groups + -(-groups * bits // 8) + index * inputs
