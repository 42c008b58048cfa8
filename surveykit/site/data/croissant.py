"""The data set for data search engines: Croissant (every file and column), and schema.org/Dataset (the page's summary).

Formats: https://docs.mlcommons.org/croissant/docs/croissant-spec.html, version 1.0, and https://schema.org/Dataset.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import date
from typing import Any

from surveykit import __version__
from surveykit.database.data_card import CREATOR, KEYWORDS, NAME, REPOSITORY, SUMMARY, SURVEY, TITLE
from surveykit.database.export import DATABASE
from surveykit.database.fields import columns, tables
from surveykit.database.reading import Reader

CROISSANT = "croissant.json"
LICENSE_ADDRESS = "https://www.apache.org/licenses/LICENSE-2.0"
_CONTEXT = {
    "@language": "en", "@vocab": "https://schema.org/", "citeAs": "cr:citeAs", "column": "cr:column",
    "conformsTo": "dct:conformsTo", "cr": "http://mlcommons.org/croissant/", "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"}, "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/", "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"}, "extract": "cr:extract", "field": "cr:field",
    "fileProperty": "cr:fileProperty", "fileObject": "cr:fileObject", "fileSet": "cr:fileSet", "format": "cr:format",
    "includes": "cr:includes", "isLiveDataset": "cr:isLiveDataset", "jsonPath": "cr:jsonPath", "key": "cr:key",
    "md5": "cr:md5", "parentField": "cr:parentField", "path": "cr:path", "recordSet": "cr:recordSet",
    "references": "cr:references", "regex": "cr:regex", "repeated": "cr:repeated", "replace": "cr:replace",
    "samplingRate": "cr:samplingRate", "sc": "https://schema.org/", "separator": "cr:separator", "source": "cr:source",
    "subField": "cr:subField", "transform": "cr:transform",
}  # fmt: skip
"""As the specification prints it; readers warn of any other."""
_TYPES = {"BOOLEAN": "sc:Boolean", "DATE": "sc:Date", "DOUBLE": "sc:Float", "FLOAT": "sc:Float"}


def croissant(
    reader: Reader, files: Mapping[str, bytes], folder: str, published: date | None, address: str | None
) -> bytes:
    """The description of every Parquet file and its columns.

    Args:
        files: contents by path below the site's root.
        folder: where among them the Parquet files are.
        published: the day that the description states, if any.
        address: where the site lies; without it, files are named as they lie beside the description.
    """
    comments = {table.name: table.comment or "" for table in tables(reader) if table.kind != "macro"}
    described = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        **_about(published, address),
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "citeAs": f"{CREATOR}: {TITLE}. Version {__version__}. {REPOSITORY}",
        "isLiveDataset": True,
        "distribution": [_file(name, files[f"{folder}/{name}.parquet"], folder, address) for name in comments],
        "recordSet": [
            {"@type": "cr:RecordSet", "@id": name, "name": name, "description": says, "field": _fields(reader, name)}
            for name, says in comments.items()
        ],
    }  # fmt: skip
    return f"{json.dumps(described, ensure_ascii=False, indent=1)}\n".encode()


def dataset(published: date | None, address: str | None) -> dict[str, Any]:
    """The same as schema.org/Dataset, for the head of the page: what it is, and where its files are."""
    below = address or "../"

    def file(path: str, media_type: str, says: str) -> dict[str, str]:
        return {"@type": "DataDownload", "name": says, "encodingFormat": media_type, "contentUrl": f"{below}{path}"}

    return {
        "@context": "https://schema.org/",
        "@type": "Dataset",
        **_about(published, address),
        "isAccessibleForFree": True,
        "distribution": [
            file(f"downloads/{DATABASE}", "application/vnd.duckdb", "The whole database, for DuckDB"),
            file("api/v1/index.json", "application/json", "Index of the JSON files"),
            file(CROISSANT, "application/ld+json", "Croissant: every Parquet file and column"),
        ],
    }


def _about(published: date | None, address: str | None) -> dict[str, Any]:
    day = {} if published is None else {"datePublished": published.isoformat()}
    return {
        "name": NAME,
        "alternateName": TITLE,
        "description": SUMMARY,
        "license": LICENSE_ADDRESS,
        "url": f"{address}data/" if address else REPOSITORY,
        "version": __version__,
        **day,
        "creator": {"@type": "Organization", "name": CREATOR, "url": REPOSITORY},
        "keywords": [*KEYWORDS],
        "isBasedOn": SURVEY,
    }


def _file(name: str, content: bytes, folder: str, address: str | None) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": f"{name}.parquet",
        "name": f"{name}.parquet",
        "contentUrl": f"{address or ''}{folder}/{name}.parquet",
        "contentSize": f"{len(content)} B",
        "encodingFormat": "application/x-parquet",
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def _fields(reader: Reader, table: str) -> list[dict[str, Any]]:
    return [
        {
            "@type": "cr:Field",
            "@id": f"{table}/{column.name}",
            "name": column.name,
            "description": column.comment or "",
            "dataType": _type(column.kind.removesuffix("[]")),
            "source": {"fileObject": {"@id": f"{table}.parquet"}, "extract": {"column": column.name}},
        }
        | ({"repeated": True} if column.kind.endswith("[]") else {})
        for column in columns(reader, table)
    ]


def _type(kind: str) -> str:
    """Croissant's name of a DuckDB type."""
    if kind.startswith("DECIMAL"):
        return "sc:Float"
    return _TYPES.get(kind, "sc:Integer" if kind.endswith("INT") or kind == "INTEGER" else "sc:Text")
