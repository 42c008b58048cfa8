"""A worker process has one core: threads of torch would only wait for one another."""

from __future__ import annotations

import torch


def use_one_thread() -> None:
    """For worker processes alone: it holds until the process ends."""
    torch.set_num_threads(1)
