"""What is left out of a sampled test: each path is still taken, and every case has its turn."""

from __future__ import annotations

import re
from pathlib import Path

import sampling
from test_conditions import run

CASES = [(f"case[{family}-{kind}]", (family, kind)) for family in "abcdefg" for kind in range(5)]
TURNS = [f"commit {number}" for number in range(60)]


def test_every_path_is_taken_each_time_and_every_case_at_some_time() -> None:
    ran = [0] * len(CASES)
    for turn in TURNS:
        kept = sampling.chosen(CASES, turn)
        assert kept == sampling.chosen(CASES, turn)
        assert sum(kept) < len(CASES) / 1.5
        taken = [paths for (_, paths), runs in zip(CASES, kept, strict=True) if runs]
        assert {family for family, _ in taken} == set("abcdefg")
        assert {kind for _, kind in taken} == set(range(5))
        ran = [times + runs for times, runs in zip(ran, kept, strict=True)]
    assert min(ran) > 0


def test_each_group_has_its_turn_and_runs_once_in_three() -> None:
    ran = [name for turn in TURNS for name in "abcdefghi" if sampling.falls_to(name, turn)]
    assert {*ran} == {*"abcdefghi"}
    assert len(TURNS) * 2 < len(ran) < len(TURNS) * 4


def test_a_case_alone_on_its_path_always_runs() -> None:
    assert all(sampling.chosen([("alone", ("path",))], turn) == [True] for turn in TURNS)


TEST = """
import pytest

@pytest.mark.sampled("family")
@pytest.mark.parametrize("kind", range(20))
@pytest.mark.parametrize("family", "abc")
def test_it(family, kind):
    pass

@pytest.fixture(params=["less", pytest.param("more", marks=pytest.mark.sampled(group="more"))])
def much(request):
    return request.param

def test_one_on_more(much):
    pass

def test_another_on_more(much):
    pass
"""


def test_the_last_lines_say_what_was_left_out_and_all_can_be_run(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(TEST)
    here = ["-p", "conftest", "-W", "ignore::pytest.PytestUnknownMarkWarning", "--rootdir", str(tmp_path)]
    words = [*here, "-c", "/dev/null", str(tmp_path / "test_it.py")]
    for workers in ("0", "2"):
        done = run(tmp_path, *words, "-n", workers)
        (ran,) = re.findall(r"^sampled: (\d+) of 62 cases .*; all: --exhaustive$", done.stdout, re.MULTILINE)
        assert f"{int(ran) + 2} passed" in done.stdout
        assert 3 <= int(ran) < 42
    done = run(tmp_path, *words, "--exhaustive")
    assert "64 passed" in done.stdout
    assert "sampled:" not in done.stdout
    assert "1 passed" in run(tmp_path, *here, "-c", "/dev/null", f"{tmp_path / 'test_it.py'}::test_it[a-0]").stdout
