"""Plans for tests: tiny models that are trained in a blink, with and without texts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml
from small_text_model import save_tokenizer

TINY_T5: dict[str, Any] = {
    "model_type": "t5", "d_model": 16, "d_ff": 24, "d_kv": 4, "num_heads": 2, "num_layers": 1, "num_decoder_layers": 1,
    "vocab_size": 450, "decoder_start_token_id": 0, "pad_token_id": 0, "eos_token_id": 2, "is_encoder_decoder": True,
    "relative_attention_num_buckets": 32,
}  # fmt: skip


def plan(folder: Path, name: str = "tiny", **changed: Any) -> Path:
    """Write a plan without texts: one model, two methods, and what is changed."""
    content: dict[str, Any] = {
        "id": name,
        "says": "Two methods on a tiny T5, for tests.",
        "models": [{"id": "t5-tiny", "counts": "T5ForConditionalGeneration", "config": TINY_T5}],
        "configurations": ["lora", "ln-tuning"],
        "training": {"dtype": "float32"},
        "batch": 2, "length": 6, "target_length": 3, "steps": 3, "warm_up": 1, "rates": [0.001],
        **changed,
    }  # fmt: skip
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return path


def texts(folder: Path, rows: int = 60) -> Path:
    """A folder with texts whose label is one of their words, and a tokenizer; as `--data` names it."""
    folder.mkdir(parents=True, exist_ok=True)
    save_tokenizer(folder / "tokenizer")
    lines = [
        json.dumps({"sentence": f"{'praise' if n % 2 else 'complaint'} {n % 7}", "label": n % 2 == 1, "film": n // 4})
        for n in range(rows)
    ]
    (folder / "texts.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def with_texts(folder: Path, **changed: Any) -> Path:
    """Write a plan with a task of those texts."""
    task = {
        "id": "praised", "data": {"path": "texts.jsonl"}, "text": "review: {sentence}", "target": "label",
        "labels": {"true": "praise", "false": "complaint"}, "group": "film", "train": 32, "develop": 8, "scored": 16,
        **changed.pop("task", {}),
    }  # fmt: skip
    models = [{
        "id": "t5-tiny", "counts": "T5ForConditionalGeneration", "config": TINY_T5, "tokenizer": {"path": "tokenizer"},
    }]  # fmt: skip
    return plan(folder, "worded", **{"tasks": [task], "models": models, "seeds": [0, 1], **changed})
