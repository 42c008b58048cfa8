"""Changes of configurations on a model: whether it has what they name, and what they add."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from pydantic import JsonValue
from torch import nn

from surveykit.catalog.change_values import ALL_LINEAR
from surveykit.catalog.changes import Changes, changed
from surveykit.engine.models.model import Instance
from surveykit.engine.models.task_head import head_modules, head_parameters
from surveykit.errors import ChangeError, nearest
from surveykit.recipes import Recipe, Where

PEFT_HEADS = ("classifier", "score")
"""Ends of the names of modules that PEFT takes for the head of a task."""


def changed_on(
    instance: Instance, changes: Changes, recipes: Sequence[tuple[str, Recipe]]
) -> tuple[list[tuple[str, Recipe]], tuple[str, ...]]:
    """Recipes with changes, by their full names, and what has to be said of them, a line each.

    Raises:
        ChangeError: the model has not what the changes name, or no recipe has a place for one; every fault is told.
    """
    if faults := list(_unknown(instance, changes)):
        raise ChangeError(faults)
    found, notes = changed(changes, recipes, lambda target, old: _divided(instance, target, old))
    found = [(name, _apart(instance, changes, name, recipe)) for name, recipe in found]
    return found, (*notes, *_described(instance, changes))


def _unknown(instance: Instance, changes: Changes) -> Iterable[str]:
    """What of the changes the model does not have, with what it has instead."""
    target, names = changes.target, ", ".join(_linear_names(instance))
    if target is not None and target.modules is not None:
        wrong = [_no_target(instance, name) for name in target.modules if not _fits(instance, (name,))]
        if wrong:
            yield f"{'; '.join(wrong)}; the linear layers of {instance.name} are {names}"
    elif target is not None and not any(target.fits(slot.place) for slot in instance.slots):
        if changes.targets == ALL_LINEAR:
            yield f"{instance.name} has no linear layers"
        else:
            example = next(slot.place.name for slot in instance.slots if slot.place.role == "linear")
            yield f"'{changes.targets}' matches the whole path of no linear layer, such as {example}; there are {names}"
    for name in changes.also_train:
        modules = _inside(instance, (name,))
        if not modules:
            known = dict.fromkeys(path.rpartition(".")[2] for path, _ in instance.model.named_modules() if path)
            words = [word for word in known if not word.isdecimal()]
            yield f"{instance.name} has no module '{name}' to train{nearest(name, words)}; it has {', '.join(words)}"
        elif missed := {id(p) for m in modules for p in m.parameters()} - _trained_too(instance, changes):
            yield f"'{name}' holds {len(missed)} tensors of {instance.name} in places that surveykit does not know"
    depth = max(slot.place.layers for slot in instance.slots)
    if target is not None and changes.in_layers is not None:
        where = target.model_copy(update={"layers": changes.in_layers})
        if any(target.fits(s.place) for s in instance.slots) and not any(
            where.matches(s.place) for s in instance.slots
        ):
            yield f"none of the targets is in the chosen layers of {instance.name}"
    in_set = [v for key, value in changes.set.items() if key.startswith("layers") for v in _listed(value)]
    numbers = changes.layers or [n for n in in_set if isinstance(n, int)]
    beyond = [n for n in numbers if not -depth <= n < depth]
    if beyond:
        named = ", ".join(map(str, beyond)) if len(beyond) <= 3 else f"{beyond[0]}, {beyond[1]} … {beyond[-1]}"
        yield f"{instance.name} has {depth} layers, 0 to {depth - 1}; there is no layer {named}"
    if (changes.top_layers or 0) > depth:
        yield f"{instance.name} has {depth} layers, fewer than the top {changes.top_layers}"


def _listed(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) else [value]


def _fits(instance: Instance, names: tuple[str, ...]) -> bool:
    where = Where(roles=("linear",), modules=names)
    return any(where.fits(slot.place) for slot in instance.slots)


def _no_target(instance: Instance, name: str) -> str:
    module = next(iter(_inside(instance, (name,))), None)
    if module is None:
        return f"{instance.name} has no module '{name}'{nearest(name, _linear_names(instance))}"
    if module is instance.model.get_output_embeddings():
        return f"'{name}' is the output layer, which also_train trains"
    return f"'{name}' is not a linear layer but a {type(module).__name__}"


def _linear_names(instance: Instance) -> list[str]:
    """Names of the linear layers, each once however many blocks have it."""
    names = (slot.place.name.rpartition(".")[2] for slot in instance.slots if slot.place.role == "linear")
    return list(dict.fromkeys(names))


def _inside(instance: Instance, names: Sequence[str]) -> list[nn.Module]:
    """The modules of these names or ends of paths."""
    modules = instance.model.named_modules(remove_duplicate=False)
    return [m for path, m in modules if any(path == name or path.endswith(f".{name}") for name in names)]


def _trained_too(instance: Instance, changes: Changes) -> set[int]:
    """The parameters that are trained too, by identity."""
    where = changes.trained_too
    slots = [slot for slot in instance.slots if where is not None and where.fits(slot.place)]
    return {id(p) for slot in slots for module in slot.held() for p in module.parameters()}


def _divided(instance: Instance, target: Where, old: Sequence[Where]) -> list[Where | None]:
    """Each target goes to the edit that is on such modules already, and what is on none to the first: (IA)3 scales the
    input of the feed-forward's last matrix, and the output of any other."""
    owners: dict[int, int] = {}
    for number, where in reversed(list(enumerate(old))):
        everywhere = Where(roles=where.roles)
        owners |= {id(slot.module): number for slot in instance.slots if everywhere.fits(slot.place)}
    paths: list[dict[str, None]] = [{} for _ in old]
    for slot in instance.slots:
        if target.fits(slot.place):
            any_layer = re.sub(r"(?<=\\\.)\d+(?=\\\.)", r"\\d+", re.escape(slot.place.name))
            paths[owners.get(id(slot.module), 0)][any_layer] = None
    same = [next(n for n, other in enumerate(old) if other.roles == where.roles) for where in old]
    return [Where(roles=("linear",), pattern="|".join(paths[n])) if paths[n] else None for n in same]


