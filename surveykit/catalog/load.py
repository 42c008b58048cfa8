"""catalog/ → Catalog: strict and complete, all problems of all files at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from os.path import lexists
from pathlib import Path

from surveykit.catalog.bibliography import read_papers
from surveykit.catalog.claims import TableCell
from surveykit.catalog.loading import Loading, R
from surveykit.catalog.measurements import Cost, Measurement, MemoryUse, Run, TrialRow
from surveykit.catalog.models import Model
from surveykit.catalog.quantities import Quantities
from surveykit.catalog.records import Configuration, Method, Paper
from surveykit.catalog.relations import check_relations
from surveykit.catalog.second_reading import SecondReading
from surveykit.catalog.shelves import Reading, measured_fields
from surveykit.catalog.tables import (
    CategoryCell,
    Citation,
    DataCheck,
    DataChecks,
    Microbatch,
    Missing,
    PrintedName,
    Prompt,
    RawScore,
    Said,
    Statement,
    Statements,
)
from surveykit.errors import CatalogError, Problem
from surveykit.recipes import Recipe


@dataclass(frozen=True)
class SurveyTables:
    """What the survey prints beyond Tables 1, 2 and 5, in printed order, and the sentences that are checked."""

    table3: tuple[Microbatch, ...]
    table6: tuple[CategoryCell, ...]
    appendix_b: tuple[RawScore, ...]
    prompts: tuple[Prompt, ...]
    names: tuple[PrintedName, ...]
    citations: tuple[Citation, ...]
    missing: tuple[Missing, ...]
    said: tuple[Said, ...]
    second_readings: tuple[SecondReading, ...]
    statements: tuple[Statement, ...]
    data_checks: tuple[DataCheck, ...]


@dataclass(frozen=True)
class Catalog:
    """Everything that the files say. Mappings are sorted by key."""

    root: Path
    methods: Mapping[str, Method]
    models: Mapping[str, Model]
    papers: Mapping[str, Paper]
    table5: tuple[TableCell, ...]
    survey: SurveyTables
    quantities: Quantities
    measurements: tuple[Measurement, ...]
    costs: tuple[Cost, ...]
    memory: tuple[MemoryUse, ...]
    trials: tuple[TrialRow, ...]
    runs: Mapping[str, Run]

    def configurations(self) -> Iterator[tuple[str, Method, Configuration]]:
        """Every configuration with its full name, method/configuration."""
        for method in self.methods.values():
            for configuration in method.configurations:
                yield f"{method.id}/{configuration.id}", method, configuration

    def models_of(self, configuration: Configuration) -> tuple[str, ...]:
        """Where a configuration is counted: on every T5, and on those that it names besides."""
        sizes = [b.id for b in self.models.values() if b.dimensions.model_type == "t5"]
        return tuple(dict.fromkeys((*sizes, *configuration.also_on)))

    def configuration(self, full_name: str) -> Configuration:
        """The configuration called method/configuration; StopIteration when there is none."""
        return next(c for name, _, c in self.configurations() if name == full_name)

    def appendix_b_labels(self) -> dict[str, str]:
        """The backbone that Appendix B means by each of its names, such as `T5 3B`."""
        return {backbone.name.replace("-", " "): backbone.id for backbone in self.models.values()}

    def recipe(self, full_name: str) -> Recipe:
        """Its recipe."""
        return self.configuration(full_name).recipe


def load(root: Path, *, measured: bool = True, left_out: list[Problem] | None = None) -> Catalog:
    """Load and check a catalog.

    Args:
        root: the folder with `methods`, `models`, `survey`, `measured`, `papers.bib` and `quantities.yaml`.
        measured: also read what `surveykit measure` wrote.
        left_out: where it is given, what `surveykit measure` wrote and is at fault is left out, and why is added here.

    Raises:
        CatalogError: with every problem of every file.
    """
    loading = Loading(root)
    methods, models = loading.methods(), loading.models()
    papers = _papers(loading, root / "papers.bib")
    table5 = loading.csv(root / "survey" / "table5.csv", TableCell)
    survey = _survey(loading, root / "survey")
    quantities = loading.yaml(root / "quantities.yaml", Quantities)
    if quantities is None and not loading.problems:
        message = "this file is missing: units and thresholds of what is measured"
        loading.problems.append(Problem(f"{root.name}/quantities.yaml", 0, 0, message))
    if quantities is None:
        raise CatalogError(loading.problems)
    catalog = Catalog(
        root=root,
        methods=methods,
        models=models,
        papers=dict(sorted(papers.items())),
        table5=tuple(table5),
        survey=survey,
        quantities=quantities,
        measurements=(),
        costs=(),
        memory=(),
        trials=(),
        runs={},
    )
    if not methods:
        loading.problems.append(Problem(f"{root.name}/methods", 0, 0, "there is no method"))
    if not loading.problems:  # relations between files make sense only once each file does
        check_relations(catalog, loading)
    if measured:
        reading = Reading(root)
        catalog = replace(catalog, **measured_fields(catalog, reading, related=not loading.problems))
        (loading.problems if left_out is None else left_out).extend(reading.problems)
    if loading.problems:
        raise CatalogError(loading.problems)
    return catalog


def _papers(loading: Loading, path: Path) -> dict[str, Paper]:
    if not lexists(path):
        loading.problems.append(Problem(loading.name(path), 0, 0, "the bibliography is missing"))
        return {}
    text = loading.text(path)
    papers, problems = ({}, []) if text is None else read_papers(text, loading.name(path))
    loading.problems += problems
    return papers


def _survey(loading: Loading, folder: Path) -> SurveyTables:
    """The survey's further tables. A catalog of one's own may leave out those it has no use for."""

    def rows(name: str, record: type[R]) -> tuple[R, ...]:
        path = folder / name
        return tuple(loading.csv(path, record)) if lexists(path) else ()

    statements = loading.yaml(folder / "statements.yaml", Statements)
    checks = loading.yaml(folder / "data_checks.yaml", DataChecks)
    return SurveyTables(
        table3=rows("table3.csv", Microbatch),
        table6=rows("table6.csv", CategoryCell),
        appendix_b=rows("appendix_b.csv", RawScore),
        prompts=rows("prompts.csv", Prompt),
        names=rows("names.csv", PrintedName),
        citations=rows("citations.csv", Citation),
        missing=rows("missing.csv", Missing),
        said=rows("said.csv", Said),
        second_readings=rows("second_reading.csv", SecondReading),
        statements=statements.statements if statements else (),
        data_checks=checks.checks if checks else (),
    )
