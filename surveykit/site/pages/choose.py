"""The page that helps to choose a method: four questions, answered in the browser from formulas, and one answer written here.

`site/docs/assets/js/choose` answers other questions as `surveykit.fit.choose` does.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from surveykit.catalog.training import Training
from surveykit.database.reading import Reader
from surveykit.fit.candidates import Question
from surveykit.fit.choose import SHOWN, Known, Matters, Pick, Setting, answer, high, low
from surveykit.fit.code import Adapter, code
from surveykit.fit.errors import ALLOCATOR_PERCENT, DRIVER_CONTEXT, prediction_error
from surveykit.fit.evidence import evidence
from surveykit.fit.formulas import RUNS, Formulas, at_model
from surveykit.fit.words import percent
from surveykit.site.text.words import OVERHEADS, listed, overhead_words

CHOOSE = "choose.md"
DATA = "assets/data/choose"
EXAMPLE: dict[str, Any] = {"model": "llama-3.1-8b", "memory": 24, "batch": 1, "length": 2048}
"""The question that the page answers before anybody asks another one: no inference overhead, the highest score."""
GPUS = (
    (8, "RTX 4060"), (12, "RTX 3060"), (16, "T4, RTX 4080"), (24, "RTX 3090, RTX 4090, A10G, L4"), (32, "RTX 5090"),
    (40, "A100 40 GB"), (48, "A6000, L40S"), (80, "A100 80 GB, H100"), (141, "H200"), (180, "B200"),
)  # fmt: skip
"""Gigabytes of 10^9 bytes, as makers name them, and devices that have so many."""
_SURVEYED = ("t5-large", "t5-3b", "t5-11b")
TYPES = {
    "bert": "BERT", "gemma": "Gemma", "gemma2": "Gemma 2", "llama": "Llama", "mistral": "Mistral", "qwen2": "Qwen2",
    "qwen3": "Qwen3", "t5": "T5",
}  # fmt: skip
"""Types of models that formulas are for, as readers call them."""
HEADS = {"SEQ_CLS": 2}
"""Labels of the head that a model gets, by task."""


def choose_context(reader: Reader, formulas: Mapping[str, Formulas]) -> dict[str, Any]:
    """What the page shows; without formulas it says so."""
    models = _models(reader, formulas)
    if not models:
        return {"known": False}
    model = next((m for m in models if m["id"] == EXAMPLE["model"]), models[0])
    data = choose_data(reader, formulas)
    own = formulas[model["architecture"]]
    setting = Setting(EXAMPLE["batch"], EXAMPLE["length"], "16", "sdpa", "none", "adamw-fused")
    picks = answer(
        own, known_at(data, size_of(data, model["parameters"])), lambda asked: at_model(model["config"], asked.batch, asked.length),
        setting, float(EXAMPLE["memory"]) * 1e9, overhead=False, matters="score", errors=data["errors"],
    )  # fmt: skip
    return {
        "known": True,
        "example": EXAMPLE | {"model": model["id"], "name": model["name"]},
        "models": [(m["id"], m["name"]) for m in models],
        "gpus": GPUS,
        "in_short": _first_in_short(picks, data, own, model) if picks else None,
        "picks": [_said(pick, data, own, model) for pick in picks[:SHOWN]],
        "types": listed(dict.fromkeys(TYPES[name.partition("-")[0]] for name in sorted(formulas))),
        "runs": own.transformers,
    }


def _said(pick: Pick, data: Mapping[str, Any], own: Formulas, model: Mapping[str, Any]) -> dict[str, Any]:
    """An answer in words, for readers without scripts."""
    error = data["errors"][pick.setting.run]
    known = data["known"][pick.configuration]
    configured = own.configurations[pick.configuration]
    peak = pick.parts.peak
    score = known["scores"].get(size_of(data, model["parameters"]))
    return {
        "name": known["name"], "configuration": pick.configuration, "method": pick.configuration.partition("/")[0],
        "standing": pick.standing, "changes": pick.changes,
        "memory": [f"{size / 1e9:.1f}" for size in (low(peak, error), peak, high(peak, error))],
        "trained": percent(100 * pick.trained / model["parameters"]), "overhead": overhead_words(configured.overhead[1]),
        "score": None if score is None else f"{score:.1f}",
        "code": Markup("{}").format(_code(pick, own, model)),
    }  # fmt: skip


_WHY = {
    "memory": "No other needs less memory in the same setting.",
    "disk": "No other stores fewer bytes for a task.",
    "speed": "No other computes less in training, as far as that was traced.",
}
_OPENINGS = {"fits": "Start with ", "tight": "It may fit: try ", "does not fit": "Nothing fits. The nearest is "}


def in_short(
    pick: Pick,
    *,
    trained: str,
    overhead: str,
    score: float | None,
    size: str | None,
    gigabytes: float,
    matters: Matters,
) -> tuple[str, str]:
    """An answer in a sentence or two: the text before the method's name, and the text after it.

    Args:
        trained: share of the parameters in percent, in words, as `overhead` is.
        size: the model that the score was measured on.
        gigabytes: memory of the device, in 10^9 bytes.
    """
    ways = f"with {' and '.join(pick.changes)} it" if pick.changes else "it"
    inference = (
        "leaves no extra work at inference" if overhead == "none" else f"leaves extra work at inference ({overhead})"
    )
    scored = (
        "No method that fits has a score in the survey’s experiment."
        if score is None
        else f"Of these methods it scored highest on {size} in the survey’s experiment."
    )
    why = "" if pick.standing == "does not fit" else f" {scored if matters == 'score' else _WHY[matters]}"
    need = f"{ways} needs about {pick.parts.peak / 1e9:.1f} of {gigabytes} GB"
    return _OPENINGS[pick.standing], f": {need}, trains {trained} % of the model and {inference}.{why}"


def _first_in_short(
    picks: Sequence[Pick], data: Mapping[str, Any], own: Formulas, model: Mapping[str, Any]
) -> tuple[str, str]:
    first = picks[0]
    size = size_of(data, model["parameters"])
    return in_short(
        first, trained=percent(100 * first.trained / model["parameters"]),
        overhead=overhead_words(own.configurations[first.configuration].overhead[1]),
        score=data["known"][first.configuration]["scores"].get(size),
        size=next((one["name"] for one in data["sizes"] if one["id"] == size), None),
        gigabytes=EXAMPLE["memory"], matters="score",
    )  # fmt: skip


def _code(pick: Pick, own: Formulas, model: Mapping[str, Any]) -> str:
    told = own.configurations[pick.configuration].adapter
    adapter: Adapter | str = f"{pick.configuration} has no PEFT configuration: {told.none}"
    if told.assigned:
        adapter = Adapter(told.needs, told.assigned, tuple(told.notes))
    return code(question_of(pick.setting), model["checkpoint"] or model["id"], own.task, adapter)


def question_of(setting: Setting) -> Question:
    """The question of the command line that a setting is."""
    training = RUNS[setting.run].model_dump() | {"optimizer": setting.optimizer}
    return Question(
        memory=0, batch=setting.batch, length=setting.length, setting="trainer", training=Training(**training)
    )


def known_at(data: Mapping[str, Any], size: str) -> list[Known]:
    """What is known of each configuration, with the scores of one T5."""
    return [Known(name, one["scores"].get(size), one["compute"], one["stored"]) for name, one in data["known"].items()]


def size_of(data: Mapping[str, Any], parameters: float) -> str:
    """The T5 of the survey's experiment that is nearest in size, as a factor."""
    near = min(data["sizes"], key=lambda size: abs(math.log(size["parameters"] / parameters)), default=None)
    return "" if near is None else str(near["id"])


