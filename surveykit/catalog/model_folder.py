"""`models/<id>`: a model's two files as they are read, with everything that is wrong with either."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from surveykit.catalog.dimensions import read_dimensions
from surveykit.catalog.loading import Loading
from surveykit.catalog.models import Model, ModelFile
from surveykit.catalog.yaml12 import MAX_DIGITS
from surveykit.errors import Problem
from surveykit.record import MODEL_ID_PATTERN

ABOUT, CONFIG = "model.yaml", "config.json"


def read_model(loading: Loading, folder: Path) -> Model | None:
    """The model of a folder; None, with everything that is wrong with either file, where something is."""
    if not re.fullmatch(MODEL_ID_PATTERN, folder.name):
        loading.problem(folder, "the name of a model's folder is its id: lower-case words joined by hyphens or dots")
        return None
    before, path = len(loading.problems), folder / CONFIG
    for strange in sorted(entry for entry in folder.glob("*") if entry.name not in (ABOUT, CONFIG)):
        loading.problem(strange, f"only {CONFIG} and {ABOUT} belong here")
    about = loading.required_yaml(folder / ABOUT, ModelFile, f"what {CONFIG} does not say of the model")
    text = loading.text(path)
    config, found = _read_config(text, loading.name(path)) if text is not None else (None, [])
    loading.problems += found
    if about is None or config is None or text is None:
        return None
    _, faults = read_dimensions(config, about.counts)
    loading.problems += [Problem(loading.name(path), *_place(text, key), message) for key, message in faults]
    if len(loading.problems) > before:
        return None
    try:
        return Model.model_validate({**about.model_dump(), "id": folder.name, "config": config})
    except ValidationError as error:
        loading.problem(folder / ABOUT, str(error.errors()[0]["ctx"]["error"]), ("parameters",))
        return None


def _read_config(text: str, file: str) -> tuple[dict[str, Any] | None, list[Problem]]:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        if len(set(names)) != len(names):
            raise ValueError(f"the key '{next(n for n in names if names.count(n) > 1)[:60]}' appears twice")
        return dict(pairs)

    def finite(name: str) -> float:
        raise ValueError(f"{name} is not a JSON number")

    def whole(digits: str) -> int:
        if len(digits) > MAX_DIGITS:
            raise ValueError(f"a whole number has at most {MAX_DIGITS} digits")
        return int(digits)

    try:
        found = json.loads(text, object_pairs_hook=once, parse_constant=finite, parse_int=whole)
    except json.JSONDecodeError as error:
        return None, [Problem(file, error.lineno, error.colno, f"not valid JSON: {error.msg}")]
    except (ValueError, RecursionError) as error:  # ours, and nesting beyond all use
        return None, [Problem(file, 0, 0, f"not valid JSON: {' '.join(str(error).split())[:120]}")]
    if not isinstance(found, dict):
        return None, [Problem(file, 1, 1, "a configuration must be an object with a model_type")]
    return found, []


def _place(text: str, key: str) -> tuple[int, int]:
    """Line and column of a key; zeros where it is not there."""
    found = re.search(rf'"{re.escape(key)}"\s*:', text) if key else None
    if found is None:
        return 0, 0
    return text.count("\n", 0, found.start()) + 1, found.start() - text.rfind("\n", 0, found.start())
