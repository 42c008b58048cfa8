"""The places of an edit, once all of them are known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from surveykit.recipes.base import Edit, Place


def numbered(edit: Edit, places: Sequence[Place]) -> list[Place]:
    """The same places with what is known once all are: how many, how wide the widest, and which share tensors."""
    widest_in = max((place.fan_in for place in places), default=0)
    widest_out = max((place.fan_out for place in places), default=0)
    alone = [
        replace(place, places=len(places), number=number, widest_in=widest_in, widest_out=widest_out)
        for number, place in enumerate(places)
    ]
    groups = [edit.group(place) for place in alone]
    together, before, found = Counter(groups), Counter[str](), []
    for place, group in zip(alone, groups, strict=True):
        found.append(replace(place, together=together[group], order=before[group]))
        before[group] += 1
    return found
