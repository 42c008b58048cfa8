"""catalog/ → Catalog: strict and complete, all problems of all files at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from os.path import lexists
from pathlib import Path
from typing import TypeVar

from surveykit.catalog.backbones import Backbone
from surveykit.catalog.bibliography import read_papers
from surveykit.catalog.claims import TableCell
from surveykit.catalog.explained import unknown_names
from surveykit.catalog.files import read_text
from surveykit.catalog.measurements import Cost, Measurement, MemoryUse, Run, TrialRow
from surveykit.catalog.quantities import Quantities
from surveykit.catalog.records import Configuration, Method, Paper
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
from surveykit.catalog.validation import read_csv, read_yaml
from surveykit.catalog.yaml12 import Document
from surveykit.errors import CatalogError, FormulaError, Problem, nearest
from surveykit.recipes import Recipe
from surveykit.record import Record

SURVEY_KEY = "lialin2023scaling"
"""The bibliography key of the survey itself."""


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
    statements: tuple[Statement, ...]
    data_checks: tuple[DataCheck, ...]


@dataclass(frozen=True)
class Catalog:
    """Everything that the files say. Mappings are sorted by key."""

    root: Path
    methods: Mapping[str, Method]
    backbones: Mapping[str, Backbone]
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

    def backbones_of(self, configuration: Configuration) -> tuple[str, ...]:
        """Where a configuration is counted: on every T5, and on those that it names besides."""
        sizes = [b.id for b in self.backbones.values() if b.architecture == "t5"]
        return tuple(dict.fromkeys((*sizes, *configuration.also_on)))

    def configuration(self, full_name: str) -> Configuration:
        """The configuration called method/configuration; StopIteration when there is none."""
        return next(c for name, _, c in self.configurations() if name == full_name)

    def appendix_b_labels(self) -> dict[str, str]:
        """The backbone that Appendix B means by each of its names, such as `T5 3B`."""
        return {backbone.name.replace("-", " "): backbone.id for backbone in self.backbones.values()}

    def recipe(self, full_name: str) -> Recipe:
        """Its recipe."""
        return self.configuration(full_name).recipe


class _Loading:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.problems: list[Problem] = []
        self.documents: dict[str, Document] = {}
        self.rows: dict[int, tuple[str, int]] = {}
        """File and line of each record of a CSV file, by the record's identity in memory."""

    def name(self, path: Path) -> str:
        return f"{self.root.name}/{path.relative_to(self.root).as_posix()}"

    def text(self, path: Path) -> str | None:
        text, problem = read_text(path, self.name(path))
        if problem is not None:
            self.problems.append(problem)
        return text

    def folder(self, name: str, record: type[Method] | type[Backbone]) -> dict[str, Method | Backbone]:
        found: dict[str, Method | Backbone] = {}
        for path in sorted((self.root / name).glob("*")):
            if path.suffix != ".yaml":
                self.problems.append(Problem(self.name(path), 0, 0, "only files named <id>.yaml belong here"))
                continue
            text = self.text(path)
            if text is None:
                continue
            entry, document, problems = read_yaml(text, self.name(path), record)
            self.problems += problems
            if document is not None:
                self.documents[path.stem] = document
            if entry is None:
                continue
            assert isinstance(entry, Method | Backbone)
            if entry.id != path.stem:
                self.at(path.stem, f"{name}/{path.name}", ("id",), f"the id '{entry.id}' must be the file's name")
            found[path.stem] = entry
        return found

    def at(self, stem: str, file: str, path: tuple[str | int, ...], message: str) -> None:
        """Report a problem at a path inside a YAML file that was read."""
        mark = self.documents[stem].values.get(path)
        line, column = (mark.line, mark.column) if mark else (0, 0)
        self.problems.append(Problem(f"{self.root.name}/{file}", line, column, message))

    def on(self, row: Record, message: str) -> None:
        """Report a problem of a record of a CSV file."""
        file, line = self.rows[id(row)]
        self.problems.append(Problem(file, line, 1, message))


