"""Methods on models: count, measure, trial."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, overload

from pydantic import JsonValue

from surveykit.api.names import Folder, Layers, Names, loaded, refuse_less_than_one, refuse_others, root_of, several
from surveykit.api.peft import Pefts, model_of, opened_pefts, refuse_to_change
from surveykit.catalog.selection import EVERY
from surveykit.catalog.settings import setting_of
from surveykit.catalog.staleness import Measure
from surveykit.catalog.training import Training
from surveykit.errors import SurveyError
from surveykit.processes import Watch, unwatched

if TYPE_CHECKING:
    from surveykit.catalog.measured import Cell, Recording
    from surveykit.engine.device_runs import DeviceRun
    from surveykit.engine.on_model import CostsOnModel, CountOnModel
    from surveykit.engine.train.pretrained_trial import Trials
    from surveykit.errors import Problem


@overload
def count(
    *, peft: Folder, model: Folder | None = ..., head: int | None = ..., catalog: Folder | None = ...,
) -> CountOnModel: ...  # fmt: skip
@overload
def count(
    method: str, *, model: Folder, peft: None = ..., config: str | None = ..., trainable_budget: str | int | None = ...,
    set: Mapping[str, JsonValue] | None = ..., targets: Names | None = ..., roles: Names | None = ...,
    layers: Layers | None = ..., top_layers: int | None = ..., also_train: Names | None = ..., head: int | None = ...,
    catalog: Folder | None = ..., **hyper_parameters: JsonValue,
) -> CountOnModel: ...  # fmt: skip
@overload
def count(
    method: list[str] | tuple[str, ...] = ..., *, model: Folder | None = ...,
    peft: list[Folder] | tuple[Folder, ...] | None = ..., config: str | None = ...,
    trainable_budget: str | int | None = ..., set: Mapping[str, JsonValue] | None = ..., targets: Names | None = ...,
    roles: Names | None = ..., layers: Layers | None = ..., top_layers: int | None = ..., also_train: Names | None = ...,
    head: int | None = ..., catalog: Folder | None = ..., **hyper_parameters: JsonValue,
) -> list[CountOnModel]: ...  # fmt: skip
def count(
    method: Names = (), *, model: Folder | None = None, peft: Pefts | None = None, config: str | None = None, trainable_budget: str | int | None = None,
    set: Mapping[str, JsonValue] | None = None, targets: Names | None = None, roles: Names | None = None,
    layers: Layers | None = None, top_layers: int | None = None, also_train: Names | None = None,
    head: int | None = None, catalog: Folder | None = None, **hyper_parameters: JsonValue,
) -> CountOnModel | list[CountOnModel]:  # fmt: skip
    """Count the parameters that methods train on any model, without its weights.

    Args:
        method: a method (its default configuration), method/configuration, or a list of them; `["all"]` is every method.
        model: a config.json, a folder with one, a model's id in the catalog, or a name on the hub; without it, the model that
            the PEFT configurations were trained on.
        peft: PEFT configurations, with the methods or instead of them: an adapter_config.json, an adapter's folder, an
            adapter's name on the hub, or several. If we have the method, our recipe is counted, with PEFT's count beside it
            if PEFT is installed; otherwise PEFT's own modules are counted, and the notes say so.
        config: this configuration instead of the default, for methods named alone.
        trainable_budget: choose rank, bottleneck, length… so that the last stage trains about this much: `"0.5%"` of the
            model, `"2M"`, or a number of parameters.
        set, hyper_parameters: hyper-parameters, `rank=32` or `set={"rank": 32}`, if a method has them; `show` lists
            them. `{"roles@2": …}` changes only the second edit.
        targets: linear layers to edit, named as in PEFT: `["q_proj", "v_proj"]` (names of modules or ends of
            their paths), a regular expression on the whole path, or `"all-linear"`.
        roles: roles of the modules to edit, such as `["query", "value"]`, whatever the model calls them.
        layers: layers of each stack, counted from 0, or backwards from -1: `range(12)`, `[0, -1]`, `"0-11"`.
        top_layers: this many last layers of each stack.
        also_train: pretrained modules to train and store as well, by name or end of path, such as
            `["lm_head", "embed_tokens"]`: what PEFT calls `modules_to_save`.
        head: build the model with a head for this many labels, and train the head too.

    Returns:
        Numbers of parameters, their model, and the reason if there are none; a list for several methods. The names of
        configurations show the changes.

    Raises:
        SurveyError: there is no such method, configuration, model, hyper-parameter or module, or the model is of an
            unsupported kind.
        MissingExtra: torch or transformers is not installed.
    """
    from surveykit.api.asked import Asked
    from surveykit.catalog.changes import changes_of

    if method == EVERY:
        raise SurveyError("'all' means several methods: write ['all']")
    changes = changes_of(
        set, hyper_parameters, targets=targets, roles=roles, layers=layers, top_layers=top_layers, also_train=also_train,
        head=head,
    )  # fmt: skip
    root, methods, files = root_of(catalog), several(method), opened_pefts(peft)
    refuse_to_change(methods, files, changes, trainable_budget=trainable_budget, config=config)
    source, asked = model_of(model, files, root), Asked(root, methods, changes, trainable_budget, config)
    from surveykit.engine.on_model import count_on, model_named

    instance = model_named(source, root, head).build()
    wanted = asked.on(instance)
    found = list(count_on(instance, wanted.recipes, wanted.budget, wanted.notes))
    if files:
        from surveykit.engine.peft import count_peft

        found += [count_peft(instance, file, root) for file in files]
    one = peft if not methods else method if not files else None
    return found[0] if isinstance(one, str | PathLike) else found


@overload
def measure(
    method: Names, *, model: Folder, device: str, peft: Pefts | None = ..., backbone: Names = ..., all: bool = ...,
    only: Measure | Sequence[Measure] = ..., batch: int | None = ..., length: int | None = ..., setting: str | None = ...,
    executor: str | None = ..., address: str | None = ...,
    trainable_budget: str | int | None = ..., set: Mapping[str, JsonValue] | None = ..., targets: Names | None = ...,
    roles: Names | None = ..., layers: Layers | None = ..., top_layers: int | None = ...,
    also_train: Names | None = ..., head: int | None = ...,
    catalog: Folder | None = ..., watch: Watch = ..., **hyper_parameters: JsonValue,
) -> list[DeviceRun]: ...  # fmt: skip
@overload
def measure(
    *, peft: Pefts, model: Folder | None = ..., batch: int | None = ..., length: int | None = ..., setting: str | None = ...,
    head: int | None = ..., catalog: Folder | None = ...,
) -> list[CostsOnModel]: ...  # fmt: skip
@overload
def measure(
    method: Names, *, model: Folder, device: None = ..., peft: Pefts | None = ..., backbone: Names = ..., all: bool = ...,
    only: Measure | Sequence[Measure] = ..., batch: int | None = ..., length: int | None = ..., setting: str | None = ...,
    executor: str | None = ..., address: str | None = ...,
    trainable_budget: str | int | None = ..., set: Mapping[str, JsonValue] | None = ..., targets: Names | None = ...,
    roles: Names | None = ..., layers: Layers | None = ..., top_layers: int | None = ...,
    also_train: Names | None = ..., head: int | None = ...,
    catalog: Folder | None = ..., watch: Watch = ..., **hyper_parameters: JsonValue,
) -> list[CostsOnModel]: ...  # fmt: skip
@overload
def measure(
    method: Names = ..., *, backbone: Names = ..., all: bool = ..., only: Measure | Sequence[Measure] = ...,
    executor: str | None = ..., address: str | None = ..., catalog: Folder | None = ..., watch: Watch = ...,
) -> Recording: ...  # fmt: skip
def measure(
    method: Names = (), *, model: Folder | None = None, peft: Pefts | None = None, backbone: Names = (), all: bool = False,
    only: Measure | Sequence[Measure] = (), batch: int | None = None, length: int | None = None, device: str | None = None,
    setting: str | None = None, executor: str | None = None, address: str | None = None,
    trainable_budget: str | int | None = None, set: Mapping[str, JsonValue] | None = None, targets: Names | None = None,
    roles: Names | None = None, layers: Layers | None = None, top_layers: int | None = None,
    also_train: Names | None = None, head: int | None = None,
    catalog: Folder | None = None, watch: Watch = unwatched, **hyper_parameters: JsonValue,
) -> Recording | list[CostsOnModel] | list[DeviceRun]:  # fmt: skip
    """Measure again a catalog's stale records and write them to its folder `measured`; or measure what methods cost on a model.

    Args:
        method: only these, or method/configuration (default: all). With a model, name them, or use `"all"`.
        model, peft: as in `count`; nothing is recorded then.
        backbone: only on these models of the catalog.
        all: also measure again records that are current.
        executor, address: as in `bench`, for records (default: processes on this machine).
        only: `counts` (parameters), `costs` (memory, backward, inference), `predictions` (memory of the steps
            that sources state), `files` (sizes of saved files that sources print; left out without PEFT), `trials` (runs on a tiny T5); without it all.
        batch, length: on your own model, sequences per training step and positions per sequence (default: the setting's, or
            1 and 256).
        device: run a few training steps, with random weights, on `cpu` or an accelerator that torch sees, such as `cuda`, and
            report the allocator's peak beside the prediction.
        setting: how a step runs: a named setting of the catalog (default: `survey`). Each field of
            `surveykit.catalog.training.Training` is also an argument that overrides the setting, such as `attention="sdpa"`.
        trainable_budget, set, targets, roles, layers, top_layers, also_train, head, hyper_parameters: as in `count`.

    Returns:
        What was measured and which files changed; with a model, the costs of each configuration, in bytes and FLOPs; with
        a device, the peak of each as predicted and as it ran.

    Raises:
        SurveyError: a name is unknown, options cannot be combined, or the folder cannot be written.
        CatalogError: the catalog is invalid.
        MissingExtra: torch or transformers is not installed.
    """
    from surveykit.api.asked import Asked
    from surveykit.catalog.changes import changes_of
    from surveykit.catalog.overrides import training_of

    overrides = {name: hyper_parameters.pop(name) for name in Training.model_fields if name in hyper_parameters}
    changes = changes_of(
        set, hyper_parameters, targets=targets, roles=roles, layers=layers, top_layers=top_layers, also_train=also_train,
        head=head,
    )  # fmt: skip
    if model is None and peft is None:
        if (
            changes
            or trainable_budget is not None
            or setting
            or device
            or any(v is not None for v in overrides.values())
        ):
            raise SurveyError(
                "records are made in the catalog's own setting: for anything else, name a model with --model"
            )
        return _measure_catalog(
            root_of(catalog), several(method), several(backbone), all, several(only), watch, executor, address
        )
    methods, files = several(method), opened_pefts(peft)
    if not methods and not files:
        raise SurveyError("with --model, name the methods to measure, or `all`, or a PEFT configuration with --peft")
    if backbone or all or only or executor or address:
        raise SurveyError(
            "--backbone, --all, --only and --executor are for the catalog's own records; leave them out with --model"
        )
    if device is not None and files:
        raise SurveyError("--device works only with methods of the catalog; leave it out with --peft")
    known, name = loaded(catalog), setting or "survey"
    training, stated = training_of(known, name, overrides), setting_of(known, name)
    batch = batch or (stated.batch if setting else None) or 1
    length = length or (stated.lengths[0] if setting and stated.lengths else 256)
    refuse_less_than_one(batch=batch, length=length)
    refuse_to_change(methods, files, changes, trainable_budget=trainable_budget)
    root = root_of(catalog)
    source, asked = model_of(model, files, root), Asked(root, methods, changes, trainable_budget)
    from surveykit.engine.on_model import measure_on, model_named

    blueprint = model_named(source, root, head)
    w = asked.on(blueprint.build())
    step: dict[str, Any] = {"batch": batch, "length": length, "training": training}
    if device is not None:
        from surveykit.engine.device_runs import run_on

        return list(run_on(blueprint, w.recipes, device=device, **step, budget=w.budget, notes=w.notes))
    found = list(measure_on(blueprint, w.recipes, **step, budget=w.budget, notes=w.notes))
    if files:
        from surveykit.engine.peft import measure_peft

        found += [measure_peft(blueprint, file, root, **step) for file in files]
    return [replace(row, **step) for row in found]


def _measure_catalog(
    root: Path, methods: list[str], backbones: list[str], all: bool, only: list[str], watch: Watch,
    executor: str | None, address: str | None,
) -> Recording:  # fmt: skip
    from surveykit.catalog.load import load
    from surveykit.catalog.measured import Recording, cells, stale, tidy
    from surveykit.catalog.selection import select
    from surveykit.executors import executor as made
    from surveykit.executors import name_of
    from surveykit.recording import measure_and_record, unmeasurable

    for kind in only:
        refuse_others("only", kind, get_args(Measure))
    name = "processes" if executor is None else name_of(executor)
    on = None if name == "processes" else made(name, address=address)
    faults: list[Problem] = []
    catalog = load(root, left_out=faults)  # what is at fault in catalog/measured is to be measured again
    wanted: dict[Measure, list[Cell]] = {}
    for kind in get_args(Measure):
        if not only or kind in only:
            selected = select(catalog, cells(catalog, kind), methods, backbones)
            outdated = set(selected) if all else set(stale(catalog, kind))
            wanted[kind] = [cell for cell in selected if cell in outdated]
    if not any(wanted.values()):
        return Recording(cells={}, failed=(), refused=(), files=tuple(tidy(catalog)), faults=tuple(faults))
    left_out = [sentence for kind, sentence in unmeasurable().items() if wanted.pop(kind, ())]
    return replace(measure_and_record(catalog, wanted, faults, watch, on), left_out=tuple(left_out))


def trial(
    method: Names, *, model: Folder, data: Folder | None = None, columns: tuple[str, str] = ("text", "label"),
    label: Names = (), steps: int = 10, batch: int = 8, length: int = 32, rate: float | None = None,
    trainable_budget: str | int | None = None, set: Mapping[str, JsonValue] | None = None, targets: Names | None = None,
    roles: Names | None = None, layers: Layers | None = None, top_layers: int | None = None,
    also_train: Names | None = None, head: int | None = None,
    catalog: Folder | None = None, watch: Watch = unwatched, **hyper_parameters: JsonValue,
) -> Trials:  # fmt: skip
    """Train, merge, save and reload methods for real, on a model with weights.

    Args:
        method: methods, method/configuration, or `"all"`.
        model: folder with config.json, weights and tokenizer.
        data: TSV or CSV with a header, also .gz or .bz2; without it 96 bundled review sentences.
        columns: names of the text and label columns in `data`.
        label: only texts with these labels.
        steps: optimizer steps.
        batch: texts per step.
        length: maximum tokens per text.
        rate: learning rate of AdamW (default: 0.001, or 0.0001 if that does not lower the loss).
        trainable_budget, set, targets, roles, layers, top_layers, also_train, head, hyper_parameters: as in `count`; labels of
            a head must be as many as those of the texts.

    Returns:
        A row for each configuration: numbers of parameters, losses, bytes of files, differences of outputs, and faults.

    Raises:
        SurveyError: there is no such method, the folder has no usable weights or tokenizer, or there are too few texts.
        MissingExtra: torch or transformers is not installed.
    """
    from surveykit.api.asked import Asked
    from surveykit.catalog.changes import changes_of

    refuse_less_than_one(steps=steps, batch=batch, length=length)
    if rate is not None and not 0 < rate < float("inf"):
        raise SurveyError(f"rate is {rate}; it must be a number above 0, like 0.001")
    changes = changes_of(
        set, hyper_parameters, targets=targets, roles=roles, layers=layers, top_layers=top_layers, also_train=also_train,
        head=head,
    )  # fmt: skip
    asked = Asked(root_of(catalog), several(method), changes, trainable_budget)
    from surveykit.engine.budget import sized
    from surveykit.engine.train import pretrained_trial, texts

    if data is None:
        data, columns = texts.BUNDLED, texts.COLUMNS
    examples = texts.read(Path(data), columns, several(label))
    rates = pretrained_trial.LEARNING_RATES if rate is None else (rate,)
    weights = pretrained_trial.PretrainedTrial(
        Path(model), examples, steps=steps, batch=batch, length=length, rates=rates, head=head
    )
    wanted = asked.on(weights.instance)
    recipes = [(name, sized(weights.instance, name, recipe, wanted.budget)[0]) for name, recipe in wanted.recipes]
    return weights.trials(dict(recipes), watch, wanted.notes)
