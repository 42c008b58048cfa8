"""A configuration of PEFT on a model: in our recipe where we have the method, with PEFT's count beside ours, else through
PEFT's own modules."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from surveykit.catalog.peft_arguments import PeftArguments, peft_arguments
from surveykit.catalog.peft_file import PeftFile
from surveykit.catalog.peft_methods import WHOLE
from surveykit.catalog.peft_recipes import name_of, translated
from surveykit.catalog.peft_targets import NotOurs
from surveykit.catalog.training import SURVEYS, Training
from surveykit.engine.counts import count
from surveykit.engine.models.objective import loss_in_words
from surveykit.engine.models.peft_modules import (
    PeftCounts,
    dropped_keys,
    parts_of,
    peft_counts,
    peft_is_here,
    peft_version,
    task_type,
)  # fmt: skip
from surveykit.engine.on_model import CostsOnModel, CountOnModel, costs_row, count_on, facts_of, measure_on
from surveykit.engine.trace.compute import BesideFullTuning
from surveykit.engine.trace.costs import TARGET_LENGTH, Costs
from surveykit.engine.trace.inputs import notes_on_trace
from surveykit.engine.trace.peft_costs import PeftCosts
from surveykit.errors import MissingExtra, RecipeError, SurveyError

if TYPE_CHECKING:
    from surveykit.engine.models.model import Blueprint, Instance
    from surveykit.recipes import Recipe

_HEADS = {"SEQ_CLS": ("classifier", "score"), "TOKEN_CLS": ("classifier", "score"), "QUESTION_ANS": ("qa_outputs",)}
"""What PEFT trains of the head of a task, by the ends of names of modules, whatever a file says."""


@dataclass(frozen=True)
class PeftOnModel:
    """A configuration of PEFT on one model."""

    name: str
    """Of our configuration, `lora/qv-r8 · rank=32 · targets=q_proj,v_proj`; `peft/VERA · …` where we have no recipe."""
    file: PeftFile
    """What of the file holds for this model."""
    recipe: Recipe | None
    """None where PEFT's own modules count."""
    notes: tuple[str, ...]
    """What whoever reads a figure has to know, a sentence each."""


def peft_on(instance: Instance, file: PeftFile, catalog: Path) -> PeftOnModel:
    """What a configuration of PEFT is on a model.

    Raises:
        SurveyError: a value of the file is wrong, or the model has no module that it names.
        MissingExtra: only PEFT's own modules have the method, and PEFT is not installed.
    """
    task = task_type(instance.model)
    notes = _on_task(instance, file, task)
    if _known_to_peft(file) and (dropped := dropped_keys(file)):
        file = file.without(dropped)
        notes.append(f"PEFT {peft_version()} does not know {', '.join(dropped)} and drops it, as we do here")
    file = _with_head(instance, file, task)
    try:
        ours = translated(file, parts_of(instance, file), catalog)
    except NotOurs as reason:
        if not peft_is_here():
            raise MissingExtra(
                "peft", "peft", f"{file.name}: {reason}, and counting it with PEFT's own modules"
            ) from None
        label = f"these figures are of PEFT {peft_version()}'s own modules: {reason}"
        return PeftOnModel(name_of(file), file, None, (*notes, label))
    return PeftOnModel(ours.name, file, ours.recipe, (*notes, *ours.notes))


def count_peft(instance: Instance, file: PeftFile, catalog: Path) -> CountOnModel:
    """Count a configuration of PEFT on a model, with PEFT's own count beside ours where PEFT is installed. What has to be
    said of it is in the notes of the row's model. Raises as `peft_on`."""
    found = peft_on(instance, file, catalog)
    theirs: PeftCounts | None = None
    reason, notes = None, found.notes
    if _known_to_peft(file):
        try:
            theirs = peft_counts(instance.blueprint, found.file)
        except RecipeError as error:
            reason = str(error)
    if found.recipe is None:
        return _row_of_peft(instance, found, theirs, reason)
    if reason is not None:
        notes = (*notes, f"not counted by PEFT: {reason}")
    (row,) = count_on(instance, [(found.name, found.recipe)], notes=notes)
    ours = row.trainable
    if theirs is None or ours is None:
        return row
    row = replace(row, trainable_by_peft=theirs.trainable)
    if (more := theirs.trainable - ours) == 0:
        return row
    than = f"{abs(more):,} {'more' if more > 0 else 'fewer'} than ours"
    tied = "; it trains a copy of every module that modules_to_save names, and ours a shared table once"
    said = f"PEFT {peft_version()} counts {theirs.trainable:,}, {than}{tied if file.content.get('modules_to_save') else ''}"
    return replace(row, model=replace(row.model, notes=(*row.model.notes, said)))


