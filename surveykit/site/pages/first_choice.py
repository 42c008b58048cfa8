"""The page "Which method should I use?": a short story for newcomers, with the figures of each method that it names."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any

from surveykit.database.reading import Reader
from surveykit.site.text import numbers
from surveykit.site.text.markdown import Cell, link, table
from surveykit.site.text.words import overhead_words, yes_no

FIRST_CHOICE = "which-should-i-use.md"
_MODEL = "t5-3b"
"""The model whose figures are shown: the survey's middle one."""
_NAMED: Mapping[str, str] = MappingProxyType(
    {
        "full-tuning": "full fine-tuning",
        "lora": "LoRA",
        "qlora": "QLoRA",
        "dora": "DoRA",
        "ia3": "(IA)³",
        "vera": "VeRA",
        "prompt-tuning": "prompt tuning",
    }
)
"""The methods of the story, and what it calls them where the catalog lacks one."""

_NEXT = (
    ("choose.md", "Choose for your model and GPU"),
    ("fit.md", "Does it fit your GPU?"),
    ("compare.md", "Compare methods side by side"),
    ("methods/index.md", "All methods in a table"),
    ("how-we-measure.md", "How we measure"),
)
"""Where to go from here, as far as there is such a page."""


def first_choice_context(reader: Reader, existing: Collection[str]) -> dict[str, Any]:
    """What the page shows: a link for each method that it names, and the table of their figures.

    Args:
        existing: paths of the other pages; names lead only to what there is.
    """
    pages = {id: f"methods/{id}.md" for id in _NAMED}
    rows = {
        m.id: m
        for m in reader.all(
            "SELECT m.*, b.name AS model FROM method_on_backbone m JOIN backbone b ON b.id = m.backbone"
            " WHERE m.backbone = ? AND list_contains(?, m.id)",
            _MODEL, list(_NAMED),
        )
    }  # fmt: skip
    shown = [rows[id] for id in _NAMED if id in rows and pages[id] in existing]
    cells: list[list[Cell]] = [
        [
            link(m.name, pages[m.id], FIRST_CHOICE), numbers.percent(m.trainable_percent_measured),
            numbers.millions(m.stored_bytes_measured), numbers.score(m.ram_gb_predicted),
            overhead_words(m.overhead_merged), yes_no(m.in_peft),
        ]
        for m in shown
    ]  # fmt: skip
    heads = ["Method", "Trainable, %", "File of a task, MB", "Peak memory, GB", "Overhead after merging", "In PEFT"]
    return {
        "name": {
            id.replace("-", "_"): link(name, pages[id], FIRST_CHOICE) if pages[id] in existing else name
            for id, name in _NAMED.items()
        },
        "figures": table(heads, cells, "lrrrll"),
        "model": shown[0].model if shown else None,
        "next": [(path, text) for path, text in _NEXT if path in existing],
    }
