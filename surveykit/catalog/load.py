"""catalog/ → Catalog: strict and complete, all problems of all files at once."""

from __future__ import annotations

import gc
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cached_property
from os.path import lexists
from pathlib import Path

from surveykit.catalog import layers
from surveykit.catalog.bibliography import read_papers
from surveykit.catalog.claims import Claim, claims
from surveykit.catalog.loading import Loading
from surveykit.catalog.measurements import Cost, Measurement, MemoryUse, Prediction, Run, TrialRow
from surveykit.catalog.model_folder import read_model
from surveykit.catalog.models import Model
from surveykit.catalog.quantities import Quantities
from surveykit.catalog.records import Configuration, Method, Paper
from surveykit.catalog.relations import check_relations
from surveykit.catalog.saved_files import Held, SavedFile, printed_files
from surveykit.catalog.settings import Setting, Settings
from surveykit.catalog.shelves import Reading, measured_fields
from surveykit.catalog.source_folder import SourceFolder, read_source
from surveykit.catalog.source_relations import check_sources
from surveykit.catalog.steps import Step
from surveykit.catalog.variations import varied, varied_name
from surveykit.errors import CatalogError, Problem, SurveyError
from surveykit.recipes import Recipe


@dataclass(frozen=True, eq=False)
class Catalog:
    """Everything that the files say. Mappings are sorted by key."""

    root: Path
    methods: Mapping[str, Method]
    models: Mapping[str, Model]
    papers: Mapping[str, Paper]
    sources: Mapping[str, SourceFolder]
    quantities: Quantities
    settings: Mapping[str, Setting]
    measurements: tuple[Measurement, ...]
    costs: tuple[Cost, ...]
    memory: tuple[MemoryUse, ...]
    predictions: tuple[Prediction, ...]
    files: tuple[SavedFile, ...]
    trials: tuple[TrialRow, ...]
    runs: Mapping[str, Run]

    def configurations(self) -> Iterator[tuple[str, Method, Configuration]]:
        """Every configuration of the methods' files with its full name, method/configuration."""
        for method in self.methods.values():
            for configuration in method.configurations:
                yield f"{method.id}/{configuration.id}", method, configuration

    @cached_property
    def claims(self) -> tuple[Claim, ...]:
        """Every printed cell of every source."""
        return tuple(claims(self))

    @cached_property
    def variations(self) -> Mapping[str, Configuration]:
        """Configurations that sources speak of with other hyper-parameters, by their full names, sorted."""
        stated = {name: c for name, _, c in self.configurations()}
        found: dict[str, Configuration] = {}
        for folder in self.sources.values():
            for name in folder.names.methods:
                if name.set and name.configuration in stated:
                    full = varied_name(name.configuration, name.set)
                    with suppress(SurveyError):  # what cannot be set is reported where the source is checked
                        found[full] = varied(stated[name.configuration], full, name.set, name.evidence)
        return dict(sorted(found.items()))

    @cached_property
    def claimed(self) -> Mapping[str, frozenset[str]]:
        """The models on which sources, and explanations of their figures, speak of a configuration, by its full name."""
        found: dict[str, set[str]] = {}
        for claim in self.claims:
            if claim.configuration and claim.model:
                found.setdefault(claim.configuration, set()).add(claim.model)
        for folder in self.sources.values():
            for explanation in folder.explanations:
                for name in explanation.configurations:
                    found.setdefault(name, set()).update(explanation.counted_on)
        return {name: frozenset(models) for name, models in found.items()}

    @cached_property
    def memory_claimed(self) -> frozenset[tuple[str, str]]:
        """Configurations on models for which a source prints memory, without saying how it was had."""
        quantity = {q.id for q in self.quantities.quantities if q.compare == "predicted"}
        return frozenset(
            (c.configuration, c.model)
            for c in self.claims
            if c.quantity in quantity and c.configuration and c.model and not c.stated
        )

    @cached_property
    def printed_steps(self) -> Mapping[tuple[str, str], tuple[Step, ...]]:
        """The training steps whose memory sources print, by configuration and model, each once."""
        predicted = {q.id for q in self.quantities.quantities if q.compare == "predicted"}
        found: dict[tuple[str, str], dict[str, Step]] = {}
        for c in self.claims:
            if c.step and c.printed and c.quantity in predicted and c.configuration and c.model:
                found.setdefault((c.configuration, c.model), {})[c.step.key] = c.step
        return {place: tuple(steps.values()) for place, steps in sorted(found.items())}

    @cached_property
    def printed_files(self) -> Mapping[tuple[str, str], frozenset[Held]]:
        """The precisions in which sources print sizes of saved files, by configuration and model."""
        return printed_files(self.claims, self.quantities)

    def models_of(self, full_name: str) -> tuple[str, ...]:
        """Where a configuration is counted: on every T5, on the models that it names, and on those that sources name with it."""
        claimed = sorted(self.claimed.get(full_name, ()))
        if full_name in self.variations:
            return tuple(claimed)
        sizes = [b.id for b in self.models.values() if b.dimensions.model_type == "t5"]
        return tuple(dict.fromkeys((*sizes, *self.configuration(full_name).also_on, *claimed)))

    @cached_property
    def _by_name(self) -> Mapping[str, Configuration]:
        return {**{name: c for name, _, c in self.configurations()}, **self.variations}

    def configuration(self, full_name: str) -> Configuration:
        """The configuration of a full name, with changed hyper-parameters where it names some.

        Raises:
            KeyError: there is none.
        """
        return self._by_name[full_name]

    def table_name(self, source: str, table: str) -> str:
        """A table as sentences call it: its source, and where it stands there."""
        folder = self.sources[source]
        return f"{folder.source.name}, {folder.tables[table].meaning.locator}"

    def recipe(self, full_name: str) -> Recipe:
        """Its recipe. Raises as `configuration`."""
        return self.configuration(full_name).recipe


