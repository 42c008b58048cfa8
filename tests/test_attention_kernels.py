"""Attention as CUDA runs it: what the kernels keep, counted by hand; prefixes and prompts under each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
import transformers as t
from small_models import CONFIGS, batch, outputs
from test_models_run import EDITS, randomise, recipe
from torch import Tensor
from torch.nn import functional
from torch.utils._python_dispatch import _disable_current_modes
from transformers import AttentionInterface

from surveykit.catalog.peft_file import PeftFile
from surveykit.catalog.training import Attention, Training
from surveykit.engine import Attached, Instance, instance_of
from surveykit.engine.models.model import blueprint_of
from surveykit.engine.models.peft_modules import wrapped
from surveykit.engine.trace.attention import FLASH, attention_as_on_cuda
from surveykit.engine.trace.memory import Memory, highest
from surveykit.engine.trace.step import dropout_as_on_cuda, trace_step
from surveykit.errors import SettingError

BF16, FP32 = torch.bfloat16, torch.float32
SDPA, EAGER, FLASHED = Training(attention="sdpa"), Training(attention="eager"), Training(attention="flash")
_WIDTHS = {"hidden_size": 96, "intermediate_size": 88, "num_hidden_layers": 2, "vocab_size": 71, "pad_token_id": 0,
           "num_attention_heads": 6, "bos_token_id": 1, "eos_token_id": 2}  # fmt: skip
WIDE: dict[str, Callable[[], Any]] = {
    "llama": lambda: t.LlamaConfig(**_WIDTHS, num_key_value_heads=2),
    "gpt2": lambda: t.GPT2Config(
        n_embd=96, n_head=6, n_layer=2, vocab_size=71, bos_token_id=1, eos_token_id=2, resid_pdrop=0.0
    ),
    "bert": lambda: t.BertConfig(**_WIDTHS),
    "t5": lambda: t.T5Config(
        d_model=96, d_kv=16, num_heads=6, d_ff=88, num_layers=2, vocab_size=71, decoder_start_token_id=0
    ),
}  # fmt: skip
"""With heads of 16 features, a width that the kernels of CUDA take."""


def on_meta(config: Any, dtype: torch.dtype = BF16, device: str = "meta") -> Instance:
    instance = instance_of(config, device=device)
    instance.model.to(dtype).train().requires_grad_(True)
    return instance


def words(instance: Instance, positions: int, device: str = "meta") -> dict[str, Tensor]:
    given = {"input_ids": torch.ones((2, positions), dtype=torch.long, device=device)}
    if not instance.blueprint.encoder_only:
        given["labels"] = given["input_ids"] if instance.blueprint.causal else given["input_ids"][:, :5].contiguous()
    return given


def tensors(shapes: list[tuple[int, ...]], dtype: torch.dtype) -> list[Tensor]:
    """As models hand them over: the heads split off the features last, and transposed."""
    made = [torch.empty(b, length, h, w, dtype=dtype, device="meta", requires_grad=True) for b, h, length, w in shapes]
    return [one.transpose(1, 2) for one in made]


HOWS: dict[str, tuple[tuple[int, ...], tuple[int, ...], torch.dtype, dict[str, Any], int, int]] = {
    # queries, keys, what else; bytes kept beside queries, keys and values; bytes at the most in backward beside these
    "flash": ((2, 6, 24, 16), (2, 6, 24, 16), BF16, {"is_causal": True},
              2 * 6 * 24 * (16 * 2 + 4) + 24, 3 * 2 * 6 * 24 * 16 * 2 + 2 * 6 * 128 * (1 + 32) * 4),
    "flash, grouped heads": ((2, 6, 24, 16), (2, 2, 24, 16), BF16, {"is_causal": True, "enable_gqa": True},
                             2 * 6 * 24 * (16 * 2 + 4) + 24,
                             2 * 24 * 16 * 2 * (6 + 2 + 2 + 6 + 6) + 2 * 6 * 128 * (1 + 32) * 4),
    "efficient, float32": ((2, 6, 24, 16), (2, 6, 24, 16), FP32, {"is_causal": True},
                           2 * 6 * (24 * 16 * 4 + 32 * 4) + 16, 3 * 2 * 6 * 24 * 16 * 4 + 2 * 6 * 128 * (1 + 32) * 4),
    # A mask in rows of 24 numbers for 20 keys; sums of 40 queries in blocks of 32.
    "efficient, mask": ((2, 6, 40, 16), (2, 6, 20, 16), BF16,
                        {"attn_mask": torch.ones(2, 1, 40, 20, dtype=torch.bool, device="meta")},
                        2 * 6 * (40 * 16 * 2 + 64 * 4) + 2 * 40 * 24 * 2 + 16,
                        2 * 6 * (40 + 20 + 20) * 16 * 2 + 2 * 6 * 128 * (1 + 32) * 4),
}  # fmt: skip


@pytest.mark.parametrize("how", HOWS)
def test_what_a_kernel_keeps_and_holds_by_hand(how: str) -> None:
    queries, keys, dtype, further, kept, meanwhile = HOWS[how]
    query, key, value = given = tensors([queries, keys, keys], dtype)
    memory = Memory()
    memory.hold([*given, *(one for one in further.values() if isinstance(one, Tensor))])
    before = memory.current
    with attention_as_on_cuda(on_meta(WIDE["llama"]()), SDPA), memory, memory.watch_saved(), memory.phase("forward"):
        out = functional.scaled_dot_product_attention(query, key, value, **further)
    assert memory.current - before == kept
    assert memory.saved[1] == kept
    assert out.transpose(1, 2).is_contiguous()  # so that transformers copies nothing
    gradient = torch.empty_like(out)
    with memory, memory.phase("backward"):
        found = torch.autograd.grad(out, given, gradient)
    assert [one.shape for one in found] == [one.shape for one in given]
    assert highest(memory.moments["backward"]).total - before - kept == meanwhile
    forward = 2 * 2 * queries[0] * queries[1] * queries[2] * keys[2] * 16
    assert memory.flops == {"forward": forward, "backward": forward // 2 * 5}  # the scores again, and four products


@pytest.mark.parametrize("attention", ["sdpa", "flash"])
def test_what_a_layer_keeps_less_than_eager_by_hand(attention: Attention) -> None:
    size, length, heads, grouped, width = 2, 24, 6, 2, 16

    def layer(training: Training) -> int:
        found = []
        for layers in (2, 3):
            instance = on_meta(t.LlamaConfig(**{**_WIDTHS, "num_hidden_layers": layers}, num_key_value_heads=grouped))
            with attention_as_on_cuda(instance, training):
                found.append(trace_step(instance, words(instance, length)).saved)
        return found[1] - found[0]

    scores = size * heads * length * length * (4 + 2)  # a softmax in float32, and its cast
    expanded = 2 * size * (heads - grouped) * length * width * 2  # keys and values, each head as often as it is used
    sums = size * heads * length * 4 + 24
    assert layer(EAGER) - layer(Training(attention=attention)) == scores + expanded - sums


def test_autocast_turns_what_attention_gets_to_16_bits() -> None:
    query, key, value = tensors([(2, 6, 24, 16)] * 3, FP32)
    memory = Memory()
    memory.hold([query, key, value])
    training = Training(dtype="float32", autocast=True, attention="sdpa")
    with attention_as_on_cuda(on_meta(WIDE["llama"](), FP32), training), memory, memory.watch_saved():
        out = functional.scaled_dot_product_attention(query, key, value)
    assert out.dtype is BF16
    assert memory.saved[1] == 4 * 2 * 6 * 24 * 16 * 2 + 2 * 6 * 24 * 4 + 24


CASES = [(family, attention) for family in CONFIGS for attention in ("sdpa", "flash")]


@pytest.mark.parametrize(("family", "attention"), CASES)
@pytest.mark.parametrize("edit", ["none", "prefix", "prompt"])
def test_each_family_runs_or_is_refused_as_transformers_refuses(family: str, attention: Attention, edit: str) -> None:
    instance, training = on_meta(CONFIGS[family]()), Training(attention=attention)
    dispatches = {"sdpa": "_sdpa_can_dispatch", "flash": "_flash_attn_can_dispatch"}[attention]
    arguments = {"flash_attn_version": 2} if attention == "flash" else {}
    try:  # a package for GPUs is missing here, in any case
        getattr(instance.model, dispatches)(**arguments)
    except (ValueError, ImportError) as error:
        refused = "does not support" in str(error)
    else:
        refused = False
    if refused:
        with (
            pytest.raises(SettingError, match=f"{type(instance.model).__name__} with .*--attention eager"),
            attention_as_on_cuda(instance, training),
        ):
            raise AssertionError("not refused")
        return
    before = instance.model.config._attn_implementation
    with attention_as_on_cuda(instance, training), edited(instance, edit):
        fused = trace_step(instance, words(instance, 24))
    assert instance.model.config._attn_implementation == before
    with attention_as_on_cuda(instance, EAGER), edited(instance, edit):
        eager = trace_step(instance, words(instance, 24))
    # Heads of a width that is no multiple of 8 are padded, for FlashAttention alone.
    assert eager.forward_flops <= fused.forward_flops < 1.1 * eager.forward_flops
    assert 0 < eager.backward_flops <= fused.backward_flops
    assert fused.saved != eager.saved


@contextmanager
def edited(instance: Instance, edit: str, **further: Any) -> Iterator[Attached | None]:
    if edit == "none":
        yield None
        return
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(5)
        with Attached(instance, recipe({**EDITS[edit], "length": 3, **further}).stages[0]) as attached:
            randomise(attached)
            yield attached


def by_definition(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None,
    scaling: float | None = None,
    **more: Any,
) -> tuple[Tensor, None]:
    """FlashAttention's results: the last query sees all keys, and there is no mask; grouped heads as they are."""
    assert mask is None
    scores = query @ key.repeat_interleave(query.shape[1] // key.shape[1], 1).mT
    scores = scores * (query.shape[-1] ** -0.5 if scaling is None else scaling)
    told = more.get("is_causal")
    if module.is_causal if told is None else told:
        seen = torch.ones(scores.shape[-2:], dtype=torch.bool).tril(key.shape[2] - query.shape[2])
        scores = scores.masked_fill(~seen, -torch.inf)
    found = scores.softmax(-1) @ value.repeat_interleave(query.shape[1] // value.shape[1], 1)
    return found.transpose(1, 2), None


@pytest.mark.sampled("family", "edit", "padded")
@pytest.mark.parametrize("padded", [True, False])
@pytest.mark.parametrize("edit", ["prefix", "prompt"])
@pytest.mark.parametrize("family", [family for family in CONFIGS if family not in ("deberta-v2", "gemma2")])
def test_values_are_those_of_eager(family: str, edit: str, padded: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(AttentionInterface._global_mapping, FLASH, by_definition)
    instance = instance_of(CONFIGS[family](), device="cpu", seed=3)
    instance.model.eval()
    given = batch(instance)
    if not padded:
        del given["attention_mask"]

    def values(attention: Attention) -> Tensor:
        training = Training(dtype="bfloat16" if attention == "flash" else "float32", attention=attention)
        with attention_as_on_cuda(instance, training), edited(instance, edit), torch.no_grad():
            out = instance.run(given)
        return out.logits if "labels" in given else out[0]

    eager = values("eager")
    torch.testing.assert_close(values("sdpa"), eager, rtol=1e-4, atol=1e-5)
    # A window hides a prefix from FlashAttention, where it is at the far end.
    if instance.model._supports_flash_attn and not padded and family != "mistral":
        torch.testing.assert_close(values("flash"), eager, rtol=1e-4, atol=1e-5)


SOFT = {"task_type": "CAUSAL_LM", "num_virtual_tokens": 3}
# PEFT empties the cache of T5's cross-attention before it runs: no prefix of it is seen there.
DECODER = {"where": {"roles": ["attention"], "sublayers": ["decoder.self"]}}


SOFT_CASES = [
    (family, kind, attention)
    for family in ("llama", "gpt2", "t5")
    for kind in ("PREFIX_TUNING", "PROMPT_TUNING")
    for attention in ("eager", "sdpa", "flash")
    # T5 has no FlashAttention, and PEFT puts prompts before its decoder too.
    if family != "t5" or (attention != "flash" and kind == "PREFIX_TUNING")
]


@pytest.mark.parametrize(("family", "kind", "attention"), SOFT_CASES)
def test_an_edit_keeps_what_pefts_own_keeps(family: str, kind: str, attention: Attention) -> None:
    training, edit = Training(attention=attention), kind.partition("_")[0].lower()
    file = PeftFile("file", kind, {**SOFT, **({"task_type": "SEQ_2_SEQ_LM"} if family == "t5" else {})})
    theirs = wrapped(blueprint_of(WIDE[family](), name=family), file)
    ours = instance_of(WIDE[family](), device="meta")
    ours.model.to(BF16).train()
    theirs.peft.to(BF16).train()
    with attention_as_on_cuda(theirs.instance, training):
        wanted = kept(theirs.instance, theirs.peft, [*theirs.peft.parameters()])
    with attention_as_on_cuda(ours, training), edited(ours, edit, **(DECODER if family == "t5" else {})) as attached:
        assert attached is not None
        found = kept(ours, ours.model, [*ours.model.parameters(), *attached.added()])
    # PEFT looks its positions up in a table; it holds one more prefix for T5, see DECODER.
    assert wanted - found == 3 * 8 * (2 if family == "t5" else 1)
    assert found > 10**5


def kept(instance: Instance, call: Any, parameters: list[Tensor]) -> int:
    """Bytes that one forward pass keeps for backward."""
    memory, given = Memory(), words(instance, 24)
    memory.hold([*parameters, *instance.model.buffers(), *given.values()])
    with memory, dropout_as_on_cuda(), memory.phase("forward"), memory.watch_saved():
        loss = call(**given, use_cache=False).loss
    assert loss.requires_grad
    found: int = memory.saved[1]
    return found


@contextmanager
def as_on_cpu() -> Iterator[None]:
    """Let attention on meta be that of the kernel which torch picks on the CPU."""
    original = functional.scaled_dot_product_attention

    def attend(query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None, **how: Any) -> Tensor:
        given = (query, key, value, attn_mask)
        with _disable_current_modes():  # these are not the model's
            alike = [
                one if one is None else torch.empty_like(one, device="cpu").requires_grad_(one.requires_grad)
                for one in given
            ]
            chosen = torch._fused_sdp_choice(*alike, **how)
        if chosen == 0:
            return original(query, key, value, attn_mask, **how)
        if attn_mask is not None and attn_mask.dtype is torch.bool:
            attn_mask = torch.where(attn_mask, 0.0, torch.scalar_tensor(-torch.inf, dtype=query.dtype, device="meta"))
        found: Tensor = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
            query, key, value, how["dropout_p"], how["is_causal"], attn_mask=attn_mask, scale=how.get("scale")
        )[0]
        return found

    functional.scaled_dot_product_attention = attend
    try:
        yield
    finally:
        functional.scaled_dot_product_attention = original


@pytest.mark.parametrize("edit", ["none", "prefix", "prompt"])
@pytest.mark.parametrize("family", WIDE)
def test_meta_with_the_kernels_of_the_cpu_equals_the_cpu_in_every_moment(family: str, edit: str) -> None:
    traces = []
    for device in ("meta", "cpu"):
        instance = on_meta(WIDE[family](), FP32, device)
        instance.model.set_attn_implementation("sdpa")
        with as_on_cpu() if device == "meta" else attention_as_on_cuda(instance, SDPA), edited(instance, edit):
            traces.append(trace_step(instance, words(instance, 24, device)))
    meta, cpu = traces
    assert (meta.saved, meta.peak()) == (cpu.saved, cpu.peak())
    for span in meta.moments.keys() | cpu.moments.keys():
        assert max(meta.moments[span]) == max(cpu.moments[span]), span
        # T5's masks are made outside of its layers: on meta a constant is one operator more. And there, an optimizer leaves
        # out tensors that follow each other like some before.
        assert family == "t5" or span == "optimizer" or meta.moments[span] == cpu.moments[span], span


def test_a_mask_that_slides_takes_the_other_kernel_and_a_head_too_wide_is_refused() -> None:
    def saved(training: Training, **further: Any) -> int:
        instance = on_meta(t.MistralConfig(**_WIDTHS, num_key_value_heads=6, **further))
        with attention_as_on_cuda(instance, training):
            return trace_step(instance, words(instance, 24)).saved

    sliding, whole = (saved(SDPA, sliding_window=window) for window in (4, None))
    mask, sums = 2 * 24 * 24 * 2, 2 * 6 * (32 - 24) * 4 + 16 - 24
    assert sliding - whole == 2 * (mask + sums)
    assert saved(FLASHED, sliding_window=4) == whole
    with pytest.raises(SettingError, match="at most 256 features, not 264: take --attention sdpa"):
        saved(FLASHED, head_dim=264)


def test_a_model_without_weights_is_as_it_was_after_an_error() -> None:
    instance, original = on_meta(WIDE["llama"]()), functional.scaled_dot_product_attention
    before = instance.model.config._attn_implementation
    with pytest.raises(KeyError), attention_as_on_cuda(instance, FLASHED), edited(instance, "prefix"):
        raise KeyError
    assert instance.model.config._attn_implementation == before
    assert functional.scaled_dot_product_attention is original
    assert outputs(instance_of(WIDE["llama"](), device="cpu")).isfinite().all()
