"""How people train: the settings that have a name, what each field of one means, and where it stands."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from surveykit.catalog.training import CHOICES, SURVEYS, Training
from surveykit.database.reading import AnswerRow, Reader
from surveykit.descriptions import descriptions
from surveykit.site.text import numbers
from surveykit.site.text.markdown import Cell, bullets, code, escape, external, joined, table

SETTINGS = "settings.md"


def settings_context(reader: Reader) -> dict[str, Any]:
    """What the page shows."""
    settings = reader.all("SELECT * FROM setting ORDER BY id")
    rows: list[list[Cell]] = [
        [code(s.id), _or_chosen(s.batch), _or_chosen(s.length), _differences(s) or "the simplest setting"]
        for s in settings
    ]
    fields: list[list[Cell]] = [
        [code(_flag(name)), _written(getattr(SURVEYS, name)), joined(map(code, map(str, CHOICES.get(name, ())))),
         escape(" ".join(descriptions(Training).get(name, "").replace("`", "").split()))]
        for name in Training.model_fields
    ]  # fmt: skip
    return {
        "settings": table(["Setting", "Batch", "Length", "Differs from the survey's in"], rows, "lrrl"),
        "fields": table(["Field", "Survey's", "Choices", "What it is"], fields, "llll"),
        "each": [{"id": s.id, "says": s.says, "sources": _sources(reader, s.id)} for s in settings],
    }


def _or_chosen(number: int | None) -> str:
    return "you choose" if number is None else numbers.count(number)


def _differences(setting: AnswerRow) -> Markup:
    pieces = (
        escape(f"{name.replace('_', ' ')} ") + _written(getattr(setting, name))
        for name in Training.model_fields
        if getattr(setting, name) != getattr(SURVEYS, name)
    )
    return joined(pieces)


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _written(value: object) -> Markup:
    words = {None: "as the model", True: "yes", False: "no"}
    return escape(words[value]) if value is None or isinstance(value, bool) else code(str(value))


def _sources(reader: Reader, setting: str) -> Markup:
    found = reader.of("setting", setting, "SELECT * FROM setting_source ORDER BY setting, position")
    return bullets(
        escape(f"{s.fields.replace('_', ' ').replace(',', ', ')}: {s.says} (")
        + external("source", s.address)
        + escape(f", read on {s.checked})")
        for s in found
    )
