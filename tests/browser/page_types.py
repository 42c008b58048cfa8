"""The pages that stand for all others of their kind."""

from __future__ import annotations

METHODS = ("methods/lora/", "methods/prefix-tuning/", "methods/qlora/")
"""A method of the survey's experiment, one with a warning beside its figures, and one whose tables are widest."""
PAGE_TYPES = (
    "", "methods/", *METHODS, "compare/", "taxonomy/", "explorer/", "fit/", "table5/", "survey/tables-1-2/",
    "survey/table-3-and-6/", "survey/table-4/", "survey/memory/", "survey/appendix-b/", "survey/statements/",
    "survey/data-audit/", "survey/coverage/", "survey/papers/", "findings/", "findings/lialin2023scaling/", "data/", "sql/",
    "how-we-measure/", "which-should-i-use/", "glossary/", "sources/", "sources/peft-docs/", "about/", "changes/", "404.html",
)  # fmt: skip
