"""What the files of a source say of each other and of the catalog: each label is read one way, each claim has its quantity."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from functools import cache, cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from surveykit.catalog import layers
from surveykit.catalog.claims import DASH, Claim, Name, names_of
from surveykit.catalog.figures import parse_figure
from surveykit.catalog.finding_relations import check_findings
from surveykit.catalog.loading import Loading
from surveykit.catalog.second_reading import signable
from surveykit.catalog.source_folder import Cells, PrintedTable, SourceFolder
from surveykit.catalog.sources import Column, Explanation
from surveykit.catalog.steps import NoStepError, Runs, UnreadableRowError, step_of
from surveykit.catalog.variations import varied_recipe
from surveykit.errors import Problem, SurveyError, nearest

if TYPE_CHECKING:
    from surveykit.catalog.load import Catalog

LEAST_TRIED = 3
"""Configurations to try before the difference of a row that names its configuration is called unresolved; all, where its
method has fewer."""


def check_sources(catalog: Catalog, loading: Loading) -> None:
    """Report all that is wrong between the files of every source."""
    for folder in catalog.sources.values():
        _Checking(catalog, folder, loading).run()
    _check_ids(catalog, loading)


def _check_ids(catalog: Catalog, loading: Loading) -> None:
    """Statements and data checks are asked for by their ids alone, whatever source they are of."""
    first: dict[str, str] = {}
    for folder in catalog.sources.values():
        path = layers.first(catalog.root, f"sources/{folder.key}/statements.yaml")
        for name in [*(s.id for s in folder.statements), *(check.id for check in folder.data_checks)]:
            if name in first:
                loading.problem(path, f"the id '{name}' appears twice (first in the source {first[name]})")
            first[name] = folder.key


class _Checking:
    """One source being checked."""

    def __init__(self, catalog: Catalog, folder: SourceFolder, loading: Loading) -> None:
        self.catalog = catalog
        self.folder = folder
        self.loading = loading
        self.names = {name for name, _, _ in catalog.configurations()}
        self.path = cache(self._path)

    @cached_property
    def claims(self) -> Mapping[tuple[str, str], Sequence[Claim]]:
        """The source's claims, by their table and the label of their row."""
        found: dict[tuple[str, str], list[Claim]] = {}
        for claim in self.catalog.claims:
            if claim.source == self.folder.key:
                found.setdefault((claim.table, claim.row), []).append(claim)
        return found

    def _path(self, file: str) -> Path:
        return layers.first(self.catalog.root, f"sources/{self.folder.key}/{file}")

    def run(self) -> None:
        self._source()
        self._names()
        for table in self.folder.tables.values():
            self._table(table)
        for i, explanation in enumerate(self.folder.explanations):
            self._explanation(i, explanation)
        self._lists()
        check_findings(self.folder, self.path("findings.yaml"), self.loading)

    def _known(self, file: str, at: tuple[str | int, ...], what: str, name: str | None, names: Collection[str]) -> bool:
        return self.loading.known(self.path(file), at, f"no {what}", name, names)

    def _source(self) -> None:
        source = self.folder.source
        self._known("source.yaml", ("paper",), "entry of papers.bib", source.paper, self.catalog.papers)
        for method in source.sections:
            self._known("source.yaml", ("sections", method), "method", method, self.catalog.methods)

    def _names(self) -> None:
        for i, name in enumerate(self.folder.names.methods):
            at = ("methods", i)
            self._known("names.yaml", (*at, "method"), "method", name.method, self.catalog.methods)
            for j, table in enumerate(name.tables):
                self._known("names.yaml", (*at, "tables", j), "table", table, self._tables)
            if self._known("names.yaml", (*at, "configuration"), "configuration", name.configuration, self.names):
                try:
                    if name.set and name.configuration:
                        varied_recipe(self.catalog.recipe(name.configuration), name.set)
                except SurveyError as error:
                    self.loading.problem(self.path("names.yaml"), str(error), (*at, "set"))
        for i, model in enumerate(self.folder.names.models):
            self._known("names.yaml", ("models", i, "model"), "model", model.model, self.catalog.models)
            for j, table in enumerate(model.tables):
                self._known("names.yaml", ("models", i, "tables", j), "table", table, self._tables)

    @property
    def _tables(self) -> set[str]:
        """Tables of which names may speak: also those that the source has and the text we used lacks."""
        unprinted = {missing.locator.lower().replace(" ", "") for missing in self.folder.missing}
        return {*self.folder.tables, *self.folder.unread, *unprinted}

    def _table(self, table: PrintedTable) -> None:
        meaning, file = table.meaning, f"tables/{table.id}.yaml"
        for name, column in meaning.columns.items():
            self._known(file, ("columns", name, "quantity"), "quantity", column.quantity, self.catalog.quantities.by_id)
        self._known(file, ("on",), "model", meaning.on, self.catalog.models)
        self._known(file, ("setting",), "setting", meaning.setting, self.catalog.settings)
        if meaning.runs is not None:
            self._runs(table, meaning.runs)
        names = [n for n in self.folder.names.methods if table.id in n.tables or not n.tables]
        models = [n for n in self.folder.names.models if table.id in n.tables or not n.tables]
        csv = self.loading.name(self.path(f"tables/{table.id}.csv"))

        def problem(line: int, message: str) -> None:
            self.loading.problems.append(Problem(csv, line, 1, message))

        for cells, line in zip(table.rows, table.lines, strict=True):
            for fault in (
                _misread("method", cells, meaning.row, names),
                _misread("model", cells, meaning.model, models),
            ):
                if fault:
                    problem(line, fault)
            for name, column in meaning.columns.items():
                fault = self._misprint(cells[name], column)
                if fault:
                    problem(line, f"{name}: {fault}")

    def _runs(self, table: PrintedTable, stated: Runs) -> None:
        """Report what is wrong with the rules that say how the runs of a table were made, or with the cells they read."""
        file = f"tables/{table.id}.yaml"
        known = [
            self._known(file, ("runs", *at), "column", column, table.meaning.names()) for at, column in stated.columns()
        ]
        there = self._known(file, ("runs", "preset"), "setting", stated.preset, self.catalog.settings)
        if not (there and all(known)):
            return
        for cells, line in zip(table.rows, table.lines, strict=True):
            with suppress(NoStepError):
                try:
                    step_of(stated, self.catalog.settings[stated.preset], cells)
                except UnreadableRowError as error:
                    csv = self.loading.name(self.path(f"tables/{table.id}.csv"))
                    self.loading.problems.append(Problem(csv, line, 1, str(error)))

    def _misprint(self, cell: str, column: Column) -> str | None:
        """Why a printed cell cannot be read as its quantity."""
        quantity = self.catalog.quantities.by_id.get(column.quantity)
        if cell == "" or cell in DASH or quantity is None:
            return None
        if quantity.compare == "predicted" and cell in column.means:
            return None
        if quantity.compare in ("rounding", "predicted"):
            try:
                parse_figure(cell)
            except ValueError as error:
                return str(error)
        if quantity.compare == "tick" and cell not in ("✓", "✗", *column.means):
            return f"'{cell}' is not a tick: ✓, ✗, or a word that the table's `means` explains"
        if quantity.compare == "set" and cell not in column.means:
            return f"the table's `means` does not explain '{cell}'{nearest(cell, column.means)}"
        return None

    def _explanation(self, i: int, explanation: Explanation) -> None:
        at, known = ("explanations", i), partial(self._known, "explanations.yaml")
        every = {*self.names, *self.catalog.variations}
        if explanation.table in self.folder.unread:
            return
        if not known((*at, "table"), "table", explanation.table, self.folder.tables):
            return
        table = self.folder.tables[explanation.table]
        labels = {cells[table.meaning.row] for cells in table.rows} if table.meaning.row else set()
        if not known((*at, "row"), "row", explanation.row, labels):
            return
        for j, quoted in enumerate(explanation.figures):
            where = (*at, "figures", j)
            known((*where, "model"), "model", quoted.model, self.catalog.models)
            for column, figure in quoted.printed.items():
                if known((*where, "printed", column), "column", column, table.meaning.columns):
                    self._quoted((*where, "printed", column), explanation, quoted.model, column, figure)
        setup = explanation.fits_setup
        if setup is not None:
            known((*at, "fits_setup", "configuration"), "configuration", setup.configuration, every)
            known((*at, "fits_setup", "model"), "model", setup.model, self.catalog.models)
        for j, name in enumerate(explanation.tried):
            known((*at, "tried", j), "configuration", name, every)
        self._is_fair(at, explanation)

    def _quoted(
        self, at: tuple[str | int, ...], explanation: Explanation, model: str | None, column: str, figure: str
    ) -> None:
        """Report a quoted figure that the table does not print there: it has changed, or was never so."""
        printed = [
            claim.printed or "nothing"
            for claim in self.claims.get((explanation.table, explanation.row), ())
            if (claim.model, claim.column) == (model, column)
        ]
        if figure not in printed and model in (None, *self.catalog.models):
            there = f"prints {', '.join(dict.fromkeys(printed))}" if printed else f"has no such row on {model}"
            message = f"explains the figure {figure} in {column}, but the table {there}{nearest(figure, printed)}"
            self.loading.problem(self.path("explanations.yaml"), message, at)

    def _is_fair(self, at: tuple[str | int, ...], explanation: Explanation) -> None:
        """A figure of a row that names its configuration is a statement about that run: what differs needs more care."""
        named = {c.configuration for c in self.claims.get((explanation.table, explanation.row), ())} - {None}
        if not named:
            return
        path = self.path("explanations.yaml")
        if explanation.innocent is None:
            self.loading.problem(
                path, "say in `innocent` how the figures can have come about without anybody's fault", at
            )
        if explanation.cause == "unresolved":
            methods = [self.catalog.methods[name.partition("/")[0]] for name in filter(None, named)]
            least = min(LEAST_TRIED, *(len(method.configurations) for method in methods))
            if len(set(explanation.tried)) < least:
                message = f"an unresolved difference needs at least {least} different tried configurations"
                self.loading.problem(path, message, at)
            for name in sorted(filter(None, named)):
                for oracle in self.catalog.configuration(name).oracles if name in self.names else ():
                    if oracle.trainable is not None:
                        message = (
                            f"cannot stay unresolved: {oracle.library} counts this configuration differently from us"
                        )
                        self.loading.problem(path, message, (*at, "cause"))

    def _lists(self) -> None:
        for citation in self.folder.citations:
            if citation.key not in self.catalog.papers:
                hint = nearest(citation.key, self.catalog.papers)
                self.loading.on(citation, f"papers.bib has no '{citation.key}'{hint}")
        findings = signable(self.folder)
        for reading in self.folder.second_readings:
            if reading.finding not in findings:
                self.loading.on(reading, f"there is no finding '{reading.finding}'{nearest(reading.finding, findings)}")


def _misread(what: str, cells: Cells, column: str | None, names: Sequence[Name]) -> str | None:
    """Why the label of a row is not read in one way."""
    if column is None:
        return None
    label, fitting = cells[column], names_of(cells, cells[column], names)
    if not fitting:
        return f"names.yaml has no {what} for the label '{label}'{nearest(label, {n.printed for n in names})}"
    if len(fitting) > 1:
        return f"names.yaml reads the {what} '{label}' in {len(fitting)} ways; tell them apart by `when`"
    return None
