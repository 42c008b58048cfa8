"""A catalog of any number of methods, made of copies of the real one with all that was measured of them."""

from __future__ import annotations

import csv
import re
import shutil
from functools import cache
from itertools import count, islice
from pathlib import Path
from typing import Any

import yaml

from surveykit.catalog.load import Catalog, load
from surveykit.catalog.measurements import Recorded
from surveykit.catalog.shelves import SHELVES

REAL = Path(__file__).parent.parent / "catalog"


def write(methods: int, folder: Path) -> Path:
    """Copy the real catalog and add copies of its methods, each with a paper and figures of its own, up to a number.

    No source speaks of a copy.
    """
    catalog = Path(shutil.copytree(REAL, folder))
    real = sorted((REAL / "methods").glob("*.yaml"))
    if methods < len(real):
        raise SystemExit(f"the real catalog has {len(real)} methods already")
    entries = dict(_entries((REAL / "papers.bib").read_text(encoding="utf-8")))
    papers: dict[str, str] = {}
    copies = ((number, path) for number in count(2) for path in real)
    for number, path in islice(copies, methods - len(real)):
        method = yaml.safe_load(path.read_text(encoding="utf-8"))
        paper, name = f"{method['paper']}x{number}", f"{path.stem}-x{number}"
        papers[paper] = entries[method["paper"]].replace(method["paper"], paper, 1)
        (catalog / "methods" / f"{name}.yaml").write_text(_copy(method, number, name, paper), encoding="utf-8")
        _copy_measured(catalog, path.stem, name)
    with (catalog / "papers.bib").open("a", encoding="utf-8") as file:
        file.write("\n" + "\n".join(papers.values()))
    return catalog


def _copy(method: dict[str, Any], number: int, name: str, paper: str) -> str:
    method |= {"id": name, "name": f"{method['name']} {number}", "paper": paper, "also_called": []}
    return yaml.safe_dump(method, allow_unicode=True, sort_keys=False)


def _copy_measured(catalog: Path, original: str, name: str) -> None:
    """What is recorded of a method as what is recorded of its copy."""
    for shelf in SHELVES:
        rows = [
            row
            for row in shelf.rows(_real())
            if row.configuration.startswith(f"{original}/") and row.configuration not in _real().variations
        ]
        if rows:
            with (catalog / "measured" / shelf.folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, list(shelf.record.model_fields), lineterminator="\n")
                writer.writeheader()
                writer.writerows(_renamed(row, name).model_dump() for row in rows)


@cache
def _real() -> Catalog:
    return load(REAL)


def _renamed(row: Recorded, name: str) -> Recorded:
    values = {field: getattr(row, field) for field in row.values_of()}
    return type(row).model_validate(values | {"configuration": f"{name}/{values['configuration'].partition('/')[2]}"})


def _entries(text: str) -> list[tuple[str, str]]:
    return [(match[1], match[0]) for match in re.finditer(r"^@\w+\{([^,]+),.*?^\}", text, re.MULTILINE | re.DOTALL)]
