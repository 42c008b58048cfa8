"""One training step of a model, traced: memory by phase, what is saved for backward, and FLOPs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from surveykit.catalog.training import SURVEYS, Training
from surveykit.engine.models.model import Instance
from surveykit.engine.models.objective import loss_of
from surveykit.engine.models.walk import parameters_of, tensors_of
from surveykit.engine.trace.autocast import autocast_as_on_cuda
from surveykit.engine.trace.checkpointing import checkpointed
from surveykit.engine.trace.counting import COUNTING, Counting
from surveykit.engine.trace.fused import fused_kernels
from surveykit.engine.trace.layer_marks import layer_spans
from surveykit.engine.trace.losses import UnmadeLogits, loss_as
from surveykit.engine.trace.memory import Entered, Memory, Moment, Moments, bytes_of, highest, moment
from surveykit.engine.trace.optimizer_steps import Stepper, stepper
from surveykit.engine.train.objectives import divergence

Phase = Literal["forward", "backward", "optimizer"]
PHASES: tuple[Phase, ...] = ("forward", "backward", "optimizer")
Device = Literal["cuda", "cpu"]
"""Whose kernels a trace follows."""
OptimizerFactory = Callable[[Sequence[nn.Parameter]], Stepper]


@dataclass(frozen=True)
class StepTrace:
    """A training step after the first, when the optimizer's state is live. Bytes."""

    resident: int
    """Parameters and buffers, each once."""
    gradients: int
    """Of parameters, after backward."""
    optimizer_state: int
    """What the optimizer's first step left behind, without scalars such as step counters (they stay on the host)."""
    saved: int
    """Kept for backward by autograd when forward ends, each storage once, without parameters and buffers."""
    saved_tensors: int
    """Number of distinct storages in `saved`."""
    forward_flops: int
    """Of matrix multiplications; elementwise operations count 0."""
    backward_flops: int
    """Of matrix multiplications, those of blocks that are computed again among them."""
    moments: Mapping[str, Moments]
    """Live bytes after each allocation by `phase` or `phase/span`; parameters and inputs count as well."""
    spans: Sequence[Entered] = field(default=(), repr=False, compare=False)
    """In the order in which they were entered; none where bytes are among these that were not traced."""

    def peak(self, phase: Phase | None = None) -> Moment:
        """The moment of a phase, or of the step, with most live bytes; nothing for a phase that did not run."""
        wanted = PHASES if phase is None else (phase,)
        return highest(m for name, found in self.moments.items() if name.partition("/")[0] in wanted for m in found)

    def with_more(self, *, weights: int = 0, state: int = 0, working: int = 0) -> StepTrace:
        """The same with further bytes (or fewer) that are live throughout the step."""
        more = weights + state + working
        moments = {name: [m._replace(total=m.total + more) for m in found] for name, found in self.moments.items()}
        resident, held = self.resident + weights, self.optimizer_state + state
        return replace(self, resident=resident, optimizer_state=held, moments=moments, spans=())


@contextmanager
def dropout_as_on_cuda() -> Iterator[None]:
    """Let dropout keep a mask of one byte per element, as it does on CUDA; elsewhere it keeps scaled noise."""
    original = functional.dropout

    def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
        if inplace or not training or not 0 < p < 1:
            return original(input, p, training, inplace)
        kept: Tensor = torch.native_dropout(input, p, True)[0]
        return kept

    functional.dropout = dropout
    try:
        yield
    finally:
        functional.dropout = original


