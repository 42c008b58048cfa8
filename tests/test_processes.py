"""Worker processes end with Ctrl-C, at once, and with the process that started them, however that ends."""

from __future__ import annotations

import os
import pickle
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import needs
import pytest
import resealed
import small_catalog
from conftest import ROOT

from surveykit.catalog.load import load
from surveykit.catalog.measured import stale
from surveykit.cli import main
from surveykit.errors import CatalogError, ChangeError, MissingExtra, Problem, RecipeError, SurveyError
from surveykit.processes import ENDED, in_processes

SOON = 2.0
"""Seconds within which all must have ended, on a machine that has nothing else to do."""
PATIENCE = 5.0
"""Times as long it may take here, where tests run beside it."""

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").is_file(), reason=needs.LINUX)

WORK = """
    import sys, time
    from pathlib import Path
    from surveykit.processes import import_ahead, in_processes

    def make(folder):
        def work(number):
            (Path(folder) / str(number)).touch()
            began = time.monotonic()
            while number and time.monotonic() - began < 60:
                sum(range(100_000))
            return number
        return work

    if __name__ == "__main__":
        sys.path.insert(0, str(Path(__file__).parent))
        try:
            if sys.argv[4]:
                import_ahead(sys.argv[4])
            for task, result in in_processes(make, (sys.argv[1],), [0, 1, 2, 3][: int(sys.argv[2])], int(sys.argv[3])):
                print("done", task, flush=True)
                (Path(sys.argv[1]) / f"told {task}").touch()
        except KeyboardInterrupt:
            print("interrupted", flush=True)
            sys.exit(130)
"""


def alive(group: int) -> list[int]:
    """Processes of a group that are no corpses."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            state, _, of = (entry / "stat").read_text().rpartition(")")[2].split()[:3]
        except (OSError, ValueError):
            continue
        if entry.name.isdecimal() and int(of) == group and state not in "ZX":
            found.append(int(entry.name))
    return found


def wait_for(what: Callable[[], object], seconds: float) -> bool:
    until = time.monotonic() + seconds
    while not what():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts a process in a group of its own, which ends with the test in any case."""
    started: list[subprocess.Popen[str]] = []

    def begin(*words: object) -> subprocess.Popen[str]:
        beside = os.path.dirname(str(words[0]))  # of a script: other processes are to find what lies there
        process = subprocess.Popen(
            [sys.executable, *map(str, words)], cwd=ROOT, text=True, start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "PYTHONPATH": f"{beside}{os.pathsep}{ROOT}"},
        )  # fmt: skip
        started.append(process)
        return process

    yield begin
    for process in started:
        if alive(process.pid):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def said_by(start: Callable[..., subprocess.Popen[str]], folder: Path, code: str) -> tuple[str, str]:
    """What a script prints, and what it prints as errors."""
    script = folder / "work.py"
    script.write_text(textwrap.dedent(code), encoding="utf-8")
    return start(script).communicate(timeout=60)


IMPORTED = """
    import os, sys
    from surveykit.processes import import_ahead, in_processes

    def make():
        return lambda task: ("wave" in sys.modules, os.getppid())

    if __name__ == "__main__":
        import_ahead("wave")
        found = {what for _, what in in_processes(make, (), range(4), 2)}
        assert "wave" not in sys.modules
        assert os.getpid() not in {parent for _, parent in found}
        print(len(found), *{known for known, _ in found})
"""


@pytest.fixture(
    params=[(4, 2, ""), (3, 3, ""), (3, 3, "json")],
    ids=["a task waits", "a worker waits", "forked from another process"],
)
def working(
    request: pytest.FixtureRequest, tmp_path: Path, start: Callable[..., subprocess.Popen[str]]
) -> subprocess.Popen[str]:
    """Two workers in the midst of a minute's work each, one task done; another not begun, or a worker without one."""
    script = tmp_path / "work.py"
    script.write_text(textwrap.dedent(WORK), encoding="utf-8")
    process = start(script, tmp_path, *request.param)
    # Each by its own file: with a worker for each task, the others may begin before the first one's end is told.
    assert wait_for(lambda: all((tmp_path / name).exists() for name in ("told 0", "1", "2")), 60)
    return process


def test_workers_find_what_was_imported_ahead(tmp_path: Path, start: Callable[..., subprocess.Popen[str]]) -> None:
    assert said_by(start, tmp_path, IMPORTED) == ("1 True\n", "")