@contextmanager
def collecting_nothing() -> Iterator[None]:
    """A load leaves no garbage, nor does a build of the database, and looking for it among all that is loaded takes a third
    of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@collecting_nothing()
def load(root: Path, *, measured: bool = True, left_out: list[Problem] | None = None) -> Catalog:
    """Load and check a catalog.

    Args:
        root: its folder, with some of `methods`, `models`, `sources`, `measured`, `papers.bib`, `settings.yaml`; what it
            lacks is taken from the bundled catalog, unless it has a `quantities.yaml` and so stands alone.
        measured: also read what `surveykit measure` wrote.
        left_out: where it is given, what `surveykit measure` wrote and is at fault is left out, and why is added here.

    Raises:
        CatalogError: with every problem of every file.
    """
    loading = Loading(root)
    papers = _papers(loading)
    catalog = replace(_without_sources(loading), papers=papers)
    if not catalog.methods:
        loading.problem(root / "methods", "there is no method")
    around = len(loading.problems)
    read = [read_source(loading, path) for path in layers.entries(root, "sources").values()]
    sources = {folder.key: folder for folder in read if folder is not None}
    catalog = replace(catalog, sources=dict(sorted(sources.items())))
    if not loading.problems:  # relations between files make sense only once each file does
        check_relations(catalog, loading)
    if not around:  # and those of a source once all around it does
        check_sources(catalog, loading)
    if measured:
        reading = Reading(root)
        catalog = replace(catalog, **measured_fields(catalog, reading, related=not loading.problems))
        (loading.problems if left_out is None else left_out).extend(reading.problems)
    if loading.problems:
        raise CatalogError(loading.problems)
    return catalog


@collecting_nothing()
def load_named(root: Path, methods: Collection[str], models: Collection[str]) -> Catalog:
    """The part of a catalog that has some methods and models: neither the others, nor papers, sources and what was measured.
    Names that it lacks are left out.

    Raises:
        CatalogError: with every problem of what is read.
    """
    loading = Loading(root)
    catalog = _without_sources(loading, methods, models)
    if loading.problems:
        raise CatalogError(loading.problems)
    return catalog


def _without_sources(
    loading: Loading, methods: Collection[str] | None = None, models: Collection[str] | None = None
) -> Catalog:
    """Methods and models, all or those of some names, with quantities and settings.

    Raises:
        CatalogError: quantities or settings are at fault.
    """
    root = loading.root
    found = _methods(loading, methods), _models(loading, models)
    quantities = loading.required_yaml(
        layers.first(root, "quantities.yaml"), Quantities, "units and thresholds of what is measured"
    )
    settings = loading.required_yaml(layers.first(root, "settings.yaml"), Settings, "how training runs")
    if quantities is None or settings is None:
        raise CatalogError(loading.problems)
    return Catalog(
        root, *found, papers={}, sources={}, quantities=quantities, settings={s.id: s for s in settings.settings},
        measurements=(), costs=(), memory=(), predictions=(), files=(), trials=(), runs={},
    )  # fmt: skip


def _methods(loading: Loading, only: Collection[str] | None) -> dict[str, Method]:
    found: dict[str, Method] = {}
    for path in layers.entries(loading.root, "methods").values():
        if only is not None and path.stem not in only:
            continue
        if path.suffix != ".yaml":
            loading.problem(path, "only files named <id>.yaml belong here")
            continue
        method = loading.yaml(path, Method)
        if method is None:
            continue
        if method.id != path.stem:
            loading.problem(path, f"the id '{method.id}' must be the file's name", ("id",))
        found[path.stem] = method
    return dict(sorted(found.items()))


def _models(loading: Loading, only: Collection[str] | None) -> dict[str, Model]:
    found: dict[str, Model] = {}
    for path in layers.entries(loading.root, "models").values():
        if only is not None and path.name not in only:
            continue
        if not path.is_dir():
            loading.problem(path, "only folders named <id> belong here")
            continue
        model = read_model(loading, path)
        if model is not None:
            found[path.name] = model
    return dict(sorted(found.items()))


def _papers(loading: Loading) -> dict[str, Paper]:
    papers: dict[str, Paper] = {}
    paths = [layer / "papers.bib" for layer in reversed(layers.layers(loading.root))]
    for path in paths:
        if not lexists(path):
            if len(paths) == 1:
                loading.problem(path, "the bibliography is missing")
            continue
        text = loading.text(path)
        found, problems = ({}, []) if text is None else read_papers(text, loading.name(path))
        loading.problems += problems
        papers |= found
    return dict(sorted(papers.items()))
