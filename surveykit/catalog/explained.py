"""Names in explanations: every row, configuration and base model that one speaks of is there."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from surveykit.catalog.records import Explanation, Method, Setup
from surveykit.errors import nearest

Place = tuple[str | int, ...]
"""A path inside the method's file."""


def unknown_names(method: Method, names: set[str], backbones: Collection[str]) -> Iterator[tuple[Place, str]]:
    """Where an explanation of a method names what is not there, or cannot stay as it is, and what is wrong.

    Args:
        names: of all configurations, method/configuration.
        backbones: ids of all base models.
    """
    for i, explanation in enumerate(method.explanations):
        yield from _explanation(explanation, ("explanations", i), method, names, backbones)
    for i, cell in enumerate(method.cell_explanations):
        if cell.fits_setup is not None:
            yield from _setup(cell.fits_setup, ("cell_explanations", i, "fits_setup"), names, backbones)


def _explanation(
    explanation: Explanation, at: Place, method: Method, names: set[str], backbones: Collection[str]
) -> Iterator[tuple[Place, str]]:
    own = {claimed.row for c in method.configurations for claimed in c.survey_rows}
    if explanation.row not in own:
        yield (*at, "row"), f"'{explanation.row}' is not a row of this method{nearest(explanation.row, own)}"
    for j, backbone in enumerate(explanation.backbones):
        if backbone not in backbones:
            yield (*at, "figures", j, "backbone"), f"no model '{backbone}'{nearest(backbone, backbones)}"
    named = [("fits_setup", explanation.fits_setup)] if explanation.fits_setup else []
    for key, name in named + [("tried", name) for name in explanation.tried]:
        if name not in names:
            yield (*at, key), f"no configuration '{name}'{nearest(str(name), names)}"
    disagreeing = [
        oracle.library
        for configuration in method.configurations
        if any(claimed.row == explanation.row for claimed in configuration.survey_rows)
        for oracle in configuration.oracles
        if oracle.trainable is not None
    ]
    if explanation.cause == "unresolved" and disagreeing:
        message = f"cannot stay unresolved: {disagreeing[0]} counts this configuration differently from us"
        yield (*at, "cause"), message


def _setup(setup: Setup, at: Place, names: set[str], backbones: Collection[str]) -> Iterator[tuple[Place, str]]:
    if setup.configuration not in names:
        yield (*at, "configuration"), f"no configuration '{setup.configuration}'{nearest(setup.configuration, names)}"
    if setup.backbone not in backbones:
        yield (*at, "backbone"), f"no model '{setup.backbone}'{nearest(setup.backbone, backbones)}"
