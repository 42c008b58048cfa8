"""The views of the explorer, from the database: the survey, PEFT's benchmark, the bench, and what is counted and predicted here."""

from __future__ import annotations

from surveykit.database.reading import Reader
from surveykit.site.data.explorer import View, with_known_quantities
from surveykit.site.data.explorer_bench import bench_views
from surveykit.site.data.explorer_ours import our_views
from surveykit.site.data.explorer_parts import Methods
from surveykit.site.data.explorer_peft import peft_views
from surveykit.site.data.explorer_survey import survey_views

LEAST_POINTS = 3
"""A picture of fewer marks compares nothing."""


def explorer_views(reader: Reader) -> list[View]:
    """All views: those of the survey first, those of our own figures last, models by size."""
    methods = Methods(reader)
    made = (part(reader, methods) for part in (survey_views, peft_views, bench_views, our_views))
    return [with_known_quantities(view) for views in made for view in views if len(view.points) >= LEAST_POINTS]
