"""What each of several devices holds of a training step: arithmetic on the trace of one.

With N devices, state, gradients and weights are divided by N as the kind of sharding says (Rajbhandari et al. 2020,
section 5: P_os, P_os+g, P_os+g+p). What is divided is made whole for a while: weights block by block, with the next block
fetched while one computes, and the gradients of the block that backward is in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from torch import nn

from surveykit.catalog.training import Training
from surveykit.engine.models.model import Instance
from surveykit.engine.trace.few_bits import layers_in_few_bits
from surveykit.engine.trace.memory import Moment, Moments
from surveykit.engine.trace.step import StepTrace
from surveykit.recipes import Stage

FETCHED = 2
"""Blocks whose weights are whole at once: the one that computes, and the next."""


@dataclass(frozen=True)
class Units:
    """Bytes of what is made whole at once."""

    block: int
    """Weights of the largest block."""
    outside: int
    """Weights outside the blocks: embeddings, norms and output layer."""
    gradients: int
    """Gradients of the trained parameters of the block in which they are most."""


def units_of(instance: Instance, training: Training, stage: Stage | None = None) -> Units | None:
    """The units of a model to which a method is attached; None where one device holds everything.

    Args:
        stage: what is attached; None where PEFT's modules are.
    """
    if training.devices == 1 and not training.offload_states:
        return None
    few = {id(layer.weight): held.bytes for layer, held in layers_in_few_bits(instance, training, stage).items()}

    def held(parameters: Iterable[nn.Parameter]) -> int:
        return sum(few.get(id(p), p.nbytes) for p in parameters)

    blocks = [{id(p): p for p in block.parameters()} for _, block in instance.blocks]
    inside = {number for block in blocks for number in block}
    return Units(
        block=max((held(block.values()) for block in blocks), default=0),
        outside=held(p for p in instance.model.parameters() if id(p) not in inside),
        gradients=max((held(p for p in b.values() if p.requires_grad) for b in blocks), default=0),
    )


def on_each_device(trace: StepTrace, units: Units, training: Training) -> StepTrace:
    """The trace of one of `training.devices` devices, from that of one that holds everything.

    `ddp` holds everything, and the gradients once more, in the buckets in which they are averaged.
    """
    shard, devices = training.shard, training.devices
    divided_weights = shard in ("zero3", "fsdp")
    weights = trace.resident // devices if divided_weights else trace.resident
    gradients = trace.gradients // devices if shard in ("zero2", "zero3", "fsdp") else trace.gradients
    state = 0 if training.offload_states else trace.optimizer_state
    state = state if shard in ("none", "ddp") else state // devices
    whole = min(FETCHED * units.block + units.outside, trace.resident) if divided_weights else 0
    buckets = trace.gradients if shard == "ddp" else min(units.gradients, trace.gradients - gradients)
    less = trace.resident - weights + trace.optimizer_state - state

    def moment(phase: str, found: Moment) -> Moment:
        share = gradients / trace.gradients if trace.gradients else 1.0
        held = round(found.gradients * share)
        if phase == "optimizer":  # on shares alone; on the host, nothing here
            passing = found.total - trace.resident - trace.optimizer_state - found.gradients
            passing = 0 if training.offload_states else round(passing * _stepped(training))
            return found._replace(total=weights + state + held + passing, gradients=held)
        more = whole + (buckets if phase == "backward" else 0)
        return found._replace(total=found.total - less - found.gradients + held + more, gradients=held)

    moments: Mapping[str, Moments] = {
        name: [moment(name.partition("/")[0], m) for m in found] for name, found in trace.moments.items()
    }
    return replace(trace, resident=weights, gradients=gradients, optimizer_state=state, moments=moments)


def _stepped(training: Training) -> float:
    """Which part of the parameters a device's optimizer steps through."""
    return 1.0 if training.shard in ("none", "ddp") else 1 / training.devices


def formula(training: Training) -> str | None:
    """In words, what was divided; None where nothing was."""
    n = training.devices
    said = {
        "ddp": f"on each of {n} devices everything, and gradients once more in the buckets that are averaged",
        "zero1": f"on each of {n} devices weights and gradients whole, state / {n}",
        "zero2": f"on each of {n} devices weights whole, (gradients + state) / {n}, one block's gradients whole",
        "zero3": f"on each of {n} devices (weights + gradients + state) / {n}, and the weights of {FETCHED} blocks whole",
        "fsdp": f"on each of {n} devices (weights + gradients + state) / {n}, and the weights of {FETCHED} blocks whole",
    }.get(training.shard)
    host = "the optimizer's state in the host's memory" if training.offload_states else None
    return "; ".join(part for part in (said, host) if part) or None
