"""In which settings costs are traced: what the catalog says of them, and what we chose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

from surveykit.catalog.measurements import Dtype

if TYPE_CHECKING:
    from surveykit.catalog.load import Catalog

BAND_LENGTHS = (128, 512)
"""Positions of the encoder's input, besides those of the setting that is judged: they show whether an answer depends on it."""
TARGET_LENGTH = 8
"""Positions of the decoder's input."""
DTYPES: tuple[Dtype, ...] = get_args(Dtype)
LARGEST_BATCH = 32
SETTING_DATASET = "RTE"
"""The row of the survey's Table 3 that gives the batch; a backbone without a row has the largest batch there."""


@dataclass(frozen=True)
class Settings:
    """All settings of one configuration on one backbone."""

    batch: int
    """Examples at once."""
    lengths: tuple[int, ...]
    target_length: int = TARGET_LENGTH
    dtypes: tuple[Dtype, ...] = DTYPES

    def rows(self) -> set[tuple[int, int, int, str]]:
        """What each row of memory is of: batch, length, target length, width of numbers."""
        return {(self.batch, length, self.target_length, dtype) for length in self.lengths for dtype in self.dtypes}


def settings_of(catalog: Catalog, configuration: str, backbone: str) -> Settings:
    """Those of method/configuration on a backbone.

    Defaults of methods, and what rows of Table 5 are read as on its backbones, are traced at all lengths; others at one.
    """
    found = catalog.configuration(configuration)
    in_table5 = bool(found.survey_rows) and catalog.models[backbone].survey_label is not None
    judged = catalog.quantities.judging.length
    lengths = dict.fromkeys((judged, *BAND_LENGTHS)) if found.default or in_table5 else (judged,)
    return Settings(_batch_of(catalog, backbone), tuple(lengths))


def _batch_of(catalog: Catalog, backbone: str) -> int:
    """The microbatch of the survey's Table 3."""
    label = catalog.models[backbone].survey_label
    rows = (m for m in catalog.survey.table3 if m.backbone_label == label and m.dataset == SETTING_DATASET)
    return next((m.microbatch for m in rows), LARGEST_BATCH)
