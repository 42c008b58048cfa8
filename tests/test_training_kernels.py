"""Fused kernels and losses in pieces give what the plain ones give, and keep what one can count by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
import transformers as t
from small_models import CONFIGS, batch
from torch import Tensor, nn
from transformers.utils import logging

from surveykit.catalog.peft_file import PeftFile
from surveykit.catalog.training import Training
from surveykit.engine import Instance
from surveykit.engine.models.model import blueprint_of, instance_of
from surveykit.engine.trace.fused import fused_kernels
from surveykit.engine.trace.losses import UnmadeLogits, loss_as
from surveykit.engine.trace.memory import Memory
from surveykit.engine.trace.peft_costs import PeftCosts
from surveykit.engine.trace.step import StepTrace, trace_step
from surveykit.errors import SettingError

CHUNKED, FUSED, LIGER = Training(loss="chunked"), Training(kernels="fused"), Training(kernels="liger")
BOTH = Training(loss="chunked", kernels="liger")
SETTINGS = pytest.mark.parametrize("training", [CHUNKED, FUSED, BOTH], ids=["chunked", "fused", "liger chunked"])
# Shared heads; a matrix with three biases; a soft cap and norms behind sublayers; scaled logits; partly rotated heads;
# a loss made by nn.CrossEntropyLoss; one with a bias added; words masked out.
CASES: Mapping[str, Callable[[], Any]] = {
    **{name: CONFIGS[name] for name in ("llama", "qwen2", "qwen3", "gemma2", "granite", "phi", "gpt2", "t5", "bart")},
    "masked": lambda: t.BertConfig(
        hidden_size=60, intermediate_size=84, num_hidden_layers=2, num_attention_heads=5, vocab_size=71,
        architectures=["BertForMaskedLM"],
    ),
}  # fmt: skip


def made(config: Any, *, device: str = "cpu", dtype: torch.dtype = torch.float32) -> Instance:
    instance = instance_of(config, device=device)
    instance.model.to(dtype)
    instance.model.set_attn_implementation("eager")
    for part in instance.model.modules():
        for name, value in vars(part).items():
            if "drop" in name and isinstance(value, float):
                setattr(part, name, 0.0)
        if isinstance(part, nn.Dropout):
            part.p = 0.0
    return instance


def step(instance: Instance, training: Training, train: Callable[[nn.Parameter], bool]) -> list[Tensor | None]:
    """The loss, and the gradient of every parameter."""
    inputs = batch(instance)
    inputs.setdefault("labels", inputs["input_ids"])
    instance.model.train()
    for parameter in instance.pretrained:
        parameter.requires_grad_(train(parameter)).grad = None
    with fused_kernels(instance, training), loss_as(instance, training):
        loss = instance.loss(inputs)
        loss.backward()  # type: ignore[no-untyped-call]
    return [loss.detach(), *(parameter.grad for parameter in instance.pretrained)]


@pytest.mark.sampled("name", "training", "everything")
@SETTINGS
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("everything", [True, False], ids=["all trained", "vectors trained"])
def test_loss_and_gradients_are_those_of_plain_kernels(name: str, training: Training, everything: bool) -> None:
    instance = made(CASES[name]())

    def train(parameter: nn.Parameter) -> bool:
        return everything or parameter.dim() == 1 or name == "t5"

    plain = step(instance, Training(), train)
    for expected, found in zip(plain, step(instance, training, train), strict=True):
        assert (expected is None) == (found is None)
        if expected is not None and found is not None:
            torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)
    instance.model.gradient_checkpointing_enable({"use_reentrant": False})
    for expected, found in zip(plain, step(instance, training, train), strict=True):
        if expected is not None and found is not None:
            torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)
    instance.model.gradient_checkpointing_disable()
    again = step(instance, Training(), train)
    assert all(torch.equal(a, b) for a, b in zip(plain, again, strict=True) if a is not None and b is not None)


def test_kernels_are_found_in_models_that_have_them() -> None:
    """Else the test above would compare plain with plain."""
    instance = made(CONFIGS["llama"]())
    for parameter in instance.pretrained:
        parameter.requires_grad_(True)
    ids = batch(instance)
    plain, fused, liger = (_functions(instance, ids, training) for training in (Training(), FUSED, LIGER))
    assert {
        "_NormBackward": 7,
        "_RotaryBackward": 3,
        "_GatedBackward": 3,
        "_InPlaceBackward": 1,
    }.items() <= liger.items()
    assert {
        "_NormBackward": 7,
        "_RotaryBackward": 3,
        "SiluBackward0": 3,
        "_InPlaceBackward": 1,
    }.items() <= fused.items()
    assert {"MeanBackward1", "SiluBackward0", "LogSoftmaxBackward0"} <= plain.keys()
    assert not {"MeanBackward1", "SiluBackward0", "LogSoftmaxBackward0"} & liger.keys()


def _functions(instance: Instance, inputs: Mapping[str, Tensor], training: Training) -> dict[str, int]:
    """How often each function is in a loss's history."""
    with fused_kernels(instance, training), loss_as(instance, training):
        loss = instance.loss(inputs)
    found: dict[str, int] = {}
    waiting, seen = [loss.grad_fn], set[Any]()
    while waiting:
        function = waiting.pop()
        if function is None or function in seen:
            continue
        seen.add(function)
        found[function.name()] = found.get(function.name(), 0) + 1
        waiting += [following for following, _ in function.next_functions]
    return found


