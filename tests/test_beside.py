"""What is written replaces what was there only when it is complete, whatever happens meanwhile; and nothing is left."""

from __future__ import annotations

import os
import platform
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import needs
import pytest
import site_config
import small_catalog

from surveykit.beside import beside, new_file, new_folder
from surveykit.cli import main
from surveykit.errors import SurveyError
from surveykit.interruption import Interrupted

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason=needs.POSIX)
HOST = re.sub(r"[^\w-]", "-", platform.node())[:40]


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_catalog.write(tmp_path_factory.mktemp("written") / "catalog")


def entries(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def a_process_that_is_gone() -> int:
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    return done.pid


# Where each command is killed: what it has written by then would be half a file, or half a folder.
KILLED = {
    "build": ("surveykit.database.build._insert", 3, ["build", "--output", "out/made"]),
    "export": ("surveykit.database.export._table", 3, ["export", "--format", "csv", "out/made"]),
    "export a database": ("surveykit.database.export._quoted", 2, ["export", "--format", "duckdb", "out/made"]),
    "site": ("mkdocs.commands.build._build_page", 3, ["site", "--config", "out/mkdocs.yml"]),
    "site --offline": ("mkdocs.commands.build._build_page", 3, ["site", "--config", "out/mkdocs.yml", "--offline"]),
}
KILLS_ITSELF = """
import os, signal, sys
from importlib import import_module
module, _, name = sys.argv[1].rpartition(".")
module, calls = import_module(module), []
real = getattr(module, name)
def killed(*arguments, **others):
    calls.append(name)
    if len(calls) == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*arguments, **others)
setattr(module, name, killed)
from surveykit.cli import main
sys.exit(main(sys.argv[3:]))
"""


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(name, marks=[pytest.mark.sampled(group="a killed offline build")] if "offline" in name else [])
        for name in KILLED
    ],
)
def test_a_command_that_is_killed_leaves_the_old_in_place_and_the_next_one_nothing_of_it(
    catalog: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    where, call, words = KILLED[command]
    out, temporary = tmp_path / "out", tmp_path / "temporary"
    out.mkdir()
    temporary.mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SURVEYKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TMPDIR", str(temporary))
    site_config.write(out, catalog)
    made = {"build": out / "made", "site": out / "html", "site --offline": out / "html-offline"}.get(command)
    old = made or out / "made" / "method.csv"
    if command.startswith("site"):
        old /= "index.html"
    old.parent.mkdir(exist_ok=True)
    old.write_text("old")
    run = ["--catalog", str(catalog), *words]
    python = [sys.executable, "-c", KILLS_ITSELF, where, str(call), *run]
    before = sorted(out.rglob("*"))
    assert subprocess.run(python, capture_output=True).returncode == -signal.SIGKILL
    assert old.read_text() == "old"
    left = set(out.rglob("*")) - set(before)
    assert left, "it was killed after it had begun to write"
    assert any(path.name.endswith(".partial") for path in left)

    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    assert main(run) == 0
    if "database" not in command:
        assert old.read_bytes()[:3] != b"old"
    assert not [path for path in [*out.rglob(".*"), *temporary.iterdir()] if path.name.endswith(".partial")]


@pytest.mark.parametrize("stop", [KeyboardInterrupt, OSError])
def test_what_fails_leaves_the_old_in_place_and_nothing_beside(tmp_path: Path, stop: type[BaseException]) -> None:
    (tmp_path / "file").write_text("old")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "page").write_text("old")

    def write(path: Path) -> None:
        path.write_text("half")
        raise stop

    with pytest.raises(stop), new_file(tmp_path / "file") as file:
        write(file)
    with pytest.raises(stop), new_folder(tmp_path / "folder") as folder:
        write(folder / "page")
    assert entries(tmp_path) == ["file", "folder"]
    assert (tmp_path / "file").read_text() == (tmp_path / "folder" / "page").read_text() == "old"


def test_a_new_folder_keeps_what_is_hidden_in_the_old_one_and_nothing_else(tmp_path: Path) -> None:
    old = tmp_path / "site"
    (old / ".git").mkdir(parents=True)
    (old / "gone.html").touch()
    with new_folder(old) as new:
        (new / "page.html").touch()
    assert entries(old) == [".git", "page.html"]
    assert oct(old.stat().st_mode)[-3:] == oct(tmp_path.joinpath("plain").mkdir() or (tmp_path / "plain").stat().st_mode)[-3:]  # fmt: skip