def _apart(instance: Instance, changes: Changes, name: str, recipe: Recipe) -> Recipe:
    """The recipe without edits on modules that are trained as they are: they would be changed twice.

    Raises:
        ChangeError: an edit has no other places.
    """
    also, trained = changes.trained_too, _trained_too(instance, changes)
    if also is None:
        return recipe
    stages = []
    for stage in recipe.stages:
        edits = []
        for edit in stage.edits:
            where = edit.where
            here = [slot.module for slot in instance.slots if edit.site == "weight" and where.fits(slot.place)]
            twice = [module for module in here if id(module.weight) in trained]
            if here and len(twice) == len(here):
                raise ChangeError(
                    [f"{name}: also_train already trains every target: name other modules or other targets"]
                )
            if twice:
                rest = f"(?!(?:{also.pattern})$)(?:{where.pattern or '.*'})"
                edit = edit.model_copy(update={"where": where.model_copy(update={"pattern": rest})})
            edits.append(edit)
        stages.append(stage.model_copy(update={"edits": tuple(edits)}))
    return recipe.model_copy(update={"stages": tuple(stages)})


def _described(instance: Instance, changes: Changes) -> Iterable[str]:
    """What the changes train beside the edits, and PEFT's number where that is another."""
    parameters = {id(p): p.numel() for p in instance.model.parameters()}
    if changes.also_train:
        ours = sum(parameters[key] for key in _trained_too(instance, changes))
        theirs = _saved_by_peft(instance, changes.also_train)
        said = f"also trained and stored: {', '.join(changes.also_train)}, {ours:,} parameters, tied tables once"
        yield (
            said
            if ours == theirs
            else f"{said}; PEFT's modules_to_save copies every such module, {theirs:,} parameters"
        )
    if changes.head is not None:
        heads = head_modules(instance.model)
        ours = sum(parameters[key] for key in head_parameters(instance))
        theirs = _saved_by_peft(instance, PEFT_HEADS)
        labels = "1 label" if changes.head == 1 else f"{changes.head} labels"
        said = f"the head of {labels}, {', '.join(heads)}, has {ours:,} parameters, which every method trains"
        yield said if ours == theirs else f"{said}; PEFT trains {theirs:,} of them, those called classifier or score"


def _saved_by_peft(instance: Instance, names: Sequence[str]) -> int:
    """What PEFT trains of modules to save: a copy of each whose path ends in these letters, tied or not."""
    modules = dict(instance.model.named_modules(remove_duplicate=False))
    paths = [path for path in modules if any(path.endswith(name) for name in names)]
    outermost = [path for path in paths if not any(path.startswith(f"{other}.") for other in paths)]
    return sum(sum(p.numel() for p in modules[path].parameters()) for path in outermost)