def load(root: Path, *, measured: bool = True, left_out: list[Problem] | None = None) -> Catalog:
    """Load and check a catalog.

    Args:
        root: the folder with `methods`, `backbones`, `survey`, `measured`, `papers.bib` and `quantities.yaml`.
        measured: also read what `surveykit measure` wrote.
        left_out: where it is given, what `surveykit measure` wrote and is at fault is left out, and why is added here.

    Raises:
        CatalogError: with every problem of every file.
    """
    loading = _Loading(root)
    methods = {k: v for k, v in loading.folder("methods", Method).items() if isinstance(v, Method)}
    backbones = {k: v for k, v in loading.folder("backbones", Backbone).items() if isinstance(v, Backbone)}
    papers = _papers(loading, root / "papers.bib")
    table5 = _csv(loading, root / "survey" / "table5.csv", TableCell)
    survey = _survey(loading, root / "survey")
    quantities = _yaml(loading, root / "quantities.yaml", Quantities)
    if quantities is None and not loading.problems:
        message = "this file is missing: units and thresholds of what is measured"
        loading.problems.append(Problem(f"{root.name}/quantities.yaml", 0, 0, message))
    if quantities is None:
        raise CatalogError(loading.problems)
    catalog = Catalog(
        root=root,
        methods=methods,
        backbones=backbones,
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
        _check_relations(catalog, loading)
    if measured:
        reading = Reading(root)
        catalog = replace(catalog, **measured_fields(catalog, reading, related=not loading.problems))
        (loading.problems if left_out is None else left_out).extend(reading.problems)
    if loading.problems:
        raise CatalogError(loading.problems)
    return catalog


R = TypeVar("R", bound=Record)


def _papers(loading: _Loading, path: Path) -> dict[str, Paper]:
    if not lexists(path):
        loading.problems.append(Problem(loading.name(path), 0, 0, "the bibliography is missing"))
        return {}
    text = loading.text(path)
    papers, problems = ({}, []) if text is None else read_papers(text, loading.name(path))
    loading.problems += problems
    return papers


def _csv(loading: _Loading, path: Path, record: type[R]) -> list[R]:
    if not lexists(path):
        loading.problems.append(Problem(loading.name(path), 0, 0, "this file is missing"))
        return []
    text = loading.text(path)
    if text is None:
        return []
    rows, lines, problems = read_csv(text, loading.name(path), record)
    loading.problems += problems
    loading.rows.update({id(row): (loading.name(path), line) for row, line in zip(rows, lines, strict=True)})
    return rows


def _survey(loading: _Loading, folder: Path) -> SurveyTables:
    """The survey's further tables. A catalog of one's own may leave out those it has no use for."""

    def rows(name: str, record: type[R]) -> tuple[R, ...]:
        path = folder / name
        return tuple(_csv(loading, path, record)) if lexists(path) else ()

    statements = _yaml(loading, folder / "statements.yaml", Statements)
    checks = _yaml(loading, folder / "data_checks.yaml", DataChecks)
    return SurveyTables(
        table3=rows("table3.csv", Microbatch),
        table6=rows("table6.csv", CategoryCell),
        appendix_b=rows("appendix_b.csv", RawScore),
        prompts=rows("prompts.csv", Prompt),
        names=rows("names.csv", PrintedName),
        citations=rows("citations.csv", Citation),
        missing=rows("missing.csv", Missing),
        said=rows("said.csv", Said),
        statements=statements.statements if statements else (),
        data_checks=checks.checks if checks else (),
    )


def _yaml(loading: _Loading, path: Path, record: type[R]) -> R | None:
    text = loading.text(path) if lexists(path) else None
    if text is None:
        return None
    found, _, problems = read_yaml(text, loading.name(path), record)
    loading.problems += problems
    return found


def _check_relations(catalog: Catalog, loading: _Loading) -> None:
    names = {name for name, _, _ in catalog.configurations()}
    labels = {(cell.backbone_label, cell.row) for cell in catalog.table5}
    rows = {row for _, row in labels}
    for method in catalog.methods.values():
        file = f"methods/{method.id}.yaml"
        if method.paper not in catalog.papers:
            hint = nearest(method.paper, catalog.papers)
            loading.at(method.id, file, ("paper",), f"papers.bib has no '{method.paper}'{hint}")
        _once(method.id, file, ("also_called",), method.also_called, loading)
        _once(method.id, file, ("relations",), [(r.kind, r.method) for r in method.relations], loading)
        for i, relation in enumerate(method.relations):
            if relation.method not in catalog.methods:
                hint = nearest(relation.method, catalog.methods)
                loading.at(method.id, file, ("relations", i, "method"), f"no method '{relation.method}'{hint}")
        for i, configuration in enumerate(method.configurations):
            _once(method.id, file, ("configurations", i, "also_on"), configuration.also_on, loading)
            for j, claimed in enumerate(configuration.survey_rows):
                if claimed.row not in rows:
                    path = ("configurations", i, "survey_rows", j, "row")
                    loading.at(method.id, file, path, f"Table 5 has no row '{claimed.row}'{nearest(claimed.row, rows)}")
            for j, backbone in enumerate(configuration.also_on):
                if backbone not in catalog.backbones:
                    hint = nearest(backbone, catalog.backbones)
                    at = ("configurations", i, "also_on", j)
                    loading.at(method.id, file, at, f"no backbone '{backbone}'{hint}")
        _check_formulas(method, catalog, loading)
        for place, message in unknown_names(method, names, catalog.backbones):
            loading.at(method.id, file, place, message)
    _check_table5(catalog, loading, rows)
    _check_survey(catalog, loading, names)
    _check_papers(catalog, loading)


def _once(stem: str, file: str, at: tuple[str | int, ...], entries: Sequence[object], loading: _Loading) -> None:
    for i, entry in enumerate(entries):
        if entry in entries[:i]:
            shown = " ".join(entry) if isinstance(entry, tuple) else entry
            loading.at(stem, file, (*at, i), f"'{shown}' stands twice")


def _check_formulas(method: Method, catalog: Catalog, loading: _Loading) -> None:
    """Every formula has a value on every model that its configuration is counted on."""
    for i, configuration in enumerate(method.configurations):
        for backbone in catalog.backbones_of(configuration):
            if backbone not in catalog.backbones:
                continue
            try:
                configuration.formula.values(catalog.backbones[backbone].symbols())
            except FormulaError as error:
                at = ("configurations", i, "formula")
                loading.at(method.id, f"methods/{method.id}.yaml", at, f"on {backbone}: {error}")
                break


def _check_table5(catalog: Catalog, loading: _Loading, rows: set[str]) -> None:
    file = f"{catalog.root.name}/survey/table5.csv"
    claims = Counter(r.row for _, _, c in catalog.configurations() for r in c.survey_rows)
    for row in sorted(rows):
        if claims[row] != 1:
            message = f"row '{row}' is claimed by {claims[row]} configurations; exactly one must have it in survey_rows"
            loading.problems.append(Problem(file, 0, 0, message))
    labels = Counter(b.survey_label for b in catalog.backbones.values() if b.survey_label)
    for backbone in catalog.backbones.values():
        if backbone.survey_label and labels[backbone.survey_label] > 1:
            message = f"another backbone has the survey_label '{backbone.survey_label}' too"
            loading.at(backbone.id, f"backbones/{backbone.id}.yaml", ("survey_label",), message)
    cells: tuple[TableCell | Microbatch, ...] = (*catalog.table5, *catalog.survey.table3)
    for cell in cells:
        if cell.backbone_label not in labels:
            hint = nearest(cell.backbone_label, labels)
            loading.on(cell, f"no backbone has the survey_label '{cell.backbone_label}'{hint}")


def _check_survey(catalog: Catalog, loading: _Loading, names: set[str]) -> None:
    """Every name that a table prints is read as a method, and every id stands once."""
    folder = f"{catalog.root.name}/survey"
    for name in catalog.survey.names:
        where = f"names.csv: {name.table}, '{name.printed}'"
        if name.method not in catalog.methods:
            hint = nearest(name.method, catalog.methods)
            loading.problems.append(Problem(folder, 0, 0, f"{where}: no method '{name.method}'{hint}"))
        if name.configuration is not None and name.configuration not in names:
            hint = nearest(name.configuration, names)
            loading.problems.append(Problem(folder, 0, 0, f"{where}: no configuration '{name.configuration}'{hint}"))
    known = {name.printed for name in catalog.survey.names if name.table == "Appendix B"}
    for printed in sorted({score.method for score in catalog.survey.appendix_b} - known):
        message = f"the method '{printed}' has no line in names.csv{nearest(printed, known)}"
        loading.problems.append(Problem(f"{folder}/appendix_b.csv", 0, 0, message))
    printed_models = catalog.appendix_b_labels()
    for score in catalog.survey.appendix_b:
        if score.model not in printed_models:
            hint = nearest(score.model, printed_models)
            loading.on(score, f"no backbone is called '{score.model}'{hint}")
    ids = Counter([s.id for s in catalog.survey.statements] + [check.id for check in catalog.survey.data_checks])
    for repeated in sorted(name for name, times in ids.items() if times > 1):
        loading.problems.append(Problem(folder, 0, 0, f"the id '{repeated}' stands {ids[repeated]} times"))


def _check_papers(catalog: Catalog, loading: _Loading) -> None:
    cited = {method.paper for method in catalog.methods.values()} | {SURVEY_KEY}
    cited |= {citation.key for citation in catalog.survey.citations}
    for citation in catalog.survey.citations:
        if citation.key not in catalog.papers:
            message = f"papers.bib has no '{citation.key}'{nearest(citation.key, catalog.papers)}"
            loading.problems.append(Problem(f"{catalog.root.name}/survey/citations.csv", 0, 0, message))
    for backbone in catalog.backbones.values():
        cited.add(backbone.paper)
        if backbone.paper not in catalog.papers:
            loading.at(
                backbone.id, f"backbones/{backbone.id}.yaml", ("paper",), f"papers.bib has no '{backbone.paper}'"
            )
    file = f"{catalog.root.name}/papers.bib"
    for key in sorted(set(catalog.papers) - cited):
        loading.problems.append(Problem(file, 0, 0, f"'{key}' is cited nowhere"))
    if SURVEY_KEY not in catalog.papers:
        loading.problems.append(Problem(file, 0, 0, f"the survey itself, '{SURVEY_KEY}', is missing"))