SLOW = """
    import os, signal, threading, time
    from surveykit.processes import import_ahead, in_processes

    def make():
        return abs

    if __name__ == "__main__":
        import_ahead("slow_to_import")
        threading.Timer(0.5, os.killpg, (os.getpid(), signal.SIGINT)).start()  # a terminal sends it to all of them
        began = time.monotonic()
        try:
            list(in_processes(make, (), range(4), 2))
        except KeyboardInterrupt:
            print("interrupted", time.monotonic() - began < 5)
"""


def test_ctrl_c_does_not_wait_for_what_is_imported_ahead(
    tmp_path: Path, start: Callable[..., subprocess.Popen[str]]
) -> None:
    (tmp_path / "slow_to_import.py").write_text("import time\ntime.sleep(15)\n", encoding="utf-8")
    assert said_by(start, tmp_path, SLOW) == ("interrupted True\n", "")


def test_what_imports_ahead_ends_with_the_command(tmp_path: Path, start: Callable[..., subprocess.Popen[str]]) -> None:
    (tmp_path / "slow_to_import.py").write_text("import time\ntime.sleep(15)\n", encoding="utf-8")
    script = tmp_path / "work.py"
    script.write_text("from surveykit.processes import import_ahead\nimport_ahead('slow_to_import')", encoding="utf-8")
    process = start(script)
    assert process.communicate(timeout=10) == ("", "")
    assert wait_for(lambda: not alive(process.pid), SOON), alive(process.pid)


FAULTY = """
    from surveykit.errors import MissingExtra
    from surveykit.processes import import_ahead, in_processes

    def make():
        raise MissingExtra("torch", "measure")

    if __name__ == "__main__":
        import_ahead("surveykit.engine_ahead")
        try:
            list(in_processes(make, (), range(4), 2))
        except MissingExtra as error:
            print(error)
"""


def test_what_cannot_be_imported_ahead_is_said_by_a_worker(
    tmp_path: Path, start: Callable[..., subprocess.Popen[str]]
) -> None:
    (tmp_path / "torch.py").write_text("raise OSError('no libgomp')", encoding="utf-8")
    assert said_by(start, tmp_path, FAULTY) == (f"{MissingExtra('torch', 'measure')}\n", "")


GONE = """
    from surveykit.errors import SurveyError
    from surveykit.processes import import_ahead, in_processes

    def make():
        return abs

    if __name__ == "__main__":
        import_ahead("ends_all")
        try:
            print(len(list(in_processes(make, (), range(4), 2))))
        except SurveyError as error:
            print(error)
"""


def test_a_process_that_workers_are_forked_from_and_that_has_gone_is_told(
    tmp_path: Path, start: Callable[..., subprocess.Popen[str]]
) -> None:
    (tmp_path / "ends_all.py").write_text("import os, time\ntime.sleep(1)\nos._exit(1)\n", encoding="utf-8")
    assert said_by(start, tmp_path, GONE) == (f"{ENDED}\n", "")


@pytest.mark.parametrize(
    "error",
    [
        MissingExtra("torch", "measure"), CatalogError([Problem("a.yaml", 1, 2, "wrong")]), ChangeError(["one", "two"]),
        RecipeError("no"),
    ],
    ids=lambda error: type(error).__name__,
)  # fmt: skip
def test_an_error_that_comes_from_a_worker_is_what_it_was_there(error: SurveyError) -> None:
    found = pickle.loads(pickle.dumps(error))
    assert (type(found), str(found), vars(found)) == (type(error), str(error), vars(error))


def test_ctrl_c_ends_all_at_once_and_says_nothing_of_workers(working: subprocess.Popen[str], tmp_path: Path) -> None:
    began = time.monotonic()
    os.killpg(working.pid, signal.SIGINT)  # a terminal sends it to all of them
    told, errors = working.communicate(timeout=60)
    took = time.monotonic() - began
    assert (working.returncode, told, errors) == (130, "done 0\ninterrupted\n", "")
    assert took < SOON * PATIENCE
    assert wait_for(lambda: not alive(working.pid), SOON), alive(working.pid)  # its resource tracker ends after it
    assert not (tmp_path / "3").exists()


def test_an_interrupt_of_the_parent_alone_ends_all_too(working: subprocess.Popen[str]) -> None:
    os.kill(working.pid, signal.SIGINT)
    told, errors = working.communicate(timeout=SOON * PATIENCE)
    assert (working.returncode, told, errors) == (130, "done 0\ninterrupted\n", "")
    assert wait_for(lambda: not alive(working.pid), SOON), alive(working.pid)  # its resource tracker ends after it


