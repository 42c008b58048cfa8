"""The code that trains as a setting says: it compiles, and makes the objects that it names, for every named setting."""

from __future__ import annotations

import dataclasses
from typing import Any, get_args

import pytest
import small_models
import torch
import transformers
from fit_examples import QUESTION
from peft import PeftModel
from real_catalog import REAL

from surveykit.catalog.peft_arguments import peft_arguments
from surveykit.catalog.peft_file import PeftFile
from surveykit.catalog.training import Optimizer, Training
from surveykit.engine import instance_of
from surveykit.engine.models.peft_modules import parts_of, task_type
from surveykit.errors import SurveyError
from surveykit.fit.code import Adapter, code

OTHERS = {
    "8 bits": Training(base_bits=8),
    "galore": Training(optimizer="galore"),
    "fsdp": Training(devices=4, shard="fsdp"),
    "offloaded": Training(checkpointing="offloaded", checkpoint_every=2, master_weights=True),
    "liger": Training(attention="flash", kernels="liger", keep_cache=True),
}
TRAININGS = {**{name: setting.training for name, setting in REAL.settings.items()}, **OTHERS}


def written(training: Training, configuration: str = "lora/qv-r8", kind: str = "llama", **question: Any) -> str:
    instance = instance_of(small_models.CONFIGS[kind]())
    task = task_type(instance.model)
    adapter: Adapter | str
    try:
        adapter = Adapter.of(peft_arguments(REAL.recipe(configuration), parts_of(instance), task))
    except SurveyError as error:
        adapter = str(error)
    return code(dataclasses.replace(QUESTION, training=training, **question), "owner/model", task, adapter)


def run(text: str, monkeypatch: pytest.MonkeyPatch, kind: str = "llama") -> dict[str, Any]:
    """What the code makes, with a small model in the place of a published one."""
    loaded: dict[str, Any] = {}

    def from_pretrained(name: str, **how: Any) -> Any:
        loaded.update(how, name=name)
        config = small_models.CONFIGS[kind]()
        made = transformers.T5ForConditionalGeneration if kind == "t5" else transformers.LlamaForCausalLM
        return made(config).to(how["dtype"])

    for name in ("AutoModelForCausalLM", "AutoModelForSeq2SeqLM"):
        monkeypatch.setattr(getattr(transformers, name), "from_pretrained", from_pretrained)
    monkeypatch.setattr("transformers.training_args.is_torch_bf16_gpu_available", lambda: True)
    monkeypatch.setenv("FSDP_CPU_RAM_EFFICIENT_LOADING", "false")  # TrainingArguments sets it
    made: dict[str, Any] = {}
    exec(compile(text, "train.py", "exec"), made)
    return {**made, "loaded": loaded}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", TRAININGS)
def test_the_code_makes_what_the_setting_says(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    training = TRAININGS[name]
    text = written(training)
    compile(text, "train.py", "exec")
    made = run(text, monkeypatch)
    arguments, loaded, model = made["arguments"], made["loaded"], made["model"]
    assert (loaded["name"], loaded["dtype"]) == ("owner/model", getattr(torch, training.dtype))
    assert loaded["attn_implementation"].startswith(training.attention)
    quantized = loaded.get("quantization_config")
    assert (quantized is None) is (training.base_bits == 16)
    if quantized is not None:
        assert (quantized.load_in_4bit, quantized.load_in_8bit) == (training.base_bits == 4, training.base_bits == 8)
        assert quantized.bnb_4bit_use_double_quant is training.double_quant
    assert isinstance(model, PeftModel)
    added = {p.dtype for name, p in model.named_parameters() if "lora_" in name}
    assert added == {getattr(torch, training.adapters)}
    assert model.base_model.config.use_cache is training.keep_cache
    assert arguments.per_device_train_batch_size == QUESTION.batch
    assert arguments.gradient_accumulation_steps == training.accumulation
    assert arguments.gradient_checkpointing is (training.checkpointing != "none")
    assert arguments.bf16 is training.autocast
    assert arguments.use_liger_kernel is (training.loss == "chunked" or training.kernels == "liger")
    assert bool(arguments.fsdp) is (training.shard == "fsdp")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("optimizer", get_args(Optimizer))
def test_every_optimizer_has_a_name_that_transformers_knows(
    optimizer: Optimizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = run(written(Training(optimizer=optimizer)), monkeypatch)["arguments"]
    kind = optimizer.removeprefix("paged-").partition("-")[0]
    assert kind in arguments.optim.value
    assert ("8bit" in arguments.optim.value) is optimizer.endswith("8bit")
    assert ("paged" in arguments.optim.value) is optimizer.startswith("paged")


def test_what_no_argument_says_is_a_comment() -> None:
    text = written(OTHERS["offloaded"])
    assert "not one in 2" in text
    assert "save_on_cpu()" in text
    assert "float32 copy" in text
    assert "torchrun --nproc-per-node 4" in written(OTHERS["fsdp"])
    zero = written(Training(devices=8, shard="zero2", offload_states=True))
    assert '"zero_optimization": {"stage": 2, "offload_optimizer": {"device": "cpu"}}' in zero
    compile(zero, "train.py", "exec")


@pytest.mark.filterwarnings("ignore")
def test_a_model_is_loaded_for_its_task_and_full_tuning_needs_no_peft(monkeypatch: pytest.MonkeyPatch) -> None:
    text = written(Training(), "full-tuning/all", "t5")
    assert "AutoModelForSeq2SeqLM" in text
    assert "peft" not in text.lower().replace("nothing of peft", "")
    assert not isinstance(run(text, monkeypatch, "t5")["model"], PeftModel)


def test_a_file_of_peft_is_read_where_it_is() -> None:
    adapter = Adapter.of(PeftFile("out/adapter_config.json", "VERA", {}))
    text = code(QUESTION, 'odd "name"', "CAUSAL_LM", adapter)
    assert 'PeftConfig.from_pretrained("out")' in text
    assert r'"odd \"name\""' in text
    compile(text, "train.py", "exec")
