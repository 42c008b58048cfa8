"""A step of training as it is timed, and what the allocator holds in it."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile, record_function

from surveykit.catalog.training import Training
from surveykit.engine.edits.attach import Attached
from surveykit.engine.models.model import Instance
from surveykit.engine.trace.on_device import silent
from surveykit.engine.train.loop import Phase, Watching
from surveykit.engine.train.objectives import IGNORED, Batch, Objective
from surveykit.engine.train.optimizers import optimizer_for
from surveykit.errors import RecipeError

PASSES, PASSES_ON_CPU = 30, 5
"""Forward passes that are timed after training: on an accelerator a pass is short, and its time varies."""
PHASES: tuple[Phase, ...] = ("forward", "backward", "optimizer")


class Stopwatch(Watching):
    """Times steps, ends what takes too long or has no number for its loss, and watches memory in each stage's last step.

    That step is not among those whose speed is measured: on the CPU torch's profiler follows it.
    """

    dropout = True

    def __init__(self, device: torch.device, training: Training, warm_up: int, minutes: float) -> None:
        self.device, self.warm_up = device, warm_up
        self.accumulation = training.accumulation
        self.dtype = getattr(torch, training.adapters)
        self.optimizer = _optimizer(training)
        self.ends = time.monotonic() + 60 * minutes
        self.minutes = minutes
        self.seconds: list[float] = []
        self.tokens: list[int] = []
        self.most: dict[str, int] = {}
        """Bytes by phase: the most of all stages."""
        self.reserved: int | None = None
        self.steps_done = 0
        self._memory_is_watched = False

    @contextmanager
    def step(
        self, number: int, steps: int, batches: Sequence[Batch], live: Callable[[], Iterator[Tensor]]
    ) -> Iterator[None]:
        if time.monotonic() > self.ends:
            raise RecipeError(f"it took longer than {self.minutes:g} minutes: {self.steps_done} steps were done")
        if number == steps - 1:
            with self._memory([*live(), *(tensor for batch in batches for tensor in batch.values())]):
                yield
            return
        self._wait()
        began = time.perf_counter()
        yield
        self._wait()
        self.steps_done += 1
        if number >= self.warm_up:
            self.seconds.append(time.perf_counter() - began)
            self.tokens.append(sum(map(_tokens, batches)))

    @contextmanager
    def phase(self, name: Phase) -> Iterator[None]:
        if not self._memory_is_watched:
            yield
        elif self.device.type == "cpu":
            with record_function(name):
                yield
        else:
            memory = torch.get_device_module(self.device)
            memory.reset_peak_memory_stats(self.device)
            yield
            self._at_least(name, memory.max_memory_allocated(self.device))

    def loss(self, loss: Tensor) -> None:
        if not math.isfinite(float(loss.detach())):
            raise RecipeError(f"the loss is not a number in step {self.steps_done + 1}")

    def inference(self, instance: Instance, batch: Batch, objective: Objective) -> list[float]:
        """Seconds of forward passes over a batch, after one that warms up."""
        found = []
        with torch.no_grad():
            for number in range(1 + (PASSES_ON_CPU if self.device.type == "cpu" else PASSES)):
                self._wait()
                began = time.perf_counter()
                objective.answer(instance.model, batch)
                self._wait()
                if number:
                    found.append(time.perf_counter() - began)
        return found

    def _at_least(self, phase: str, number: int) -> None:
        self.most[phase] = max(self.most.get(phase, 0), number)

    def _wait(self) -> None:
        if self.device.type != "cpu":
            torch.get_device_module(self.device).synchronize(self.device)

    @contextmanager
    def _memory(self, live: Sequence[Tensor]) -> Iterator[None]:
        self._memory_is_watched = True
        gc.collect()
        with ExitStack() as ends:
            ends.callback(setattr, self, "_memory_is_watched", False)
            if self.device.type == "cpu":
                storages = {s.data_ptr(): s.nbytes() for s in (tensor.untyped_storage() for tensor in live)}
                held = sum(storages.values())
                self._at_least("loaded", held)
                with silent(), profile(activities=[ProfilerActivity.CPU], profile_memory=True) as watched:
                    yield
                    gc.collect()
                self._from_profile(watched, held)
                return
            memory = torch.get_device_module(self.device)
            self._at_least("loaded", memory.memory_allocated(self.device))
            yield
            reserved = memory.max_memory_reserved(self.device)
            self.reserved = max(self.reserved or 0, reserved)

    def _from_profile(self, watched: profile, held: int) -> None:
        assert watched.profiler is not None
        assert watched.profiler.kineto_results is not None
        phase: str | None = None
        for event in sorted(watched.profiler.kineto_results.events(), key=lambda event: event.start_ns()):
            if event.name() in PHASES:
                phase = event.name()
            elif event.name() == "[memory]":
                held += event.nbytes()  # type: ignore[attr-defined]
                if phase is not None:
                    self._at_least(phase, held)


def _tokens(batch: Batch) -> int:
    """Tokens that a step reads, and those of a target, without padding."""
    mask, labels = batch.get("attention_mask"), batch.get("labels")
    read = int(mask.sum()) if mask is not None else int(next(iter(batch.values())).numel())
    target = 0 if labels is None or labels.dim() < 2 or labels.shape == batch["input_ids"].shape else labels
    return read + (int((target != IGNORED).sum()) if isinstance(target, Tensor) else 0)


def _optimizer(training: Training) -> Callable[[Attached, Sequence[nn.Parameter], float], torch.optim.Optimizer]:
    """The optimizer of a setting; GaLore and its kin have their own."""
    name = training.optimizer

    def make(attached: Attached, held: Sequence[nn.Parameter], rate: float) -> torch.optim.Optimizer:
        if name == "adamw-loop" or attached.stage.optimizer is not None:
            return optimizer_for(attached, held, rate)
        return torch.optim.AdamW(
            held, lr=rate, weight_decay=0.0, foreach=name == "adamw-foreach", fused=name == "adamw-fused"
        )

    return make


def refuse_what_the_bench_lacks(training: Training) -> None:
    """Refuse settings in which the bench does not train.

    Raises:
        RecipeError: with what to say instead.
    """
    for wanted, name, instead in (
        (training.optimizer not in ("adamw-loop", "adamw-foreach", "adamw-fused"), "optimizer", "adamw-loop"),
        (training.loss != "plain", "loss", "plain"),
        (training.kernels != "plain", "kernels", "plain"),
        (training.master_weights, "master_weights", "false"),
        (training.keep_cache, "keep_cache", "false"),
        (training.adapter_dropout, "adapter_dropout", "false"),
        (training.adapter_copy, "adapter_copy", "false"),
    ):
        if wanted:
            raise RecipeError(f"{name} is {getattr(training, name)}, with which the bench cannot train: use {instead}")
