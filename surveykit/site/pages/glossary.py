"""The page of words."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from surveykit.site.text.markdown import target
from surveykit.site.text.terms import GLOSSARY, glossary


def glossary_context(existing: Collection[str]) -> dict[str, Any]:
    """What the glossary shows.

    Args:
        existing: paths of the other pages; words lead only to what there is.
    """

    def more(see: str | None) -> str | None:
        return target(see, GLOSSARY) if see is not None and see.partition("#")[0] in existing else None

    return {"groups": [(g.group, [(term, more(term.see)) for term in g.terms]) for g in glossary()]}
