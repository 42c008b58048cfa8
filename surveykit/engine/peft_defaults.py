"""Where PEFT's own default targets for a type of model are others than our configuration's places.

`peft_defaults.json` holds them, so that PEFT need not be there; `python benchmarks/peft_defaults.py` writes it anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Set
from functools import cache
from pathlib import Path
from typing import NamedTuple, get_args

from torch import nn

from surveykit.engine.models.bound_places import BoundPlace
from surveykit.engine.models.model import Instance
from surveykit.recipes import Edit, Recipe, Role, Stage, Where
from surveykit.recipes.base import LINEAR_ROLES
from surveykit.record import Record

FILE = Path(__file__).with_suffix(".json")
METHODS = {
    "lora/qv-r8": "lora", "dora/qkv-feed-forward-r32": "lora", "adalora/all-linear-r12-to-8": "adalora", "ia3/kv-ff": "ia3",
    "ln-tuning/norms": "ln_tuning",
}  # fmt: skip
"""Of our default configurations that PEFT has too: whose targets they are compared with."""
Targets = tuple[str, ...] | str
"""Names of modules or ends of their paths, or one regular expression over whole paths."""


class PeftDefaults(Record):
    """PEFT's default targets, by the model types of transformers."""

    peft: str
    """The version that they are of."""
    lora: Mapping[str, Targets]
    adalora: Mapping[str, Targets]
    ia3: Mapping[str, Targets]
    ia3_feed_forward: Mapping[str, Targets]
    """Those of IA3 that are scaled at what they read, not at what they give."""
    ln_tuning: Mapping[str, Targets]


class Difference(Record):
    """One configuration that PEFT, left to its defaults, puts on other modules of a model, or on whole ones where ours takes
    parts."""

    configuration: str
    peft: str
    """PEFT's version."""
    model_type: str
    ours: int
    theirs: int
    """Trainable parameters."""
    ours_on: str
    theirs_on: str
    """What the modules do, in words."""
    targets: str
    """PEFT's names of them."""

    @property
    def sentence(self) -> str:
        return (
            f"{self.configuration} trains {self.ours:,} parameters here, on {self.ours_on}; PEFT {self.peft} by default trains"
            f" {self.theirs:,}, on {self.theirs_on} (its targets for '{self.model_type}': {self.targets})"
        )


@cache
def peft_defaults() -> PeftDefaults:
    """What the file holds."""
    return PeftDefaults.model_validate_json(FILE.read_text(encoding="utf-8"))


def beside_peft(instance: Instance, recipes: Iterable[tuple[str, Recipe]]) -> Iterator[Difference]:
    """The differences of configurations, named as in the catalog and in its own places; none where PEFT has no default for
    the type of model, or the configuration does not fit it."""
    defaults, model_type = peft_defaults(), instance.model.config.model_type
    for name, recipe in recipes:
        targets = getattr(defaults, METHODS[name]).get(model_type) if name in METHODS else None
        if targets is None:
            continue
        inputs = defaults.ia3_feed_forward.get(model_type, ()) if METHODS[name] == "ia3" else ()
        ours, theirs = _ours(instance, recipe.stages[0]), _theirs(instance, recipe.stages[0], targets, inputs)
        if ours.trainable and theirs.trainable and ours != theirs:
            yield Difference(
                configuration=name, peft=defaults.peft, model_type=model_type, ours=ours.trainable, theirs=theirs.trainable,
                ours_on=_words(instance, ours, {role for where in _places(recipe.stages[0]) for role in where.roles}),
                theirs_on=_words(instance, theirs, LINEAR_ROLES),
                targets=targets if isinstance(targets, str) else ", ".join(targets),
            )  # fmt: skip


class _Trained(NamedTuple):
    """What is trained, and which modules it belongs to, by identity."""

    trainable: int
    modules: frozenset[int]


def _ours(instance: Instance, stage: Stage) -> _Trained:
    wanted = [[slot for slot in instance.slots if where.matches(slot.place)] for where in _places(stage)]
    if not all(wanted):  # it does not fit the model
        return _Trained(0, frozenset())
    if not stage.edits:
        return _pretrained(slot.module for slots in wanted for slot in slots)
    return _added((slot, edit) for edit, slots in zip(stage.edits, wanted, strict=True) for slot in slots)


def _places(stage: Stage) -> tuple[Where, ...]:
    """Where a stage's edits go, or what it trains without one."""
    return tuple(edit.where for edit in stage.edits) or stage.train


def _theirs(instance: Instance, stage: Stage, targets: Targets, inputs: Targets) -> _Trained:
    """The same stage on PEFT's targets: whole linear layers for edits, any module that is named where those are trained."""
    if not stage.edits:
        return _pretrained(module for name, module in instance.model.named_modules() if _named(name, targets))
    whole = [slot for slot in instance.slots if slot.place.role == "linear" and _named(slot.place.name, targets)]
    return _added((slot, _edit_at(stage, "input" if _named(slot.place.name, inputs) else "output")) for slot in whole)


def _named(name: str, targets: Targets) -> bool:
    if isinstance(targets, str):
        return re.fullmatch(targets, name) is not None
    return any(name == end or name.endswith(f".{end}") for end in targets)


def _edit_at(stage: Stage, side: str) -> Edit:
    """The edit that PEFT puts on a target; of IA3's two, the one for what it scales: what is read, or what is given."""
    return next((edit for edit in stage.edits if getattr(edit, "side", side) == side), stage.edits[0])


def _added(places: Iterable[tuple[BoundPlace, Edit]]) -> _Trained:
    bound = [(slot, [s.numel for s in edit.tensors(slot.place).values() if s.trained]) for slot, edit in places]
    return _Trained(sum(sum(sizes) for _, sizes in bound), frozenset(id(slot.module) for slot, _ in bound))


def _pretrained(modules: Iterable[nn.Module]) -> _Trained:
    trained = [*modules]
    parameters = {id(parameter): parameter.numel() for module in trained for parameter in module.parameters()}
    return _Trained(sum(parameters.values()), frozenset(map(id, trained)))


def _words(instance: Instance, trained: _Trained, meant: Set[str]) -> str:
    """What modules do: the roles of linear layers, those that are meant where a layer has several; or the number of norms
    and others."""
    here = [slot.place.role for slot in instance.slots if id(slot.module) in trained.modules]
    roles = [role for role in get_args(Role) if role in LINEAR_ROLES & meant and role in here]
    if roles:
        return ", ".join(role.replace("_", " ") for role in roles)
    norms, others = here.count("norm"), len(trained.modules) - here.count("norm")
    return " and ".join(f"{n} {kind}" for n, kind in ((norms, "norms"), (others, "other modules")) if n)
