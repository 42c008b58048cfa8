"""What a check reports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Check = Literal["drift", "formula", "unexplained", "explanation", "not_measured", "stale", "trial"]


@dataclass(frozen=True, order=True)
class Finding:
    """Something that fails the check: where, and what to do about it."""

    check: Check
    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.check}: {self.where}: {self.message}"
