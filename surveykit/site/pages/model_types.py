"""On which model types of transformers methods are counted and traced: what a benchmark found, a row for each type."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from surveykit.site.data.breadth import Breadth, ModelType
from surveykit.site.text import numbers
from surveykit.site.text.markdown import Cell, bullets, code, escape, joined, span, table

MODEL_TYPES = "model-types.md"


def model_types_context(breadth: Breadth | None) -> dict[str, Any]:
    """What the page shows.

    Args:
        breadth: what benchmarks/breadth.json holds; the page says so where there is none.
    """
    if breadth is None:
        return {"breadth": None}
    built = len(breadth.built)
    worked: list[list[Cell]] = [
        [method, f"{breadth.counted[method]} of {built}", f"{breadth.traced[method]} of {built}"]
        for method in breadth.methods
    ]
    compared: list[list[Cell]] = [[name, numbers.count(equal)] for name, equal in sorted(breadth.equal.items())]
    heads = ["Type and class", *breadth.methods, "Equal to another count", "What does not work, and why"]
    rows = [_row(model, breadth.methods) for model in breadth.built]
    not_built = [model for model in breadth.types if not model.built]
    return {
        "breadth": breadth,
        "worked": table(["Method", "Counted", "Traced"], worked, "lrr"),
        "compared": table(["Our count beside", "Equal on"], compared, "lr"),
        "types": table(heads, rows, f"l{'l' * len(breadth.methods)}rl"),
        "not_built": bullets(code(m.name) + escape(f": {m.refused}") for m in not_built),
    }


def _row(model: ModelType, methods: tuple[str, ...]) -> list[Cell]:
    differences = [escape(words) for words in (*model.known, *model.faults)]
    reasons = [escape(f"{', '.join(named)}: {reason}") for reason, named in _reasons(model).items()]
    return [
        joined([code(model.name), escape(model.architecture or numbers.ABSENT)], "<br>"),
        *(_mark(model, method) for method in methods),
        numbers.count(len(model.compared)), joined([*reasons, *differences], "<br>") or numbers.ABSENT,
    ]  # fmt: skip


def _reasons(model: ModelType) -> dict[str, list[str]]:
    """Why methods are not counted, or not traced, each with the methods that it holds for."""
    if model.refused is not None:
        return {model.refused: ["nothing is counted"]}
    found: dict[str, list[str]] = {}
    for tried in model.tried:
        if tried.reason is not None:
            found.setdefault(tried.reason, []).append(tried.method)
    return found


def _mark(model: ModelType, method: str) -> Markup:
    tried = model.of(method)
    if tried is None or not tried.trainable:
        return span("no", "no")
    return span("traced", "yes", title=f"{tried.trainable:,} trainable") if tried.peak_bytes else escape("counted")
