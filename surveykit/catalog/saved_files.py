"""Sizes of saved files as the engine finds them, and the precisions in which a run holds what it saves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from surveykit.catalog.measurements import Count, Dtype, Key, Recorded
from surveykit.record import BackboneId, ConfigurationId, RunId

if TYPE_CHECKING:
    from surveykit.catalog.claims import Claim
    from surveykit.catalog.quantities import Quantities

Held = tuple[Dtype, Dtype | None]
"""The precision of the base model's weights, and that of what a method adds; None where it is the same."""
FILE = "file"
"""What a sense of quantities.yaml calls the size of a saved file."""


class SavedFile(Recorded):
    """Size of the file that one configuration saves, on one backbone, in the precisions of a run. Bytes."""

    identity = ("configuration", "backbone", "dtype", "adapter_dtype")
    nullable = ("peft", "header", "numbers_alone")

    configuration: ConfigurationId
    backbone: BackboneId
    dtype: Dtype
    """Precision of the base model's weights."""
    adapter_dtype: Dtype | None
    """Precision of the added parameters; NULL if it is the base model's."""
    status: Literal["counted", "failed"]
    """Whether its size could be measured."""
    reason: str | None
    """Why not; NULL when it was."""
    size: Count
    """Bytes of the file."""
    header: Count
    """Bytes of its header, which names the tensors, with their types, shapes and places; NULL where the names are not known."""
    peft: str | None
    """Version of PEFT whose modules name the tensors; NULL if only numbers are counted."""
    numbers_alone: str | None
    """Why only numbers are counted, without a header; NULL if PEFT's modules are counted."""
    key: Key
    run: RunId
    digest: str

    @classmethod
    def figures(cls) -> list[str]:
        return ["size", "header", "peft", "numbers_alone"]

    @property
    def held(self) -> Held:
        """The precisions of the run."""
        return self.dtype, self.adapter_dtype


def held_in(claim: Claim) -> Held | None:
    """The precisions of a row's run; None where its table does not say how it ran."""
    return None if claim.step is None else (claim.step.training.dtype, claim.step.training.adapter_dtype)


def printed_files(claims: tuple[Claim, ...], quantities: Quantities) -> Mapping[tuple[str, str], frozenset[Held]]:
    """The precisions in which sources print sizes of files, by configuration and model."""
    of_files = {q.id for q in quantities.quantities if any(FILE in sense.counts for sense in q.senses)}
    found: dict[tuple[str, str], set[Held]] = {}
    for c in claims:
        held = held_in(c)
        if held and c.printed and c.quantity in of_files and c.configuration and c.model:
            found.setdefault((c.configuration, c.model), set()).add(held)
    return {place: frozenset(precisions) for place, precisions in sorted(found.items())}
