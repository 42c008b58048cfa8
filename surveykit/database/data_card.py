"""What the data set says of itself wherever it is published: its name, its licence, and its tables."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import duckdb
import yaml

from surveykit import __version__

NAME = "surveykit"
TITLE = "surveykit: claims about parameter-efficient fine-tuning, measured and judged"
SUMMARY = (
    "Methods of parameter-efficient fine-tuning: what papers, a survey and libraries claim of them, what we count and "
    "predict on the same models, and a verdict on each printed figure."
)
LICENSE = "apache-2.0"
CREATOR = "The surveykit authors"
REPOSITORY = "https://github.com/surveykit/surveykit"
SURVEY = "https://arxiv.org/abs/2303.15647v2"
KEYWORDS = ("parameter-efficient fine-tuning", "PEFT", "LoRA", "adapters", "survey", "reproducibility")
FIRST = "methods"
"""The table that a reader gets who names none."""
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


class Listed(NamedTuple):
    """A table or view of the database."""

    name: str
    comment: str
    rows: int


def listed(connection: duckdb.DuckDBPyConnection, names: Iterable[str]) -> list[Listed]:
    """The tables and views of these names, with what they hold and their number of rows."""
    comments = dict(
        connection.execute(
            "SELECT table_name, comment FROM duckdb_tables() UNION ALL SELECT view_name, comment FROM duckdb_views()"
        ).fetchall()
    )
    found = []
    for name in sorted(names):
        count = connection.execute(f"SELECT count(*) FROM {name}").fetchone()
        found.append(Listed(name, comments.get(name) or "", count[0] if count else 0))
    return found


def data_card(tables: list[Listed]) -> str:
    """README.md of a folder with `NAME.parquet` for each table, as the Hugging Face hub reads it: YAML, then Markdown."""
    rows = sum(table.rows for table in tables)
    front: dict[str, Any] = {
        "pretty_name": TITLE,
        "license": LICENSE,
        "language": ["en"],
        "tags": [keyword.lower().replace(" ", "-") for keyword in KEYWORDS],
        "size_categories": [next((word for most, word in _SIZES if rows < most), "1M<n<10M")],
        "configs": [
            {"config_name": table.name, "data_files": f"{table.name}.parquet"}
            | ({"default": True} if table.name == FIRST else {})
            for table in tables
        ],
    }
    listing = "\n".join(f"| `{t.name}` | {t.rows:,} | {_in_cell(t.comment)} |" for t in tables)
    return f"""---
{yaml.safe_dump(front, sort_keys=False, allow_unicode=True)}---

# {TITLE}

{SUMMARY}

```python
from datasets import load_dataset

methods = load_dataset("path/to/this/folder", "{FIRST}", split="train")
```

Each table is a configuration of its own. Figures in columns that end in `_measured` or `_predicted` are ours; those that end in
`_printed` are quoted from the source that their row names, and remain its authors'. Made by surveykit {__version__}
({REPOSITORY}); the survey that it checks is {SURVEY}.

| Table | Rows | What it holds |
| --- | ---: | --- |
{listing}
"""


def _in_cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").replace("<", "&lt;").split())
