"""The question put to a model and a catalog, as a program asks it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from surveykit.catalog.changes import Changes, changed
from surveykit.catalog.load import Catalog
from surveykit.catalog.models import Model
from surveykit.catalog.peft_file import PeftFile
from surveykit.catalog.training import Training
from surveykit.catalog.variations import unvaried_name
from surveykit.database.reading import reading
from surveykit.fit import words
from surveykit.fit.candidates import Candidate, Evidence, Question
from surveykit.fit.errors import allocator_percent, prediction_error
from surveykit.fit.evidence import evidence
from surveykit.fit.options import Judge
from surveykit.fit.predict import (
    Opened,
    Predictor,
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


DETAILED = 3
"""Choices for which it is traced what could be done."""


@dataclass(frozen=True)
class Answer:
    """Every configuration that was asked for, on one model in one setting: in its place, or why it has none."""

    model: str
    """As it was named."""
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
    derived: tuple[str, ...] = ()
    """Formulas of what was not traced but worked out."""

    @property
    def asked(self) -> int:
        """How many configurations were tried."""
        return len(self.choices) + len(self.unable) + self.unwanted

    @property
    def fits(self) -> bool:
        """Whether anything fits, or is tight."""
        return any(choice.standing in ("fits", "tight") for choice in self.choices)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What whoever reads the figures has to know of the model and the configurations."""
        return (
            *(f"Beware: {note}." for note in self.notes),
            *(f"By formula, not traced: {line}." for line in self.derived),
            *(f"Changed: {line}." for line in self.changed),
            *(f"PEFT: {line}." for line in self.peft),
        )

    @property
    def headline(self) -> str:
        """How many fit, or why there is nothing to rank."""
        if not self.choices:
            return words.nothing_left(self.question, self.unwanted, [one.reason for one in self.unable])
        return words.headline(self.choices, self.question)

    @property
    def sentences(self) -> tuple[str, ...]:
        """The answer in words: what the figures leave out of the model, how many fit, what to use and why, what the first
        needs and what could be done about it."""
        question, choices = self.question, self.choices
        if not choices:
            return (*self.remarks, self.headline)
        ways = [line for choice in choices for line in words.ways_out(choice, question)]
        first = words.breakdown(choices[0].candidate, question)
        return (*self.remarks, self.headline, *words.advice(choices, question), *first, *ways)

    @property
    def code(self) -> str | None:
        """Python that trains the first in the ranking; None where nothing was ranked, or several were compared."""
        options = self.choices[0].options if self.choices else None
        return None if options is None else options.code


def will_it_fit(
    catalog: Catalog,
    database: Path,
    source: str,
    questions: Sequence[Question],
    *,
    methods: Sequence[str] | None = None,
    peft: Sequence[PeftFile] = (),
    every: bool = False,
    changes: Changes = UNCHANGED,
    budget: str | int | None = None,
    detailed: bool = True,
    watch: Watch = unwatched,
) -> list[Answer]:
    """Trace configurations on a model and rank them, for each question.

    Args:
        database: of the same catalog; the survey's evidence, and the error of predictions, come from there.
        source: a model of the catalog, a folder with a config.json, such a file, or a model of the hub.
        methods: their configurations, or `method/configuration`; None: all methods.
        peft: configurations of PEFT beside them.
        every: all configurations of a method instead of its default one.
        changes: of the configurations that have a place for them.
        budget: of trainable parameters, as `parse_budget` takes it: what each method's size is set to.
        detailed: trace too what could be done with the first choices (with all, where one method is named).

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
    most = None if amount is None else amount.of(parameters)
    wanted: list[Wanted] = [(name, recipe, most) for name, recipe in recipes]
    of_peft = _of_peft(catalog, model, peft)
    wanted += [(one.name, one.recipe or one.file, None) for one in of_peft]
    noted = tuple(f"{one.name}: {note}" for one in of_peft for note in one.notes)
    answers = []
    with reading(database) as reader:
        reserved = allocator_percent(reader)

        def judged(question: Question) -> Question:
            return replace(question, error=prediction_error(reader, question.training), allocator_percent=reserved)

        asked = [judged(question) for question in questions]
        outcomes, predictor = predictions(catalog, model, asked, wanted, watch)
        known = evidence(reader, parameters, model.id if isinstance(model, Model) else None)
        for question, found in zip(asked, outcomes, strict=True):
            candidates = [with_evidence(o, _evidence(known, o), question) for o in found if isinstance(o, Candidate)]
            choices = rank(candidates, question)
            if detailed and choices:
                shown = len(choices) if methods is not None and len(methods) == 1 else DETAILED
                by_name = {one[0]: one for one in wanted}
                head = _with_options(choices[:shown], question, by_name, predictor(), judged, _published(model, source))
                choices = (*head, *choices[shown:])
            unable = sorted((o for o in found if isinstance(o, Unable)), key=lambda o: o.configuration)
            unwanted = sum(isinstance(o, Unwanted) for o in found)
            notes = _notes(model, question)
            derived = _derived(question.training)
            answers.append(Answer(source, question, choices, tuple(unable), unwanted, notes, said, noted, derived))
    return answers


def _with_options(
    choices: Sequence[Choice], question: Question, wanted: Mapping[str, Wanted], predictor: Predictor, judged: Judge,
    model: str,
) -> Iterator[Choice]:  # fmt: skip
    """The first choice with all that could be done and the code to run it; others that do not fit, with the former."""
    for number, choice in enumerate(choices):
        if number and choice.standing == "fits":
            yield choice
            continue
        one = wanted[choice.candidate.configuration]
        found = predictor.options(question, one, judged)
        yield replace(choice, options=found if number else replace(found, code=predictor.code(question, one, model)))


def _published(model: Opened, source: str) -> str:
    """What `from_pretrained` is given: the name on the hub of a model of the catalog, else what the user named."""
    if isinstance(model, Model):
        return model.checkpoint or model.name
    return source.removesuffix("config.json").rstrip("/") or "."


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


def _derived(training: Training) -> tuple[str, ...]:
    """What of a step in this setting is arithmetic: bytes of weights of few bits, shares of devices, what the host holds."""
    if training.base_bits == 16 and training.devices == 1 and not training.offload_states:
        return ()  # and torch need not be loaded for it
    from surveykit.engine.models.held_bits import bits_of_bitsandbytes
    from surveykit.engine.trace.shards import formula

    held = bits_of_bitsandbytes(training)
    said = (None if held is None else f"frozen weights by {held.words}", formula(training))
    return tuple(line for line in said if line)
