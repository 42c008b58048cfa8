"""The page that helps to choose: its formulas against direct traces, its script against Python, and what it refuses."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice, product
from pathlib import Path
from random import Random
from typing import Any

import needs
import pytest
from conftest import ROOT

from surveykit.catalog.load import Catalog
from surveykit.database.reading import Reader, reading
from surveykit.engine.models.catalogued import blueprint
from surveykit.engine.models.task_head import with_task_head
from surveykit.engine.trace.costs import Costs
from surveykit.fit.candidates import STANDINGS
from surveykit.fit.choose import Setting, UncoveredError, answer, architecture
from surveykit.fit.code import Adapter, code
from surveykit.fit.formulas import OPTIMIZERS, RUNS, TARGET_LENGTH, Formulas, at_model
from surveykit.site.inputs import found
from surveykit.site.pages.choose import (
    HEADS,
    _models,
    choose_context,
    choose_data,
    in_short,
    known_at,
    question_of,
    size_of,
)

QUESTIONS = 200
PARTS = 12
"""Of the questions; a part holds every twelfth."""
LARGEST_ERROR = 0.03
FORMULAS = found(ROOT).formulas
NODE = shutil.which("node")
LLAMA: dict[str, Any] = {
    "model_type": "llama", "hidden_size": 4096, "intermediate_size": 14336, "num_attention_heads": 32,
    "num_key_value_heads": 8, "num_hidden_layers": 32, "vocab_size": 128256, "tie_word_embeddings": False,
}  # fmt: skip


@pytest.fixture(scope="module")
def reader(database: Path) -> Iterator[Reader]:
    with reading(database) as opened:
        yield opened


def questions(models: Sequence[dict[str, Any]], formulas: dict[str, Formulas]) -> Iterator[tuple[Any, ...]]:
    """Random ones: a model of the catalog, none of which formulas were read from, a configuration, and a setting."""
    random = Random(16)
    for _ in range(QUESTIONS):
        model = random.choice(models)
        own = formulas[model["architecture"]]
        configuration = random.choice(sorted(own.configurations))
        run = random.choice(sorted(own.configurations[configuration].runs))
        optimizer = random.choice(OPTIMIZERS)
        yield (
            model,
            configuration,
            run,
            optimizer,
            random.choice((1, 1, 2, 3, 6, 16)),
            random.choice((77, 128, 500, 512, 1000, 2048)),
        )


@pytest.fixture(scope="module")
def traces() -> dict[str, Costs]:
    """Of each model that a question is about, for all questions."""
    return {}


@pytest.mark.sampled
@pytest.mark.parametrize("part", range(PARTS))
def test_formulas_are_within_three_percent_of_the_command_line(
    catalog: Catalog, reader: Reader, traces: dict[str, Costs], part: int
) -> None:
    small = [m for m in _models(reader, FORMULAS) if m["parameters"] < 15e9]
    off: dict[tuple[Any, ...], float] = {}
    asked = islice(questions(small, dict(FORMULAS)), part, None, PARTS)
    for model, configuration, run, optimizer, batch, length in asked:
        if model["config"].get("max_position_embeddings") == 512:
            length = min(length, 512)
        training = RUNS[run].model_copy(update={"optimizer": optimizer})
        if model["id"] not in traces:
            plan, labels = blueprint(catalog.models[model["id"]]), HEADS.get(FORMULAS[model["architecture"]].task)
            traces[model["id"]] = Costs(plan if labels is None else with_task_head(plan, labels))
        (stage,) = catalog.recipe(configuration).stages
        traced = traces[model["id"]].training(stage, batch, length, TARGET_LENGTH, training).memory.peak
        found = FORMULAS[model["architecture"]].memory(
            configuration, run, optimizer, at_model(model["config"], batch, length)
        )
        assert found is not None
        off[model["id"], configuration, run, optimizer, batch, length] = found.peak / traced - 1
    wrong = {question: error for question, error in off.items() if abs(error) > LARGEST_ERROR}
    assert not wrong
    assert sum(map(abs, off.values())) / len(off) < 0.003


def test_parts_add_up_and_the_example_is_answered(reader: Reader) -> None:
    context = choose_context(reader, FORMULAS)
    assert context["example"]["model"] == "llama-3.1-8b"
    assert len(context["picks"]) == 3
    assert all(pick["overhead"] == "none" for pick in context["picks"])
    assert any("checkpointing" in change or "4-bit" in change for change in context["picks"][0]["changes"])
    assert "AutoModelForCausalLM" in context["picks"][0]["code"]
    assert " of 24 GB, trains " in context["in_short"][1]
    own = FORMULAS["llama-gqa-untied"]
    parts = own.memory("lora/qv-r8", "16.sdpa.none", "adamw-fused", at_model(LLAMA, 1, 2048))
    assert parts is not None
    assert sum(parts.parts.values()) == parts.peak


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model_type": None}, "has no model_type"),
        ({"model_type": "mixtral"}, "models of type mixtral have no formulas here"),
        ({"hidden_size": "4096"}, "hidden_size is missing or not a whole number"),
        ({"vocab_size": 0}, "vocab_size is missing"),
        ({"attention_bias": True}, "attention_bias is on"),
        ({"num_key_value_heads": 5}, "not a multiple"),
        ({"num_hidden_layers": 2}, "fewer than 6 layers"),
        ({"hidden_act": "relu"}, "its activation is relu"),
        ({"quantization_config": {"load_in_4bit": True}}, "quantization_config"),
        ({"head_dim": 300}, "300 features"),
    ],
)
def test_what_has_no_formulas_is_refused_by_python_and_script(
    tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    config = {**LLAMA, **change}
    with pytest.raises(UncoveredError, match=said):
        architecture(config)
    if NODE is not None:
        told = scripted(
            tmp_path,
            "model.js",
            "try { console.log(JSON.stringify(m.architecture(input))) } catch (e) { console.log(JSON.stringify(e.message)) }",
            config,
        )
        assert said in told


def scripted(folder: Path, module: str, program: str, given: object) -> Any:
    """Run a module of the page in node: `m` is the module, `input` what is given."""
    shutil.copytree(ROOT / "site" / "docs" / "assets" / "js", folder / "js", dirs_exist_ok=True)
    (folder / "package.json").write_text('{"type": "module"}', encoding="utf-8")
    main = folder / "main.js"
    main.write_text(
        f'import * as m from "./js/choose/{module}";\nimport {{ readFileSync }} from "node:fs";\n'
        f'const input = JSON.parse(readFileSync(0, "utf8"));\n{program}\n',
        encoding="utf-8",
    )
    run = subprocess.run([str(NODE), str(main)], input=json.dumps(given), capture_output=True, text=True, check=True)
    return json.loads(run.stdout)


ANSWERS = """
import { dimensions } from "./js/choose/model.js";
console.log(JSON.stringify(input.asked.map(({ config, formulas, question }) =>
  m.answer(input.formulas[formulas], input.data, dimensions(config, question.setting.batch, question.setting.length), question)
    .map((pick) => [pick.configuration, pick.standing, pick.changes, pick.peak, pick.parts, Math.round(pick.trained)]))));
