"""The folder that `surveykit export --format hf` writes, as the Hugging Face hub and its libraries read it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import needs
import pytest
import small_catalog

import surveykit
from surveykit.database.data_card import FIRST, Listed, data_card


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("card")
    small_catalog.write(folder / "catalog")
    surveykit.export(folder / "hf", format="hf", catalog=folder / "catalog")
    return folder / "hf"


@pytest.fixture(scope="module")
def front(folder: Path) -> dict[str, Any]:
    """The YAML before the text, as the hub reads it."""
    from huggingface_hub import DatasetCard

    card = DatasetCard.load(folder / "README.md")
    assert card.text.strip().startswith("# surveykit")
    found: dict[str, Any] = card.data.to_dict()
    return found


def test_the_card_has_what_the_hub_shows(front: dict[str, Any]) -> None:
    assert front["license"] == "apache-2.0"
    assert front["pretty_name"]
    assert "peft" in front["tags"]
    (size,) = front["size_categories"]
    assert re.fullmatch(r"n<1K|\d+K<n<\d+[KM]|1M<n<10M", size)


def test_each_table_is_a_configuration_with_its_file(folder: Path, front: dict[str, Any]) -> None:
    files = {path.name for path in folder.glob("*.parquet")}
    assert {one["data_files"] for one in front["configs"]} == files
    assert [one["config_name"] for one in front["configs"] if one.get("default")] == [FIRST]
    assert {path.name for path in folder.iterdir()} == files | {"README.md"}


def test_the_card_says_how_many_rows_a_table_has(folder: Path) -> None:
    import duckdb

    text = (folder / "README.md").read_text(encoding="utf-8")
    printed = dict(re.findall(r"^\| `(\w+)` \| ([\d,]+) \|", text, re.MULTILINE))
    for name, count in printed.items():
        row = duckdb.connect().execute(f"SELECT count(*) FROM '{folder / name}.parquet'").fetchone()
        assert row == (int(count.replace(",", "")),), name
    assert FIRST in printed


def test_a_comment_cannot_leave_its_cell() -> None:
    assert data_card([Listed("one", "a | b\n<script>", 3)]).splitlines()[-1] == "| `one` | 3 | a \\| b &lt;script> |"


@pytest.mark.parametrize(("rows", "size"), [(999, "n<1K"), (1_000, "1K<n<10K"), (99_999, "10K<n<100K")])
def test_sizes_are_the_hubs_own_words(rows: int, size: str) -> None:
    assert f"- {size}\n" in data_card([Listed("one", "", rows)])


def test_every_table_loads_from_the_folder(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets", reason=needs.DATASETS)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_OFFLINE", True)
    names = datasets.get_dataset_config_names(str(folder))
    assert {f"{name}.parquet" for name in names} == {path.name for path in folder.glob("*.parquet")}
    for name in (FIRST, "claim", "verdict"):
        loaded = datasets.load_dataset(str(folder), name, split="train", cache_dir=str(tmp_path))
        assert loaded.num_rows > 0
    first = datasets.load_dataset(str(folder), split="train", cache_dir=str(tmp_path))
    assert set(first["id"]) >= {"lora"}
