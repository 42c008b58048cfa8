"""A small valid catalog for tests of what is built on one: three methods, two models, with counts."""

from __future__ import annotations

import csv
import re
import shutil
from pathlib import Path

import yaml

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
    for name in ("quantities.yaml", "settings.yaml"):
        shutil.copy(REAL / name, root)
    for path in (root / "methods").glob("*.yaml"):
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        path.write_text("".join(line for line in lines if "also_on:" not in line), encoding="utf-8")
    _write_survey(root)
    _write_papers(root)
    _write_counts(root)
    return root


def _write_survey(root: Path) -> None:
    """The survey with all its views; of its Tables 1, 2 and 5 the rows that speak of these methods and models."""
    real, survey = REAL / "sources" / "lialin2023scaling", root / "sources" / "lialin2023scaling"
    (survey / "tables").mkdir(parents=True)
    shutil.copytree(real / "views", survey / "views")
    source = yaml.safe_load((real / "source.yaml").read_text(encoding="utf-8"))
    source["sections"] = {method: section for method, section in source["sections"].items() if method in METHODS}
    _dump(survey / "source.yaml", source)
    names = yaml.safe_load((real / "names.yaml").read_text(encoding="utf-8"))
    methods = [n for n in names["methods"] if n["method"] in METHODS and n.get("tables") != ["table4"]]
    models = [n for n in names["models"] if n["model"] in BACKBONES]
    _dump(survey / "names.yaml", {"methods": methods, "models": models})
    labels = {(table, n["printed"]) for n in methods for table in n["tables"]}
    shown = {("table5", n["printed"]) for n in models}
    for path in sorted((real / "tables").glob("*.yaml")):
        shutil.copy(path, survey / "tables")
        head, *rows = list(csv.reader(path.with_suffix(".csv").read_text(encoding="utf-8").splitlines()))
        kept = [row for row in rows if (path.stem, row[0]) in shown and (path.stem, row[1]) in labels]
        if path.stem in ("table1", "table2"):
            kept = [row for row in rows if (path.stem, row[0]) in labels]
        with (survey / "tables" / f"{path.stem}.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([head, *kept])
    explained = yaml.safe_load((real / "explanations.yaml").read_text(encoding="utf-8"))["explanations"]
    for e in explained:
        e["figures"] = [figure for figure in e["figures"] if figure.get("model") in (None, *BACKBONES)]
        e["tried"] = [name for name in e.get("tried", ()) if name.partition("/")[0] in METHODS]
    kept = [e for e in explained if (e["table"], e["row"]) in labels and e["figures"]]
    _dump(survey / "explanations.yaml", {"explanations": kept})


def _dump(path: Path, data: object) -> None:
    path.write_text(yaml.safe_dump(data, sort_keys=False, allow_unicode=True), encoding="utf-8")


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
            assert written is not None
            values = written.values(backbone.symbols())
            cell = {
                "configuration": name, "backbone": backbone.id, "status": "counted",
                "trained_pretrained": values["trainable"] - values["added"], **values,
                "stored_bytes": 4 * values["stored"], "provenance": "config",
                "key": current_key(catalog, Cell(backbone.id, name)), "run": RUN,
            }  # fmt: skip
            rows.append(Measurement.model_validate({field: cell.get(field) for field in Measurement.values_of()}))
    versions = {"surveykit": "0.1.0", "python": "3.11.7", "torch": "2.13.0", "transformers": "5.23.0"}
    record(catalog, rows, Run.model_validate({"run": RUN, "date": "2026-01-02", **versions}))
