"""Checking the catalog's files, and what is written from them: validate, where, schema, export, build,
site, reproduce, new."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from os import fspath
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from surveykit.api.names import Folder, database_of, loaded, refuse_others, root_of
from surveykit.errors import SurveyError
from surveykit.processes import Watch, unwatched
from surveykit.verify.again import SAMPLE

if TYPE_CHECKING:
    from surveykit.api.verifying import Verification
    from surveykit.catalog.load import Catalog
    from surveykit.database.export import Format
    from surveykit.scaffold import Kind

DATABASE = Path("build/surveykit.duckdb")
"""Where `reproduce` writes the database."""


@dataclass(frozen=True)
class Where:
    """Which catalog and which database are used."""

    catalog: Path
    chosen_by: str
    """The rule that chose it, in words."""
    cache: Path
    """The folder that keeps databases of this catalog."""
    database: Path


@dataclass(frozen=True)
class Site:
    """A site that was written."""

    folder: Path
    catalog: Path
    chosen_by: str
    """The rule that chose the catalog, in words."""


@dataclass(frozen=True)
class Reproduction:
    """What was verified, and what was then written: nothing if there are findings."""

    verification: Verification
    site: Path | None
    database: Path | None

    @property
    def passed(self) -> bool:
        return self.verification.passed


def validate(*, catalog: Folder | None = None) -> Catalog:
    """Check every file of the catalog, and that the database can be built from them.

    Returns:
        The catalog.

    Raises:
        CatalogError: with every problem of every file.
        SurveyError: there is no catalog.
    """
    from surveykit.bench.catalogued import benched
    from surveykit.database.build import check_that_it_builds
    from surveykit.errors import CatalogError, Problem

    whole = loaded(catalog)
    check_that_it_builds(whole)
    problems: list[Problem] = []
    for _ in benched(whole, problems):
        pass
    if problems:  # all else does without these files
        raise CatalogError(problems)
    return whole


def where(*, catalog: Folder | None = None) -> Where:
    """Which catalog and which database are used, and why. The database is built if it does not exist.

    Returns:
        Paths, and the rule that chose the catalog.

    Raises:
        SurveyError: there is no catalog.
        CatalogError: the catalog is invalid.
    """
    from surveykit.catalog.locate import locate
    from surveykit.database import cache

    location = locate(catalog)
    database = Path(cache.current_file(location.folder))
    return Where(location.root, location.chosen_by, Path(cache.folder_of(location.folder)), database)


def schema(*, output: Folder | None = None, check: bool = False, catalog: Folder | None = None) -> list[Path]:
    """Write the JSON Schemas of the catalog's files, for editors.

    Args:
        output: folder to write to (default: the catalog's folder `schema`).
        check: write nothing.

    Returns:
        The files that were out of date; they are written, unless `check`.

    Raises:
        SurveyError: there is no catalog, or a file cannot be written.
    """
    from surveykit.catalog.schemas import schemas
    from surveykit.fit.rows import schema as of_fit

    folder = root_of(catalog) / "schema" if output is None else Path(output)
    outdated = []
    for name, text in {**schemas(), "fit.schema.json": of_fit()}.items():
        path = folder / name
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        outdated.append(path)
        if check:
            continue
        try:
            folder.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise SurveyError(f"{path} cannot be written: {error.strerror}") from None
    return outdated


def export(folder: Folder, *, format: Format, catalog: Folder | None = None) -> list[Path]:
    """Write every table and view as a file.

    Args:
        folder: where to; made if it is not there.
        format: kind of files; `duckdb` is the database as one file, `hf` Parquet files and a data card, as the Hugging Face
            hub and `datasets.load_dataset` read a folder.

    Returns:
        The files.

    Raises:
        SurveyError: the folder or a file in it cannot be written.
        CatalogError: the catalog is invalid.
    """
    from surveykit.database import export as files

    refuse_others("format", format, get_args(files.Format))
    return files.export(database_of(catalog), Path(folder), format)


def build(output: Folder = "surveykit.duckdb", *, catalog: Folder | None = None) -> Path:
    """Write the database to a file.

    Args:
        output: the file.

    Returns:
        The file.

    Raises:
        SurveyError: it cannot be written.
        CatalogError: the catalog is invalid.
    """
    from surveykit.database.build import build

    build(loaded(catalog), Path(output))
    return Path(output)


def site(*, config: Folder = "mkdocs.yml", offline: bool = False, catalog: Folder | None = None) -> Site:
    """Write the static site.

    Args:
        config: the mkdocs.yml that describes it.
        offline: pages that can be opened as files, without a web server.
        catalog: default: SURVEYKIT_CATALOG, or the one that `config` names.

    Returns:
        The folder of the site, and the catalog that it shows.

    Raises:
        SurveyError: there is no such file, MkDocs refuses it, or the site cannot be written.
        CatalogError: the catalog is invalid.
        MissingExtra: MkDocs, its theme or matplotlib is not installed.
    """
    from surveykit.catalog.locate import locate
    from surveykit.site.build import build, catalog_named_by

    location = locate(catalog) if catalog is not None else catalog_named_by(Path(config))
    folder = build(Path(config), catalog=location.root, strict=True, offline=offline)
    return Site(folder, location.root, location.chosen_by)


def reproduce(
    *, config: Folder = "mkdocs.yml", sample: int | None = SAMPLE, seed: str | None = None,
    catalog: Folder | None = None, watch: Watch = unwatched,
    verified: Callable[[Verification], None] = lambda verification: None,
) -> Reproduction:  # fmt: skip
    """Verify as `verify` does; if all checks pass, write the site and build/surveykit.duckdb from the same catalog.

    Args:
        config, catalog: as in `site`.
        sample, seed: as in `verify`.
        verified: called with the verdicts before anything is written.

    Returns:
        The verdicts, and what was written.

    Raises:
        SurveyError: as `site`; or the catalog changed while it was being verified.
        CatalogError: the catalog is invalid.
        MissingExtra: torch, transformers, MkDocs, its theme or matplotlib is not installed.
    """
    from surveykit.api import verifying
    from surveykit.database.build import build as build_database
    from surveykit.site.build import build as build_site
    from surveykit.site.build import catalog_named_by
    from surveykit.verify.again import digest_of

    config = Path(config)
    # First: without MkDocs no minute is spent.
    location = catalog_named_by(config, None if catalog is None else fspath(catalog))
    content = digest_of(location.root)
    whole = loaded(location.root)
    verification = verifying.verify_catalog(whole, sample, seed, watch)
    verified(verification)
    if not verification.passed:
        return Reproduction(verification, None, None)
    if digest_of(location.root) != content:
        raise SurveyError(
            f"{location.folder} changed while it was being verified, so nothing was written; run the command again"
        )
    folder = build_site(config, catalog=location.root, strict=True, checked=verification.checked)
    build_database(whole, DATABASE)
    return Reproduction(verification, folder, DATABASE)


def new(kind: Kind, name: str, *, config: Folder | None = None, catalog: Folder | None = None) -> list[Path]:
    """Write a commented source, method, model or plan to fill in; it loads unchanged.

    Args:
        kind: `source`, `method`, `model` or `plan`.
        name: its id: lower-case words and numbers joined by hyphens; that of a model may have dots.
        config: of a model, its config.json; without it, an example to replace.

    Returns:
        The files written, in the folder `catalog` (default: ./catalog). The folder is created if it is missing, and extends
        the bundled catalog.

    Raises:
        SurveyError: the name is not allowed, the name is taken, or the folder cannot be written.
    """
    from surveykit.scaffold import KINDS, write

    refuse_others("kind", kind, KINDS)
    return write(kind, name, Path(catalog or "catalog"), None if config is None else Path(config))
