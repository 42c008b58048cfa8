"""The page of words."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from markupsafe import Markup

from surveykit.site.text.markdown import link
from surveykit.site.text.terms import GLOSSARY, Term, glossary


def glossary_context(existing: Collection[str]) -> dict[str, Any]:
    """What the glossary shows.

    Args:
        existing: paths of the other pages; words lead only to what there is.
    """

    def more(term: Term) -> Markup | None:
        if term.see is None or term.see.partition("#")[0] not in existing:
            return None
        return link(f"More about {term.term}", term.see, GLOSSARY)

    return {"groups": [(g.group, [(term, ", ".join(term.also), more(term)) for term in g.terms]) for g in glossary()]}
