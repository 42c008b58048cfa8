"""What tests share is what they ask for: a thing that was made from something else is refused."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import shared
import small_catalog
from conftest import CATALOG, READ_BY_BUILDS, ROOT

from surveykit.cli import main


@pytest.fixture
def factory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A place of its own for shared things, which no other test sees."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    (tmp_path / "base").mkdir()
    return SimpleNamespace(getbasetemp=lambda: tmp_path / "base")


def test_a_shared_thing_is_made_once_and_again_after_a_failure(factory: Any, tmp_path: Path) -> None:
    source, made = tmp_path / "source", []
    source.write_text("one")

    def make(folder: Path) -> None:
        (folder / "half").touch(exist_ok=False)
        made.append(folder)
        if len(made) == 1:
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        shared.once(factory, "thing", make, source)
    assert [shared.once(factory, "thing", make, source) for _ in range(3)] == [made[0]] * 3
    assert len(made) == 2


@pytest.mark.parametrize("change", ["content", "new file", "other place"])
def test_a_shared_thing_that_was_made_from_something_else_is_refused(factory: Any, tmp_path: Path, change: str) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "file").write_text("one")
    shared.once(factory, "thing", lambda to: None, source)
    if change == "content":
        (source / "file").write_text("two")
    elif change == "new file":
        (source / "other").write_text("")
    else:
        source = source.rename(tmp_path / "moved")
    with pytest.raises(AssertionError, match="the shared thing was made from other things than are asked for"):
        shared.once(factory, "thing", lambda to: None, source)


@pytest.mark.parametrize("variable", READ_BY_BUILDS)
def test_nothing_is_shared_in_an_environment_that_would_change_it(
    factory: Any, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "left behind")
    with pytest.raises(AssertionError, match=f"changed the environment of its process: .*{variable}"):
        shared.once(factory, "thing", lambda to: pytest.fail("made"), CATALOG)


@pytest.mark.parametrize(
    "make",
    [
        shared.database, shared.pages, shared.site,
        pytest.param(shared.offline_site, marks=pytest.mark.sampled(group="the whole offline site")),
    ],
)  # fmt: skip
def test_what_is_made_of_another_catalog_is_refused_whoever_made_it(
    factory: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, make: Any
) -> None:
    """Most of what is tested on a site holds on one of three methods too, so the site itself is looked at."""
    monkeypatch.setattr(shared, "CATALOG", small_catalog.write(tmp_path / "catalog"))
    with pytest.raises(AssertionError, match=r"the shared [a-z ]+ is of another catalog: 3 methods, not \d\d"):
        make(factory)


def test_what_a_test_changes_is_noticed(factory: Any, tmp_path: Path) -> None:
    folder = shared.once(factory, "thing", lambda to: (to / "page").write_text("one"))
    shared.check_unchanged(factory)
    (folder / "page").write_text("two")
    with pytest.raises(AssertionError, match=r"a test has changed what is shared: .*shared-thing"):
        shared.check_unchanged(factory)


def test_every_fixture_of_the_session_is_known_to_be_shared() -> None:
    of_the_session = r'@pytest\.fixture\(scope="session"\)\ndef (\w+)'
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.py")]
    assert {name for text in texts for name in re.findall(of_the_session, text)} == shared.FIXTURES | {"catalog"}


def where() -> int:
    return main(["where"])


def test_others_can_reach_a_test_that_runs_commands(request: pytest.FixtureRequest) -> None:
    assert callable(where)
    assert shared.reaches(request.node)


@pytest.mark.usefixtures("catalog")
def test_others_cannot_reach_a_test_of_its_own_things_and_the_catalog(request: pytest.FixtureRequest) -> None:
    assert not shared.reaches(request.node)


def test_others_can_reach_a_test_of_the_shared_database(request: pytest.FixtureRequest, database: Path) -> None:
    assert database.is_file()
    assert shared.reaches(request.node)
