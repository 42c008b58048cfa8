"""A catalog is loaded once in a process, and again as soon as any of its files is another."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import small_catalog

import surveykit
from surveykit.catalog import load_once as module
from surveykit.catalog.load_once import load_once
from surveykit.errors import CatalogError

OLD = "Low-Rank"
NEW = "Low-Rang"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_catalog.write(tmp_path_factory.mktemp("once") / "catalog")


@pytest.fixture
def root(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(module, "SETTLED_NS", 0)  # as if these files had been there for long
    monkeypatch.setattr(module, "_KEPT", {})
    return Path(shutil.copytree(whole, tmp_path / "catalog"))


def same_size_and_time(root: Path) -> None:
    path = root / "papers.bib"
    before, text = path.stat(), path.read_text(encoding="utf-8")
    assert OLD in text
    path.write_text(text.replace(OLD, NEW), encoding="utf-8")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def another_name(root: Path) -> None:
    path = root / "methods" / "lora.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("name: LoRA\n", "name: Other\n"), encoding="utf-8")


def a_file_less(root: Path) -> None:
    shutil.rmtree(root / "measured")


@pytest.mark.parametrize("change", [same_size_and_time, another_name, a_file_less])
def test_it_is_the_same_until_a_file_changes(root: Path, change: Callable[[Path], None]) -> None:
    first = load_once(root)
    assert load_once(root) is first
    change(root)
    second = load_once(root)
    assert second is not first
    assert (second.papers, second.methods, second.measurements) != (first.papers, first.methods, first.measurements)
    assert load_once(root) is second


def test_a_fault_is_told_each_time_and_an_empty_folder_is_one(root: Path) -> None:
    first = load_once(root)
    (root / "sources" / "empty").mkdir()
    for _ in range(2):
        with pytest.raises(CatalogError):
            load_once(root)
    (root / "sources" / "empty").rmdir()
    assert load_once(root).methods == first.methods


def test_without_what_was_measured_it_is_the_rest_of_it(root: Path) -> None:
    first = load_once(root)
    rest = load_once(root, measured=False)
    assert first.measurements
    recorded = (rest.measurements, rest.costs, rest.memory, rest.predictions, rest.trials, rest.runs)
    assert not any(recorded)
    assert rest.methods is first.methods
    assert load_once(root, measured=False) is rest


def test_what_is_young_or_a_link_is_not_kept(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SETTLED_NS", 3600 * 10**9)
    assert load_once(root) is not load_once(root)
    monkeypatch.setattr(module, "SETTLED_NS", 0)
    (root / "methods" / "lora.yaml").rename(root.parent / "lora.yaml")
    (root / "methods" / "lora.yaml").symlink_to(root.parent / "lora.yaml")
    assert load_once(root) is not load_once(root)


def test_functions_share_it(root: Path) -> None:
    assert surveykit.load(root).catalog is surveykit.load(root).catalog
