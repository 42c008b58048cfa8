"""Methods on models: fit."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, overload

from pydantic import JsonValue

from surveykit.api.names import Folder, Layers, Names, database_of, loaded, refuse_less_than_one, several
from surveykit.api.peft import Pefts, model_of, opened_pefts, refuse_to_change
from surveykit.catalog.files import read_text
from surveykit.catalog.settings import setting_of
from surveykit.catalog.training import Training
from surveykit.errors import SurveyError
from surveykit.processes import Watch, unwatched

if TYPE_CHECKING:
    from surveykit.fit.answer import Answer

Models = Folder | Sequence[Folder]
"""A model, or several."""


@overload
def fit(
    model: Folder | None = ..., *, gpu_memory: str | int, batch: int | None = ..., length: int | None = ...,
    target_length: int | None = ..., lengths_file: Folder | None = ..., packing: bool = ...,
    setting: str | None = ...,
    merge: bool = ..., max_overhead: str | None = ..., methods: Names | None = ..., peft: Pefts | None = ...,
    all: bool = ..., trainable_budget: str | int | None = ..., set: Mapping[str, JsonValue] | None = ...,
    targets: Names | None = ..., roles: Names | None = ..., layers: Layers | None = ..., top_layers: int | None = ...,
    also_train: Names | None = ..., head: int | None = ..., catalog: Folder | None = ..., watch: Watch = ...,
    **hyper_parameters: JsonValue,
) -> Answer: ...  # fmt: skip
@overload
def fit(
    model: Models | None = ..., *, gpu_memory: str | int, batch: int | None = ..., length: int | None = ...,
    target_length: int | None = ..., lengths_file: Folder | None = ..., packing: bool = ...,
    setting: Names | None = ...,
    merge: bool = ..., max_overhead: str | None = ..., methods: Names | None = ..., peft: Pefts | None = ...,
    all: bool = ..., trainable_budget: str | int | None = ..., set: Mapping[str, JsonValue] | None = ...,
    targets: Names | None = ..., roles: Names | None = ..., layers: Layers | None = ..., top_layers: int | None = ...,
    also_train: Names | None = ..., head: int | None = ..., catalog: Folder | None = ..., watch: Watch = ...,
    **hyper_parameters: JsonValue,
) -> Answer | list[Answer]: ...  # fmt: skip
def fit(
    model: Models | None = None, *, gpu_memory: str | int, batch: int | None = None, length: int | None = None,
    target_length: int | None = None, lengths_file: Folder | None = None, packing: bool = False,
    setting: Names | None = None,
    merge: bool = False, max_overhead: str | None = None, methods: Names | None = None, peft: Pefts | None = None,
    all: bool = False, trainable_budget: str | int | None = None, set: Mapping[str, JsonValue] | None = None,
    targets: Names | None = None, roles: Names | None = None, layers: Layers | None = None, top_layers: int | None = None,
    also_train: Names | None = None, head: int | None = None, catalog: Folder | None = None, watch: Watch = unwatched,
    **hyper_parameters: JsonValue,
) -> Answer | list[Answer]:  # fmt: skip
    """Which methods can be trained on a model in the memory of a GPU, what makes up the peak, and what would make them fit.

    Args:
        model: as in `count`; or several.
        gpu_memory: `"24GB"` (10^9 bytes per GB), `"24GiB"` (2^30), or bytes.
        batch: examples at once on each device (default: the setting's).
        length: positions of an input, to which longer texts are cut (default: the setting's).
        target_length: positions of a target, for models with encoder and decoder.
        lengths_file: a file with the numbers of tokens of your texts, one per line or a JSON list: the peak is that of the
            batch with the longest text, padded to it.
        packing: join texts to rows of `length` positions.
        setting: how a step runs: one or more named settings of the catalog (default: `trainer`, transformers' Trainer with
            PEFT). Each field of `surveykit.catalog.training.Training` is also an argument that overrides the setting, such as
            `attention="sdpa"` or `checkpointing="full"`.
        merge: merge after training: only methods without overhead after merging, unless `max_overhead` allows some.
        max_overhead: permitted kinds of inference overhead: `none`, or ffn, linear, gating, input, decoder joined by +.
        methods: only these, or method/configuration; without it, and without `peft`, all.
        peft: PEFT configurations, as in `count`: with our edits if we have the method, otherwise with PEFT's own modules.
        all: every configuration, not only each method's default.
        trainable_budget, set, targets, roles, layers, top_layers, also_train, head, hyper_parameters: as in `count`.

    Returns:
        Choices, best first: predicted bytes with their bounds, parts, standing, what would make them fit, and what the survey
        says about each; configurations that do not work on the model, with the reason; the answer in sentences, and the
        code to run it. With several models or settings, a list of such answers.

    Raises:
        SurveyError: there is no such method, model or setting, an amount is wrong, or fields cannot be combined.
        MissingExtra: torch or transformers is not installed.
    """
    from surveykit.catalog.changes import changes_of
    from surveykit.catalog.overrides import DEFAULT, training_of
    from surveykit.fit.answer import will_it_fit
    from surveykit.fit.candidates import Question
    from surveykit.fit.ranking import overhead_kinds
    from surveykit.fit.sizes import parse_size

    given = {name: hyper_parameters.pop(name) for name in Training.model_fields if name in hyper_parameters}
    overrides = {name: value for name, value in given.items() if value is not None}
    amounts = {"batch": batch, "length": length, "target_length": target_length}
    refuse_less_than_one(**{name: amount for name, amount in amounts.items() if amount is not None})
    longest = None if lengths_file is None else longest_of(Path(lengths_file))
    most = max_overhead or ("none" if merge else None)
    changes = changes_of(
        set, hyper_parameters, targets=targets, roles=roles, layers=layers, top_layers=top_layers, also_train=also_train,
        head=head,
    )  # fmt: skip
    memory = gpu_memory if isinstance(gpu_memory, int) else parse_size(gpu_memory)
    known, files = loaded(catalog), opened_pefts(peft)
    models = [model] if model is None or isinstance(model, str | PathLike) else [*model]
    settings = several(setting or DEFAULT)
    questions = []
    for name in settings:
        stated = setting_of(known, name)
        rows, positions = batch or stated.batch, length or (stated.lengths[0] if stated.lengths else None)
        if rows is None:
            raise SurveyError(f"the setting {name} states no batch: add --batch N")
        padding = False if packing else True if longest is not None and rows > 1 else None
        training = training_of(known, name, {"padding": padding, **overrides})
        questions.append(
            Question(
                memory=memory, batch=rows, length=_length(name, positions, longest, packing), setting=name,
                training=training, target_length=target_length or stated.target_length, merge=merge,
                max_overhead=None if most is None else overhead_kinds(most),
            )
        )  # fmt: skip
    named = None if methods is None and not files else several(methods or ())
    if named is not None:
        refuse_to_change(named, files, changes, trainable_budget=trainable_budget)
    answers = [
        answer
        for one in models
        for answer in will_it_fit(
            known, database_of(catalog), model_of(one, files, known.root), questions, methods=named, peft=files, every=all,
            changes=changes, budget=trainable_budget, detailed=len(models) * len(questions) == 1, watch=watch,
        )
    ]  # fmt: skip
    alone = isinstance(setting, str | None) and (model is None or isinstance(model, str | PathLike))
    return answers[0] if alone else answers


def longest_of(path: Path) -> int:
    """The largest of the numbers of tokens in a file: one a line, or a JSON list.

    Raises:
        SurveyError: the file cannot be read, is empty, or holds something else.
    """
    text, problem = read_text(path, str(path))
    if text is None:
        raise SurveyError(str(problem))
    try:
        numbers: list[int] = json.loads(text) if text.lstrip().startswith("[") else [int(line) for line in text.split()]
    except ValueError:
        numbers = []
    if not numbers or any(type(number) is not int or number < 1 for number in numbers):
        raise SurveyError(
            f"{path} is not a list of lengths: write whole numbers of at least 1, one per line or as a JSON list"
        )
    return max(numbers)


def _length(setting: str, stated: int | None, longest: int | None, packing: bool) -> int:
    """Positions of the longest row: of texts that are cut to `stated` where they are longer, or that fill rows of it."""
    if packing and stated is None:
        raise SurveyError("with --packing every row has the same length: add --length N")
    if stated is None and longest is None:
        raise SurveyError(f"the setting {setting} states no length: add --length N or --lengths-file FILE")
    if packing or longest is None:
        return stated or 1
    return longest if stated is None else min(longest, stated)