def choose_files(reader: Reader, formulas: Mapping[str, Formulas]) -> Iterator[tuple[str, bytes]]:
    """Paths and contents of what the script reads."""
    yield f"{DATA}.json", _json(choose_data(reader, formulas) | {"models": _models(reader, formulas)})
    for name, own in formulas.items():
        yield f"{DATA}/{name}.json", _json(own.model_dump(exclude={"left_out", "date"}))


def choose_data(reader: Reader, formulas: Mapping[str, Formulas]) -> dict[str, Any]:
    """What answers need beside formulas: evidence, the error of predictions, words."""
    errors, sentences = {}, {}
    for name, training in RUNS.items():
        error = prediction_error(reader, training)
        errors[name] = (0.0, ALLOCATOR_PERCENT) if error is None else (error.low_percent, error.high_percent)
        sentences[name] = "Such predictions have not been compared with GPU runs." if error is None else error.sentence
    names = {one for own in formulas.values() for one in own.configurations}
    return {
        "errors": errors, "sentences": sentences, "context": DRIVER_CONTEXT, "overheads": OVERHEADS, "heads": HEADS,
        "sizes": [vars(b) for b in reader.all("SELECT id, name, parameters FROM backbone WHERE id IN ('t5-large', 't5-3b', 't5-11b')")],
        "known": {name: one for name, one in _known(reader).items() if name in names},
        "architectures": sorted(formulas),
    }  # fmt: skip


