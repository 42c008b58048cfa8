"""The `adapters` library as an oracle for outputs: with the same values it gives the same logits as our recipes.

Runs beside adapters_counts.py, in the same environment and on the transformers that the library pins. Each
configuration of the catalog that names a counterpart with a reader below is put on a small T5 of random weights by the
library; its values are moved at random, copied into our recipe on the same T5, and the logits are compared. On T5 the
library's parallel and single adapters read and write the residual stream around a sublayer, where our recipes follow the
papers and stay inside of its norm: for these, our edit is put on the stream, and equality then says that this is all
that differs. Left out are counterparts that share tensors between layers (Compacter's rule, prefixes that one network makes, UniPELT's parts
of both): only their counts are compared.

Usage: python adapters_outputs.py CATALOG
Exit code: 0 when all agree, 1 otherwise.
"""

from __future__ import annotations

import copy
import logging
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import adapters
import torch
import transformers
from torch import Tensor, nn

from surveykit.catalog.load import Catalog, load
from surveykit.catalog.records import Oracle

# The older transformers spells the class another way; the engine is written for the newer.
transformers.PreTrainedConfig = transformers.PretrainedConfig

from surveykit.engine import Attached, Instance, build
from surveykit.engine.models.tiny import tiny_batch, tiny_model

TOLERANCE = 1e-4
"""Largest difference of logits, relative to the largest of them (32-bit floats)."""
MOVED = 0.1


def bottleneck(model: nn.Module, name: str) -> Mapping[str, Tensor]:
    """Values of the adapter beside a sublayer's module of this name."""
    found = model.get_submodule(f"{name.rpartition('.')[0]}.adapters.task")
    values = {
        "down": found.adapter_down[0].weight,
        "down_bias": found.adapter_down[0].bias,
        "up": found.adapter_up.weight,
        "up_bias": found.adapter_up.bias,
    }
    if isinstance(found.scaling, nn.Parameter):
        values["factor"] = found.scaling
    return values


def low_rank(model: nn.Module, name: str) -> Mapping[str, Tensor]:
    found = model.get_submodule(f"{name}.loras.task")
    return {"down": found.lora_A, "up": found.lora_B}


Reader = Callable[[nn.Module, str], Mapping[str, Tensor]]
READERS: dict[str, Reader] = {
    "DoubleSeqBnConfig": bottleneck,
    "SeqBnConfig": bottleneck,
    "ParBnConfig": bottleneck,
    "LoRAConfig": low_rank,
}
ON_THE_STREAM = frozenset({"SeqBnConfig", "ParBnConfig"})
"""Counterparts that sit outside of the norm and the residual sum of a sublayer."""


def logits(model: nn.Module) -> Tensor:
    with torch.no_grad():
        out: Tensor = model(**tiny_batch(), use_cache=False).logits
    return out


def logits_on_the_stream(instance: Instance, attached: Attached, names: Mapping[int, str]) -> Tensor:
    """Logits with our edits, taken off again, around whole sublayers: they read what the residual sum reads or gives."""
    handles = []
    for placed in attached.placed:

        def around(module: nn.Module, inputs: Any, output: Any, placed: Any = placed) -> Any:
            stream = output[0] if isinstance(output, tuple) else output
            edited = placed.edit.after(placed.part, inputs[0], stream)
            return (edited, *output[1:]) if isinstance(output, tuple) else edited

        sublayer = instance.model.get_submodule(names[id(placed.slot.module)].rpartition(".")[0])
        handles.append(sublayer.register_forward_hook(around))
    found = logits(instance.model)
    for handle in handles:
        handle.remove()
    return found


def difference(catalog: Catalog, name: str, oracle: Oracle, read: Reader) -> tuple[float, float]:
    """Largest relative difference of the library's logits from ours, and from those of the bare model."""
    instance: Instance = build(tiny_model(d_model=128, d_kv=72, d_ff=320), device="cpu", seed=7)
    names = {id(module): path for path, module in instance.model.named_modules()}
    bare = logits(instance.model)
    theirs = copy.deepcopy(instance.model)
    adapters.init(theirs)
    theirs.add_adapter("task", config=getattr(adapters, oracle.config)(**oracle.arguments))
    theirs.train_adapter("task")
    theirs.eval()
    generator = torch.Generator().manual_seed(11)
    with torch.no_grad():
        for parameter in theirs.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn(parameter.shape, generator=generator) * MOVED)
    wanted = logits(theirs)
    with Attached(instance, catalog.recipe(name).stages[0]) as attached, torch.no_grad():
        for placed in attached.placed:
            values = read(theirs, names[id(placed.slot.module)])
            ours = dict(placed.part.named_parameters())
            if set(values) != set(ours):
                raise SystemExit(f"{name}: the library has {sorted(values)}, our part {sorted(ours)}")
            for key, value in values.items():
                ours[key].copy_(value.reshape(ours[key].shape))
        found = logits(instance.model) if oracle.config not in ON_THE_STREAM else None
    if found is None:
        found = logits_on_the_stream(instance, attached, names)
    size = float(wanted.abs().max())
    return float((found - wanted).abs().max()) / size, float((bare - wanted).abs().max()) / size


def main(root: str) -> int:
    logging.disable(logging.WARNING)
    catalog = load(Path(root).resolve())
    passed = failed = 0
    for name, _, configuration in catalog.configurations():
        for oracle in configuration.oracles:
            shares = oracle.arguments.get("phm_layer", False)
            if oracle.library != "adapters" or oracle.config not in READERS or oracle.trainable is not None or shares:
                continue
            apart, moved = difference(catalog, name, oracle, READERS[oracle.config])
            agree = apart <= TOLERANCE < moved  # an adapter without effect would agree with anything
            passed, failed = passed + agree, failed + (not agree)
            print(
                f"{name:34} {oracle.config:18} differs by {apart:.1e}, from the bare model by {moved:.1e}", flush=True
            )
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: adapters_outputs.py CATALOG")
    sys.exit(main(sys.argv[1]))