def traced(instance: Instance, training: Training) -> StepTrace:
    instance.model.train()
    for parameter in instance.pretrained:
        parameter.requires_grad_(True)
    return trace_step(instance, given(instance), training=training)


def given(instance: Instance) -> dict[str, Tensor]:
    shape = (2, 5) if instance.model.config.is_encoder_decoder else (2, 24)
    device = instance.model.device
    ones = {"dtype": torch.long, "device": device}
    return {"input_ids": torch.ones(2, 24, **ones), "labels": torch.ones(shape, **ones)}  # type: ignore[call-overload]


@SETTINGS
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", ["llama", "gemma2", "t5"])
def test_meta_holds_what_the_cpu_holds(name: str, dtype: torch.dtype, training: Training) -> None:
    on_meta, on_cpu = (
        traced(made(CONFIGS[name](), device=device, dtype=dtype), training) for device in ("meta", "cpu")
    )
    assert on_meta.saved == on_cpu.saved
    assert on_meta.forward_flops == on_cpu.forward_flops
    assert on_meta.backward_flops == on_cpu.backward_flops
    for phase in ("forward", "backward"):
        assert on_meta.peak(phase) == on_cpu.peak(phase)


@pytest.mark.parametrize("device", ["meta", "cpu"])
def test_a_loss_in_pieces_by_hand(device: str) -> None:
    """120 rows of 8 features, 40 tokens: five pieces of 32 rows, the last one of 24."""
    rows, width, tokens = 120, 8, 40
    hidden = torch.randn(rows, width, device=device, dtype=torch.bfloat16, requires_grad=True)
    instance = made(t.LlamaConfig(hidden_size=width, vocab_size=tokens, num_attention_heads=2, num_hidden_layers=1,
                                  intermediate_size=4), device=device, dtype=torch.bfloat16)  # fmt: skip
    head = instance.model.lm_head
    head.weight.requires_grad_(True)
    target = torch.zeros(rows, dtype=torch.long, device=device)
    memory = Memory(tokens)
    memory.hold([hidden, target, *instance.pretrained])
    with loss_as(instance, CHUNKED), memory, memory.phase("forward"), memory.watch_saved():
        loss = nn.functional.cross_entropy(head(hidden), target)
    of_hidden, of_weight = 2 * rows * width, 2 * tokens * width
    count = 8  # of targets that count, kept to divide by
    assert memory.saved == (3, of_hidden + of_weight + count)
    assert max(moment.logits for moment in memory.moments["forward"]) == 2 * 32 * tokens
    assert memory.flops["forward"] == 3 * 2 * rows * width * tokens
    with memory, memory.phase("backward"):
        loss.backward()  # type: ignore[no-untyped-call]
    assert memory.flops.get("backward", 0) == 0
    assert all(moment.logits == 0 for moment in memory.moments["backward"])


