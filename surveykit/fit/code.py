"""Python that trains as a setting says, with transformers and PEFT. Pure: it writes text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from surveykit.catalog.peft_arguments import CLASSES, PeftArguments
from surveykit.catalog.peft_file import FILE, PeftFile
from surveykit.catalog.training import Training
from surveykit.fit.candidates import Question

_CLASSES = {
    "CAUSAL_LM": "AutoModelForCausalLM", "SEQ_2_SEQ_LM": "AutoModelForSeq2SeqLM",
    "SEQ_CLS": "AutoModelForSequenceClassification", "TOKEN_CLS": "AutoModelForTokenClassification",
    "QUESTION_ANS": "AutoModelForQuestionAnswering", "FEATURE_EXTRACTION": "AutoModel",
}  # fmt: skip
"""What transformers loads for a task of PEFT."""
_OPTIMIZERS = {
    "adamw-loop": "adamw_torch", "adamw-foreach": "adamw_torch", "adamw-fused": "adamw_torch_fused",
    "adamw-8bit": "adamw_bnb_8bit", "paged-adamw": "paged_adamw_32bit", "paged-adamw-8bit": "paged_adamw_8bit",
    "sgd": "sgd", "adafactor": "adafactor", "galore": "galore_adamw", "lion": "lion_32bit",
}  # fmt: skip
"""What TrainingArguments calls an optimizer."""
_ATTENTION = {"flash": "flash_attention_2"}
_NOT_CAST = (
    "PEFT leaves these weights in 16 bits, which loses steps below 1/512 of a weight: the default",
    "learning_rate=5e-5 may train nothing.",
)
"""Of norms, which are weights of the model, and which PEFT does not hold in float32 as it holds adapters."""


@dataclass(frozen=True)
class Adapter:
    """What PEFT is told."""

    needs: str
    """What is imported from PEFT."""
    assigned: str
    """The line that sets `peft_config`."""
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, said: PeftArguments | PeftFile) -> Adapter:
        """One of our configurations as PEFT's, or a file of PEFT's own."""
        if isinstance(said, PeftFile):
            folder = said.name.removesuffix(FILE).rstrip("/") or "."
            return cls("PeftConfig", f"peft_config = PeftConfig.from_pretrained({_literal(folder)})")
        return cls(CLASSES[said.peft_type], said.assigned("peft_config"), said.notes)


def code(question: Question, model: str, task: str, adapter: Adapter | str) -> str:
    """Imports, the model, its adapters, and the arguments of a Trainer.

    Args:
        model: its name on the hub, or its folder.
        task: what PEFT calls the task of the model's class.
        adapter: or a comment, why there is none.
    """
    training = question.training
    kind = _CLASSES.get(task, "AutoModel")
    lines = ["import torch"]
    if isinstance(adapter, Adapter):
        lines.append(f"from peft import {adapter.needs}, get_peft_model")
    quantized = "" if training.base_bits == 16 else ", BitsAndBytesConfig"
    lines += [f"from transformers import {kind}{quantized}, TrainingArguments", ""]
    lines += _call(f"model = {kind}.from_pretrained", [_literal(model), *_loading(training)])
    lines.append(f"model.config.use_cache = {training.keep_cache}")
    if isinstance(adapter, Adapter):
        cast = training.adapters == "float32" and training.dtype != "float32"
        lines += [f"# {note}" for note in adapter.notes]
        lines += [adapter.assigned, f"model = get_peft_model(model, peft_config, autocast_adapter_dtype={cast})"]
        if cast and adapter.needs == CLASSES["LN_TUNING"]:
            lines += [f"# {line}" for line in _NOT_CAST]
    else:
        lines.append(f"# {adapter}")
    lines += _call("arguments = TrainingArguments", ['output_dir="out"', *_arguments(question)])
    lines += [f"# {line}" for line in _beyond(question)]
    return "\n".join(lines) + "\n"


def _call(name: str, arguments: list[str]) -> list[str]:
    line = f"{name}({', '.join(arguments)})"
    return [line] if len(line) <= 100 else [f"{name}(", *(f"    {one}," for one in arguments), ")"]


def _literal(value: object) -> str:
    """A value as it is written, with double quotes."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_literal(name)}: {_literal(one)}" for name, one in value.items()) + "}"
    return json.dumps(value) if isinstance(value, str) else repr(value)


