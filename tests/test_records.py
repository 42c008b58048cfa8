"""The files of catalog/measured: a digest on every line, nothing that loads and cannot be built, and no lost update."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
import textwrap
import time
import typing
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
import resealed
import small_catalog
from conftest import CATALOG, ROOT, SEED

from surveykit.catalog.load import Catalog, load
from surveykit.catalog.lock import alone_in
from surveykit.catalog.measured import cell_of, stale, tidy
from surveykit.catalog.measurements import NOT_FOUND, Prediction, Run
from surveykit.catalog.saved_files import SavedFile
from surveykit.catalog.shelves import SHELVES
from surveykit.cli import main
from surveykit.database.build import fill
from surveykit.errors import CatalogError, Problem

KEPT = "lora"
SHELF_FILES = [f"{shelf.folder}/{KEPT}.csv" for shelf in SHELVES]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small catalog, with all that is recorded of one method on its backbones."""
    root = small_catalog.write(tmp_path_factory.mktemp("records") / "catalog")
    runs = resealed.read(CATALOG / "measured" / "runs.csv")
    for file in SHELF_FILES[1:]:
        rows = resealed.read(CATALOG / "measured" / file)
        (root / "measured" / file).parent.mkdir()
        backbones = (*small_catalog.BACKBONES, None)
        for folder, record in (("predictions", Prediction), ("files", SavedFile)):
            if file.startswith(folder):  # those of sources are of other models: one of them on a small one
                row = rows[0] | {"configuration": "lora/qv-r8", "backbone": small_catalog.BACKBONES[0]}
                rows = [resealed.sealed(row, record)]
        resealed.write(root / "measured" / file, [row for row in rows if row.get("backbone") in backbones])
    resealed.write(root / "measured" / "runs.csv", [*resealed.read(root / "measured" / "runs.csv"), *runs])
    build(load(root))
    return root


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "catalog"))


def build(catalog: Catalog) -> None:
    with duckdb.connect() as connection:
        fill(connection, catalog)


def problems(root: Path) -> list[Problem]:
    with pytest.raises(CatalogError) as caught:
        load(root)
    return list(caught.value.problems)


def every_value_but_the_digest() -> list[tuple[str, str]]:
    files = {**dict(zip(SHELF_FILES, (shelf.record for shelf in SHELVES), strict=True)), "runs.csv": Run}
    return [(file, name) for file, record in files.items() for name in record.values_of()]


@pytest.mark.parametrize(("file", "name"), every_value_but_the_digest())
def test_a_value_that_somebody_else_wrote_is_refused_with_its_line(copy: Path, file: str, name: str) -> None:
    path = copy / "measured" / file
    rows = resealed.read(path)
    old = rows[-1][name]
    words = {"status": {"counted": "failed", "traced": "refused", "run": "refused"}.get(old, ""), "dtype": "float32", "adapter_dtype": "bfloat16",
             "date": "2026-01-03", "provenance": "weights", "configuration": "lora/qv-r8", "backbone": "t5-large",
             "key": "0" * 16, "merge": "differs", "loss_falls": "no", "restored": "no"}  # fmt: skip
    rows[-1][name] = words.get(name) or (str(int(old) + 1) if old.isdecimal() else f"{old}x")
    if rows[-1][name] == old:
        rows[-1][name] = {
            "float32": "bfloat16",
            "bfloat16": "float32",
            "lora/qv-r8": "lora/all-linear-r8",
            "t5-large": "t5-3b",
        }[old]
    resealed.write(path, rows)
    found = problems(copy)
    again = " lora" if file != "runs.csv" else ""
    message = f"edited by hand or damaged; measure it again: surveykit measure{again}"
    assert (f"catalog/measured/{file}", len(rows) + 1, message) in {(p.file, p.line, p.message) for p in found}


@pytest.mark.parametrize("file", SHELF_FILES)
def test_what_is_sealed_again_loads(copy: Path, file: str) -> None:
    """A digest is no signature: what is forged with it is found by measuring again."""
    figure = {
        "counts": "trainable",
        "costs": "forward_flops",
        "memory": "peak",
        "predictions": "peak",
        "files": "size",
        "trials": "changed",
    }[file.split("/")[0]]
    assert resealed.change(copy / "measured" / file, lambda row: row.update({figure: "7"}))
    build(load(copy))