@pytest.mark.parametrize("device", ["meta", "cpu"])
def test_a_loss_in_place_by_hand(device: str) -> None:
    instance = made(CONFIGS["llama"](), device=device, dtype=torch.bfloat16)
    hidden = torch.randn(30, 60, device=device, dtype=torch.bfloat16, requires_grad=True)
    target = torch.zeros(30, dtype=torch.long, device=device)
    memory = Memory(71)
    memory.hold([hidden, target, *instance.pretrained])
    with loss_as(instance, FUSED), memory, memory.phase("forward"), memory.watch_saved():
        loss = nn.functional.cross_entropy(instance.model.lm_head(hidden).float(), target)
    assert memory.saved == (3, 2 * 30 * 71 + 4 * 30 + 8)
    with memory, memory.phase("backward"):
        loss.backward()  # type: ignore[no-untyped-call]
    assert {moment.logits for moment in memory.moments["backward"]} == {2 * 30 * 71}


@pytest.mark.parametrize("device", ["meta", "cpu"])
def test_fused_kernels_by_hand(device: str) -> None:
    """A norm keeps its input and a number a row; a gated activation keeps gate and up; rotary positions keep nothing that
    was not there."""
    instance = made(CONFIGS["llama"](), device=device, dtype=torch.bfloat16)
    block = instance.blocks[0][1]
    x = torch.randn(2, 24, 60, device=device, dtype=torch.bfloat16, requires_grad=True)
    rows = 2 * 24

    def saved(run: Callable[[], Any], *there: Tensor) -> tuple[int, int]:
        memory = Memory()
        memory.hold([*there, *instance.pretrained])
        with fused_kernels(instance, LIGER), memory, memory.phase("forward"), memory.watch_saved():
            out = run()
        kept = memory.saved[1]
        del out
        return kept, max(moment.total for moment in memory.moments["forward"]) - memory.moments["forward"][0].total

    assert saved(lambda: block.input_layernorm(x), x) == (4 * rows, 4 * rows + 2 * rows * 60)
    gate_and_up, product, result = 2 * 2 * rows * 88, 2 * rows * 88, 2 * rows * 60
    assert saved(lambda: block.mlp(x), x) == (gate_and_up, gate_and_up + product + result)
    q, k = (torch.randn(2, 24, heads, 10, device=device, requires_grad=True) for heads in (6, 2))
    cos, sin = (torch.randn(2, 24, 10, device=device) for _ in range(2))
    rotate = t.models.llama.modeling_llama

    def turned() -> Any:
        return rotate.apply_rotary_pos_emb((q * 1).transpose(1, 2), (k * 1).transpose(1, 2), cos, sin)

    assert saved(turned, q, k, cos, sin) == (0, 4 * rows * 80)


