"""Checkpoints put to catalogued backbones: the names and shapes that transformers gives a backbone, and the verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from surveykit.catalog.load import Catalog
from surveykit.catalog.models import Model
from surveykit.checkpoints import Comparison, Geometry, Header, compare, read
from surveykit.checkpoints.config import expected, nearest_to
from surveykit.engine.models.catalogued import build
from surveykit.errors import CheckpointError, SurveyError, nearest

SHOWN = 20
"""Differences of a checkpoint that are listed in messages."""


@dataclass(frozen=True)
class Checked:
    """A backbone and the checkpoint that was put to it; without a header, the reason why none was read."""

    backbone: Model | None
    source: str
    header: Header | None
    comparison: Comparison | None
    error: str | None = None
    chosen: str | None = None
    """How the backbone was found, where nobody named it."""

    @property
    def verdict(self) -> Literal["matches", "differs", "not verified"]:
        """Whether the checkpoint has the backbone's names and shapes; `not verified` where it could not be read."""
        if self.comparison is None:
            return "not verified"
        return "matches" if self.comparison.matches else "differs"

    @property
    def messages(self) -> tuple[str, ...]:
        """Why it was not read, or how it was, and each difference; many are counted by kind."""
        name = self.backbone.id if self.backbone else self.source
        if self.header is None or self.comparison is None:
            return (f"surveykit: {name}: not verified: {self.error}",)
        differences = self.comparison.differences
        chosen = [self.chosen] if self.chosen else []
        lines = [*chosen, *self.header.notes, *self.comparison.renamed, *map(str, differences[:SHOWN])]
        if len(differences) > SHOWN:
            kinds = Counter(difference.kind for difference in differences)
            counted = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
            lines.append(f"{SHOWN} of {len(differences)} differences ({counted})")
        return tuple(f"{name}: {line}" for line in lines)


def geometry(record: Model) -> Geometry:
    """Build the backbone without weights, and read its names.

    Tied parameters are known by identity: the first name is the parameter, the others are its aliases.
    """
    model = build(record).model
    first: dict[int, str] = {}
    parameters: dict[str, tuple[int, ...]] = {}
    aliases: dict[str, str] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        own = first.setdefault(id(parameter), name)
        if own == name:
            parameters[name] = tuple(parameter.shape)
        else:
            aliases[name] = own
    return Geometry(
        parameters=parameters,
        aliases=aliases,
        buffers=frozenset(name for name, _ in model.named_buffers(remove_duplicate=False)),
        leftovers=tuple(sorted(model._keys_to_ignore_on_load_unexpected or ())),
        prefix=model.base_model_prefix,
    )


def published(catalog: Catalog, names: Iterable[str] = (), revision: str | None = None) -> Iterator[Checked]:
    """Put each backbone, or those named, to the checkpoint that the catalog says is its own.

    Raises:
        SurveyError: a name is not in the catalog. A checkpoint that cannot be read is a result with its reason.
    """
    for record in [_record(catalog, name) for name in names or catalog.models]:
        if record.checkpoint is None:
            yield Checked(record, record.id, None, None, "its weights are not on the hub")
            continue
        try:
            header = read(record.checkpoint, revision)
        except CheckpointError as error:
            yield Checked(record, record.checkpoint, None, None, str(error))
        else:
            yield Checked(record, record.checkpoint, header, _compared(header, record))


def given(catalog: Catalog, source: str, name: str | None = None, revision: str | None = None) -> Checked:
    """Put one checkpoint to the backbone that is named, or else to that whose dimensions its config.json has.

    Raises:
        SurveyError: the name is not in the catalog, or nothing says which backbone it should be. A checkpoint that
            cannot be read is a result with its reason.
    """
    record = None if name is None else _record(catalog, name)
    try:
        header = read(source, revision)
    except CheckpointError as error:
        return Checked(record, source, None, None, str(error))
    chosen = None
    if record is None:
        record, chosen = nearest_to(header, catalog.models.values())
    return Checked(record, source, header, _compared(header, record), chosen=chosen)


def _record(catalog: Catalog, name: str) -> Model:
    if name not in catalog.models:
        raise SurveyError(f"there is no backbone '{name}'{nearest(name, catalog.models)}")
    return catalog.models[name]


def _compared(header: Header, record: Model) -> Comparison:
    return compare(header, geometry(record), expected(record))
