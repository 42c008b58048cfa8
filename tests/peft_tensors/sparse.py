"""Single entries of a weight, and biases."""

from __future__ import annotations

from peft_tensors import InLibrary

LINEAR = ("t5", "llama", "bert")
"""PEFT's modules go on torch's linear layers alone; GPT-2 has layers of its own."""


def _pair(m: object) -> dict[str, object]:
    return {"down": m.supertuning_lora_A["default"].weight, "up": m.supertuning_lora_B["default"].weight}  # type: ignore[attr-defined]


SHIRA = InLibrary(
    fields={"rank": 3},
    read=lambda m: {"delta": m.shira_weight["default"], "index": m.shira_indices["default"]},
    models=LINEAR,
)
SUPERTUNING = [
    InLibrary(
        fields={"sparsity": 0.9, "largest": largest, "save_index": save_index, "rank": rank, "alpha": alpha},
        read=lambda m, rank=rank: {
            "delta": m.supertuning_values["default"],
            "index": m.supertuning_indices["default"],
            **({} if rank is None else _pair(m)),
        },
        models=LINEAR,
    )
    for largest, save_index, rank, alpha in [(True, True, None, None), (False, False, None, None), (True, True, 3, 5.0)]
]
BEFT = InLibrary(
    fields={},
    read=lambda m: {"bias": m.beft_bias["default"]},
    models=("t5", "llama"),  # on a layer that has a bias, as BERT's do, PEFT merges and we do not
    merges=False,
)
KINDS = {"random_entries": SHIRA, "magnitude_entries": SUPERTUNING, "added_bias": BEFT}
