"""Configurations that are comparable by their counts: the same places and the same rank."""

from __future__ import annotations

from surveykit.recipes import Recipe


def is_matched(recipe: Recipe, reference: Recipe | None) -> bool:
    """Whether every edit of a recipe has the places and the rank of the reference's edits, and nothing else is trained.

    The rank of an edit that prunes is the one that is left. An edit without a rank matches nothing.
    """
    ours = _ranks(recipe)
    return ours is not None and reference is not None and ours == _ranks(reference)


def _ranks(recipe: Recipe) -> list[tuple[object, int]] | None:
    """Where each edit is and its rank; None where something is trained that has no rank."""
    found: list[tuple[object, int]] = []
    for stage in recipe.stages:
        if stage.train or stage.train_everything:
            return None
        for edit in stage.edits:
            rank = getattr(edit, "target", getattr(edit, "rank", None))
            where = getattr(edit, "where", None)
            if not isinstance(rank, int) or where is None:
                return None
            found.append((where, rank))
    return found
