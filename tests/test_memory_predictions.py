"""Printed memory beside predictions, each row in its own setting: the rules as data, the shelf, the split, the errors."""

from __future__ import annotations

import json
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from statistics import median

import altered
import pytest
from conftest import ROOT

from surveykit.catalog.load import Catalog, load
from surveykit.catalog.measured import Cell, cells, current_key, stale
from surveykit.catalog.settings import Setting
from surveykit.catalog.steps import NoStepError, Runs, UnreadableRowError, step_of
from surveykit.catalog.training import Training
from surveykit.database.reading import reading
from surveykit.database.tables.verdicts import evidence
from surveykit.errors import CatalogError
from surveykit.fit.errors import prediction_error
from surveykit.ranks import rank_correlation
from surveykit.site.data.device_settings import DeviceSettings
from surveykit.site.data.memory_error import MemoryErrors
from surveykit.site.pages.how_far_off import how_far_off_context
from surveykit.site.rendering import Page
from surveykit.verify import predictions
from surveykit.verify.judge import judge
from surveykit.verify.predictions import Predicted, errors, kind_of, split_of

PRESET = Setting(id="plain", says="a preset of this test", batch=2, lengths=(64,), target_length=8)
STATED = Runs.model_validate(
    {
        "preset": "plain", "batch": "examples", "length": "tokens",
        "when": (
            {"cells": {"bits": ("nf4", "nf4-dq")}, "training": {"base_bits": 4}},
            {"cells": {"bits": "nf4-dq"}, "training": {"double_quant": True}, "remark": "The scales were held twice."},
            {"cells": {"gpus": "2"}, "training": {"devices": 2, "shard": "fsdp"}, "held": ("weights",)},
            {"cells": {"bits": "gptq"}, "not_comparable": "Nobody here holds weights so."},
        ),
    }
)  # fmt: skip


def row(**cells: str) -> dict[str, str]:
    return {"examples": "4", "tokens": "1,024", "bits": "", "gpus": "1", **cells}


def test_a_row_has_the_step_that_its_cells_say() -> None:
    plain = step_of(STATED, PRESET, row())
    assert (plain.batch, plain.length, plain.training, plain.held) == (4, 1024, Training(), ("weights", "optimizer"))
    both = step_of(STATED, PRESET, row(bits="nf4-dq", gpus="2"))
    assert both.training == Training(base_bits=4, double_quant=True, devices=2, shard="fsdp")
    assert (both.held, both.remark) == (("weights",), "The scales were held twice.")
    assert both.key == "4 x 1024, 8: base_bits=4 double_quant=true devices=2 shard=fsdp"
    assert plain.key == "4 x 1024, 8: survey"


def test_what_a_table_leaves_out_is_the_presets() -> None:
    step = step_of(Runs(preset="plain"), PRESET, {})
    assert (step.batch, step.length, step.training) == (2, 64, PRESET.training)
    people_choose = PRESET.model_copy(update={"lengths": ()})
    with pytest.raises(UnreadableRowError, match="neither `runs` nor its preset states a length"):
        step_of(Runs(preset="plain"), people_choose, {})


def test_a_row_that_is_not_comparable_has_its_reason() -> None:
    with pytest.raises(NoStepError, match="Nobody here holds weights so"):
        step_of(STATED, PRESET, row(bits="gptq"))


@pytest.mark.parametrize("cell", ["", "four", "0", "1.5", "-4"])
def test_a_cell_that_is_no_number_is_named(cell: str) -> None:
    with pytest.raises(UnreadableRowError, match=f"examples: '{cell}' is no whole number from 1"):
        step_of(STATED, PRESET, row(examples=cell))


