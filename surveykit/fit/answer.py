"""The question put to a model and a catalog, as a program asks it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from surveykit.catalog.load import Catalog
from surveykit.database.reading import reading
from surveykit.fit.candidates import Candidate, Question
from surveykit.fit.evidence import evidence, mean_error_percent
from surveykit.fit.predict import Unable, Watch, chosen, has_biases, opened, predictions, with_evidence
from surveykit.fit.ranking import Choice, rank


@dataclass(frozen=True)
class Answer:
    """Every configuration that was asked for: in its place, or why it has none."""

    question: Question
    choices: tuple[Choice, ...]
    unable: tuple[Unable, ...]

    @property
    def fits(self) -> bool:
        """Whether anything fits, or may."""
        return any(choice.standing != "does not fit" for choice in self.choices)


def will_it_fit(
    catalog: Catalog,
    database: Path,
    source: str,
    question: Question,
    *,
    methods: Sequence[str] | None = None,
    every: bool = False,
    watch: Watch = lambda name: None,
) -> Answer:
    """Trace configurations on a model and rank them.

    Args:
        database: of the same catalog; the survey's evidence, and the error of predictions, come from there.
        source: a backbone of the catalog, a folder with a config.json, such a file, or a model of the hub.
        methods: their configurations, or `method/configuration`; None: all methods.
        every: all configurations of a method instead of its default one.

    Raises:
        SurveyError: a name is not known, or the model cannot be built.
        MissingExtra: torch or transformers is not installed.
    """
    chosen(catalog, methods, every=every)  # a wrong name is said before a model is opened
    model = opened(catalog, source)
    wanted = chosen(catalog, methods, every=every, biases=has_biases(model))
    with reading(database) as reader:
        question = replace(question, error_percent=mean_error_percent(reader))
        outcomes = list(predictions(catalog, model, question, wanted, watch))
        candidates = [o for o in outcomes if isinstance(o, Candidate)]
        if candidates:
            known = evidence(reader, candidates[0].model_parameters)
            candidates = [with_evidence(c, known) for c in candidates]
    unable = sorted((o for o in outcomes if isinstance(o, Unable)), key=lambda o: o.configuration)
    return Answer(question, rank(candidates, question), tuple(unable))
