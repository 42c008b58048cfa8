"""The one base class of everything that is read from the catalog."""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """A strict, frozen record: unknown keys, coercions and later assignments are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True)

    identity: ClassVar[tuple[str, ...]] = ()
    """Fields that tell the rows of a CSV file apart; empty where rows may repeat."""


ID_PATTERN = r"^[a-z0-9]+(-[a-z0-9]+)*$"
"""An id is lower-case words joined by hyphens."""
MODEL_ID_PATTERN = r"^[a-z0-9]+([.-][a-z0-9]+)*$"
"""That of a model may hold dots too: `llama-3.2-3b`."""
MOST = 2**31 - 1
"""The largest number of a column of 32 bits."""
