"""The small catalog with more in it: a plain new method, and methods, statements, data checks and a source that are
hostile."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import small_catalog
import yaml

REAL = Path(__file__).parent.parent / "catalog"
SURVEY = "lialin2023scaling"
HOSTILE = "</title><script>alert(1)</script> [x](javascript:alert(1)) | a | {: onclick=alert(1) } `c` *b* &lt;i&gt; \" ' ![y](z)"
HOSTILE_SQL = f"SELECT count(*) > 0 AS holds, 1.25 AS mean FROM method -- ``` ```` </code></pre>{HOSTILE}\n\n\n-- ~~~\n-- ??? note"
TAKES_THE_TITLE = "<script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">"
"""Markup that a browser would show to have run."""


def copied(folder: Path) -> Path:
    """A copy of the real catalog in a folder, to be changed."""
    return Path(shutil.copytree(REAL, folder / "catalog"))


def write(root: Path) -> None:
    """The small catalog with the methods `brand-new`, `hostile` and `takes-the-title`, a source `hostile`, statements and
    checks."""
    small_catalog.write(root)
    new_method(root, "brand-new", name="Brand-new tuning")
    _hostile_method(root)
    _method_that_takes_the_title(root)
    _hostile_statements(root)
    _hostile_source(root)


def new_method(root: Path, identifier: str, **changes: object) -> None:
    """Drop a file for a new method: LoRA with other texts, of which no source speaks."""
    method = _lora(root) | {"id": identifier, **changes}
    (root / "methods" / f"{identifier}.yaml").write_text(yaml.safe_dump(method, allow_unicode=True), encoding="utf-8")


def _lora(root: Path) -> dict[str, list[dict[str, object]]]:
    found: dict[str, list[dict[str, object]]] = yaml.safe_load((root / "methods" / "lora.yaml").read_text("utf-8"))
    return found


def _hostile_method(root: Path) -> None:
    text = f"# not a heading\n\n    {HOSTILE} {HOSTILE}"
    code = f"```\n{HOSTILE}\n````\n</code></pre>{HOSTILE}"
    configurations = [{**c, "name": HOSTILE, "basis_note": text, "oracles": []} for c in _lora(root)["configurations"]]
    implementation = {"library": "repository", "name": f"a/b) {HOSTILE}", "snippet": code, "note": text}
    new_method(
        root, "hostile", name=HOSTILE, also_called=[HOSTILE], idea=text, tradeoff=text, pseudocode=code,
        configurations=configurations, implementations=[implementation], reconstruction=text,
    )  # fmt: skip


def _method_that_takes_the_title(root: Path) -> None:
    name, configurations = TAKES_THE_TITLE, _lora(root)["configurations"]
    for configuration in configurations:
        configuration["name"] = name
        for oracle in configuration.get("oracles", []):  # type: ignore[attr-defined]
            oracle["arguments"] = {"text": name}
    new_method(
        root, "takes-the-title", name=name, also_called=[], idea=name, tradeoff=name, configurations=configurations
    )


def _hostile_statements(root: Path) -> None:
    """A statement of each status, and two data checks, of the survey."""
    survey = root / "sources" / SURVEY
    statements = [
        _statement("all-hold", "holds", True, True),
        _statement("none-holds", "contradicted", False),
        _statement("some-hold", "depends_on_reading", True, False),
        _statement("open", "not_checkable"),
    ]
    check = {"looks_for": f"Rows {HOSTILE}", "note": f"# note {HOSTILE}", "innocent": f"# by chance {HOSTILE}"}
    quoted = HOSTILE.replace("'", "''")
    checks = [
        {
            **check,
            "id": "many",
            "sql": f"SELECT seed, 1.5 AS score, '{quoted}' AS text FROM (SELECT unnest(range(491)) AS seed)",
            "found": 491,
        },
        {**check, "id": "nothing", "sql": "SELECT 1 AS one FROM appendix_b WHERE score > 1000", "found": 0},
    ]
    for file, name, content in (("statements", "statements", statements), ("data_checks", "checks", checks)):
        text = yaml.safe_dump({name: content}, allow_unicode=True)
        (survey / f"{file}.yaml").write_text(text, encoding="utf-8")


def _hostile_source(root: Path) -> None:
    """A draft with one table, whose row differs from our count and is explained."""
    folder, text = root / "sources" / "hostile", f"# not a heading\n\n    {HOSTILE}"
    (folder / "tables").mkdir(parents=True)
    about = {"name": HOSTILE, "kind": "draft", "date": "2026-01-02", "read": text, "tier": "printed"}
    column = {"quantity": "trainable", "says": HOSTILE}
    table = {"locator": HOSTILE, "says": text, "row": "row", "model": "model", "columns": {"counted": column}}
    table |= {"text": {"note": HOSTILE}}
    methods = [{"printed": HOSTILE, "method": "lora", "configuration": "lora/qv-r8", "evidence": text}]
    models = [{"printed": HOSTILE, "model": "t5-large", "reason": text}]
    figures = [{"model": "t5-large", "printed": {"counted": "1"}}]
    explained = {"table": "table1", "row": HOSTILE, "figures": figures, "cause": "unresolved", "text": text}
    explained["tried"] = ["lora/qv-r8", "lora/qv-r4", "lora/all-linear-r8"]
    files = {
        "source": about, "names": {"methods": methods, "models": models}, "tables/table1": table,
        "explanations": {"explanations": [explained | {"innocent": text}]},
    }  # fmt: skip
    for name, content in files.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    with (folder / "tables" / "table1.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["model", "row", "counted", "note"], [HOSTILE, HOSTILE, "1", HOSTILE]])


def _statement(identifier: str, status: str, *answers: bool) -> dict[str, object]:
    readings = [
        {
            "reading": f"{HOSTILE} is one of the fair readings",
            "sql": HOSTILE_SQL if answer else HOSTILE_SQL.replace(">", "<", 1),
        }
        for answer in answers
    ]
    note = f"# a note\n\n    {HOSTILE}"
    found = {"id": identifier, "locator": f"Section 1 {HOSTILE}", "says": f"??? note {HOSTILE}", "status": status}
    found |= {"headline": f"{HOSTILE}."} | ({"innocent": note} if status == "contradicted" else {})
    return found | ({"readings": readings, "note": note} if readings else {"reason": note})
