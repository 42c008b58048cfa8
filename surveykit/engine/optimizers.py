"""The optimizer of a stage."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from surveykit.engine.attach import Attached


def optimizer_for(attached: Attached, held: Sequence[nn.Parameter], rate: float) -> torch.optim.Optimizer:
    """Adam without weight decay over the parameters that the stage trains."""
    return torch.optim.AdamW(held, lr=rate, weight_decay=0.0, foreach=False)
