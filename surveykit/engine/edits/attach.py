"""Putting a stage of a recipe on a backbone, and taking it off again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Self

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from surveykit.engine.edits.gathering import Sample, gathered
from surveykit.engine.edits.hooks import Placed, hook
from surveykit.engine.edits.masking import Masked
from surveykit.engine.edits.tensors import Part, as_kept, on_host
from surveykit.engine.models.bound_places import BoundPlace
from surveykit.engine.models.model import Instance
from surveykit.engine.models.walk import parameters_of
from surveykit.errors import RecipeError
from surveykit.recipes import Edit, Place, Role, Shape, Stage, Where
from surveykit.recipes.numbering import numbered, with_values
from surveykit.recipes.sites import KeyValueEdit, ParameterEdit, WeightEdit

CONTAINER = "surveykit_edits"
"""Name under which the added parameters hang on the model."""

Values = dict[tuple[str, str, str], Tensor]
"""Tensors of a stage by kind of edit, place (or group) and name."""


class Attached:
    """A stage on a backbone. A context manager; leaving it takes every trace of the stage off again.

    Args:
        instance: the backbone.
        stage: what is put on it.
        changes: how far the previous stage moved pretrained tensors, by identity; empty in the first stage.
        dtype: of the parameters that it adds, and of what is computed from them; None for the backbone's. What they give
            the backbone is cast to its own.
        dropout: whether edits that libraries let drop a share of their input do so.
        copied: whether what edits add to a layer is copied on the way, and kept for backward.
        sample: examples for edits that start from data; without it they start as they do without data.
    """

    def __init__(
        self,
        instance: Instance,
        stage: Stage,
        changes: Mapping[int, Tensor] | None = None,
        dtype: torch.dtype | None = None,
        *,
        dropout: bool = False,
        copied: bool = False,
        sample: Sample | None = None,
    ) -> None:
        self.instance = instance
        self.stage = stage
        self.changes = changes or {}
        self.dtype = dtype or instance.pretrained[0].dtype
        self._run = {"dropout": dropout, "copied": copied}
        self.placed: list[Placed] = []
        self.masked: Masked | None = None
        self._handles: list[RemovableHandle] = []
        self.container = nn.ModuleList()
        """Holds what the stage added."""
        self.before: dict[int, Tensor] = {}
        """What the pretrained tensors were, by identity, that the stage has rounded or an edit's start has changed."""
        self.merged = False
        """Whether `merge` took edits off."""
        self._attach(sample)

    def _attach(self, sample: Sample | None) -> None:
        try:
            self._quantize()
            for edit in self.stage.edits:
                self._place(edit)
            self.instance.model.add_module(CONTAINER, self.container)
            for part in self.container:  # what edits draw by chance is drawn in training only
                part.training = self.instance.model.training
            with gathered(self.placed, sample):
                self._start()
            self._handles = hook(self.instance.model, self.placed, **self._run)
            self.draw(0)
            if self.stage.mask is not None:
                self.masked = Masked(self.stage.mask, self._maskable())
                self._handles += self.masked.hook()
        except BaseException:
            self.detach()
            raise

    def _slots(self, where: Where, purpose: str, *, whole: bool = True) -> list[BoundPlace]:
        """The places that are meant; none where the backbone is too shallow for the chosen layers.

        Args:
            purpose: in words, for the message.
            whole: whether a matrix that has several roles can only be meant by naming all of them.
        """
        name, where = self.instance.name, self.instance.blueprint.meant(where)
        fits, found = self.instance.places(where)
        if not fits:
            alone = self.instance.blueprint.alone if where.sublayers else ""
            why = f"{alone}{self.instance.without(where)}"
            raise RecipeError(f"{name} has no place for {purpose}: no {where.words()}{why}")
        for slot in found:
            if whole and not {*slot.fused} <= {*where.roles}:
                one = f"{name} has {', '.join(slot.fused)} in one matrix"
                raise RecipeError(f"{one}, so that {purpose} has no {slot.place.role} matrix to go on")
        return found

    def _place(self, edit: Edit) -> None:
        device, dtype, backbone = self.instance.pretrained[0].device, self.dtype, self.instance.pretrained[0].dtype
        groups: dict[str, Part] = {}
        slots = self._slots(edit.where, edit.kind, whole=not isinstance(edit, WeightEdit))
        slots = [slot for slot in slots if edit.site not in slot.unable] or slots
        found = _tensors_at(edit, slots)
        for (bare, name), place in zip(found, numbered(edit, [slot.place for slot, _ in found]), strict=True):
            slot = with_values(bare, place=place)
            if reason := slot.unable.get(edit.site) or self._unshared(edit, slot):
                raise RecipeError(f"{edit.kind} does not fit {self.instance.name}: {reason}")
            try:
                own, common = edit.tensors(place), edit.shared_tensors(place)
            except ValueError as error:
                raise RecipeError(f"{edit.kind} does not fit {self.instance.name}: {error}") from None
            part = Part(own, place, device, dtype, len(self.container), backbone)
            if common:
                group = edit.group(place)
                if group not in groups:
                    groups[group] = Part(common, place, device, dtype, len(self.container), backbone)
                    self.container.append(groups[group])
                elif groups[group].shapes != common:
                    one = f"one {edit.kind} for all layers needs layers of one width, and {self.instance.name}'s differ"
                    raise RecipeError(one)
                part.share(groups[group])
            if name:
                pretrained = slot.module._parameters[name]
                unrounded = self.before.get(id(pretrained))
                flipped = slot.transposed and isinstance(edit, WeightEdit)
                rows = slot.rows if isinstance(edit, WeightEdit) else None
                change = self.changes.get(id(pretrained))
                part.stand_on(slot.module, name, change, unrounded, flipped=flipped, rows=rows)
            elif place.role == "input" and slot.reads is not None:
                part.stand_on(slot.reads, "weight", None, None)
            if isinstance(edit, KeyValueEdit) and edit.apart:
                object.__setattr__(part, "beside", self._beside(place))
            self.container.append(part)
            self.placed.append(Placed(edit, slot, part))

    def _beside(self, attention: Place) -> dict[Role, BoundPlace]:
        """The matrices of one attention, by role."""
        at = attention.sublayer, attention.layer
        return {s.place.role: s for s in self.instance.slots if (s.place.sublayer, s.place.layer) == at}

    def _unshared(self, edit: Edit, slot: BoundPlace) -> str | None:
        """Why an edit cannot go on one role of a matrix that several share: it changes what all of them read, or the stage
        keeps whole matrices."""
        if slot.rows is None or not isinstance(edit, WeightEdit):
            return None
        one = f"{slot.place.role} alone, and {', '.join(slot.fused)} are one matrix"
        if edit.changes_input:
            return f"it would change the input of {one}"
        return f"it keeps the weights that it moved, those of {one}" if self.stage.restarts else None

    def _quantize(self) -> None:
        if self.stage.base is None:
            return
        for slot in self.quantized():
            weight = slot.module.weight
            assert isinstance(weight, nn.Parameter)
            if weight.is_meta or id(weight) in self.before:
                continue
            self.before[id(weight)] = on_host(weight)
            value = weight.detach()
            rounded = self.stage.base.rounded(value.T).T if slot.transposed else self.stage.base.rounded(value)
            weight.data.copy_(rounded)

    def quantized(self) -> list[BoundPlace]:
        """The linear layers whose weights the stage holds in few bits."""
        base = self.stage.base
        return [] if base is None else [slot for slot in self.instance.slots if base.where.matches(slot.place)]

    def _start(self) -> None:
        """Starting values that come from the backbone and from data: those of an edit's `start`."""
        if self.instance.pretrained[0].is_meta:
            return
        base, quantized = self.stage.base, {id(slot.module) for slot in self.quantized()}
        groups: dict[int, list[Placed]] = {}
        for placed in self.placed:
            if type(placed.edit).shared_start is not Edit.shared_start:  # others may stand on no tensor
                groups.setdefault(id(placed.part.group), []).append(placed)
        with torch.no_grad():
            for first, *more in groups.values():
                weights = [placed.part.frozen for placed in (first, *more)]
                for name, value in first.edit.shared_start(first.part.shared, weights).items():
                    first.part.shared.values()[name].copy_(value)
            for placed in self.placed:
                part, place = placed.part, placed.slot.place
                part.base = base if id(placed.slot.module) in quantized else None
                for name, value in placed.edit.start(part, place).items():
                    if name == "frozen":
                        stored = part.stored
                        part.was(self.before.setdefault(id(stored), on_host(stored)))
                        stored.copy_(part.put(stored, value.to(stored.dtype)))
                    else:
                        part.values()[name].copy_(value)

    def draw(self, number: int | None) -> None:
        """Train the pretrained parameters of one draw of layers, freeze the others; all draws are one where the stage draws
        none.

        Args:
            number: which draw; None for all of them together, which is what training can change.
        """
        for parameter in self.instance.pretrained if self.stage.drawn_layers else ():
            parameter.requires_grad_(False)
        for parameter in self._selected(number):
            parameter.requires_grad_(True)

    @property
    def draws(self) -> int:
        """How many draws take every layer in turn; 1 where the stage draws none."""
        size, deepest = self.stage.drawn_layers, max(slot.place.layers for slot in self.instance.slots)
        return 1 if size is None else -(-deepest // size)

    def changeable(self) -> list[nn.Parameter]:
        """The pretrained parameters that training can change by itself: of all draws of layers."""
        chosen = {id(parameter) for parameter in self._selected(None)} if self.stage.drawn_layers else ()
        return [p for p in self.instance.pretrained if p.requires_grad or id(p) in chosen]

    def _selected(self, number: int | None) -> Iterator[nn.Parameter]:
        if self.stage.train_everything:
            yield from self.instance.pretrained
        for where in self.stage.train:
            slots = self._slots(where, "training")
            self._all_found(where, slots)
            yield from self._parameters(where, [slot for slot in slots if self._has_its_turn(slot, number)])

    def _has_its_turn(self, slot: BoundPlace, number: int | None) -> bool:
        """Whether the layer of a place is in a draw. Draws take the layers in turn, as many as are trained at a time: which
        ones a draw takes changes no count, and tests do not depend on chance."""
        size, place = self.stage.drawn_layers, slot.place
        if size is None or number is None or not place.layers:
            return True
        return (place.layer - number * size) % place.layers < size

    def _parameters(self, where: Where, slots: Sequence[BoundPlace]) -> Iterator[nn.Parameter]:
        """What of some places is trained; all biases are also those of layers between the places."""
        modules = [module for slot in slots for module in slot.held()]
        if where.parameters == "all":
            yield from (parameter for module in modules for parameter in parameters_of(module))
            return
        if where.every_layer:
            modules += self.instance.unplaced
        named = (entry for module in modules for entry in module._parameters.items())
        yield from (bias for name, bias in named if bias is not None and name.endswith("bias"))

    def _all_found(self, where: Where, slots: Sequence[BoundPlace]) -> None:
        """Hold a choice of all norms, or of all biases, to a walk over the model that knows of no places."""
        chosen: tuple[str, Sequence[BoundPlace]] | None = None
        if where.parameters == "all" and where.everywhere and "norm" in where.roles:
            chosen = "norms", [slot for slot in slots if slot.place.role == "norm"]
        elif where.parameters == "bias" and where.every_layer:
            chosen = "biases", slots
        if chosen is None:
            return
        kind, walked = chosen[0], self.instance.walked[chosen[0]]
        placed = sum({id(p): p.numel() for p in self._parameters(where, chosen[1])}.values())
        if placed != walked:
            both = f"by their places {kind} have {placed:,} parameters, by a walk over all modules {walked:,}"
            raise RecipeError(f"{self.instance.name}: {both}, so that we count neither; please report this model")

    def _maskable(self) -> list[nn.Parameter]:
        assert self.stage.mask is not None
        if self.stage.mask.of == "pretrained":
            return [p for p in self.instance.pretrained if p.requires_grad]
        named = self.container.named_parameters()
        return [p for name, p in named if p.requires_grad and name.rsplit(".", 1)[-1] not in self.stage.mask.dense]

    @property
    def masks(self) -> dict[int, Tensor]:
        """Which entries of the masked tensors are kept, by identity; empty without a mask."""
        masked = self.masked
        return {} if masked is None else {id(t): kept for t, kept in zip(masked.tensors, masked.kept, strict=True)}

    def prune(self) -> None:
        """Set the entries of new tensors that the mask does not keep to zero, once they are chosen."""
        masked = self.masked
        if masked is not None and masked.mask.of == "added" and not self.instance.pretrained[0].is_meta:
            masked.rewind({id(t): torch.zeros_like(t) for t in masked.tensors})

    def added(self) -> tuple[nn.Parameter, ...]:
        """The parameters that the stage added, each once, trained or not."""
        return tuple(parameters_of(self.container))

    def values(self) -> Values:
        """Every tensor of the stage's edits."""
        found: Values = {}
        for placed in self.placed:
            kind = placed.edit.kind
            found.update({(kind, placed.name, name): value for name, value in placed.part.values().items()})
            if placed.part.group is not None:
                group = placed.edit.group(placed.slot.place)
                found.update({(kind, f"group {group}", name): v for name, v in placed.part.shared.values().items()})
        return found

    def carry(self, values: Values) -> None:
        """Go on from the values of another stage: tensors of the same kind, place, name and shape."""
        with torch.no_grad():
            for key, own in self.values().items():
                if key in values and values[key].shape == own.shape:
                    own.copy_(values[key])

    def penalty(self) -> Tensor | None:
        """The sum of what edits add to the loss; None when none does."""
        terms = [term for placed in self.placed if (term := placed.edit.penalty(placed.part)) is not None]
        return torch.stack(terms).sum() if terms else None

    def obstacles(self) -> dict[str, str]:
        """Why kinds of edits cannot be merged; empty when all can."""
        found = [(edit.kind, self.stage.merge_obstacle(edit)) for edit in self.stage.edits]
        return {kind: obstacle for kind, obstacle in found if obstacle is not None}

    def merge(self) -> dict[str, str]:
        """Write every edit that has a merged form into the backbone's weights; the others stay on.

        Returns:
            Why the others cannot be merged, by kind.
        """
        staying: list[Placed] = []
        for handle in self._handles:
            handle.remove()
        with torch.no_grad():
            for placed in self.placed:
                edit = placed.edit
                if self.stage.merge_obstacle(edit) is not None:
                    staying.append(placed)
                elif not placed.part.stored.is_meta:  # there, there is nothing to write
                    placed.write()
        self.merged = len(staying) < len(self.placed)
        self.placed = staying
        needed = {id(placed.part) for placed in staying} | {id(placed.part.group) for placed in staying}
        self.container = nn.ModuleList(part for part in self.container if id(part) in needed)
        self.instance.model._modules[CONTAINER] = self.container
        self._handles = hook(self.instance.model, staying)
        return self.obstacles()

    def deployed(self) -> tuple[Stage, dict[tuple[int, str], Tensor]]:
        """What a user keeps: the deployed form of the stage, and its tensors by number of place and name.

        Tensors that a seed or the backbone gives again are not among them.
        """
        kept: dict[tuple[int, str], Tensor] = {}
        for number, placed, own, common in self._deployed_shapes():
            values = placed.edit.deployed_tensors(placed.part, placed.slot.place) if own else {}
            kept.update({(number, name): as_kept(own[name], values[name]) for name in own if not own[name].made_again})
            if common:
                values = placed.edit.deployed_shared_tensors(placed.part.shared, placed.slot.place)
                kept.update(
                    {(number, f"shared.{name}"): values[name] for name in common if not common[name].made_again}
                )
        return self.stage.deployed(), kept

    def kept_shapes(self) -> list[Shape]:
        """The shapes of all tensors of the deployed form, those from a seed included."""
        every = (list(own.values()) + list(common.values()) for _, _, own, common in self._deployed_shapes())
        return [shape for shapes in every for shape in shapes]

    def _deployed_shapes(self) -> Iterator[tuple[int, Placed, Mapping[str, Shape], Mapping[str, Shape]]]:
        seen: set[int] = set()
        for number, placed in enumerate(self.placed):
            deployed, place = placed.edit.deployed(), placed.slot.place
            common = deployed.shared_tensors(place)
            first = bool(common) and id(placed.part.group) not in seen
            if first:
                seen.add(id(placed.part.group))
            yield number, placed, deployed.tensors(place), common if first else {}

    def detach(self) -> None:
        """Take hooks and added parameters off, and freeze the backbone again. Merged weights stay merged."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        if not self.merged:
            for weight in self.instance.pretrained:
                if id(weight) in self.before:
                    weight.data.copy_(self.before[id(weight)])
        self.before.clear()
        self.instance.model._modules.pop(CONTAINER, None)
        for parameter in self.instance.pretrained:
            parameter.requires_grad_(False)
            parameter.grad = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.detach()


def _tensors_at(edit: Edit, slots: Sequence[BoundPlace]) -> list[tuple[BoundPlace, str]]:
    """Where an edit goes: the modules, or each of their pretrained tensors, however many names it has."""
    if not isinstance(edit, ParameterEdit):
        return [(slot, "weight" if "weight" in slot.module._parameters else "") for slot in slots]
    found: dict[int, tuple[BoundPlace, str]] = {}
    for slot in slots:
        for name, parameter in slot.module._parameters.items():
            if parameter is not None:
                found.setdefault(id(parameter), (slot.at(shape=tuple(parameter.shape)), name))
    return list(found.values())
