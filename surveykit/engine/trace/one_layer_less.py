"""What a model with one layer less takes, read from the trace of the deeper one, whose inner layer says what it adds.

When an inner layer is entered and when it is left, the step is at the same point of a layer, one layer further: what more is
live then is what a layer adds to all moments that follow, and the FLOPs in between are its own.
"""

from __future__ import annotations

from itertools import pairwise

from surveykit.engine.trace.layer_marks import INNER
from surveykit.engine.trace.memory import NOTHING, Entered, Moment, Moments, moment
from surveykit.engine.trace.step import StepTrace

Segments = list[tuple[int, Moment]]
"""Of the moments of one name: the number of the first of some, and what to subtract from each of them."""


def one_layer_less(deep: StepTrace, resident: int) -> StepTrace | None:
    """The trace of a model whose stacks have no inner layer (`layer_marks`), from that of one whose stacks have one each; it
    has no inner moments, and as many others. None where the deep trace does not tell: where more is among its bytes than was
    traced, or the optimizer is none that holds two moments of each gradient.

    It is right only where a recipe does the same in each layer and nothing elsewhere that depends on their number; who calls this
    has to check that.

    Args:
        resident: bytes of parameters and buffers of the shallower model.
    """
    if not deep.spans or deep.optimizer_state != 2 * deep.gradients:
        return None
    before = deep.resident - resident
    less = NOTHING._replace(total=before)
    found: dict[str, Segments] = {}
    flops = {"forward": deep.forward_flops, "backward": deep.backward_flops}
    saved_tensors, saved = deep.saved_tensors, deep.saved
    for here, after in pairwise([*deep.spans, None]):
        assert here is not None
        phase, _, span = here.names[0].partition("/")
        if not span and phase == "backward":  # what is live now is kept, as `Memory.keep` says
            less = less._replace(activations=less.total - before - less.gradients - less.logits)
        elif not span and phase == "optimizer":  # where nothing is kept any more
            less = moment(before + less.gradients, less.gradients, 0, 0)
        for name in here.names:
            found.setdefault(name, []).append((here.at, less))
        if span.endswith(INNER):
            if after is None or not after.names[0].startswith(f"{phase}/"):
                return None
            less = _changed(less, here, after)
            flops[phase] -= after.flops - here.flops
            if phase == "forward":
                saved_tensors -= after.saved[0] - here.saved[0]
                saved -= after.saved[1] - here.saved[1]
    state = 2 * less.gradients
    return StepTrace(
        resident=resident,
        gradients=deep.gradients - less.gradients,
        optimizer_state=deep.optimizer_state - state,
        saved=saved,
        saved_tensors=saved_tensors,
        forward_flops=flops["forward"],
        backward_flops=flops["backward"],
        moments={
            name: _without(deep.moments[name], segments, state)
            for name, segments in found.items() if not name.endswith(INNER)
        },
    )  # fmt: skip


def _changed(less: Moment, here: Entered, after: Entered) -> Moment:
    return moment(*(known + then - now for known, then, now in zip(less, after.moment, here.moment, strict=True)))


def _without(moments: Moments, segments: Segments, state: int) -> Moments:
    """Moments less what inner layers add, with their part of the optimizer's state."""
    found: Moments = []
    for (start, less), (end, _) in pairwise([*segments, (len(moments), NOTHING)]):
        total, gradients, logits, activations = less
        found += [
            moment(m[0] - total - state, m[1] - gradients, m[2] - logits, m[3] - activations)
            for m in moments[start:end]
        ]
    return found
