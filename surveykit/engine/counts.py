"""Counting: every parameter of a model in exactly one part, known by identity."""

from __future__ import annotations

from dataclasses import dataclass

from surveykit.engine.attach import Attached
from surveykit.engine.backbones import Instance
from surveykit.recipes import Recipe


@dataclass(frozen=True)
class Counts:
    """Numbers of parameters. Percentages are made elsewhere; their denominator is the bare backbone."""

    trainable: int
    """Of the stage in which the optimizer holds most."""
    trainable_task: int
    """Of the last stage that is run for each task."""
    trained_pretrained: int
    """Pretrained parameters among `trainable_task`."""
    added: int
    """New parameters, as trained, in the last stage of a task."""
    stored: int
    """Numbers to keep for each task, so that backbone and they give the outputs."""


@dataclass(frozen=True)
class _StageCounts:
    trained_pretrained: int
    trained_added: int
    added: int
    stored: int

    @property
    def trainable(self) -> int:
        return self.trained_pretrained + self.trained_added


def count(recipe: Recipe, instance: Instance) -> Counts:
    """Instantiate every stage of a recipe on a backbone and count.

    Raises:
        RecipeError: a stage does not fit the backbone.
    """
    stages = []
    for stage in recipe.stages:
        with Attached(instance, stage) as attached:
            stages.append((stage.scope, _count_stage(attached)))
    last = [counts for scope, counts in stages if scope == "task"][-1]
    return Counts(
        trainable=max(counts.trainable for _, counts in stages),
        trainable_task=last.trainable,
        trained_pretrained=last.trained_pretrained,
        added=last.added,
        stored=last.stored,
    )


def _count_stage(attached: Attached) -> _StageCounts:
    pretrained = {id(parameter) for parameter in attached.instance.pretrained}
    added = {id(parameter) for parameter in attached.added()}
    parts = {"frozen": 0, "trained_pretrained": 0, "trained_added": 0, "frozen_added": 0}
    everything = list(attached.instance.model.parameters())  # each once, whatever its names
    for parameter in everything:
        if id(parameter) in pretrained:
            part = "trained_pretrained" if parameter.requires_grad else "frozen"
        else:
            part = "trained_added" if parameter.requires_grad else "frozen_added"
        parts[part] += parameter.numel()
    assert pretrained.isdisjoint(added), "a parameter is both pretrained and added"
    assert {id(p) for p in everything} == pretrained | added, "a parameter of the model belongs to no part"
    _, kept = attached.deployed()
    return _StageCounts(
        trained_pretrained=parts["trained_pretrained"],
        trained_added=parts["trained_added"],
        added=parts["trained_added"] + parts["frozen_added"],
        stored=parts["trained_pretrained"] + sum(tensor.numel() for tensor in kept.values()),
    )