def as_peft(instance: Instance, name: str, recipe: Recipe) -> PeftArguments:
    """One of our configurations on a model as PEFT's, with PEFT's count beside ours in the notes where PEFT is installed.

    Raises:
        SurveyError: PEFT cannot say it; the message says what of it.
    """
    try:
        found = peft_arguments(recipe, parts_of(instance), task_type(instance.model))
    except SurveyError as error:
        raise SurveyError(f"{name} is not a PEFT configuration: {error}") from None
    if not peft_is_here():
        return found
    file = _with_head(instance, found.file(name), task_type(instance.model))
    ours, theirs = count(recipe, instance).trainable, peft_counts(instance.blueprint, file).trainable
    both = f"PEFT {peft_version()} trains {theirs:,} parameters with it, "
    more = f"{abs(theirs - ours):,} {'more' if theirs > ours else 'fewer'} than surveykit's {name}"
    return found.noting(both + ("as many as surveykit counts" if ours == theirs else more))


def measure_peft(
    blueprint: Blueprint, file: PeftFile, catalog: Path, *, batch: int, length: int, training: Training = SURVEYS
) -> CostsOnModel:
    """Trace a configuration of PEFT on a model, with our edits where we have the method, else with PEFT's own modules.

    Args:
        batch, length, training: as of `measure_on`.

    Raises as `peft_on`.
    """
    instance = blueprint.build()
    found = peft_on(instance, file, catalog)
    if found.recipe is not None:
        recipes = [(found.name, found.recipe)]
        (row,) = measure_on(blueprint, recipes, batch=batch, length=length, training=training, notes=found.notes)
        return row
    model = facts_of(instance, (*found.notes, *notes_on_trace(instance, length)))
    loss = loss_in_words(instance.model, TARGET_LENGTH)
    try:
        costs = PeftCosts(blueprint, found.file)
        step = costs.training(batch, length, training=training)
        compute = BesideFullTuning(Costs(blueprint)).compute(step, batch, length, training=training)
        return costs_row(found.name, model, loss, [step], costs.inference(), compute=compute)
    except RecipeError as error:
        return CostsOnModel(found.name, model, loss, *(None,) * 18, reason=str(error))


def _known_to_peft(file: PeftFile) -> bool:
    """Whether PEFT is installed, and has such a type."""
    return file.peft_type != WHOLE and peft_is_here()


def _row_of_peft(instance: Instance, found: PeftOnModel, theirs: PeftCounts | None, reason: str | None) -> CountOnModel:
    model = facts_of(instance, found.notes)
    if theirs is None:
        return CountOnModel(found.name, model, *(None,) * 9, reason=reason)
    return CountOnModel(
        configuration=found.name, model=model, trainable=theirs.trainable,
        percent=100 * theirs.trainable / instance.parameters, trainable_last_stage=None, added=theirs.added, changed=None,
        stored=theirs.stored, stored_bytes=theirs.stored_bytes, update_rank=None, size=None, reason=None,
        trainable_by_peft=theirs.trainable,
    )  # fmt: skip


def _with_head(instance: Instance, file: PeftFile, task: str) -> PeftFile:
    """With the head of the model's task among what is trained as it is: PEFT adds it."""
    saved = file.names("modules_to_save") or ()
    names = [saved] if isinstance(saved, str) else [*saved]
    modules = [name for name, _ in instance.model.named_modules()]
    new = [head for head in _HEADS.get(task, ()) if head not in names]
    heads = [head for head in new if any(module.endswith(head) for module in modules)]
    return file.including(modules_to_save=[*names, *heads]) if heads else file


def _on_task(instance: Instance, file: PeftFile, task: str) -> list[str]:
    """A word where the file is for a head of a task that the model does not have."""
    asked = file.content.get("task_type")
    if not isinstance(asked, str) or asked not in _HEADS or asked == task:
        return []
    kind = type(instance.model).__name__
    return [
        f"the file is for {asked}, and {kind} has no head for that: --head LABELS gives it one, which PEFT trains too"
    ]
