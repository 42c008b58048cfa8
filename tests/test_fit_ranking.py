"""Will it fit: amounts as people write them, standings, ranking and words, on numbers."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fit_examples import ERROR, QUESTION, candidate, step
from hypothesis import given
from hypothesis import strategies as st

from surveykit.catalog.training import Training
from surveykit.errors import SurveyError
from surveykit.fit import words
from surveykit.fit.candidates import Evidence, MemoryBreakdown
from surveykit.fit.errors import DRIVER_CONTEXT
from surveykit.fit.ranking import allowed, best_scored, largest_batch, overhead_kinds, rank, standing, with_evidence
from surveykit.fit.sizes import both, parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [("24GB", 24 * 10**9), ("24 gb", 24 * 10**9), ("24GiB", 24 * 2**30), ("80000MB", 80 * 10**9), ("1.5TB", 1500 * 10**9)],
)  # fmt: skip
def test_sizes_are_read(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text", ["24", "GB", "-1GB", "0GB", "24QB", "24GB of it", "", "1e3GB", "٣GB", "9" * 400 + "GB"]
)
def test_what_is_no_size_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(SurveyError, match="write it like 24GB"):
        parse_size(text)


def test_totals_are_said_in_both_units() -> None:
    assert both(24 * 10**9) == "24.00 GB (22.35 GiB)"


def test_a_peak_fits_with_the_largest_error_is_tight_within_the_errors_and_else_does_not() -> None:
    # Measured peaks lie 20 % below to 25 % above predicted ones: 19.2 * 1.25 = 24 = 30 * 0.8.
    peaks = {19.19: "fits", 19.21: "tight", 24.0: "tight", 29.9: "tight", 30.1: "does not fit"}
    assert {gb: standing(step(gb).peak, QUESTION) for gb in peaks} == peaks
    # Where all predictions were too low, or too high, what is expected is the bound.
    above = replace(QUESTION, error=ERROR.model_copy(update={"low_percent": 5.0}))
    assert (above.low(100), standing(step(23.5).peak, above)) == (100, "tight")
    below = replace(QUESTION, error=ERROR.model_copy(update={"high_percent": -5.0}))
    assert (below.high(100), standing(step(23.5).peak, below)) == (100, "fits")
    uncompared = replace(QUESTION, error=None)
    assert {gb: standing(step(gb).peak, uncompared) for gb in (23.3, 23.9, 24.1)} == {
        23.3: "fits", 23.9: "tight", 24.1: "does not fit",
    }  # fmt: skip


def test_the_context_of_the_driver_is_no_room() -> None:
    assert QUESTION.room + DRIVER_CONTEXT == QUESTION.memory
    assert standing(QUESTION.memory, replace(QUESTION, error=None)) == "does not fit"


def test_a_printed_peak_beyond_the_memory_is_not_called_fitting() -> None:
    printed = Evidence(memory_gb=33.2, memory_batch=4)
    assert standing(step(10).peak, QUESTION, printed) == "tight"
    assert standing(step(10).peak, replace(QUESTION, batch=3), printed) == "fits"  # it was printed for a larger batch
    assert standing(step(10).peak, QUESTION, replace(printed, memory_batch=None)) == "fits"  # and for another model
    assert standing(step(10).peak, replace(QUESTION, memory=34 * 10**9), printed) == "fits"
    today = replace(QUESTION, training=Training(attention="sdpa"))
    assert standing(step(10).peak, today, printed) == "fits"  # and in another setting
    known = with_evidence(replace(candidate("krona", 10), batch_that_fits=None), printed, QUESTION)
    assert known.batch_that_fits == 3
    (choice,) = rank([known], QUESTION)
    assert choice.standing == "tight"
    said = words.advice([choice], QUESTION)
    assert said[-1] == (
        "Table 5 prints more than the memory for this very model: krona 10.00 GB predicted, 33.2 GB printed at batch 4."
    )


def test_what_fits_comes_first_then_scores_then_peaks() -> None:
    given_order = [
        candidate("never", 90, score=99, least_gb=80), candidate("huge", 90, score=98), candidate("late", 9),
        candidate("tight", 24, score=90), candidate("early", 8), candidate("low", 10, score=50), candidate("high", 19, score=70),
    ]  # fmt: skip
    choices = rank(given_order, QUESTION)
    assert [c.candidate.configuration for c in choices] == ["high", "low", "early", "late", "tight", "never", "huge"]
    best = best_scored(choices)
    assert best is not None
    assert best.candidate.configuration == "tight"


def test_nothing_is_ranked_by_a_doubtful_score() -> None:
    doubtful = candidate("doubtful", 10, score=99, caveat="not above a constant prediction on COPA")
    choices = rank([doubtful, candidate("sound", 12, score=40), candidate("unknown", 9)], QUESTION)
    assert [c.candidate.configuration for c in choices] == ["sound", "unknown", "doubtful"]
    best = best_scored(choices)
    assert best is not None
    assert best.candidate.configuration == "sound"
    assert best_scored(rank([doubtful], QUESTION)) is None
    assert words.score_words(doubtful) == "score 99.0 on T5-3B, doubtful: not above a constant prediction on COPA"


@given(st.lists(st.tuples(st.floats(1, 90), st.none() | st.floats(1, 99)), max_size=8))
def test_a_ranking_does_not_depend_on_the_order_it_is_given(values: list[tuple[float, float | None]]) -> None:
    candidates = [candidate(f"c{i}", peak, score=score) for i, (peak, score) in enumerate(values)]
    assert rank(candidates, QUESTION) == rank(reversed(candidates), QUESTION)


def test_overhead_is_judged_as_the_method_is_used() -> None:
    nothing = replace(QUESTION, max_overhead=frozenset())
    assert not allowed("linear", "none", nothing)
    assert allowed("linear", "none", replace(nothing, merge=True))
    assert not allowed("ffn+input", "ffn+input", replace(nothing, max_overhead=overhead_kinds("ffn")))
    assert allowed("ffn", "ffn", replace(nothing, max_overhead=overhead_kinds("ffn+input")))
    with pytest.raises(SurveyError, match="did you mean 'ffn'"):
        overhead_kinds("fnn")


@given(st.integers(1, 10**10), st.integers(0, 10**10), st.integers(2, 64))
def test_the_largest_batch_fits_and_the_next_one_does_not(low: int, more: int, batch: int) -> None:
    found = largest_batch(low, low + more, batch, QUESTION)
    at = [low + more * (n - 1) // (batch - 1) for n in range(1, batch)]
    assert found == sum(standing(peak, QUESTION) == "fits" for peak in at)


def test_the_words_name_the_best_evidence_the_first_and_their_batch() -> None:
    choices = rank(
        [candidate("plain", 9), candidate("scored", 24, score=75.46, fits_at=6)], replace(QUESTION, merge=True)
    )
    best, first = words.advice(choices, replace(QUESTION, merge=True))
    assert best.startswith("Highest score")
    assert "is tight with a peak of 24.00 GB (22.35 GiB), and fits at batch 6" in best
    assert "score 75.5 on T5-3B" in best
    assert "no inference overhead once merged" in best
    assert first.startswith("First in the ranking: Plain")
    assert "the survey did not run it" in first
    assert words.headline(choices, QUESTION) == (
        "With eager attention, no checkpointing, adamw-loop, bfloat16: of 2 configurations, 1 fits in 24.54 GB (22.85 GiB), "
        "1 is tight and 0 do not fit."
    )
    assert words.advice((), QUESTION) == ()


@pytest.mark.parametrize(
    ("unwanted", "reasons", "said"),
    [
        (3, [], "No method meets the limit on inference overhead (no inference overhead once merged)."),
        (0, ["too long"] * 2, "No method can be put on this model: too long."),
        (0, ["a", "b", "c"], "No method can be put on this model: a; b; and 1 more."),
        (1, ["a"], "No method is left: 1 do not meet the limit on inference overhead (no inference overhead once merged), "
                   "1 cannot be put on this model: a."),
    ],
)  # fmt: skip
def test_an_empty_ranking_names_its_reason(unwanted: int, reasons: list[str], said: str) -> None:
    asked = replace(QUESTION, merge=True, max_overhead=frozenset())
    assert words.nothing_left(asked, unwanted, reasons) == said


@given(st.integers(0, 10**12), st.integers(0, 10**12), st.integers(0, 10**12), st.integers(0, 10**12))
def test_the_parts_add_up_to_the_peak(weights: int, gradients: int, optimizer: int, more: int) -> None:
    parts = MemoryBreakdown(weights, gradients, optimizer, 0, weights + gradients + optimizer + more)
    assert parts.weights + parts.optimizer + parts.passing == parts.peak
    assert parts.passing >= gradients
    assert parts.least <= parts.peak


def test_the_headline_says_what_nothing_can_make_fit() -> None:
    choices = rank(
        [candidate("a", 40, least_gb=12), candidate("b", 50, least_gb=15), candidate("c", 90, least_gb=60)], QUESTION
    )
    said = words.headline(choices, QUESTION)
    assert "of 3 configurations, 0 fit in 24.54 GB (22.85 GiB), 0 are tight and 3 do not fit." in said
    assert "Of 1, weights, gradients and optimizer state alone exceed the memory" in said
    assert "alone exceed" not in words.headline(choices[:2], QUESTION)


def test_the_run_is_said_as_it_is() -> None:
    plain = words.run(Training())
    assert plain == "eager attention, no checkpointing, adamw-loop, bfloat16"
    qlora = Training(
        attention="sdpa", checkpointing="full", base_bits=4, double_quant=True, optimizer="paged-adamw", loss="chunked",
        adapter_dtype="float32", devices=2, shard="ddp",
    )  # fmt: skip
    assert words.run(qlora) == (
        "sdpa attention, full checkpointing, paged-adamw, bfloat16 and 4-bit base weights with double quantization, added "
        "parameters in float32, chunked loss, ddp over 2 GPUs"
    )


def test_what_binds_is_what_could_still_be_reduced() -> None:
    of = candidate("a", 40, least_gb=12)
    peak, parts, binds = words.breakdown(of, QUESTION)
    assert "40.00 GB (37.25 GiB) allocated" in peak
    assert "low 32.00 GB, expected 40.00 GB, high 50.00 GB" in peak
    assert parts == "At that moment: weights 4.00 GB, optimizer state 4.00 GB, activations 32.00 GB; together 40.00 GB."
    assert binds == (
        "What binds: activations, 32.00 GB; less of it: sdpa attention, checkpointing or fewer tokens in a batch."
    )
    done = replace(QUESTION, training=Training(attention="sdpa", checkpointing="full"))
    assert words.breakdown(of, done)[2].endswith("less of it: fewer tokens in a batch.")