def test_ctrl_c_is_for_the_parent_alone(working: subprocess.Popen[str]) -> None:
    """A worker that took it for its own would print where it was."""
    workers = [pid for pid in alive(working.pid) if pid != working.pid]
    for pid in workers:
        os.kill(pid, signal.SIGINT)
    time.sleep(0.5)
    assert set(workers) <= set(alive(working.pid))
    os.kill(working.pid, signal.SIGINT)
    assert working.communicate(timeout=SOON * PATIENCE) == ("done 0\ninterrupted\n", "")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_workers_notice_that_their_parent_has_gone(working: subprocess.Popen[str], how: signal.Signals) -> None:
    assert len(alive(working.pid)) > 2
    os.kill(working.pid, how)
    working.wait()
    assert wait_for(lambda: not alive(working.pid), SOON * PATIENCE), alive(working.pid)


def a_worker_that_dies() -> Callable[[int], int]:
    def work(number: int) -> int:
        os.kill(os.getpid(), signal.SIGKILL)
        return number

    return work


def a_worker_that_fails() -> Callable[[int], int]:
    def work(number: int) -> int:
        if number:
            raise SurveyError(f"no {number}")
        return number

    return work


def test_a_worker_that_is_killed_is_told() -> None:
    with pytest.raises(SurveyError, match="a worker process was ended from outside"):
        list(in_processes(a_worker_that_dies, (), [1, 2, 3], 2))


def test_what_the_work_raises_reaches_the_caller() -> None:
    with pytest.raises(SurveyError, match="no 1"):
        list(in_processes(a_worker_that_fails, (), [0, 1], 1))


def test_who_stops_asking_waits_for_nobody() -> None:
    results = in_processes(a_worker_that_fails, (), [0, 0, 0], 1)
    assert next(results) == (0, 0)
    results.close()


def test_measure_stops_keeps_what_it_found_and_resumes(
    tmp_path: Path, start: Callable[..., subprocess.Popen[str]]
) -> None:
    root = small_catalog.write(tmp_path / "catalog")
    shutil.rmtree(root / "measured")
    process = start("-m", "surveykit", "--catalog", root, "measure", "--only", "costs", "--quiet")
    files = root / "measured" / "costs"
    assert wait_for(lambda: list(files.glob("*.csv")) or process.poll() is not None, 120)
    began = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    told, errors = process.communicate(timeout=60)
    took = time.monotonic() - began
    assert (process.returncode, told, errors) == (130, "", "surveykit: interrupted\n")
    assert took < SOON * PATIENCE
    assert wait_for(lambda: not alive(process.pid), SOON), alive(process.pid)
    found = load(root)
    assert 0 < len(found.costs) < len(stale(load(root, measured=False), "costs"))
    assert {m.configuration for m in found.memory} == {c.configuration for c in found.costs}
    assert len(stale(found, "costs")) == len(stale(load(root, measured=False), "costs")) - len(found.costs)
    (files / "lora.csv.partial").write_text("left by a kill", encoding="utf-8")
    assert main(["--catalog", str(root), "measure", "lora/qv-r8", "--only", "trials", "--quiet"]) == 0
    assert not list(files.glob("*.partial"))
    assert len(resealed.read(root / "measured" / "trials" / "lora.csv")) == 1


def test_a_killed_measure_leaves_no_worker_and_a_catalog_that_loads(
    tmp_path: Path, start: Callable[..., subprocess.Popen[str]]
) -> None:
    root = small_catalog.write(tmp_path / "catalog")
    process = start(
        "-m", "surveykit", "--catalog", root, "measure", "lora", "prefix-tuning", "--only", "costs", "--quiet"
    )
    assert wait_for(lambda: len(alive(process.pid)) >= 3, 60)  # with the workers, or their resource tracker
    time.sleep(1)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert wait_for(lambda: not alive(process.pid), SOON * PATIENCE * 2), alive(process.pid)
    load(root)


class Told:
    """Something large that workers need, such as a catalog."""

    sent = 0

    def __reduce__(self) -> tuple[type[Told], tuple[()]]:
        Told.sent += 1
        return Told, ()


def answering(told: Told) -> Callable[[int], int]:
    return abs


def test_what_all_tasks_need_is_sent_to_each_worker_once() -> None:
    Told.sent = 0
    assert sorted(result for _, result in in_processes(answering, (Told(),), range(-12, 0), 2)) == [*range(1, 13)]
    assert 1 <= Told.sent <= 2  # the number of workers
