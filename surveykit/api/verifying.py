"""Measuring again and judging: verify, verify_params, verify_backbones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from os import fspath
from typing import TYPE_CHECKING

from surveykit.api.names import Folder, Names, loaded, several
from surveykit.errors import SurveyError, nearest
from surveykit.processes import Watch, unwatched
from surveykit.verify import Checked, Report
from surveykit.verify.again import SAMPLE, Sample

if TYPE_CHECKING:
    from surveykit.catalog.load import Catalog
    from surveykit.catalog.measured import Cell
    from surveykit.catalog.measurements import Measurement
    from surveykit.engine.models.checkpoints import Checked as CheckedCheckpoint


@dataclass(frozen=True)
class Verification(Report):
    """The verdicts on every claim, and what was measured for them."""

    sample: Sample
    """The recorded costs, predictions, files and trials that were measured again."""
    checked: Checked
    """The day, the commit and the versions."""


@dataclass(frozen=True)
class ParameterReport(Report):
    """The verdicts on parameter counts, and the counts."""

    counts: tuple[Measurement, ...]
    checkpoint: CheckedCheckpoint | None = None
    """How a named checkpoint compares. If it is not the model's, nothing is counted."""

    @property
    def passed(self) -> bool:
        return not self.findings and (self.checkpoint is None or self.checkpoint.verdict == "matches")


def verify(
    *, source: str | None = None, sample: int | None = SAMPLE, seed: str | None = None, catalog: Folder | None = None,
    watch: Watch = unwatched,
) -> Verification:  # fmt: skip
    """Judge every printed cell of every source. Counts and a sample of recorded costs, predictions, files and trials are made anew.

    Args:
        source: judge only the claims of this source, and count only what they need.
        sample: how many recorded costs, predictions, files and trials to measure again; None for all.
        seed: seed of that sample (default: the commit).

    Returns:
        Verdicts, and findings that fail the check. `passed` if there are none.

    Raises:
        SurveyError: there is no such source.
        CatalogError: the catalog is invalid.
        MissingExtra: torch or transformers is not installed.
    """
    return verify_catalog(loaded(catalog), sample, seed, watch, source)


def verify_catalog(
    catalog: Catalog, size: int | None, seed: str | None, watch: Watch, source: str | None = None
) -> Verification:
    """Like `verify`, for a loaded catalog."""
    from surveykit.catalog.measured import cells, this_run
    from surveykit.verify import sample, verify_all
    from surveykit.verify.again import commit_of, seed_of

    if size is not None and size < 0:
        raise SurveyError(f"sample is {size}; it must be a whole number, or None for all")
    if source is not None and source not in catalog.sources:
        raise SurveyError(f"there is no source '{source}'{nearest(source, catalog.sources)}")
    from surveykit.recording import counts, traces_and_trials, unmeasurable

    run = this_run()
    drawn = sample(catalog, size, seed or seed_of(catalog.root), unmeasurable())

    wanted = cells(catalog) if source is None else _spoken_of(catalog, source)
    counted = list(counts(catalog, wanted, watch))
    again = [row for rows in traces_and_trials(catalog, drawn.cells, watch) for row in rows]
    report = verify_all(catalog, counted, again, run, source)
    versions = {name: getattr(run, name) for name in ("surveykit", "python", "torch", "transformers")}
    checked = Checked(
        date=date.today().isoformat(), commit=commit_of(catalog.root), counts=len(counted), sampled=len(drawn.cells),
        recorded=drawn.among, seed=drawn.seed, **versions,
    )  # fmt: skip
    return Verification(**vars(report), sample=drawn, checked=checked)


def _spoken_of(catalog: Catalog, source: str) -> list[Cell]:
    """What the claims and explanations of a source speak of: named configurations, else all of the method."""
    from surveykit.catalog.measured import cells

    claims = [claim for claim in catalog.claims if claim.source == source]
    named = {claim.configuration for claim in claims} | {name for _, name in _evidence(catalog, source)}
    methods = {claim.method for claim in claims if claim.configuration is None}
    return [cell for cell in cells(catalog) if cell.configuration in named or cell.method in methods]