def _loading(training: Training) -> Iterator[str]:
    yield f"dtype=torch.{training.dtype}"
    yield f"attn_implementation={_literal(_ATTENTION.get(training.attention, training.attention))}"
    if training.base_bits == 8:
        yield "quantization_config=BitsAndBytesConfig(load_in_8bit=True)"
    if training.base_bits == 4:
        said = ["load_in_4bit=True", 'bnb_4bit_quant_type="nf4"', "bnb_4bit_compute_dtype=torch.bfloat16"]
        said += ["bnb_4bit_use_double_quant=True"] if training.double_quant else []
        yield f"quantization_config=BitsAndBytesConfig({', '.join(said)})"


def _arguments(question: Question) -> Iterator[str]:
    """Arguments of TrainingArguments, in its order."""
    training = question.training
    said: dict[str, Any] = {"per_device_train_batch_size": question.batch}
    if training.accumulation > 1:
        said["gradient_accumulation_steps"] = training.accumulation
    if training.autocast:
        said["bf16"] = True
    said["optim"] = _OPTIMIZERS[training.optimizer]
    if training.optimizer == "galore":
        said["optim_target_modules"] = "all-linear"
    said["gradient_checkpointing"] = training.checkpointing != "none"
    if training.checkpointing != "none":
        said["gradient_checkpointing_kwargs"] = {"use_reentrant": False}
    if training.loss == "chunked" or training.kernels == "liger":
        said["use_liger_kernel"] = True
        if training.kernels != "liger":
            said["liger_kernel_config"] = _LOSS_ALONE
    if training.shard == "fsdp":
        said["fsdp"] = True
    if training.shard.startswith("zero"):
        zero: dict[str, Any] = {"stage": int(training.shard[-1])}
        if training.offload_states:
            zero["offload_optimizer"] = {"device": "cpu"}
        said["deepspeed"] = {"train_micro_batch_size_per_gpu": "auto", "zero_optimization": zero}
    yield from (f"{name}={_literal(value)}" for name, value in said.items())


_LOSS_ALONE = {
    "rope": False, "rms_norm": False, "swiglu": False, "cross_entropy": False, "fused_linear_cross_entropy": True,
}  # fmt: skip


def _beyond(question: Question) -> Iterator[str]:
    """What no argument says, a comment each."""
    training = question.training
    yield f"Cut texts to {question.length} tokens, then: transformers.Trainer(model, arguments, train_dataset=...).train()"
    if training.devices > 1:
        yield f"Start it with: torchrun --nproc-per-node {training.devices} train.py"
    if training.base_bits != 16:
        yield "Without prepare_model_for_kbit_training, which casts norms and embeddings to float32."
    if training.kernels == "fused":
        yield "First apply the kernels of Unsloth or fms-acceleration to the model."
    if training.adapter_dropout:
        yield "With dropout in the adapters: lora_dropout=0.05 in their configuration."
    if training.adapter_copy:
        yield "PEFT does not copy adapter updates: this needs less memory than the setting assumes."
    if training.optimizer == "adamw-loop":
        yield "Give the Trainer optimizers=(torch.optim.AdamW(model.parameters(), foreach=False), None)."
    if training.master_weights:
        yield "Trainer keeps no float32 copy of 16-bit weights: use DeepSpeed's bf16 optimizer for that."
    if training.checkpointing == "offloaded":
        yield "To keep the checkpoints on the host, train within torch.autograd.graph.save_on_cpu()."
    if training.checkpoint_every > 1:
        yield f"TrainingArguments checkpoint every block, not one in {training.checkpoint_every}."
    if training.offload_states and not training.shard.startswith("zero"):
        yield "Without DeepSpeed, the optimizer state stays on the GPU: use a paged optimizer."
