"""How long `surveykit count` takes on a model, beside importing what it cannot do without.

Whole processes, interleaved, each the median of several: the command on a Llama of a billion parameters, and a Python that
imports torch and from transformers AutoConfig and that model's class, and does nothing. The figure is their ratio.

    python benchmarks/count_model.py [--repeat 7]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

CONFIG = {
    "model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 2048, "intermediate_size": 8192,
    "num_hidden_layers": 16, "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 64, "vocab_size": 128256,
    "max_position_embeddings": 131072, "tie_word_embeddings": True,
}  # fmt: skip
IMPORTS = "import torch; from transformers import AutoConfig, LlamaForCausalLM"


def seconds(command: list[str]) -> float:
    started = perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return perf_counter() - started


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--repeat", type=int, default=7)
    repeat = arguments.parse_args().repeat
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.json"
        path.write_text(json.dumps(CONFIG), encoding="utf-8")
        counting = [sys.executable, "-m", "surveykit", "count", "lora", "--model", str(path)]
        importing = [sys.executable, "-c", IMPORTS]
        seconds(counting), seconds(importing)  # the first of each reads from the disk
        times = [(seconds(counting), seconds(importing)) for _ in range(repeat)]
    counted, imported = (statistics.median(column) for column in zip(*times, strict=True))
    print(f"surveykit count lora: {counted:.2f} s, its imports alone: {imported:.2f} s, ratio {counted / imported:.2f}")


if __name__ == "__main__":
    main()
