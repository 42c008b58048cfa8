"""How far predicted memory is from what an accelerator's allocator holds, in many settings, on models with random weights.

What is found is written to benchmarks/device_settings.json, which the page "How far off is this?" reads. It takes three
minutes on a GPU with 32 GB; settings whose package is not installed (bitsandbytes, flash_attn) are left out, and said.

    python benchmarks/device_settings.py

The file that is there comes from two shorter runs on one H200: of Llama-3.2-1B, T5-Large and a part of Qwen3-0.6B. It lacks full
tuning with paged optimizers, which was run before its moments were counted.
"""

from __future__ import annotations

import datetime
import sys
from collections.abc import Iterator
from pathlib import Path

import torch
import transformers

import surveykit
from surveykit.errors import SurveyError
from surveykit.site.data.device_settings import DeviceSettings, SettingRun

ROOT = Path(__file__).parent.parent
WRITTEN = Path(__file__).with_suffix(".json")
CONFIGURATIONS = ("lora/all-linear-r8", "full-tuning/all")
USUAL: dict[str, object] = {
    "dtype": "bfloat16", "adapter_dtype": "float32", "attention": "sdpa", "optimizer": "adamw-fused",
}  # fmt: skip
AUTOCAST: dict[str, object] = {"dtype": "float32", "adapter_dtype": "float32", "autocast": True}
TRL = {**AUTOCAST, "checkpointing": "full", "loss": "chunked"}
SETTINGS: dict[str, dict[str, object]] = {
    "usual": {}, "eager attention": {"attention": "eager"}, "padded": {"padding": True},
    "checkpointing": {"checkpointing": "full"},
    "every second block checkpointed": {"checkpointing": "full", "checkpoint_every": 2},
    "AdamW foreach": {"optimizer": "adamw-foreach"}, "AdamW loop": {"optimizer": "adamw-loop"},
    "8-bit AdamW": {"optimizer": "adamw-8bit"}, "paged AdamW": {"optimizer": "paged-adamw"},
    "paged 8-bit AdamW": {"optimizer": "paged-adamw-8bit"}, "SGD": {"optimizer": "sgd"},
    "Adafactor": {"optimizer": "adafactor"}, "GaLore": {"optimizer": "galore"}, "Lion": {"optimizer": "lion"},
    "chunked loss": {"loss": "chunked"}, "cache kept": {"keep_cache": True}, "4 batches a step": {"accumulation": 4},
    "float32": {"dtype": "float32", "adapter_dtype": "float32"},
    "adapters in bfloat16": {"adapter_dtype": "bfloat16"}, "dropout in adapters": {"adapter_dropout": True},
    "master weights": {"master_weights": True}, "autocast": AUTOCAST, "as in TRL": TRL,
}  # fmt: skip
CASES: tuple[tuple[str, int, int, tuple[str, ...]], ...] = (
    ("llama-3.2-1b", 4, 512, tuple(SETTINGS)),
    ("t5-large", 8, 256, ("usual", "eager attention", "padded", "checkpointing", "float32", "AdamW foreach", "chunked loss",
                          "autocast")),
    ("qwen3-0.6b", 2, 1024, ("autocast", "as in TRL", "checkpointing", "chunked loss")),
    ("gemma-2b", 2, 512, ("checkpointing", "as in TRL")),
    ("gpt2-large", 4, 512, ("usual", "eager attention")),
    ("roberta-large", 16, 128, ("usual", "padded")),
)  # fmt: skip
"""Models, texts of a step, positions of each, and settings."""


def runs(device: str) -> Iterator[SettingRun]:
    for model, batch, length, settings in CASES:
        for name in settings:
            for configuration in CONFIGURATIONS:
                what = f"{configuration} on {model}, {name}"
                try:
                    (run,) = surveykit.measure(
                        [configuration], model=model, device=device, batch=batch, length=length,
                        catalog=ROOT / "catalog", **{**USUAL, **SETTINGS[name]},
                    )  # fmt: skip
                except SurveyError as error:
                    print(f"{what}: {error}")
                    continue
                if run.predicted_bytes is None or run.allocated_bytes is None:
                    print(f"{what}: {run.reason}")
                    continue
                found = SettingRun(
                    model=model, configuration=configuration, setting=name, batch=batch, length=length,
                    predicted=run.predicted_bytes, allocated=run.allocated_bytes,
                )  # fmt: skip
                print(f"{what}: {found.error_percent:+.2f} %")
                yield found


def main() -> None:
    if not torch.cuda.is_available():
        sys.exit(
            "this needs a GPU that torch sees: on a CPU, surveykit measure --device cpu does the same for one setting"
        )
    written = DeviceSettings(
        date=datetime.date.today(), device=torch.cuda.get_device_name(), torch=torch.__version__.partition("+")[0],
        transformers=transformers.__version__,
        usual="bfloat16, adapters in float32, fused attention (SDPA) and fused AdamW", runs=tuple(runs("cuda")),
    )  # fmt: skip
    WRITTEN.write_text(written.model_dump_json(indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
