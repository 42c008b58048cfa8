"""How long it takes to trace a training step, beside torch's own trackers on the same meta model.

Every figure is a ratio of wall times taken in this one run, interleaved, each the median of several repetitions. All
attach the configuration to T5. Ours gives memory by parts with the optimizer's state live, FLOPs and how far backward
reaches; the peers run one step at full depth: `FlopCounterMode` for FLOPs alone, `MemTracker` for memory, which takes
only models of which nothing is frozen.

    python benchmarks/trace_step.py [--repeat 3]
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from torch.distributed._tools.mem_tracker import MemTracker
from torch.optim import AdamW
from torch.utils.flop_counter import FlopCounterMode

from surveykit.catalog.load import load
from surveykit.engine.edits.attach import Attached
from surveykit.engine.models.catalogued import blueprint, build
from surveykit.engine.trace.costs import TARGET_LENGTH, Costs
from surveykit.recipes import Stage

ROOT = Path(__file__).parent.parent
CATALOG = load(ROOT / "catalog")
SIZES = ("t5-small", "t5-large", "t5-11b")
CONFIGURATIONS = ("full-tuning/all", "lora/qv-r8", "adapters/rf16", "ladder-side-tuning/r8-all")
BATCH, LENGTH = 8, 256


def timed(action: Callable[[], object]) -> float:
    started = perf_counter()
    action()
    return perf_counter() - started


def peer(size: str, stage: Stage, tracker: Callable[[Any, Any], AbstractContextManager[Any]]) -> None:
    """One training step under one of torch's trackers."""
    instance = build(CATALOG.models[size])
    model = instance.model.to(torch.bfloat16)
    model.set_attn_implementation("eager")
    model.train()
    inputs = torch.zeros((BATCH, LENGTH), dtype=torch.int64, device="meta")
    labels = torch.zeros((BATCH, TARGET_LENGTH), dtype=torch.int64, device="meta")
    with Attached(instance, stage):
        optimizer = AdamW([p for p in model.parameters() if p.requires_grad], lr=0.0, foreach=False)
        with tracker(model, optimizer):
            model(input_ids=inputs, labels=labels, use_cache=False).loss.backward()
            optimizer.step()


def flops(model: Any, optimizer: Any) -> AbstractContextManager[Any]:
    return FlopCounterMode(display=False)


def memory(model: Any, optimizer: Any) -> AbstractContextManager[Any]:
    tracker = MemTracker()
    tracker.track_external(model, optimizer)
    return tracker


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--repeat", type=int, default=3)
    repeat = arguments.parse_args().repeat
    print("| configuration | backbone | ours | FlopCounterMode / ours | MemTracker / ours |\n|---|---|---|---|---|")
    for size in SIZES:
        costs = Costs(blueprint(CATALOG.models[size]))
        for name in CONFIGURATIONS:
            stage = CATALOG.recipe(name).stages[-1]
            actions: list[Callable[[], object]] = [
                lambda: costs.training(stage, BATCH, LENGTH),  # noqa: B023 (called within this turn of the loop)
                lambda: peer(size, stage, flops),  # noqa: B023
            ]
            if (name, size) == ("full-tuning/all", "t5-small"):  # two minutes on T5-Large
                actions.append(lambda: peer(size, stage, memory))  # noqa: B023
            runs = [[timed(action) for action in actions] for _ in range(repeat)]
            own, *others = (statistics.median(times) for times in zip(*runs, strict=True))
            ratios = [f"{other / own:.1f}" for other in others] + ["–"] * (3 - len(actions))
            print(f"| {name} | {size} | {own:.2f} s | {' | '.join(ratios)} |", flush=True)


if __name__ == "__main__":
    main()