def _evidence(catalog: Catalog, source: str | None = None) -> set[tuple[str, str]]:
    """Tables' row labels with the configurations that explanations of these rows name."""
    return {
        (explanation.row, name)
        for folder in catalog.sources.values()
        if source in (None, folder.key)
        for explanation in folder.explanations
        for name in (*explanation.tried, *([explanation.fits_setup.configuration] if explanation.fits_setup else ()))
    }


def verify_params(
    *, method: Names = (), backbone: Names = (), checkpoint: Folder | None = None, revision: str | None = None,
    catalog: Folder | None = None, watch: Watch = unwatched,
) -> ParameterReport:  # fmt: skip
    """Count again, and compare with records, formulas and printed counts.

    Args:
        method: only these (default: all).
        backbone: only on these models of the catalog (default: all).
        checkpoint: count on the model in this folder, file, or owner/name on the hub; its header must match `backbone`, or
            its own config.json. Only the header is read.
        revision: revision of the checkpoint on the hub (default: main).

    Returns:
        Verdicts, counts, and findings. `passed` if there are no findings and the checkpoint is the model's.

    Raises:
        SurveyError: a name is not in the catalog.
        CatalogError: the catalog is invalid.
        MissingExtra: torch or transformers is not installed.
    """
    from surveykit.catalog.measured import cells
    from surveykit.catalog.selection import select
    from surveykit.verify import verify_counts

    whole = loaded(catalog)
    methods, backbones = several(method), several(backbone)
    checked = None
    if checkpoint is not None or revision is not None:
        if checkpoint is None or len(backbones) > 1:
            raise SurveyError("a checkpoint belongs to one model: give at most one --backbone with --checkpoint")
        from surveykit.engine.models.checkpoints import given

        checked = given(whole, fspath(checkpoint), backbones[0] if backbones else None, revision)
        if checked.backbone is None or checked.verdict != "matches":
            return ParameterReport((), (), (), (), (), checked)
        backbones = [checked.backbone.id]
    wanted = _with_evidence(whole, select(whole, cells(whole), methods, backbones))
    from surveykit.recording import counts

    counted = list(counts(whole, wanted, watch))
    if checked is not None:
        counted = [m.model_copy(update={"provenance": "header"}) for m in counted]
    return ParameterReport(**vars(verify_counts(whole, counted)), counts=tuple(counted), checkpoint=checked)


def _with_evidence(catalog: Catalog, chosen: list[Cell]) -> list[Cell]:
    """Add the configurations that explanations of the chosen methods name, so that they can be checked."""
    from surveykit.catalog.measured import Cell, cells

    rows: dict[str, set[str]] = {}
    for claim in catalog.claims:
        if claim.configuration:
            rows.setdefault(claim.configuration.partition("/")[0], set()).add(claim.row)
    named = _evidence(catalog)
    evidence = {Cell(cell.backbone, name) for cell in chosen for row, name in named if row in rows.get(cell.method, ())}
    return sorted({*chosen, *evidence.intersection(cells(catalog))})


def verify_backbones(
    backbone: Names = (), *, checkpoint: Folder | None = None, revision: str | None = None, catalog: Folder | None = None,
    found: Callable[[CheckedCheckpoint], None] = lambda checked: None,
) -> list[CheckedCheckpoint]:  # fmt: skip
    """Check published checkpoints against the catalog: every parameter by name and shape, reading only file headers.

    Args:
        backbone: only these models (default: all in the catalog).
        checkpoint: this folder, file, or owner/name on the hub instead of each model's own checkpoint on the hub. It is
            compared with the named model, or with the one in its config.json.
        revision: branch, tag or commit on the hub (default: main).
        found: called with each result as it arrives, since the hub may be slow.

    Returns:
        A verdict for each checkpoint, with every difference; `not verified`, with the reason, if it cannot be read.

    Raises:
        SurveyError: a name is not in the catalog, or a checkpoint's model is not named.
        CatalogError: the catalog is invalid.
        MissingExtra: torch or transformers is not installed.
    """

    whole, names = loaded(catalog), several(backbone)
    if checkpoint is not None and len(names) > 1:
        raise SurveyError(
            "one checkpoint is checked against one model; name one, or none if its config.json identifies it"
        )
    from surveykit.engine.models.checkpoints import given, published

    if checkpoint is not None:
        results = [given(whole, fspath(checkpoint), names[0] if names else None, revision)]
        found(results[0])
        return results
    results = []
    for checked in published(whole, names, revision):
        found(checked)
        results.append(checked)
    return results
