"""What all tests share: the same random numbers each time, no network, nothing of the user's, and the real catalog.

Random numbers are those of one seed, however tests are ordered and shared out. Whether a test holds for others too is
tried with `SURVEYKIT_TEST_SEED=7 python -m pytest`, and with `--hypothesis-profile=default`.
"""

from __future__ import annotations

import gc
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sampling
from hypothesis import HealthCheck, settings

from surveykit.database.cache import ENVIRONMENT as CACHE

if TYPE_CHECKING:
    from page_html import Html

    from surveykit.catalog.load import Catalog
    from surveykit.site.rendering import Page

# Each worker has a core; threads of its own would fight over it. Read when torch is imported, which is later.
os.environ.setdefault("OMP_NUM_THREADS", "1")
READ_BY_BUILDS = ("SURVEYKIT_CATALOG", "SITE_URL", "SOURCE_DATE_EPOCH")
"""Variables that change what our builds and MkDocs write."""
# What a user, or pytest-xdist, may have set for the program, and tests set for themselves.
for variable in (*READ_BY_BUILDS, "COLUMNS", "HF_ENDPOINT", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
    os.environ.pop(variable, None)
for variable in ("NO_PROXY", "no_proxy"):  # servers of this machine are asked directly
    os.environ[variable] = "127.0.0.1,localhost"
# A shell ignores Ctrl-C for what it starts in the background, and so would all that tests start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).parent.parent
CATALOG = ROOT / "catalog"
SURVEY = "lialin2023scaling"
"""Key of the survey among the sources of the catalog."""
SKIPPED = "surveykit/skipped"
OF_OTHERS = (
    "PYTEST_CURRENT_TEST", "NO_MKDOCS_2_WARNING", "TORCHINDUCTOR_CACHE_DIR", "KMP_DUPLICATE_LIB_OK", "KMP_INIT_AT_FORK",
)  # fmt: skip
"""Variables that pytest sets, and Material, torch and scikit-learn when they are first imported, in whichever test that is."""
BEFORE = pytest.StashKey[dict[str, object]]()
SAMPLED = pytest.StashKey[tuple[int, int]]()
"""How many cases of sampled tests run, and how many there are."""
SEED = int(os.environ.get("SURVEYKIT_TEST_SEED", "0"))
# The same examples each time, and no judgement of how quick the machine is.
settings.register_profile(
    "same", derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("same")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Databases of this run are kept in a folder of its own, which its workers share."""
    if not hasattr(config, "workerinput"):
        os.environ[CACHE] = tempfile.mkdtemp(prefix="surveykit-tests-")
        sampling.turn()


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """What is imported and loaded for all tests stays to the end: looking for garbage among it, here and in every test
    that looks for it, takes an eighth of their time."""
    gc.disable()


def pytest_collection_finish(session: pytest.Session) -> None:
    gc.freeze()
    gc.enable()


def pytest_unconfigure(config: pytest.Config) -> None:
    gc.unfreeze()  # else DuckDB says at the end that all of it leaks
    if not hasattr(config, "workerinput"):
        shutil.rmtree(os.environ[CACHE], ignore_errors=True)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--exhaustive", action="store_true", help="run all cases of tests of which a part runs each time")
    parser.addoption("--skipped-before", action="store_true", help="run only what the run before this one skipped")
    parser.addoption(
        "--shared", action="store_true",
        help="run only tests that what other tests leave behind could reach, which the number of workers decides over",
    )  # fmt: skip
    parser.addoption("--half", type=int, help="run every other test of these: an even number begins with the first")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    kept = list(items)
    if config.getoption("--skipped-before"):
        skipped = set(config.cache.get(SKIPPED, []))  # type: ignore[union-attr]
        kept = [item for item in kept if item.nodeid in skipped]
    if config.getoption("--shared"):
        import shared

        kept = [item for item in kept if shared.reaches(item)]
    if (half := config.getoption("--half")) is not None:
        kept = kept[half % 2 :: 2]
    asked_for = config.option.keyword or any("::" in word for word in config.args)
    if not (config.getoption("--exhaustive") or asked_for):
        of_tests = [item for item in kept if item.get_closest_marker("sampled")]
        out = sampling.left_out(kept)
        kept = [item for item in kept if item not in out]
        config.stash[SAMPLED] = len(of_tests) - len(out), len(of_tests)
    remaining = set(kept)
    config.hook.pytest_deselected(items=[item for item in items if item not in remaining])
    items[:] = kept


def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["sampled"] = session.config.stash.get(SAMPLED, None)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Each worker collects all tests, and leaves out the same."""
    if found := getattr(node, "workeroutput", {}).get("sampled"):
        node.config.stash[SAMPLED] = tuple(found)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """What was left out, and what was skipped, by the reason, which says how to get what is missing (`needs.py`)."""
    if (found := config.stash.get(SAMPLED, (0, 0)))[0] < found[1]:
        terminalreporter.write_line(sampling.sentence(*found))
    skipped = [report for report in terminalreporter.stats.get("skipped", []) if isinstance(report.longrepr, tuple)]
    if hasattr(config, "cache"):  # not with -p no:cacheprovider
        config.cache.set(SKIPPED, [report.nodeid for report in skipped])
    for reason, count in Counter(report.longrepr[2].removeprefix("Skipped: ") for report in skipped).most_common():
        terminalreporter.write_line(f"skipped: {count} {reason}")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Before any fixture, so that those which a module shares begin alike as well."""
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(SEED)
    item.stash[BEFORE] = process()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """What a test or a fixture leaves behind in the process would decide over tests after it, in some orders only."""
    yield
    before, after = item.stash[BEFORE], process()
    if "torch" not in before:  # it was imported meanwhile
        after.pop("torch", None)
    differs = sorted(name for name in before | after if before.get(name) != after.get(name))
    left = [f"{name}: {before.get(name)} → {after.get(name)}" for name in differs]
    assert not left, "left behind in the process: " + "; ".join(left)


def process() -> dict[str, object]:
    """What decides over what commands do and outlives a test."""
    mask = os.umask(0)
    os.umask(mask)
    environment = {name: value for name, value in os.environ.items() if name not in OF_OTHERS}
    found: dict[str, object] = {**environment, "$PWD": os.getcwd(), "sys.path": [*sys.path], "umask": mask}
    if torch := sys.modules.get("torch"):
        found["torch"] = [torch.get_default_dtype(), torch.get_num_threads(), torch.is_grad_enabled()]
    return found


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that opens a connection beyond this machine fails."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        local = self.family == socket.AF_UNIX or (isinstance(address, tuple) and address[0] in ("127.0.0.1", "::1"))
        if not local:
            raise AssertionError(f"a test tried to reach {address}")
        connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(scope="session", autouse=True)
def nobody_changes_what_is_shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Else tests would depend on which worker had which of them, and in which order."""
    yield
    if shared := sys.modules.get("shared"):
        shared.check_unchanged(tmp_path_factory)
    if real := sys.modules.get("real_catalog"):
        real.check_unchanged()


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    from real_catalog import REAL

    return REAL


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database of the real catalog, to be read."""
    import shared  # what it needs to build a site takes a while to import

    return shared.database(tmp_path_factory)


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Page]:
    """What the real catalog is rendered to, by path, without anything around the site."""
    import shared

    return shared.pages(tmp_path_factory)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site of the real catalog."""
    import shared

    return shared.site(tmp_path_factory)


@pytest.fixture(scope="session")
def offline_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site of the real catalog, to be opened as files."""
    import shared

    return shared.offline_site(tmp_path_factory)


@pytest.fixture(scope="session")
def html(site: Path) -> dict[str, Html]:
    """Every page of that site by its address below the root."""
    from page_html import read

    return {path.relative_to(site).as_posix(): read(path) for path in sorted(site.rglob("*.html"))}


@pytest.fixture(scope="session")
def altered_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site of the catalog that `altered` writes."""
    import shared

    return shared.altered_site(tmp_path_factory)