def test_a_link_stays_and_what_it_leads_to_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to("real")
    with new_file(tmp_path / "link") as file:
        file.write_text("new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"


def test_only_what_processes_that_are_gone_have_left_is_removed(tmp_path: Path) -> None:
    gone, runs = a_process_that_is_gone(), os.getppid()
    day_before_yesterday = time.time() - 2 * 86_400
    left = [f".a.surveykit-{gone}-{HOST}.x1_y.partial", f".old.surveykit-{runs}-elsewhere.x.partial"]
    kept = [
        f".a.surveykit-{runs}-{HOST}.x.partial", f".a.surveykit-{gone}-elsewhere.x.partial", f".a.{gone}.partial",
        f"a.surveykit-{gone}-{HOST}.x.partial", f".file.surveykit-{gone}-{HOST}.x.partial",
    ]  # fmt: skip
    for name in [*left, *kept[:4]]:
        (tmp_path / name / "within").mkdir(parents=True)
    (tmp_path / kept[4]).touch()
    os.utime(tmp_path / left[1], (day_before_yesterday, day_before_yesterday))
    with beside(tmp_path / "b"):
        pass
    assert entries(tmp_path) == sorted(kept)


def test_what_was_killed_between_two_renames_is_put_back(tmp_path: Path) -> None:
    left = tmp_path / f".site.surveykit-{a_process_that_is_gone()}-{HOST}.x.partial"
    (left / "old" / "site").mkdir(parents=True)
    (left / "old" / "site" / "index.html").write_text("old")
    with beside(tmp_path / "other"):
        pass
    assert entries(tmp_path) == ["site"]
    assert (tmp_path / "site" / "index.html").read_text() == "old"


SPECIAL = ["a named pipe", "a socket", "a folder", "a device", "a link to a device"]


@pytest.mark.parametrize("kind", SPECIAL)
@pytest.mark.parametrize("command", ["build", "export", "site"])
def test_special_files_are_refused_in_one_line(
    catalog: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str, command: str
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    path = folder / {"build": "made.duckdb", "export": "method.csv", "site": "html"}[command]
    if kind == "a folder" and command == "site":
        path.write_text("a file, where the site is to be a folder")
    elif kind == "a device" and command == "build":
        path = Path("/dev/full")
    elif "device" in kind:
        path.symlink_to("/dev/full")
    elif kind == "a folder":
        path.mkdir()
    elif kind == "a named pipe":
        os.mkfifo(path)
    else:
        server = socket.socket(socket.AF_UNIX)
        here = os.open(folder, os.O_RDONLY)  # addresses of sockets are short
        server.bind(f"/proc/self/fd/{here}/{path.name}")
        os.close(here)
        server.close()
    before = os.lstat(path)
    words = {
        "build": ["build", "--output", str(path)],
        "export": ["export", "--format", "csv", str(folder)],
        "site": ["site", "--config", str(site_config.write(folder, catalog))],
    }[command]
    names = entries(folder)
    assert main(["--catalog", str(catalog), *words]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "is not replaced" in error
    assert (os.lstat(path).st_ino, os.lstat(path).st_mode) == (before.st_ino, before.st_mode)
    assert entries(folder) == names


def test_below_what_is_no_folder_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file" / "out", tmp_path / "file" / "deeper" / "out"):
        with pytest.raises(SurveyError, match=f"{path.parent} is no folder"), new_file(path):
            pass


def test_what_another_process_removes_meanwhile_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two that write in one folder sweep it at once; each sees the other's folder go between listing and looking."""
    gone = tmp_path / f".it.surveykit-{a_process_that_is_gone()}-{HOST}.abc.partial"
    gone.mkdir()
    listed, scan = list(os.scandir(tmp_path)), os.scandir
    gone.rmdir()
    monkeypatch.setattr(os, "scandir", lambda folder: listed if folder == tmp_path else scan(folder))
    with beside(tmp_path / "it") as folder:
        assert folder.is_dir()


@pytest.mark.parametrize("moment", ["made", "removed"])
def test_a_signal_at_any_moment_leaves_nothing_beside(
    moment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that comes just behind the making of the folder, or in the middle of its removal."""
    make, remove, came = os.mkdir, shutil.rmtree, []

    def making(path: Path, *further: int) -> None:
        make(path, *further)
        if moment == "made" and str(path).endswith(".partial"):
            raise Interrupted

    def removing(path: Path, **further: bool) -> None:
        if moment == "removed" and not came:
            came.append(path)
            raise Interrupted
        remove(path, **further)  # type: ignore[call-overload]

    monkeypatch.setattr(os, "mkdir", making)
    monkeypatch.setattr(shutil, "rmtree", removing)
    with pytest.raises(Interrupted), beside(tmp_path / "file"):
        assert moment == "removed"
    assert not list(tmp_path.iterdir())
