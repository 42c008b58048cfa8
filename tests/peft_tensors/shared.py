"""Random matrices that all layers share."""

from __future__ import annotations

from peft_tensors import InLibrary

VERA = InLibrary(
    fields={"rank": 5, "save_projection": True},
    read=lambda m: {"inner": m.vera_lambda_d["default"], "outer": m.vera_lambda_b["default"]},
    shared=lambda m: {"down": m.vera_A["default"], "up": m.vera_B["default"]},
)
KINDS = {"shared_projection": VERA}
