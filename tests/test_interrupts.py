"""Ctrl-C and the request to end: one line, an exit code of its own, nothing half-written, no process left."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from pathlib import Path

import interrupted
import needs
import pytest
import small_catalog
from pydantic import BaseModel, field_validator

from surveykit.cli import main
from surveykit.commands.arguments import module
from surveykit.database import cache
from surveykit.interruption import Interrupted, Interruption, together

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason=needs.LINUX)
ENDLESS = "SELECT count(*) FROM range(1000000000000) AS a, range(1000000) AS b"
# Each with the seconds after which the signal comes.
MOMENTS = [
    (["query", "type = 'R'"], [0, 0.2, 0.6]),  # the first: it builds the database
    (["query", "--sql", ENDLESS, "--timeout", "60"], [1.5]),
    (["build", "--output", "{folder}/x.duckdb"], [0, 0.3, 0.7]),
    (["export", "{folder}/csv", "--format", "csv"], [0.1, 1.2]),
    (["export", "{folder}/one", "--format", "duckdb"], [1.2]),
    (["validate"], [0, 0.3]),
    (["show", "lora"], [0.4]),
    (["verify"], [0.4]),
    (["schema", "--output", "{folder}/schema"], [0.2]),
    (["count", "lora", "--model", "{folder}"], [0.3]),
]


@pytest.mark.sampled(words=lambda words: words[0], number=str)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    ("words", "moment"), [(words, moment) for words, moments in MOMENTS for moment in moments], ids=str
)
def test_a_signal_ends_a_command(words: list[str], moment: float, number: int, tmp_path: Path) -> None:
    root = small_catalog.write(tmp_path / "catalog")
    out = tmp_path / "out"
    out.mkdir()
    environment = {**os.environ, cache.ENVIRONMENT: str(tmp_path / "cache")}
    full = ["--catalog", str(root), *(word.format(folder=out) for word in words)]
    ended = interrupted.send(full, number, moment, environment, out)
    assert not interrupted.faults(ended, number)
    assert not interrupted.half_written(out)
    assert not list(out.glob(".*"))
    assert not list((tmp_path / "cache").glob("*/.*"))
    if moment == 0 or "60" in words:
        assert ended.code == 128 + number


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_not_lost_where_nothing_can_be_raised(number: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Python runs `__del__`, and callbacks of weak references, at any moment, and ignores what they raise."""

    class Leaves:
        def __del__(self) -> None:
            signal.raise_signal(number)

    def leave_and_work() -> None:
        Leaves()
        time.sleep(5)

    interruption = Interruption()
    with pytest.raises(Interrupted), interruption:
        leave_and_work()
    assert interruption.exit_code == 128 + number
    assert not capsys.readouterr().err


def test_what_a_library_makes_of_it_does_not_count(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An import that is interrupted may end in any exception, or in none."""

    def confused(arguments: object) -> int:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            raise ImportError("the library is damaged") from None
        return 0

    def deaf(arguments: object) -> int:
        with contextlib.suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        return 0

    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    for run, code, word in ((confused, 130, "interrupted"), (deaf, 143, "terminated")):
        monkeypatch.setattr(module("validate"), "run", run)
        assert main(["validate"]) == code
        assert capsys.readouterr().err == f"surveykit: {word}\n"
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_waits_until_pydantic_is_done(number: int) -> None:
    """Its core is written in Rust: it panics, in lines of its own, where Python that it calls is interrupted."""
    done = []

    class Record(BaseModel):
        field: int

        @field_validator("field")
        @classmethod
        def _interrupted(cls, value: int) -> int:
            signal.raise_signal(number)
            done.append(value)
            return value

    def validate_and_work() -> None:
        Record(field=1)
        time.sleep(5)

    interruption = Interruption()
    with pytest.raises(Interrupted), interruption:
        validate_and_work()
    assert done == [1]
    assert interruption.exit_code == 128 + number


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_waits_until_what_belongs_together_is_written(number: int, tmp_path: Path) -> None:
    def write_and_work() -> None:
        with together:
            (tmp_path / "costs").touch()
            signal.raise_signal(number)
            (tmp_path / "memory").touch()
        time.sleep(5)
        (tmp_path / "later").touch()

    interruption = Interruption()
    with pytest.raises(Interrupted), interruption:
        write_and_work()
    assert {path.name for path in tmp_path.iterdir()} == {"costs", "memory"}
    assert interruption.exit_code == 128 + number
