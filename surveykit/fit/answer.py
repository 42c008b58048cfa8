"""The question put to a model and a catalog, as a program asks it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from surveykit.catalog.changes import Changes, changed
from surveykit.catalog.load import Catalog
from surveykit.catalog.models import Model
from surveykit.catalog.peft_file import PeftFile
from surveykit.catalog.variations import unvaried_name
from surveykit.database.reading import reading
from surveykit.fit import words
from surveykit.fit.candidates import Candidate, Evidence, Question
from surveykit.fit.evidence import errors, evidence
from surveykit.fit.predict import (
    Opened,
    Unable,
    Unwanted,
    Wanted,
    chosen,
    opened,
    plan_of,
    predictions,
    size_and_biases,
)
from surveykit.fit.ranking import Choice, rank, with_evidence
from surveykit.fit.sizes import parse_budget
from surveykit.processes import Watch, unwatched
from surveykit.recipes import Recipe

if TYPE_CHECKING:
    from surveykit.engine.peft import PeftOnModel

UNCHANGED = Changes()


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
    changed: tuple[str, ...] = ()
    """What has to be said of the changes of configurations, a line each."""
    peft: tuple[str, ...] = ()
    """What has to be said of configurations of PEFT, a line each."""

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
        question = self.question
        notes = (
            *(f"Beware: {note}." for note in self.notes),
            *(f"Changed: {line}." for line in self.changed),
            *(f"PEFT: {line}." for line in self.peft),
        )
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
    peft: Sequence[PeftFile] = (),
    every: bool = False,
    changes: Changes = UNCHANGED,
    budget: str | int | None = None,
    watch: Watch = unwatched,
) -> Answer:
    """Trace configurations on a model and rank them.

    Args:
        database: of the same catalog; the survey's evidence, and the error of predictions, come from there.
        source: a backbone of the catalog, a folder with a config.json, such a file, or a model of the hub.
        methods: their configurations, or `method/configuration`; None: all methods.
        peft: configurations of PEFT beside them.
        every: all configurations of a method instead of its default one.
        changes: of the configurations that have a place for them.
        budget: of trained parameters, as `parse_budget` takes it: what each method's size is set to.

    Raises:
        SurveyError: a name is not known, or the model cannot be built.
        MissingExtra: torch or transformers is not installed.
    """
    amount = None if budget is None else parse_budget(str(budget))
    stated = _stated(catalog, chosen(catalog, methods, every=every))
    changed(changes, stated, sized=amount is not None)  # what is wrong is said before a model is opened
    model = opened(catalog, source, changes.head)
    parameters, biases = size_and_biases(model)
    recipes = _stated(catalog, chosen(catalog, methods, every=every, biases=biases))
    said: tuple[str, ...] = ()
    if changes:
        from surveykit.engine.changes import changed_on

        recipes, said = changed_on(plan_of(model).build(), changes, recipes)
    backbone = model.id if isinstance(model, Model) else None
    most = None if amount is None else amount.of(parameters)
    wanted: list[Wanted] = [(name, recipe, most) for name, recipe in recipes]
    of_peft = _of_peft(catalog, model, peft)
    wanted += [(one.name, one.recipe or one.file, None) for one in of_peft]
    with reading(database) as reader:
        question = replace(question, errors=errors(reader, parameters))
        outcomes = list(predictions(catalog, model, question, wanted, watch))
        known = evidence(reader, parameters, backbone)
    candidates = [with_evidence(o, _evidence(known, o), question) for o in outcomes if isinstance(o, Candidate)]
    unable = sorted((o for o in outcomes if isinstance(o, Unable)), key=lambda o: o.configuration)
    unwanted = sum(isinstance(o, Unwanted) for o in outcomes)
    notes = _notes(model, question)
    noted = tuple(f"{one.name}: {note}" for one in of_peft for note in one.notes)
    return Answer(question, rank(candidates, question), tuple(unable), unwanted, notes, said, noted)


def _of_peft(catalog: Catalog, model: Opened, files: Sequence[PeftFile]) -> list[PeftOnModel]:
    if not files:
        return []
    from surveykit.engine.peft import peft_on

    instance = plan_of(model).build()
    return [peft_on(instance, file, catalog.root) for file in files]


def _stated(catalog: Catalog, names: Sequence[str]) -> list[tuple[str, Recipe]]:
    return [(name, catalog.recipe(name)) for name in names]


def _evidence(known: Mapping[str, Evidence], candidate: Candidate) -> Evidence:
    """What is known of a configuration; where it is changed, of the one that it changes, which is named."""
    stated = unvaried_name(candidate.configuration)
    found = known.get(stated, Evidence())
    if stated == candidate.configuration and candidate.size is None:
        return found
    of = None if found.score is None else found.score_of or stated
    return replace(found, score_of=of, memory_gb=None, memory_batch=None)


def _notes(model: Opened, question: Question) -> tuple[str, ...]:
    if isinstance(model, Model):
        return ()
    from surveykit.engine.trace.inputs import notes_on_trace

    return (*model.notes, *notes_on_trace(model.build(), question.length))