def _known(reader: Reader) -> dict[str, dict[str, Any]]:
    by_size = {
        b.id: evidence(reader, b.parameters)
        for b in reader.all("SELECT id, parameters FROM backbone")
        if b.id in _SURVEYED
    }
    rows = reader.all(
        "SELECT c.id, m.name, (SELECT CASE WHEN min(stored_bytes / trainable) = max(stored_bytes / trainable) THEN"
        " min(stored_bytes / trainable) END FROM measurement WHERE configuration = c.id AND status = 'counted' AND trainable > 0) AS stored,"
        " (SELECT 100 * (o.forward_flops + o.backward_flops) / (f.forward_flops + f.backward_flops) FROM cost o JOIN cost f"
        " ON f.backbone = o.backbone AND f.configuration = 'full-tuning/all' WHERE o.configuration = c.id"
        " AND o.backbone = 't5-large' AND o.status = 'traced') AS compute"
        " FROM configuration c JOIN method m ON m.id = c.method"
    )
    return {
        row.id: {
            "name": row.name, "stored": row.stored, "compute": None if row.compute is None else round(float(row.compute), 1),
            "scores": {size: found[row.id].ranked_score for size, found in by_size.items() if row.id in found and found[row.id].ranked_score is not None},
        }
        for row in rows
    }  # fmt: skip


def _models(reader: Reader, formulas: Mapping[str, Formulas]) -> list[dict[str, Any]]:
    """Models of the catalog that have formulas, with what of their configuration these need."""
    found = []
    for b in reader.all("SELECT * FROM backbone ORDER BY architecture, parameters"):
        config = _config(b)
        name = _architecture(b)
        if name in formulas:
            found.append(
                {
                    "id": b.id,
                    "name": b.name,
                    "checkpoint": b.checkpoint,
                    "parameters": b.parameters,
                    "architecture": name,
                    "config": config,
                }
            )
    return found


def _architecture(b: Any) -> str:
    tied = "tied" if b.tied else "untied"
    match b.architecture:
        case "t5":
            return f"t5-{'gated' if b.gated else 'relu'}-{tied}"
        case "bert":
            return "bert"
        case kind:
            return f"{kind}-{'mha' if b.kv_heads == b.heads else 'mqa' if b.kv_heads == 1 else 'gqa'}-{tied}"


def _config(b: Any) -> dict[str, Any]:
    """What a config.json says of the dimensions."""
    if b.architecture == "t5":
        return {
            "model_type": "t5", "d_model": b.d_model, "d_ff": b.d_ff, "d_kv": b.d_kv, "num_heads": b.heads,
            "num_layers": b.encoder_layers, "vocab_size": b.vocabulary,
        }  # fmt: skip
    return {
        "model_type": b.architecture, "hidden_size": b.d_model, "intermediate_size": b.d_ff, "head_dim": b.d_kv,
        "num_attention_heads": b.heads, "num_key_value_heads": b.kv_heads, "vocab_size": b.vocabulary,
        "num_hidden_layers": b.encoder_layers + b.decoder_layers, "max_position_embeddings": b.positions,
    }  # fmt: skip


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