BAD = {
    "no such preset": ("preset: litgpt", "preset: litgtp", "finetuning.yaml:6:", "no setting 'litgtp'; did you mean 'litgpt'"),
    "no such column": ("batch: microbatch", "batch: microbach", "finetuning.yaml:7:", "no column 'microbach'; did you mean 'microbatch'"),
    "no such column in a rule": ("{quantization: bnb.nf4-dq}", "{quantisation: bnb.nf4-dq}", "finetuning.yaml:19:", "no column 'quantisation'; did you mean 'quantization'"),
    "no such field": ("{base_bits: 4, keep", "{base_bit: 4, keep", "finetuning.yaml:14:", "training has no field 'base_bit'; did you mean 'base_bits'"),
    "what cannot be combined": ("{base_bits: 4, keep_base_inputs: true}", "{base_bits: 16}", "finetuning.csv:4:1", "double_quant is about the scales of 4-bit weights"),
    "a number that is none": ("length: longest_example_tokens", "length: quantization", "finetuning.csv:2:1", "'None' is no whole number from 1"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_rules_that_make_no_setting_are_told_with_file_and_line(tmp_path: Path, case: str) -> None:
    old, new, place, message = BAD[case]
    file = altered.copied(tmp_path) / "sources" / "litgpt-resources" / "tables" / "finetuning.yaml"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(CatalogError) as raised:
        load(tmp_path / "catalog", measured=False)
    told = [str(problem) for problem in raised.value.problems if "litgpt-resources" in problem.file]
    assert any(place in line and message in line for line in told), told


def test_each_step_that_prints_memory_is_measured_once(catalog: Catalog) -> None:
    found = catalog.printed_steps
    assert {*cells(catalog, "predictions")} == {Cell(model, name, "predictions") for name, model in found}
    for steps in found.values():
        assert len({step.key for step in steps}) == len(steps)


def test_another_rule_makes_the_rows_it_changes_stale_and_no_others(tmp_path: Path) -> None:
    root = altered.copied(tmp_path)
    before = load(root)
    keys = {cell: current_key(before, cell) for cell in cells(before, "predictions")}
    file = root / "sources" / "litgpt-resources" / "tables" / "finetuning.yaml"
    file.write_text(
        file.read_text(encoding="utf-8").replace(
            "method: lora}", "method: lora}\n    training: {optimizer: adamw-fused}", 1
        ),
        encoding="utf-8",
    )
    after = load(root)
    changed = {cell for cell, key in keys.items() if current_key(after, cell) != key}
    assert {cell.backbone for cell in changed} == {"stablelm-base-alpha-3b", "llama-2-7b", "llama-2-13b"}
    assert changed <= {*stale(after, "predictions")}


def test_what_is_recorded_at_the_peak_adds_up(catalog: Catalog) -> None:
    assert catalog.predictions
    for p in catalog.predictions:
        parts = [getattr(p, name) for name in type(p).model_fields if name.startswith("peak_")]
        if p.status == "traced":
            assert (sum(parts), min(parts) >= 0) == (p.peak, True), (p.configuration, p.backbone, p.training)


@pytest.fixture(scope="module")
def found(catalog: Catalog) -> tuple[Predicted, ...]:
    return predictions.predictions(evidence(catalog))


def test_the_split_is_by_source_and_model(found: tuple[Predicted, ...]) -> None:
    parts = defaultdict(set)
    for p in found:
        parts[p.claim.source, p.model].add(p.split)
    assert all(len(splits) == 1 for splits in parts.values())
    assert parts["peft-metamathqa", "llama-3.2-3b"] == {"tuned on"}  # the length of its rows was read from its maximum
    assert {p.kind for p in found if p.split == "held out"} == {kind for kind, _ in predictions.KINDS}
    assert split_of("a-new-source", "t5-base") == split_of("a-new-source", "t5-base")


@pytest.mark.parametrize(
    ("training", "kind"),
    [
        (Training(), "eager attention"),
        (Training(attention="sdpa"), "fused attention"),
        (Training(attention="flash", checkpointing="full"), "checkpointing"),
        (Training(attention="flash", checkpointing="full", base_bits=4), "few bits"),
        (Training(base_bits=4, devices=2, shard="fsdp"), "several devices"),
    ],
)
def test_the_kind_of_a_setting_is_the_hardest_that_it_has(training: Training, kind: str) -> None:
    assert kind_of(training) == kind


def test_errors_are_summed_up_apart_for_what_is_held_out(found: tuple[Predicted, ...]) -> None:
    for error in errors(found):
        own = [p for p in found if (p.kind, p.split) == (error.kind, error.split)]
        sizes = [abs(float(p.error_percent)) for p in own]
        assert (error.runs, error.worst_percent) == (len(own), max(sizes))
        assert error.median_percent == median(sizes)
        assert error.low_percent <= error.high_percent
        if len(own) < 20:
            assert error.high_percent == max(100 * float(p.printed / p.predicted - 1) for p in own)


def test_the_error_of_a_setting_is_of_runs_that_are_held_out(database: Path) -> None:
    with reading(database) as reader:
        qlora = prediction_error(
            reader, Training(base_bits=4, double_quant=True, attention="flash", checkpointing="full")
        )
        eight = prediction_error(reader, Training(base_bits=8))
        held = reader.all("SELECT DISTINCT source, backbone FROM memory_prediction WHERE split = 'held out'")
    assert qlora is not None
    assert eight is not None
    assert qlora.kind == eight.kind == "few bits"
    assert {*qlora.sources} <= {row.source for row in held}
    assert ("peft-metamathqa", "llama-3.2-3b") not in {(row.source, row.backbone) for row in held}
    assert qlora.low(100) <= qlora.high(100)


def test_verdicts_say_setting_and_error(catalog: Catalog) -> None:
    claims = [c for c in catalog.claims if c.source in ("litgpt-resources", "fms-acceleration")]
    judged = judge(claims, evidence(catalog))
    shown = next(v for v in judged if v.claim.printed == "21.30")
    assert shown.word == "predicted"
    assert shown.found.reason.startswith(
        "setting litgpt, batch 1, 1304 positions: adapter dropout, adapter copy, attention sdpa,"
    )
    assert shown.found.reason.endswith("% of the printed figure")
    words = {v.word for v in judged if v.claim.printed in ("OOM", "N/A") and v.claim.model}
    assert words == {"not_comparable"}
    out = [v for v in judged if v.claim.printed == "OOM" and v.claim.model == "llama-2-13b" and v.claim.step]
    assert min(v.found.value or 0 for v in out) > 40, "what did not fit in 40 GB"
    norms = [v for v in judged if v.claim.row == "baseline-peft-bnb" and v.claim.quantity == "allocated_memory"]
    assert {"norms in float32" in v.found.reason for v in norms} == {True}
    lines = predictions.sentences([v for v in judged if v.claim.source == "litgpt-resources"], "LitGPT")
    assert [line.startswith("LitGPT, memory: 12 figures") for line in lines] == [True]


def of(found: tuple[Predicted, ...], source: str, *, held: bool = False) -> list[Predicted]:
    return [p for p in found if p.claim.source == source and (p.kind == "held between steps") == held]


def absolute(some: list[Predicted]) -> list[float]:
    assert some
    return [abs(float(p.error_percent)) for p in some]


OSF = "osf/llama-3.2-3B-rank128"
"""PEFT's OSF held more than ours does. Older code of PEFT builds the whole update of every matrix and keeps it for backward:
5.25 GiB on Llama-3.2-3B in bfloat16, of the 8.2 GiB by which its run is above the prediction. Newer code and ours multiply by
the factors. The rest is not explained."""


def test_pefts_benchmark_is_met(found: tuple[Predicted, ...]) -> None:
    """Every run is within 10 %, but OSF, which is predicted too low."""
    some = of(found, "peft-metamathqa")
    sizes = absolute(some)
    assert len(some) == 63
    assert sum(sizes) / len(sizes) <= 2
    assert median(sizes) <= 1.5
    assert max(absolute([p for p in some if p.claim.row != OSF])) <= 10
    (osf,) = (float(p.error_percent) for p in some if p.claim.row == OSF)
    assert -25 <= osf <= -20
    ranked = rank_correlation([float(p.printed) for p in some], [float(p.predicted) for p in some])
    assert (ranked or 0) >= 0.95
    by_row = {p.claim.row: p.predicted / 2**30 for p in some}
    above = by_row["lora/llama-3.2-3B-rank32-dora"] - by_row["lora/llama-3.2-3B-rank32"]
    assert Decimal("1.5") <= above <= Decimal("2.7")


def test_fms_on_one_device_is_met(found: tuple[Predicted, ...]) -> None:
    peaks = [p for p in of(found, "fms-acceleration") if p.step.training.devices == 1 and p.model == "mistral-7b"]
    static = [
        p for p in of(found, "fms-acceleration", held=True) if p.step.training.devices == 1 and p.model == "mistral-7b"
    ]
    assert max(absolute(static)) <= 1
    assert median(absolute(peaks)) <= 5
    assert max(absolute(peaks)) <= 15


def test_litgpt_is_within_the_published_figures(found: tuple[Predicted, ...]) -> None:
    some = of(found, "litgpt-resources")
    plain = [p for p in some if p.step.training.base_bits == 16]
    assert median(absolute(plain)) <= 5
    assert max(absolute([p for p in some if p not in plain])) <= 8
    assert {"bitsandbytes 0.41.1" in (p.step.remark or "") for p in some if p not in plain} == {True}


def test_the_page_shows_every_run_and_the_errors(pages: dict[str, Page], found: tuple[Predicted, ...]) -> None:
    text = str(pages["how-far-off.md"].content)
    for error in errors(found):
        assert f"| {error.kind} | {error.split} | {error.runs} |" in text
    assert text.count("litgpt-resources.md): lora") >= len(of(found, "litgpt-resources"))
    assert "how-far-off-light.svg" in text


def test_the_page_shows_every_step_that_ran_on_a_device(database: Path) -> None:
    written = DeviceSettings.model_validate_json(
        (ROOT / "benchmarks" / "device_settings.json").read_text(encoding="utf-8")
    )
    with reading(database) as reader:
        cells = reader.all("SELECT * FROM bench_run WHERE device <> 'cpu' AND NOT is_stale AND peak_bytes IS NOT NULL")
        device = how_far_off_context(reader, None, written)["device"]
        assert how_far_off_context(reader, None)["device"]["steps"] == 0
    assert (device["steps"], device["cells"]) == (len(written.runs), len(cells))
    assert device["settings"] == len({run.setting for run in written.runs})
    pairs = [(run.predicted, run.allocated) for run in written.runs]
    pairs += [(cell.predicted_bytes, cell.peak_bytes) for cell in cells]
    off = [abs(predicted / held - 1) for predicted, held in pairs]
    assert device["off"] == f"median {100 * median(off):.2f} %, at most {100 * max(off):.1f} %"
    assert max(off) < 0.04, "a prediction is this far from what a GPU held"
    for run in written.runs:
        assert f"| {run.model} | {run.setting} | " in device["runs"]
        assert f"{run.allocated / 1e9:.2f} GB | {run.predicted / 1e9:.2f} GB" in device["runs"]


def test_the_benchmark_was_written_with_this_split() -> None:
    written = MemoryErrors.model_validate_json((ROOT / "benchmarks" / "memory_error.json").read_text(encoding="utf-8"))
    assert written.seed == predictions.SEED
    assert all(group.split == split_of(group.source, group.model) for group in written.groups)
    assert json.loads(written.model_dump_json())["modules"]
    assert written.mean_percent <= 3
    assert (written.rank_correlation or 0) >= 0.95