"""


@pytest.mark.skipif(NODE is None, reason=needs.NODE)
def test_the_script_answers_as_python_does(reader: Reader, tmp_path: Path) -> None:
    data, random, asked, expected = choose_data(reader, FORMULAS), Random(5), [], []
    models = _models(reader, FORMULAS)
    for _ in range(40):
        model, memory = random.choice(models), random.choice((8, 16, 24, 48, 80)) * 1e9
        setting = Setting(random.choice((1, 4, 16)), random.choice((128, 512, 2048)), random.choice("164")[0:1].replace("1", "16").replace("6", "16"),
                          random.choice(("sdpa", "flash", "eager")), random.choice(("none", "full")), random.choice(OPTIMIZERS))  # fmt: skip
        overhead, matters, size = (
            random.random() < 0.5,
            random.choice(("score", "memory", "disk", "speed")),
            size_of(data, model["parameters"]),
        )
        own = FORMULAS[model["architecture"]]
        picks = answer(
            own, known_at(data, size), lambda s, config=model["config"]: at_model(config, s.batch, s.length), setting, memory,
            overhead=overhead, matters=matters, errors=data["errors"],
        )  # fmt: skip
        expected.append(
            [
                [p.configuration, p.standing, list(p.changes), p.parts.peak, p.parts.parts, round(p.trained)]
                for p in picks
            ]
        )
        question = {"memory": memory, "overhead": overhead, "matters": matters, "size": size, "setting": vars(setting)}
        asked.append({"config": model["config"], "formulas": model["architecture"], "question": question})
    dumped = {name: own.model_dump() for name, own in FORMULAS.items()}
    told = scripted(tmp_path, "answer.js", ANSWERS, {"asked": asked, "data": data, "formulas": dumped})
    for one, other in zip(told, expected, strict=True):
        assert [pick[:3] for pick in one] == [pick[:3] for pick in other]
        for mine, theirs in zip(one, other, strict=True):
            assert mine[3] == pytest.approx(theirs[3], abs=8)
            assert mine[4] == pytest.approx({**theirs[4]}, abs=2)
            assert mine[5] == theirs[5]


@pytest.mark.skipif(NODE is None, reason=needs.NODE)
def test_the_script_says_an_answer_in_short_as_python_does(reader: Reader, tmp_path: Path) -> None:
    own, setting = FORMULAS["llama-gqa-untied"], Setting(1, 2048, "16", "sdpa", "none", "adamw-fused")
    data = choose_data(reader, FORMULAS)
    asked, expected = [], []
    for gigabytes, matters in product((4, 24), ("score", "memory", "disk", "speed")):
        first, *_ = answer(
            own, known_at(data, "t5-11b"), lambda s: at_model(LLAMA, s.batch, s.length), setting, gigabytes * 1e9,
            overhead=True, matters=matters, errors=data["errors"],
        )  # fmt: skip
        for standing, overhead, score in product(STANDINGS, ("none", "decoder"), (None, 71.25)):
            pick = replace(first, standing=standing)
            told = {"trained": "0.05", "overhead": overhead, "score": score, "size": "T5-11B",
                    "gigabytes": gigabytes, "matters": matters}  # fmt: skip
            expected.append(list(in_short(pick, **told)))
            asked.append([{"changes": pick.changes, "standing": pick.standing, "peak": pick.parts.peak}, told])
    program = "console.log(JSON.stringify(input.map(([pick, told]) => m.sentence(pick, told))));"
    assert scripted(tmp_path, "sentence.js", program, asked) == expected


@pytest.mark.skipif(NODE is None, reason=needs.NODE)
def test_the_script_writes_the_code_that_python_writes(tmp_path: Path) -> None:
    asked, expected = [], []
    for own in FORMULAS.values():
        if own.task == "SEQ_CLS":
            continue  # the page gives the model a head
        for name, one in own.configurations.items():
            for optimizer in OPTIMIZERS:
                for run in ("16.sdpa.none", "4.flash.full"):
                    precision, attention, checkpointing = run.split(".")
                    setting = Setting(2, 700, precision, attention, checkpointing, optimizer)
                    told = one.adapter
                    adapter: Adapter | str = (
                        Adapter(told.needs, told.assigned, tuple(told.notes))
                        if told.assigned
                        else f"{name} has no PEFT configuration: {told.none}"
                    )
                    expected.append(code(question_of(setting), "some/model", own.task, adapter))
                    asked.append(
                        {
                            "model": "some/model",
                            "task": own.task,
                            "adapter": told.model_dump(),
                            "configuration": name,
                            "setting": vars(setting),
                        }
                    )
    assert (
        scripted(tmp_path, "code.js", "console.log(JSON.stringify(input.map((one) => m.code(one))));", asked)
        == expected
    )


@pytest.mark.skipif(NODE is None, reason=needs.NODE)
def test_numbers_that_make_no_sense_are_named(tmp_path: Path) -> None:
    given = {"memory": "0", "batch": "1.5", "length": ""}
    assert scripted(tmp_path, "main.js", "console.log(JSON.stringify(m.faults(input)));", given) == [
        "GPU memory must be a number from 1 to 10,000.",
        "Batch must be a whole number from 1 to 1,024.",
        "Length must be a whole number from 16 to 131,072.",
    ]


def test_formulas_say_what_they_were_read_with() -> None:
    from importlib.metadata import version

    by_version = defaultdict(list)
    for name, own in FORMULAS.items():
        by_version[own.torch, own.transformers].append(name)
        assert len(own.configurations) > len(own.left_out)
    assert [*by_version] == [(version("torch").partition("+")[0], version("transformers"))], (
        "run benchmarks/coefficients.py"
    )