def test_a_damaged_line_is_measured_again_and_no_other(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = copy / "measured" / "counts" / "lora.csv"
    rows = resealed.read(path)
    before = path.read_text(encoding="utf-8")
    rows[1]["trainable"] = "12345"
    resealed.write(path, rows)
    catalog = load(copy, left_out=[])
    known = {cell_of(m) for m in catalog.measurements}
    assert {f"{c.configuration},{c.backbone}" for c in stale(catalog, "counts") if c not in known} == {
        f"{rows[1]['configuration']},{rows[1]['backbone']}"
    }
    assert main(["--catalog", str(copy), "validate"]) == 2
    arguments = ["measure", rows[1]["configuration"], "--backbone", rows[1]["backbone"], "--only", "counts", "--quiet"]
    assert main(["--catalog", str(copy), *arguments]) == 0
    assert "surveykit: not used: catalog/measured/counts/lora.csv:3:1: edited by hand" in capsys.readouterr().err
    load(copy)
    figures = [[row[n] for n in row if n not in NOT_FOUND] for row in resealed.read(path)]
    path.write_text(before, encoding="utf-8")
    assert [f[0] for f in figures] == [row["trainable"] for row in resealed.read(path)]


def row_twice(folder: Path) -> None:
    path = folder / "counts" / "lora.csv"
    rows = resealed.read(path)
    resealed.write(path, [*rows, rows[0]])


def row_of_two_branches(folder: Path) -> None:
    """As a merge leaves it: two runs measured the same."""
    path = folder / "memory" / "lora.csv"
    rows = resealed.read(path)
    other = resealed.sealed(rows[0] | {"run": small_catalog.RUN}, resealed.record_of(path))
    resealed.write(path, [*rows, other])


def changed(file: str, **values: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / file
        rows = resealed.read(path)
        rows[0] = resealed.sealed(rows[0] | values, resealed.record_of(path))
        resealed.write(path, rows)

    return change


def in_another_file(folder: Path) -> None:
    shutil.copy(folder / "costs" / "lora.csv", folder / "costs" / "prefix-tuning.csv")


def without_runs(folder: Path) -> None:
    (folder / "runs.csv").unlink()


def conflict(folder: Path) -> None:
    path = folder / "trials" / "lora.csv"
    path.write_text("<<<<<<< HEAD\n" + path.read_text(encoding="utf-8"), encoding="utf-8")


def cut_off(folder: Path) -> None:
    path = folder / "costs" / "lora.csv"
    path.write_text(path.read_text(encoding="utf-8")[:-40], encoding="utf-8")


@pytest.mark.parametrize(
    ("spoil", "file", "line", "message"),
    [
        (row_twice, "counts/lora.csv", None, "appears twice (first on line 2)"),
        (row_of_two_branches, "memory/lora.csv", None, "appears twice (first on line 2)"),
        (changed("costs/lora.csv", configuration="lora/gone"), "costs/lora.csv", 2, "measures 'lora/gone', which is not in"),
        (changed("trials/lora.csv", configuration="lora/gone"), "trials/lora.csv", 2, "measures 'lora/gone', which is not"),
        (changed("memory/lora.csv", backbone="t5-4b"), "memory/lora.csv", 2, "measures on 't5-4b', which is not in the"),
        (changed("counts/lora.csv", run="ffffffff"), "counts/lora.csv", 2, "names the run 'ffffffff', which runs.csv lacks"),
        (changed("costs/lora.csv", run="ffffffff"), "costs/lora.csv", 2, "names the run 'ffffffff', which runs.csv lacks"),
        (changed("counts/lora.csv", trainable="9" * 19), "counts/lora.csv", 2, "is not a whole number of at most 18 digits"),
        (changed("memory/lora.csv", peak=str(2**63)), "memory/lora.csv", 2, "is not a whole number of at most 18 digits"),
        (changed("memory/lora.csv", batch="0"), "memory/lora.csv", 2, "greater than or equal to 1"),
        (changed("costs/lora.csv", blocks=""), "costs/lora.csv", 2, "blocks: empty although it was traced"),
        (changed("trials/lora.csv", status="refused", reason="so"), "trials/lora.csv", 2, "a figure although it was refused"),
        (changed("counts/lora.csv", status="failed"), "counts/lora.csv", 2, "what was failed has a reason"),
        (changed("runs.csv", date="2026-13-45"), "runs.csv", 2, "'2026-13-45' is no day"),
        (changed("runs.csv", date="2026-02-29"), "runs.csv", 2, "'2026-02-29' is no day"),
        (in_another_file, "costs/prefix-tuning.csv", 2, "does not belong in this file"),
        (without_runs, "counts/lora.csv", 2, "names the run '0123abcd', which runs.csv lacks"),
        (conflict, "trials/lora.csv", 1, "the columns must be configuration,"),
        (cut_off, "costs/lora.csv", None, ""),
    ],
)  # fmt: skip
def test_what_cannot_be_built_is_refused(
    copy: Path, spoil: Callable[[Path], None], file: str, line: int | None, message: str
) -> None:
    spoil(copy / "measured")
    found = [p for p in problems(copy) if p.file == f"catalog/measured/{file}"]
    assert any(message in p.message and (line is None or p.line == line) for p in found), found
    left_out: list[Problem] = []
    build(load(copy, left_out=left_out))  # and what `surveykit measure` begins with is sound
    assert left_out
    tidy(load(copy, left_out=[]))
    assert (copy / "measured" / "runs.csv").exists()


VALUES = ("", "0", "1", "7" * 18, "9" * 18, "10" + "0" * 17, "lora", "t5-large", "2026-02-28", "none", "yes", "0" * 16)


@pytest.mark.parametrize("file", SHELF_FILES)
def test_the_largest_figures_fit_into_every_view(copy: Path, file: str) -> None:
    record = resealed.RECORDS[file.split("/")[0]]
    numbers = [name for name in record.figures() if int in typing.get_args(record.model_fields[name].annotation)]

    def enlarge(row: resealed.Row) -> None:
        row |= {name: str(10**16) for name in numbers if row[name]}

    assert resealed.change(copy / "measured" / file, enlarge)
    with duckdb.connect() as connection:
        fill(connection, load(copy))
        views = connection.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall()
        assert len(views) > 5
        for (view,) in views:
            connection.execute(f"SELECT * FROM {view}").fetchall()
    assert resealed.change(copy / "measured" / file, lambda row: row.update({numbers[0]: str(10**16 + 1)}))
    assert any("less than or equal to 10000000000000000" in p.message for p in problems(copy))


@pytest.mark.sampled
@pytest.mark.parametrize("first", range(0, 60, 20))
def test_whatever_is_sealed_and_loads_can_be_built(whole: Path, tmp_path: Path, first: int) -> None:
    """Cells replaced at random, with digests that fit."""
    loaded = 0
    for number in range(first, first + 20):
        chance = random.Random(f"{SEED}-{number}")
        root = shutil.copytree(whole, tmp_path / str(number) / "catalog")
        path = chance.choice(sorted((root / "measured").rglob("*.csv")))
        rows, record = resealed.read(path), resealed.record_of(path)
        row, name = chance.choice(rows), chance.choice(record.values_of())
        row[name] = chance.choice([*VALUES, chance.choice(rows)[name]])
        row |= resealed.sealed(row, record)
        resealed.write(path, rows)
        try:
            catalog = load(root)
        except CatalogError:
            continue
        loaded += 1
        with duckdb.connect() as connection:
            fill(connection, catalog)
            connection.execute("SELECT * FROM method_on_backbone").fetchall()
    assert 0 < loaded < 20


RECORD = """
    import sys
    from pathlib import Path
    from surveykit.catalog.load import load
    from surveykit.catalog.measured import record, tidy
    from surveykit.catalog.measurements import Measurement, Run
    root, name, source = Path(sys.argv[1]), sys.argv[2], load(Path(sys.argv[3]))
    catalog = load(root)
    versions = {"surveykit": name, "python": "3.11", "torch": "2", "transformers": "5"}
    run = Run.model_validate({"run": name, "date": "2026-01-02", **versions})
    own = [m for i, m in enumerate(source.measurements) if i % int(sys.argv[5]) == int(sys.argv[4])]
    print("ready", flush=True)
    sys.stdin.readline()
    for m in own:
        values = {field: getattr(m, field) for field in Measurement.values_of()} | {"run": name}
        record(catalog, [Measurement.model_validate(values)], run)
    tidy(catalog)
"""


def start(code: str, *words: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, words)], cwd=ROOT, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def test_processes_that_record_at_once_lose_nothing(whole: Path, tmp_path: Path) -> None:
    """Each loads the catalog before any of them writes, as measuring for minutes does; all write the same files."""
    root = Path(shutil.copytree(whole, tmp_path / "catalog"))
    shutil.rmtree(root / "measured")
    writers = 3
    running = [start(RECORD, root, f"0000000{i}", whole, i, writers) for i in range(writers)]
    for process in running:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n", process.stderr and process.stderr.read()
    for process in running:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in running:
        _, errors = process.communicate(timeout=120)
        assert (process.returncode, errors) == (0, "")
    wanted, found = load(whole), load(root)
    assert {cell_of(m) for m in found.measurements} == {cell_of(m) for m in wanted.measurements}
    assert {m.run for m in found.measurements} == set(found.runs) == {f"0000000{i}" for i in range(writers)}
    assert not [path.name for path in (root / "measured").rglob("*") if path.suffix not in (".csv", "")]
    assert not (root / "measured" / ".lock").exists()


KILLED = """
    import os, signal, sys
    from pathlib import Path
    from surveykit.catalog.load import load
    from surveykit.catalog.measured import record, tidy
    from surveykit.catalog.measurements import MemoryUse, Measurement, Run
    versions = {"surveykit": "new", "python": "3.11", "torch": "2", "transformers": "5"}
    run = Run.model_validate({"run": "11111111", "date": "2026-01-02", **versions})
    def again(row):
        values = {field: getattr(row, field) for field in type(row).values_of()}
        return type(row).model_validate(values | {"run": "11111111"})
    def counted(what):
        def step(*arguments, **options):
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return what(*arguments, **options)
        return step
    def recorded(root):
        catalog = load(root)
        rows = [again(row) for row in (*catalog.measurements, *catalog.costs, *catalog.memory, *catalog.trials)]
        Path.write_text, os.replace = counted(Path.write_text), counted(os.replace)
        Path.unlink = counted(Path.unlink)
        record(catalog, rows, run)
        tidy(catalog)
    for line in sys.stdin:
        step, root = line.rstrip().split(" ", 1)
        left = [int(step)]
        child = os.fork()  # of a process that has imported everything
        if child == 0:
            recorded(Path(root))
            os._exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


def test_a_kill_at_any_step_leaves_what_can_be_read_built_and_tidied(whole: Path, tmp_path: Path) -> None:
    """In a new environment, so that all files change and the only run that they named goes."""
    wanted = len(load(whole).measurements)
    built: set[bytes] = set()
    process = start(KILLED)
    assert process.stdin is not None
    assert process.stdout is not None
    for step in range(1, 40):
        root = Path(shutil.copytree(whole, tmp_path / str(step) / "catalog"))
        process.stdin.write(f"{step} {root}\n")
        process.stdin.flush()
        ended = process.stdout.readline().strip()
        assert ended in ("0", str(-signal.SIGKILL)), process.communicate()
        catalog = load(root)
        files = b"".join(path.read_bytes() for path in sorted((root / "measured").rglob("*.csv")))
        if files not in built:  # each second kill is between writing beside and renaming
            build(catalog)
            built.add(files)
        assert len(catalog.measurements) == wanted
        tidy(catalog)
        assert not list((root / "measured").rglob("*.partial"))
        if ended == "0":
            break
    assert ended == "0"
    assert set(load(root).runs) == {"11111111"}
    assert step > 12  # runs.csv, six files, each in two steps; runs.csv again
    assert len(built) > 6
    assert process.communicate() == ("", "")
    assert process.returncode == 0


def test_who_was_killed_locks_nobody_out(tmp_path: Path) -> None:
    code = """
        import sys, time
        from pathlib import Path
        from surveykit.catalog.lock import alone_in
        with alone_in(Path(sys.argv[1])):
            print("alone", flush=True)
            time.sleep(60)
    """
    holder = start(code, tmp_path)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "alone\n"
    waiting = start(code, tmp_path)
    assert waiting.stdout is not None
    time.sleep(1)
    holder.kill()
    holder.communicate()
    began = time.monotonic()
    assert waiting.stdout.readline() == "alone\n"
    waiting.kill()
    waiting.communicate()
    assert (tmp_path / ".lock").exists()  # nobody was left to remove it
    with alone_in(tmp_path):
        assert time.monotonic() - began < 10
    assert not (tmp_path / ".lock").exists()


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    from surveykit.errors import SurveyError

    (tmp_path / "file").touch()
    with pytest.raises(SurveyError, match="cannot be written"), alone_in(tmp_path / "file" / "measured"):
        pass


def test_a_row_of_a_method_that_came_meanwhile_stays(copy: Path) -> None:
    """Somebody adds a method and measures it while another run, which began earlier, tidies up."""
    earlier = load(copy)
    text = (copy / "methods" / "lora.yaml").read_text(encoding="utf-8")
    (copy / "methods" / "lora2.yaml").write_text(text.replace("id: lora\n", "id: lora2\n"), encoding="utf-8")
    rows = resealed.read(copy / "measured" / "counts" / "lora.csv")
    path = copy / "measured" / "counts" / "lora2.csv"
    own = [row | {"configuration": row["configuration"].replace("lora/", "lora2/")} for row in rows]
    resealed.write(path, [resealed.sealed(row, resealed.record_of(path)) for row in own])
    before = path.read_bytes()
    tidy(earlier)
    assert path.read_bytes() == before
    (copy / "methods" / "lora2.yaml").unlink()
    tidy(earlier)
    assert not path.exists()


def test_the_day_of_a_run_is_that_of_its_last_change(copy: Path) -> None:
    from surveykit.catalog.measured import record

    catalog = load(copy)
    run = catalog.runs[small_catalog.RUN]
    later = Run.model_validate({**{n: getattr(run, n) for n in Run.values_of()}, "date": "2026-03-04"})
    rows = [m for m in catalog.measurements if m.configuration == "lora/qv-r8"]
    assert record(catalog, rows, later) == []
    other = type(rows[0]).model_validate({**{n: getattr(rows[0], n) for n in rows[0].values_of()}, "key": "0" * 16})
    assert [path.name for path in record(catalog, [other], later)] == ["runs.csv", "lora.csv"]
    assert load(copy).runs[small_catalog.RUN].date == "2026-03-04"
