"""Spoilt catalogs: loading never raises anything but CatalogError, never hangs, and what loads can be built.

Mutations come from one seed; `SURVEYKIT_FUZZ=2000 python -m pytest --exhaustive tests/test_loader_fuzz.py` tries more of them.
"""

from __future__ import annotations

import os
import random
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
import small_catalog
from conftest import CATALOG, SEED
from limits import within

from surveykit.catalog.load import load
from surveykit.database.build import fill
from surveykit.errors import CatalogError

SURVEY = "sources/lialin2023scaling"
TRIES = int(os.environ.get("SURVEYKIT_FUZZ", "120"))
AT_ONCE = 20
"""Tries of one test."""
LONGEST_SECONDS = 10
"""A load that takes longer hangs, for whoever waits for it. Ordinary ones take a fraction of a second."""

VALUES = (
    "null", "true", "-1", "0", "9" * 19, "9" * 5000, "1e999", "-.inf", "'x'", '"\\e[2J"', '"\\0"', '"\\ud800"', "[]", "{}", "[[1]]", "!!python/x y",
    "*a", "&a x", "9**9**9", "d**8**8", "d//0", "(" * 300, "x" * 5000, "٣", "2026-13-45", "no", "t5-large", "lora", "../x", "|\n  a\n  b",
)  # fmt: skip
CELLS = (
    "",
    "-1",
    "9" * 19,
    "9" * 5000,
    "x",
    "٣",
    "nan",
    '"',
    '"a',
    "a,b",
    "\x1b[2J",
    "lora",
    "t5-large",
    "2026-13-45",
    "1e9",
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small catalog with a few rows of each further table of the survey."""
    root = small_catalog.write(tmp_path_factory.mktemp("fuzz") / "catalog")
    real, survey = CATALOG / SURVEY, root / SURVEY
    for name, keep in (
        ("tables/table3.csv", r"T53B|T5Large"),
        ("tables/table6.csv", "."),
        ("tables/appendix_a.csv", "."),
        ("tables/appendix_b.csv", r"T5 3B,Full tuning"),
        ("missing.csv", "."),
    ):
        lines = (real / name).read_text(encoding="utf-8").splitlines(keepends=True)
        kept = [lines[0], *(line for line in lines[1:] if re.match(keep, line))][:15]
        (survey / name).write_text("".join(kept), encoding="utf-8")
    (survey / "statements.yaml").write_text(
        "statements:\n  - id: many\n    locator: Abstract\n    says: There are many methods.\n    headline: More than one method is counted.\n    status: holds\n"
        "    readings:\n      - reading: as counted\n        sql: SELECT count(*) > 1 AS holds FROM methods\n",
        encoding="utf-8",
    )
    check_builds(root)
    return root


def check_builds(root: Path) -> None:
    with duckdb.connect() as connection:
        fill(connection, load(root))


def spoil(root: Path, chance: random.Random) -> str:
    """Change one file, as an editor, a merge, a broken disk or an attacker might; say how."""
    path = chance.choice(sorted(p for p in root.rglob("*") if p.is_file()))
    data = path.read_bytes()
    how: Callable[[Path, bytes, random.Random], bytes] = chance.choice(
        [flip, insert, cut, twice, swapped, valued, celled, many_keys, renamed_word]
    )
    path.write_bytes(how(path, data, chance))
    return f"{how.__name__} of {path.relative_to(root)}"


def flip(path: Path, data: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(data))
    return data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :]


def insert(path: Path, data: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(data))
    return data[:at] + chance.choice([b"\x00", b"\x1b", b"\xff", b'"', b"{", b"\t", b"\n", b"@", b"'"]) + data[at:]


def cut(path: Path, data: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(data))
    return data[:at] + data[at + chance.randrange(200) :]


def twice(path: Path, data: bytes, chance: random.Random) -> bytes:
    lines = data.splitlines(keepends=True)
    at = chance.randrange(len(lines))
    return b"".join([*lines[: at + 1], *lines[at : at + chance.choice([1, 1, 5])], *lines[at + 1 :]])


def swapped(path: Path, data: bytes, chance: random.Random) -> bytes:
    lines = data.splitlines(keepends=True)
    a, b = chance.randrange(len(lines)), chance.randrange(len(lines))
    lines[a], lines[b] = lines[b], lines[a]
    return b"".join(lines)


def valued(path: Path, data: bytes, chance: random.Random) -> bytes:
    """Another value after a colon, an equals sign, or in a list."""
    places = list(re.finditer(rb"(?<=: )[^\n,}]+|(?<== \{)[^}\n]*", data)) or list(re.finditer(rb"[0-9]+|$", data))
    place = chance.choice(places)
    return data[: place.start()] + chance.choice(VALUES).encode("utf-8", "surrogatepass") + data[place.end() :]


def celled(path: Path, data: bytes, chance: random.Random) -> bytes:
    lines = data.split(b"\n")
    at = chance.randrange(len(lines))
    cells = lines[at].split(b",")
    cells[chance.randrange(len(cells))] = chance.choice(CELLS).encode()
    lines[at] = b",".join(cells)
    return b"\n".join(lines)


def many_keys(path: Path, data: bytes, chance: random.Random) -> bytes:
    return data + b"".join(b"key%d: %d\n" % (i, i) for i in range(chance.choice([3, 5000])))


def renamed_word(path: Path, data: bytes, chance: random.Random) -> bytes:
    word = chance.choice(list(re.finditer(rb"[A-Za-z_0-9-]{3,}|$", data)))
    return data[: word.start()] + word[0][::-1] + data[word.end() :]


@pytest.mark.sampled
@pytest.mark.parametrize("first", range(0, TRIES, AT_ONCE))
def test_a_spoilt_catalog_is_refused_in_words_or_can_be_built(whole: Path, tmp_path: Path, first: int) -> None:
    loaded = 0
    for number in range(first, first + AT_ONCE):
        chance = random.Random(f"{SEED}-{number}")
        root = shutil.copytree(whole, tmp_path / str(number) / "catalog")
        done = [spoil(root, chance) for _ in range(chance.choice([1, 1, 2]))]
        try:
            with within(LONGEST_SECONDS):
                catalog = load(root)
        except CatalogError:
            pass
        except BaseException as error:
            pytest.fail(f"{number}: {done}: {type(error).__name__}: {error}")
        else:
            loaded += 1
            try:
                with within(LONGEST_SECONDS), duckdb.connect() as connection:
                    fill(connection, catalog)
            except BaseException as error:
                if isinstance(error, CatalogError) and error.problems[0].file.endswith(".sql"):
                    continue  # only the database can tell whether a view of a source is sound
                pytest.fail(f"{number}: {done}: it loads, and cannot be built: {type(error).__name__}: {error}")
        shutil.rmtree(tmp_path / str(number))
    assert 0 < loaded < AT_ONCE  # both halves were tried


SPECIAL: dict[str, Callable[[Path], object]] = {
    "a pipe": lambda path: os.mkfifo(path),
    "a device without end": lambda path: path.symlink_to("/dev/zero"),
    "a loop of links": lambda path: path.symlink_to(path.name),
    "a folder": lambda path: path.mkdir(),
    "a file too large": lambda path: path.write_bytes(b"#" * (17 * 1024 * 1024)),
}


@pytest.mark.parametrize("kind", SPECIAL)
@pytest.mark.parametrize("file", ["methods/lora.yaml", "papers.bib", "models/t5-3b/config.json", "measured/runs.csv", f"{SURVEY}/tables/table5.csv", f"{SURVEY}/tables/table5.yaml", f"{SURVEY}/statements.yaml"])  # fmt: skip
def test_what_is_no_file_of_text_is_a_problem_and_is_not_waited_for(whole: Path, tmp_path: Path, kind: str, file: str) -> None:  # fmt: skip
    root = shutil.copytree(whole, tmp_path / "catalog")
    (root / file).unlink()
    SPECIAL[kind](root / file)
    with within(LONGEST_SECONDS), pytest.raises(CatalogError) as caught:
        load(root)
    assert any(problem.file.endswith(file) for problem in caught.value.problems)
