"""Will it fit: what would make it fit, and the largest batch and length, on steps whose peaks are formulas."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fit_examples import ERROR, QUESTION
from hypothesis import given
from hypothesis import strategies as st

from surveykit.catalog.training import Training
from surveykit.errors import RecipeError
from surveykit.fit.candidates import STANDINGS, Question
from surveykit.fit.options import MOST_BATCH, MOST_LENGTH, Options, Peak, largest, options

ASKED = replace(QUESTION, error=None)


def formula(weights: float, token: float, pair: float = 0.0, state: float = 0.0) -> Peak:
    """Peaks in GB, from what a token and a pair of tokens hold in MB: as settings change a real model's."""

    def peak(asked: Question) -> int:
        t = asked.training
        held = weights * t.base_bits / 16 + (state / 4 if t.optimizer == "adamw-8bit" else state)
        tokens = token / (20 if t.checkpointing == "full" else 1)
        pairs = 0.0 if t.attention != "eager" or t.checkpointing == "full" else pair
        held /= t.devices if t.shard == "fsdp" else 1
        return int(1e9 * held + 1e6 * asked.batch * (tokens * asked.length + pairs * asked.length**2))

    return peak


def found(peak: Peak, asked: Question = ASKED) -> Options:
    return options(asked, peak, lambda question: question)


def said(found: Options) -> dict[str, str]:
    return {change.words: change.standing for change in found.changes}


def test_what_fits_needs_no_change_but_says_how_much_more_would_fit() -> None:
    fits = found(formula(6, 1))
    assert not fits.changes
    assert fits.largest_batch == int((ASKED.room / 1.03 - 6e9) / (1e6 * 512))
    assert fits.largest_length % 64 == 0
    assert fits.largest_length > 512


def test_single_changes_that_suffice_come_in_the_order_of_their_cost() -> None:
    """Attention costs nothing, checkpointing compute, smaller batches steps, and shorter texts what is cut."""
    changes = found(formula(6, 1, 0.01), replace(ASKED, batch=4, length=1024)).changes
    assert [change.words for change in changes] == ["attention sdpa", "checkpointing full", "batch 1", "length 576"]
    assert {change.standing for change in changes} == {"fits"}
    longer = found(formula(6, 1, 0.01), replace(ASKED, batch=4, length=1024, memory=20 * 10**9)).changes
    assert [change.standing for change in longer] == sorted((change.standing for change in longer), key=STANDINGS.index)
    assert changes[0].cost == "costs nothing"
    assert changes[0].peak == int(6e9 + 4 * 1024 * 1e6)


def test_where_no_single_change_suffices_the_best_are_named_and_then_two_together() -> None:
    asked = replace(ASKED, batch=1, length=4096)
    words = said(found(formula(30, 5), asked))
    assert list(words.values()) == ["fits"] + ["does not fit"] * (len(words) - 1)
    assert next(iter(words)) == "checkpointing full and base-bits 4"


def test_cutting_texts_is_not_all_that_is_said() -> None:
    """A length far below what was asked for is no use alone: two changes that keep the texts are named beside it."""
    asked = replace(ASKED, batch=1, length=4096)
    words = said(found(formula(20, 25), asked))
    assert words["length 128"] == words["checkpointing full and base-bits 4"] == "fits"


def test_several_gpus_are_the_last_resort() -> None:
    words = said(found(formula(90, 0.1), replace(ASKED, batch=1)))
    assert words == {"base-bits 4": "fits"}  # a quarter of 90 is 22.5
    words = said(found(formula(160, 0.1), replace(ASKED, batch=1)))
    assert next(iter(words)) == "devices 8 and shard fsdp"


def test_what_is_done_already_is_no_change() -> None:
    done = Training(attention="sdpa", checkpointing="full", optimizer="adamw-fused", base_bits=4, double_quant=True)
    words = said(found(formula(160, 0.1), replace(ASKED, training=done)))
    assert not {"attention sdpa", "checkpointing full", "base-bits 4"} & set(words)


def test_what_cannot_be_trained_so_is_no_change() -> None:
    plain = formula(30, 1)

    def refuses(asked: Question) -> int:
        if asked.training.base_bits != 16:
            raise RecipeError("it has no layers for that")
        return plain(asked)

    assert not any("base-bits" in words for words in said(found(refuses)))


def test_a_change_is_judged_by_the_errors_of_its_own_setting() -> None:
    strict = replace(QUESTION, memory=12 * 10**9, batch=1)
    peak = formula(20, 1)
    free = options(strict, peak, lambda asked: replace(asked, error=None))
    own = options(strict, peak, lambda asked: asked)
    assert {c.words: c.standing for c in free.changes}["base-bits 4"] == "fits"
    assert free.changes[0].peak == own.changes[0].peak
    wary = options(strict, peak, lambda asked: replace(asked, error=ERROR.model_copy(update={"high_percent": 200.0})))
    assert {c.words: c.standing for c in wary.changes}["base-bits 4"] != "fits"


@given(st.floats(0, 20), st.floats(0.01, 50), st.floats(0, 0.01), st.integers(1, 64), st.integers(1, 4096))
def test_the_largest_that_is_found_fits_and_the_next_does_not(
    weights: float, token: float, pair: float, batch: int, length: int
) -> None:
    peak, asked = formula(weights, token, pair), replace(ASKED, batch=batch, length=length)
    most = largest(asked, peak, "batch")
    assert not most or asked.standing(peak(replace(asked, batch=most))) == "fits"
    assert most == MOST_BATCH or asked.standing(peak(replace(asked, batch=most + 1))) != "fits"
    longest = largest(asked, peak, "length")
    assert longest % 64 == 0
    assert not longest or asked.standing(peak(replace(asked, length=longest))) == "fits"
    assert longest == MOST_LENGTH or asked.standing(peak(replace(asked, length=longest + 64))) != "fits"


@pytest.mark.parametrize("positions", [63, 64, 512, 1000])
def test_no_length_beyond_a_model_s_positions_is_found(positions: int) -> None:
    def bounded(asked: Question) -> int:
        if asked.length > positions:
            raise RecipeError("fewer positions")
        return 10**9

    assert largest(replace(ASKED, length=32), bounded, "length") == positions // 64 * 64
