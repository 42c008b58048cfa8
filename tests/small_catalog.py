"""A small valid catalog for tests of what is built on one: three methods, two models, with counts."""

from __future__ import annotations

import csv
import re
import shutil
from pathlib import Path

from surveykit.catalog.load import load
from surveykit.catalog.measured import Cell, current_key, record
from surveykit.catalog.measurements import Measurement, Run

REAL = Path(__file__).parent.parent / "catalog"
METHODS = ("full-tuning", "lora", "prefix-tuning")
BACKBONES = ("t5-3b", "t5-large")
RUN = "0123abcd"


def write(root: Path) -> Path:
    """Cut a small catalog out of the real one; its counts are those of the formulas, so no torch is needed."""
    (root / "methods").mkdir(parents=True)
    for name in METHODS:
        shutil.copy(REAL / "methods" / f"{name}.yaml", root / "methods")
    for name in BACKBONES:
        shutil.copytree(REAL / "models" / name, root / "models" / name)
    shutil.copy(REAL / "quantities.yaml", root)
    _write_table5(root)
    _write_papers(root)
    _write_counts(root)
    return root


def _write_table5(root: Path) -> None:
    text = "".join((root / "methods" / f"{name}.yaml").read_text(encoding="utf-8") for name in METHODS)
    rows = list(csv.reader((REAL / "survey" / "table5.csv").read_text(encoding="utf-8").splitlines()))
    kept = [row for row in rows[1:] if row[0] in ("T5Large", "T53B") and f"- row: {row[1]}\n" in text]
    (root / "survey").mkdir()
    with (root / "survey" / "table5.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([rows[0], *kept])
    for name in METHODS:  # explanations may quote a backbone that this catalog lacks
        path = root / "methods" / f"{name}.yaml"
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        kept_lines = [line for line in lines if "backbone: t5-11b" not in line and "also_on:" not in line]
        path.write_text("".join(kept_lines), encoding="utf-8")


def _write_papers(root: Path) -> None:
    files = [*root.glob("methods/*.yaml"), *root.glob("models/*/model.yaml")]
    cited = {"lialin2023scaling"} | {
        key for path in files for key in re.findall(r"^paper: (\S+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    entries = re.split(r"\n(?=@)", (REAL / "papers.bib").read_text(encoding="utf-8"))
    kept = [entry for entry in entries if entry.split("{", 1)[1].split(",", 1)[0] in cited]
    (root / "papers.bib").write_text("\n".join(kept), encoding="utf-8")


def _write_counts(root: Path) -> None:
    catalog = load(root, measured=False)
    rows = []
    for name, _, configuration in catalog.configurations():
        for backbone in catalog.models.values():
            written = configuration.formula
            values = written.values(backbone.symbols())
            cell = {
                "configuration": name, "backbone": backbone.id, "status": "counted", "trained_pretrained": 0, **values,
                "stored_bytes": 4 * values["stored"], "provenance": "config",
                "key": current_key(catalog, Cell(backbone.id, name)), "run": RUN,
            }  # fmt: skip
            rows.append(Measurement.model_validate({field: cell.get(field) for field in Measurement.values_of()}))
    versions = {"surveykit": "0.1.0", "python": "3.11.7", "torch": "2.13.0", "transformers": "5.23.0"}
    record(catalog, rows, Run.model_validate({"run": RUN, "date": "2026-01-02", **versions}))