@pytest.mark.parametrize("device", ["meta", "cpu"])
@pytest.mark.parametrize(("shared", "further"), [(False, 0), (True, 1)])
def test_a_norm_writes_its_gradient_over_that_of_its_output(device: str, shared: bool, further: int) -> None:
    """Unless others read it: what is behind a norm may be added to the residual stream, which has the same gradient."""
    instance = made(CONFIGS["llama"](), device=device)
    x = torch.randn(2, 24, 60, device=device, requires_grad=True)
    memory = Memory()
    memory.hold([x, *instance.pretrained])
    with fused_kernels(instance, FUSED), memory:
        middle = x * 1
        normed = instance.blocks[0][1].input_layernorm(middle)
        loss = ((normed + middle if shared else normed) * 2).sum()
        del middle, normed
        kept = memory.current
        with memory.phase("backward"):
            loss.backward()  # type: ignore[no-untyped-call]
    most = max(moment.total for moment in memory.moments["backward"]) - kept
    assert most == (1 + further) * x.nbytes + loss.nbytes
    if device == "cpu":
        again = x.detach().requires_grad_()
        normed = instance.blocks[0][1].input_layernorm(again)
        ((normed + again if shared else normed) * 2).sum().backward()
        torch.testing.assert_close(x.grad, again.grad)


def test_what_takes_logits_otherwise_is_refused() -> None:
    encoder = made(CONFIGS["bert"]())
    with pytest.raises(SettingError, match="take --loss plain"), loss_as(encoder, CHUNKED):
        encoder.loss(batch(encoder))
    decoder = made(CONFIGS["llama"]())
    hidden, target = torch.randn(6, 60), torch.arange(6)
    weights = torch.rand(71)
    plain = nn.functional.cross_entropy(decoder.model.lm_head(hidden), target, weights)
    with pytest.raises(SettingError, match="take --loss plain"), loss_as(decoder, CHUNKED):
        torch.testing.assert_close(nn.functional.cross_entropy(decoder.model.lm_head(hidden), target, weights), plain)


def test_what_is_refused_is_not_laid_to_peft() -> None:
    """It has LoRA on the output layer, whose product is added to the logits."""
    file = PeftFile("file", "LORA", {"r": 4, "target_modules": ["q_proj", "lm_head"], "task_type": "CAUSAL_LM"})
    costs = PeftCosts(blueprint_of(CONFIGS["llama"]()), file)
    with pytest.raises(SettingError, match=r"^llama: the loss cannot .* take --loss plain$"):
        costs.training(2, 24, training=CHUNKED)
    assert costs.training(2, 24, training=FUSED).memory.peak < costs.training(2, 24).memory.peak


def test_logits_are_made_for_those_who_ask() -> None:
    instance = made(CONFIGS["gemma2"]())
    inputs = batch(instance)
    plain = instance.run(inputs).logits
    with loss_as(instance, CHUNKED):
        logits = instance.run(inputs).logits
    assert isinstance(logits, UnmadeLogits)
    assert logits.shape == plain.shape
    torch.testing.assert_close(logits.softmax(-1), plain.softmax(-1))
    assert instance.model.lm_head.forward.__self__ is instance.model.lm_head  # nothing stays replaced


def test_a_kept_output_holds_keys_values_and_logits(capfd: pytest.CaptureFixture[str]) -> None:
    logging.set_verbosity_warning()
    for name, expected in {
        "llama": 2 * 24 * (3 * 2 * 20 + 71),  # keys and values of two heads of 10 in each of three layers
        "gpt2": 2 * 24 * (3 * 2 * 60 + 71),
        "bart": 2 * 5 * 71,  # transformers makes no cache of a target
    }.items():
        before, after = (_live_at_the_end(made(CONFIGS[name](), device="meta", dtype=torch.bfloat16), keep)
                         for keep in (False, True))  # fmt: skip
        assert after - before >= 2 * expected, name
        assert after - before <= 2 * expected + 2 * 2 * 24 * 60, name  # Bart also gives the encoder's hidden states
    with_blocks_again = Training(keep_cache=True, checkpointing="full")
    traced(made(CONFIGS["llama"](), device="meta"), with_blocks_again)
    assert "use_cache" not in capfd.readouterr().err


def _live_at_the_end(instance: Instance, keep: bool) -> int:
    """Live bytes at the last moment of the backward pass."""
    last = list(traced(instance, Training(keep_cache=keep)).moments.values())
    return last[-2][-1].total
