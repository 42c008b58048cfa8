"""The one base class of everything that is read from the catalog, and the types of its fields."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Annotated, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema


class Record(BaseModel):
    """A strict, frozen record: unknown keys, coercions and later assignments are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    identity: ClassVar[tuple[str, ...]] = ()
    """Fields that tell the rows of a CSV file or table apart; empty where rows may repeat."""

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """With what its fields mean."""
        from surveykit.descriptions import descriptions

        found = handler(core_schema)
        fields = handler.resolve_ref_schema(found)["properties"]
        for name, says in descriptions(cls).items():
            if name in fields:
                fields[name].setdefault("description", says)
        return found


@dataclass(frozen=True)
class InDatabase:
    """What the database makes of a field whose Python type does not say it all."""

    type: str = ""
    """Its type in SQL."""
    refers_to: str = ""
    """The table whose primary key it holds."""
    comment: str = ""
    """Its comment where a field has no docstring."""


def _day(text: str) -> str:
    try:
        same = date.fromisoformat(text).isoformat() == text
    except ValueError:
        same = False
    if not same:
        raise ValueError(f"'{text}' is no day written as year-month-day")
    return text


Day = Annotated[str, AfterValidator(_day), InDatabase(type="DATE")]
"""A day written as year-month-day, such as 2026-01-31."""
PaperKey = Annotated[str, InDatabase(refers_to="paper", comment="Key of its paper, as in paper.key")]
MethodId = Annotated[str, InDatabase(refers_to="method", comment="Id of the method, as in method.id")]
ConfigurationId = Annotated[
    str, InDatabase(refers_to="configuration", comment="Id of the configuration, as in configuration.id")
]
"""method/configuration"""
BackboneId = Annotated[str, InDatabase(refers_to="backbone", comment="Id of the base model, as in backbone.id")]
RunId = Annotated[str, InDatabase(refers_to="run", comment="The run that found it, as in run.run")]

ID_PATTERN = r"^[a-z0-9]+(-[a-z0-9]+)*$"
"""An id is lower-case words joined by hyphens."""
MODEL_ID_PATTERN = r"^[a-z0-9]+([.-][a-z0-9]+)*$"
"""That of a model may hold dots too: `llama-3.2-3b`."""
MOST = 2**31 - 1
"""The largest number of a column of 32 bits."""
