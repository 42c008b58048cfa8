"""How long counting takes, beside doing the same through PEFT and adapters as their documentation shows.

Every figure is a ratio of wall times taken in this one run, interleaved, each the median of several repetitions.
Imports are left out; what is timed is building T5 on the meta device, applying the configuration, and counting.

    python benchmarks/count_parameters.py [--adapters-python PATH] [--repeat 3]

`--adapters-python` is a Python with adapters and its own transformers (tests/oracles/adapters-constraints.txt); without
it that peer is left out. On T5-11B the library builds its own modules on the CPU unless told otherwise, which needs
some 40 s for LoRA; its time is taken once.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

ROOT = Path(__file__).parent.parent
SIZES = ("t5-large", "t5-11b")

ADAPTERS = """
import json, logging, sys, time
logging.disable(logging.WARNING)
import torch, adapters
from transformers import T5Config, T5ForConditionalGeneration
sizes = json.loads(sys.argv[1])
for size, shape in sizes.items():
    for name in ("lora", "double_seq_bn", "compacter"):
        started = time.perf_counter()
        with torch.device("meta"):
            model = T5ForConditionalGeneration(T5Config(**shape))
        adapters.init(model)
        model.add_adapter("task", config=name)
        model.train_adapter("task")
        count = sum(p.numel() for p in model.parameters() if p.requires_grad)
        print(json.dumps([size, name, time.perf_counter() - started, count]), flush=True)
"""
PEERS = {"lora": "lora/qv-r8", "double_seq_bn": "adapters/rf16", "compacter": "compacter/n4-rf32"}


def median(action: Callable[[], int], repeat: int) -> tuple[float, int]:
    times, count = [], 0
    for _ in range(repeat):
        started = perf_counter()
        count = action()
        times.append(perf_counter() - started)
    return statistics.median(times), count


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--adapters-python", metavar="PATH")
    arguments.add_argument("--repeat", type=int, default=3)
    chosen = arguments.parse_args()

    import peft
    from peft import TaskType, get_peft_model

    from surveykit.catalog.load import load
    from surveykit.engine import build, count

    catalog = load(ROOT / "catalog")
    print("| configuration | backbone | ours | peer | peer / ours | counts agree |\n|---|---|---|---|---|---|")

    def ours(name: str, size: str) -> Callable[[], int]:
        return lambda: count(catalog.recipe(name), build(catalog.models[size])).trainable

    def row(name: str, size: str, peer: str, own: tuple[float, int], other: tuple[float, int]) -> None:
        agree = "yes" if own[1] == other[1] else "no"
        ratio = other[0] / own[0]
        print(f"| {name} | {size} | {own[0]:.3f} s | {peer} {other[0]:.2f} s | {ratio:.1f} | {agree} |", flush=True)

    ours("lora/qv-r8", "t5-small")()  # first calls pay for lazy imports
    for size in SIZES:
        for name, _, configuration in catalog.configurations():
            oracle = next((o for o in configuration.oracles if o.library == "peft" and o.trainable is None), None)
            if oracle is None:
                continue
            config = getattr(peft, oracle.config)

            def theirs() -> int:
                model = build(catalog.models[size]).model  # noqa: B023 (called within this turn of the loop)
                wrapped = get_peft_model(model, config(task_type=TaskType.SEQ_2_SEQ_LM, **oracle.arguments))  # noqa: B023
                return sum(p.numel() for p in wrapped.parameters() if p.requires_grad)

            row(name, size, "PEFT", median(ours(name, size), chosen.repeat), median(theirs, 1))
    if chosen.adapters_python:
        shapes = {
            size: {
                "d_model": b.d_model, "d_ff": b.d_ff, "d_kv": b.d_kv, "num_heads": b.heads,
                "num_layers": b.encoder_layers, "num_decoder_layers": b.decoder_layers, "vocab_size": b.vocabulary,
            }
            for size in SIZES
            for b in [catalog.models[size].dimensions]
        }  # fmt: skip
        command = [chosen.adapters_python, "-c", ADAPTERS, json.dumps(shapes)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for line in process.stdout:
                size, alias, seconds, found = json.loads(line)
                name = PEERS[alias]
                row(name, size, "adapters", median(ours(name, size), chosen.repeat), (seconds, found))
        if process.returncode:
            sys.exit(process.returncode)


if __name__ == "__main__":
    main()
