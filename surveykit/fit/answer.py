"""The question put to a model and a catalog, as a program asks it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from surveykit.catalog.load import Catalog
from surveykit.catalog.models import Model
from surveykit.database.reading import reading
from surveykit.fit import words
from surveykit.fit.candidates import Candidate, Evidence, Question
from surveykit.fit.evidence import errors, evidence
from surveykit.fit.predict import Opened, Unable, Unwanted, chosen, opened, predictions, size_and_biases
from surveykit.fit.ranking import Choice, rank, with_evidence
from surveykit.processes import Watch, unwatched


@dataclass(frozen=True)
class Answer:
    """Every configuration that was asked for: in its place, or why it has none."""

    question: Question
    choices: tuple[Choice, ...]
    unable: tuple[Unable, ...]
    unwanted: int = 0
    """Configurations whose inference overhead is not allowed."""
    notes: tuple[str, ...] = ()
    """What of the model the figures leave out."""

    @property
    def asked(self) -> int:
        """How many configurations were tried."""
        return len(self.choices) + len(self.unable) + self.unwanted

    @property
    def fits(self) -> bool:
        """Whether anything fits as traced, or is tight."""
        return any(choice.standing in ("fits", "tight") for choice in self.choices)

    @property
    def sentences(self) -> tuple[str, ...]:
        """The answer in words: what the figures leave out of the model, how many fit, what to use and why."""
        question, notes = self.question, tuple(f"Beware: {note}." for note in self.notes)
        if not self.choices:
            return (*notes, words.nothing_left(question, self.unwanted, [one.reason for one in self.unable]))
        return (*notes, words.headline(self.choices, question), *words.advice(self.choices, question))


def will_it_fit(
    catalog: Catalog,
    database: Path,
    source: str,
    question: Question,
    *,
    methods: Sequence[str] | None = None,
    every: bool = False,
    watch: Watch = unwatched,
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
    parameters, biases = size_and_biases(model)
    wanted = chosen(catalog, methods, every=every, biases=biases)
    backbone = model.id if isinstance(model, Model) else None
    with reading(database) as reader:
        question = replace(question, errors=errors(reader, parameters))
        outcomes = list(predictions(catalog, model, question, wanted, watch))
        known = evidence(reader, parameters, backbone)
    candidates = [
        with_evidence(o, known.get(o.configuration, Evidence()), question) for o in outcomes if isinstance(o, Candidate)
    ]
    unable = sorted((o for o in outcomes if isinstance(o, Unable)), key=lambda o: o.configuration)
    unwanted = sum(isinstance(o, Unwanted) for o in outcomes)
    return Answer(question, rank(candidates, question), tuple(unable), unwanted, _notes(model, question))


def _notes(model: Opened, question: Question) -> tuple[str, ...]:
    if isinstance(model, Model):
        return ()
    from surveykit.engine.trace.inputs import notes_on_trace

    return (*model.notes, *notes_on_trace(model.build(), question.length))
