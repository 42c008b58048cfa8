"""Will it fit: the survey's evidence beside predictions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from surveykit.database.reading import Reader, reading
from surveykit.fit.evidence import evidence


@pytest.fixture(scope="module")
def reader(database: Path) -> Iterator[Reader]:
    with reading(database) as opened:
        yield opened


def test_evidence_is_that_of_the_nearest_size(reader: Reader) -> None:
    near = evidence(reader, 3 * 10**9)
    assert near["lora/qv-r8"].score_on == "T5-3B"
    assert near["lora/qv-r8"].score == pytest.approx(75.485)
    assert near["lora/qv-r8"].evaluated is True
    assert near["lora/qv-r8"].memory_gb == 9.6
    assert near["krona/qv"].score_of == "krona/lokr-qv-r8"  # the survey's row is read as another configuration
    assert near["dora/qkv-feed-forward-r32"].score is None
    assert evidence(reader, 10**8)["lora/qv-r8"].score_on == "T5-Large"
    assert evidence(reader, 70 * 10**9)["lora/qv-r8"].score_on == "T5-11B"


def test_a_doubtful_score_comes_with_its_caveat(reader: Reader) -> None:
    ia3 = evidence(reader, 3 * 10**9)["ia3/kv-ff"]
    assert ia3.score == pytest.approx(41.7725)
    assert ia3.ranked_score is None
    assert ia3.score_caveat is not None
    assert "not above a constant prediction on COPA, RTE" in ia3.score_caveat
    assert ia3.score_caveat.endswith("then the mean is 66.5")
    doubtful = {c for c, e in evidence(reader, 11 * 10**9).items() if e.score_caveat}
    assert {"ia3/kv-ff", "unipelt/p10-rf16-r8", "pfeiffer-adapter/rf16"} <= doubtful


def test_a_printed_peak_counts_for_its_own_model_alone(reader: Reader) -> None:
    assert evidence(reader, 11 * 10**9, "t5-11b")["krona/qv"].memory_batch == 1
    assert evidence(reader, 11 * 10**9, "t5-3b")["krona/qv"].memory_batch is None
    assert evidence(reader, 11 * 10**9)["krona/qv"].memory_batch is None
    known = evidence(reader, 11 * 10**9, "t5-11b")
    assert known["prompt-tuning/p100"].memory_gb is None  # the row prints the count of a flat prefix
    assert known["prefix-tuning/flat-p30"].memory_gb == 30.2
