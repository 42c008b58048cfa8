"""What a site takes in besides the database. Each part may be missing, and the pages say so then."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from surveykit.bench.results import files as bench_files
from surveykit.fit.formulas import Formulas
from surveykit.record import Record
from surveykit.site.data.breadth import Breadth
from surveykit.site.data.device_settings import DeviceSettings
from surveykit.site.data.memory_error import MemoryErrors
from surveykit.site.text.corrections import Sources
from surveykit.verify import Checked
from surveykit.verify.again import commit_of

Written = TypeVar("Written", bound=Record)
REPOSITORY = "https://github.com/surveykit/surveykit"


class Engine(Record):
    """The DuckDB that runs in a browser, as `site/sql` builds it."""

    folder: Path
    duckdb: str
    """Version of DuckDB."""
    duckdb_wasm: str
    """Version of the package that carries it."""

    @property
    def files(self) -> list[Path]:
        return sorted(path for path in self.folder.iterdir() if path.name != "engine.json")

    @property
    def download_bytes(self) -> int:
        """What a browser fetches to start it."""
        return sum(path.stat().st_size for path in self.files if path.suffix in (".js", ".gz"))


class Surroundings(Record):
    """The files and addresses around a site."""

    changelog: str | None = None
    """Text of CHANGELOG.md."""
    citation: str | None = None
    """Text of CITATION.cff."""
    engine: Engine | None = None
    formulas: Mapping[str, Formulas] = {}
    """What benchmarks/coefficients holds: formulas of memory, by architecture."""
    breadth: Breadth | None = None
    """What benchmarks/breadth.json says of the models that methods work on."""
    memory_error: MemoryErrors | None = None
    """What benchmarks/memory_error.json says of methods that only PEFT's own modules have."""
    device_settings: DeviceSettings | None = None
    """What benchmarks/device_settings.json says of memory in many settings on an accelerator."""
    checked: Checked | None = None
    """What was measured again for this build, and found as recorded."""
    offline: bool = False
    """Whether pages are opened as files, where no engine can run."""
    address: str | None = None
    """Where the site will lie, ending in `/`; pages work without, as they link to each other relatively."""
    repository: str = REPOSITORY
    commit: str | None = None
    """The commit that the files around the site are of; None outside a repository."""
    bench: Mapping[str, Path] = {}
    """Result files of the bench, by plan/device/name; pages name them without a link where they are not here."""
    sources: Sources = Sources()
    """Where corrections go; pages have no links for them without."""


def found(
    base: Path,
    *,
    address: str | None = None,
    repository: str | None = None,
    catalog: str | None = None,
    root: Path | None = None,
    offline: bool = False,
    checked: Checked | None = None,
) -> Surroundings:
    """The surroundings in a clone of the repository.

    Args:
        catalog: the catalog's folder in the repository; None where it lies elsewhere.
        root: the catalog's folder, for the result files of the bench.
        offline: whether the site is opened as files.
        checked: what was measured again for this build.
    """
    return Surroundings(
        changelog=_text(base / "CHANGELOG.md"),
        citation=_text(base / "CITATION.cff"),
        engine=None if offline else _engine(base / "site" / "sql" / "dist"),
        formulas={
            path.stem: Formulas.model_validate_json(path.read_text(encoding="utf-8"))
            for path in sorted((base / "benchmarks" / "coefficients").glob("*.json"))
        },
        breadth=_written(base / "benchmarks" / "breadth.json", Breadth),
        memory_error=_written(base / "benchmarks" / "memory_error.json", MemoryErrors),
        device_settings=_written(base / "benchmarks" / "device_settings.json", DeviceSettings),
        checked=checked,
        offline=offline,
        commit=commit_of(base),
        address=f"{address.rstrip('/')}/" if address else None,
        repository=repository or REPOSITORY,
        bench={} if root is None else bench_files(root),
        sources=Sources(repository=repository, catalog=catalog),
    )


def _text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None


def _written(path: Path, record: type[Written]) -> Written | None:
    """What a benchmark wrote."""
    text = _text(path)
    return None if text is None else record.model_validate_json(text)


def _engine(folder: Path) -> Engine | None:
    about = _text(folder / "engine.json")
    if about is None:
        return None
    versions = json.loads(about)
    return Engine(folder=folder, duckdb=versions["duckdb"], duckdb_wasm=versions["duckdb_wasm"])
