"""Everything to download, and the page that lists it."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path
from typing import Any

from surveykit.beside import temporary
from surveykit.database.export import DATABASE, READS, export
from surveykit.database.fields import tables
from surveykit.database.reading import Reader
from surveykit.site.data.api import RESOURCES, ROOT
from surveykit.site.data.croissant import CROISSANT, croissant, dataset
from surveykit.site.inputs import Surroundings
from surveykit.site.pages.changes import FEED
from surveykit.site.pages.new_methods import METHODS_FEED
from surveykit.site.text import numbers
from surveykit.site.text.atom import newest_measurement
from surveykit.site.text.markdown import Cell, code, inert, link, table

DATA_PAGE = "data.md"
FOLDER = "downloads"
CHECKSUMS = f"{FOLDER}/SHA256SUMS"
CITATION = "CITATION.cff"

Files = dict[str, bytes]
"""Contents by path below the site's root."""


def data_files(database: Path) -> Files:
    """Every table and view as CSV and Parquet with their checksums, and the database, as it is and packed.

    All but the database are equal in every byte for equal rows.
    """
    with temporary("downloads") as folder:
        found = {
            f"{FOLDER}/{path.name}": path.read_bytes()
            for format in ("csv", "parquet")
            for path in export(database, folder / format, format)
        }
        found[CHECKSUMS] = "".join(
            f"{hashlib.sha256(content).hexdigest()}  {Path(path).name}\n" for path, content in sorted(found.items())
        ).encode()
        (whole,) = export(database, folder, "duckdb")
        found[f"{FOLDER}/{DATABASE}"] = whole.read_bytes()
    found[f"{FOLDER}/{DATABASE}.gz"] = gzip.compress(found[f"{FOLDER}/{DATABASE}"], 6, mtime=0)
    return found


def described(reader: Reader, files: Files, around: Surroundings) -> bytes:
    """The files of `data_files` as Croissant; it states the day on which the newest of its data was measured."""
    return croissant(reader, files, FOLDER, newest_measurement(reader), around.address)


def data_context(reader: Reader, files: Files, around: Surroundings) -> dict[str, Any]:
    """What the page of data shows."""
    return {
        "tables": _listing(reader, files),
        "api": _api(reader),
        "database": f"{FOLDER}/{DATABASE}",
        "reads": READS,
        "checksums": CHECKSUMS,
        "croissant": CROISSANT,
        "dataset": inert(dataset(newest_measurement(reader), around.address)),
        "feed": FEED,
        "methods_feed": METHODS_FEED,
        "citation": CITATION if around.citation else None,
        "index": f"{ROOT}/index.json",
        "schemas": code(f"{ROOT}/schema/"),
        "example": link(f"{ROOT}/methods/lora.json", f"{ROOT}/methods/lora.json", DATA_PAGE)
        if reader.all("SELECT 1 FROM method WHERE id = 'lora'")
        else code(f"{ROOT}/methods/ID.json"),
        "sitemap": around.address is not None,
    }


def _listing(reader: Reader, files: Files) -> Any:
    """Tables and views, with the size of each file and the start of its checksum."""
    rows: list[list[Cell]] = []
    for name, kind, comment in ((t.name, t.kind, t.comment or "") for t in tables(reader) if t.kind != "macro"):
        count = reader.one(f"SELECT count(*) AS n FROM {name}").n
        cells: list[Cell] = [code(name), comment, kind, numbers.count(count)]
        for format in ("csv", "parquet"):
            path = f"{FOLDER}/{name}.{format}"
            cells += [link(size(len(files[path])), path, DATA_PAGE), code(hashlib.sha256(files[path]).hexdigest()[:12])]
        rows.append(cells)
    heads = ["Name", "What it holds", "Kind", "Rows", "CSV", "SHA-256", "Parquet", "SHA-256"]
    return table(heads, rows, "lllrrlrl")


def _api(reader: Reader) -> Any:
    comments = {t.name: t.comment or "" for t in tables(reader)}
    rows: list[list[Cell]] = [
        [
            link(f"{r.name}.json", f"{ROOT}/{r.name}.json", DATA_PAGE),
            comments[r.table],
            link("schema", f"{ROOT}/schema/{r.name}.schema.json", DATA_PAGE),
        ]
        for r in RESOURCES
    ]
    one: list[Cell] = [
        code("methods/ID.json"),
        "One method with all that the catalog says of it",
        link("schema", f"{ROOT}/schema/method.schema.json", DATA_PAGE),
    ]
    return table(["File", "What it holds", "Schema"], [*rows[:1], one, *rows[1:]], "lll")


def size(count: int) -> str:
    """Bytes as people read them, in powers of ten."""
    for unit, amount in (("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1_000)):
        if count >= amount:
            return f"{count / amount:.1f} {unit}"
    return f"{count} B"
