"""The `adapters` library as an oracle for counts, in an environment of its own.

It pins an older transformers than the engine uses, so `.ci/run` installs it in a second virtual environment
(constraints in adapters-constraints.txt) and runs this file there. Each configuration of the catalog that names an
`adapters` counterpart is instantiated by the library on T5-Large, T5-3B and T5-11B without weights, and its count is
compared with the one recorded in catalog/measured (or with the library's own formula where the entry states one).

Usage: python adapters_counts.py CATALOG
Exit code: 0 when all agree, 1 otherwise.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any

import adapters
import torch
from transformers import T5Config, T5ForConditionalGeneration

from surveykit import formula
from surveykit.catalog.load import Catalog, load
from surveykit.catalog.models import Model
from surveykit.catalog.records import Oracle

SIZES = ("t5-large", "t5-3b", "t5-11b")


def model(record: Model) -> Any:
    config = T5Config(
        d_model=record.dimensions.d_model,
        d_ff=record.dimensions.d_ff,
        d_kv=record.dimensions.d_kv,
        num_heads=record.dimensions.heads,
        num_layers=record.dimensions.encoder_layers,
        num_decoder_layers=record.dimensions.decoder_layers,
        vocab_size=record.dimensions.vocabulary,
        decoder_start_token_id=0,
    )
    built = T5ForConditionalGeneration(config)
    built.tie_weights()
    return built


def library_count(record: Model, oracle: Oracle) -> int:
    """Trainable parameters as `adapters` makes them, each once. On the meta device: its init is slow elsewhere."""
    config = getattr(adapters, oracle.config)(**oracle.arguments)
    with torch.device("meta"):
        wrapped = model(record)
        adapters.init(wrapped)
        wrapped.add_adapter("task", config=config)
        wrapped.train_adapter("task")
    return sum(parameter.numel() for parameter in wrapped.parameters() if parameter.requires_grad)


def prompt_tuning_is_refused(record: Model) -> bool:
    """The library has prompt tuning, but not for T5: the reason why the catalog names no counterpart for it."""
    with torch.device("meta"):
        wrapped = model(record)
        adapters.init(wrapped)
        try:
            wrapped.add_adapter("task", config=adapters.PromptTuningConfig(prompt_length=10))
        except ValueError:
            return True
    return False


def expected_count(catalog: Catalog, name: str, oracle: Oracle, size: str) -> int | None:
    if oracle.trainable is None:
        recorded = {(m.configuration, m.backbone): m.trainable for m in catalog.measurements}
        return recorded.get((name, size))
    written = next(c.formula for n, _, c in catalog.configurations() if n == name)
    return formula.evaluate(oracle.trainable, formula.bind(written.let, catalog.models[size].symbols()))


def main(root: str) -> int:
    logging.disable(logging.WARNING)
    catalog = load(Path(root).resolve())
    passed = failed = 0
    for name, _, configuration in catalog.configurations():
        for oracle in configuration.oracles:
            if oracle.library != "adapters":
                continue
            for size in SIZES:
                theirs = library_count(catalog.models[size], oracle)
                ours = expected_count(catalog, name, oracle, size)
                agree = theirs == ours
                passed, failed = passed + agree, failed + (not agree)
                sign = "=" if agree else "≠"
                shown = "nothing" if ours is None else f"{ours:,}"
                print(f"{name:34} {size:9} adapters {theirs:>13,} {sign} {shown:>13} catalog", flush=True)
    refused = prompt_tuning_is_refused(catalog.models["t5-large"])
    passed, failed = passed + refused, failed + (not refused)
    print(f"prompt tuning on T5: {'refused by adapters, as the catalog says' if refused else 'now supported: add it'}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: adapters_counts.py CATALOG")
    sys.exit(main(sys.argv[1]))