def trace_step(
    instance: Instance,
    inputs: Mapping[str, Any],
    optimizer_factory: OptimizerFactory | None = None,
    *,
    passes: int = 1,
    consistency: bool = False,
    training: Training = SURVEYS,
    as_on: Device = "cuda",
    counting: Counting = COUNTING,
) -> StepTrace:
    """Trace a training step of a model, on meta or CPU.

    Forward and backward run once and the optimizer twice, which is what two steps come to: the second step's forward
    and backward are the first's with the optimizer's state live beside them.

    Args:
        instance: its model in the mode (train) and with the attention and the precision that are meant (`running`).
        inputs: what the model reads, and labels where it makes a loss of them.
        optimizer_factory: gets the parameters that are trained; if there are none, only forward runs. Without it, the
            optimizer is the setting's.
        passes: forward passes before the one backward; their losses are summed.
        consistency: of two passes, only the first is held to the labels, and how far their scores are apart is added.
            A model that makes no loss of labels has no scores here, and goes without.
        training: whether blocks are checkpointed, how kernels and loss run, whether the output is kept, and whether
            gradients are there already.
        as_on: whose kernels are followed, where the two differ.
        counting: what is counted with.
    """
    model, memory = instance.model, Memory(instance.blueprint.vocabulary, counting)
    make = optimizer_factory or partial(stepper, training, None)
    parameters = parameters_of(model)
    resident = memory.hold(tensors_of(model))
    memory.hold(tensor for tensor in inputs.values() if isinstance(tensor, Tensor))
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    try:
        with (
            _gradients_marked(memory, trained, there=training.accumulation > 1),
            memory,
            dropout_as_on_cuda() if as_on == "cuda" else nullcontext(),
            checkpointed(instance, memory, training),
            fused_kernels(instance, training),
            loss_as(instance, training),
            layer_spans(instance, memory) as tell_pass,
        ):
            autocast = autocast_as_on_cuda() if training.autocast else nullcontext()
            with memory.phase("forward"), memory.watch_saved(), autocast:
                loss, held = summed_loss(instance, inputs, passes, tell_pass, consistency, training)
            saved_tensors, saved = memory.saved
            memory.keep()
            backward = bool(trained) and loss.requires_grad
            if backward:
                with memory.phase("backward"):
                    loss.backward()  # type: ignore[no-untyped-call]
            del loss, held
            gradients = bytes_of((p.grad for p in trained if p.grad is not None), counting)
            state = _optimize(memory, make(trained)) if backward else 0
    finally:
        for parameter in trained:
            parameter.grad = None
    return StepTrace(
        resident=resident,
        gradients=gradients,
        optimizer_state=state,
        saved=saved,
        saved_tensors=saved_tensors,
        forward_flops=memory.flops.get("forward", 0),
        backward_flops=memory.flops.get("backward", 0),
        moments=_with_state(memory.moments, state),
        spans=memory.spans,
    )


@contextmanager
def _gradients_marked(memory: Memory, trained: Sequence[nn.Parameter], *, there: bool) -> Iterator[None]:
    """Tell the memory which tensors are gradients of parameters, as they come.

    Args:
        there: whether gradients of an earlier batch are there when the step begins.
    """
    for parameter in trained:
        parameter.grad = torch.zeros_like(parameter) if there else None
        if parameter.grad is not None:
            memory.mark_gradient(parameter.grad)

    def mark(parameter: Tensor) -> None:
        if parameter.grad is not None:
            memory.mark_gradient(parameter.grad)

    handles = [parameter.register_post_accumulate_grad_hook(mark) for parameter in trained]  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def summed_loss(
    instance: Instance,
    inputs: Mapping[str, Any],
    passes: int,
    tell_pass: Callable[[int], None],
    consistency: bool,
    training: Training,
) -> tuple[Tensor, list[Any]]:
    """What is differentiated, and what is held until that is done."""
    losses, scores, held = [], [], []
    for number in range(passes):
        tell_pass(number)
        if consistency and "labels" in inputs:
            loss, given = instance.answer(inputs)
            scores.append(given)
            losses += [] if number else [loss]
        else:
            loss, output = kept_output(instance, inputs, training)
            losses.append(loss)
            held.append(output)
    if scores:
        losses.append(divergence(*scores))
    total: Tensor = losses[0]
    for loss in losses[1:]:
        total = total + loss
    return total, held


def kept_output(instance: Instance, inputs: Mapping[str, Any], training: Training) -> tuple[Tensor, list[Any]]:
    """The loss of a forward pass, and what else of its output the setting keeps: keys and values for generation (none where
    blocks are checkpointed: transformers makes none then) and logits."""
    cache = training.keep_cache and training.checkpointing == "none"
    output = instance.run(inputs, cache=cache)
    kept = output.values() if training.keep_cache else ()
    return loss_of(output), [value for value in kept if not isinstance(value, UnmadeLogits)]


def _optimize(memory: Memory, optimizer: Stepper) -> int:
    """Step twice; the first makes the state, which is returned, and only the second counts towards the peak."""
    before = memory.current
    optimizer.step()
    state = memory.current - before
    with memory.phase("optimizer"):
        optimizer.step()
    return state


def _with_state(moments: Mapping[str, Moments], state: int) -> dict[str, Moments]:
    """The moments of the second step. Those of its optimizer were traced with the state live already."""
    return {
        name: found if name == "optimizer" else [moment(m[0] + state, *m[1:]) for m in found]
        for name, found in moments.items()
    }
