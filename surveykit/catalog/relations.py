"""What the files of a catalog say of each other: every name that one uses, another has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from surveykit.catalog.bibliography import SURVEY_KEY
from surveykit.catalog.claims import TableCell
from surveykit.catalog.explained import unknown_names
from surveykit.catalog.loading import Loading
from surveykit.catalog.models import ABOUT
from surveykit.catalog.records import Method
from surveykit.catalog.second_reading import signable
from surveykit.catalog.tables import Microbatch
from surveykit.errors import FormulaError, Problem, nearest

if TYPE_CHECKING:
    from surveykit.catalog.load import Catalog


def check_relations(catalog: Catalog, loading: Loading) -> None:
    """Report every name in a file that no other file has, and what stands twice where it may stand once."""
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
                if backbone not in catalog.models:
                    hint = nearest(backbone, catalog.models)
                    at = ("configurations", i, "also_on", j)
                    loading.at(method.id, file, at, f"no model '{backbone}'{hint}")
        _check_formulas(method, catalog, loading)
        for place, message in unknown_names(method, names, catalog.models):
            loading.at(method.id, file, place, message)
    _check_table5(catalog, loading, rows)
    _check_survey(catalog, loading, names)
    _check_papers(catalog, loading)


def _once(stem: str, file: str, at: tuple[str | int, ...], entries: Sequence[object], loading: Loading) -> None:
    for i, entry in enumerate(entries):
        if entry in entries[:i]:
            shown = " ".join(entry) if isinstance(entry, tuple) else entry
            loading.at(stem, file, (*at, i), f"'{shown}' stands twice")


def _check_formulas(method: Method, catalog: Catalog, loading: Loading) -> None:
    """Every formula has a value on every model that its configuration is counted on."""
    for i, configuration in enumerate(method.configurations):
        for backbone in catalog.models_of(configuration):
            if backbone not in catalog.models:
                continue
            try:
                configuration.formula.values_on(catalog.models[backbone].dimensions)
            except FormulaError as error:
                at = ("configurations", i, "formula")
                loading.at(method.id, f"methods/{method.id}.yaml", at, f"on {backbone}: {error}")
                break


def _check_table5(catalog: Catalog, loading: Loading, rows: set[str]) -> None:
    file = f"{catalog.root.name}/survey/table5.csv"
    claims = Counter(r.row for _, _, c in catalog.configurations() for r in c.survey_rows)
    for row in sorted(rows):
        if claims[row] != 1:
            message = f"row '{row}' is claimed by {claims[row]} configurations; exactly one must have it in survey_rows"
            loading.problems.append(Problem(file, 0, 0, message))
    labels = Counter(b.survey_label for b in catalog.models.values() if b.survey_label)
    for model in catalog.models.values():
        if model.survey_label and labels[model.survey_label] > 1:
            message = f"another model has the survey_label '{model.survey_label}' too"
            loading.at(f"models/{model.id}", f"models/{model.id}/{ABOUT}", ("survey_label",), message)
    cells: tuple[TableCell | Microbatch, ...] = (*catalog.table5, *catalog.survey.table3)
    for cell in cells:
        if cell.backbone_label not in labels:
            hint = nearest(cell.backbone_label, labels)
            loading.on(cell, f"no model has the survey_label '{cell.backbone_label}'{hint}")


def _check_survey(catalog: Catalog, loading: Loading, names: set[str]) -> None:
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
            loading.on(score, f"no model is called '{score.model}'{hint}")
    known_findings = signable(catalog)
    for reading in catalog.survey.second_readings:
        if reading.finding not in known_findings:
            loading.on(reading, f"there is no finding '{reading.finding}'{nearest(reading.finding, known_findings)}")
    ids = Counter([s.id for s in catalog.survey.statements] + [check.id for check in catalog.survey.data_checks])
    for repeated in sorted(name for name, times in ids.items() if times > 1):
        loading.problems.append(Problem(folder, 0, 0, f"the id '{repeated}' stands {ids[repeated]} times"))


def _check_papers(catalog: Catalog, loading: Loading) -> None:
    cited = {method.paper for method in catalog.methods.values()} | {SURVEY_KEY}
    cited |= {citation.key for citation in catalog.survey.citations}
    for citation in catalog.survey.citations:
        if citation.key not in catalog.papers:
            message = f"papers.bib has no '{citation.key}'{nearest(citation.key, catalog.papers)}"
            loading.problems.append(Problem(f"{catalog.root.name}/survey/citations.csv", 0, 0, message))
    for model in catalog.models.values():
        if model.paper is None:
            continue
        cited.add(model.paper)
        if model.paper not in catalog.papers:
            hint = nearest(model.paper, catalog.papers)
            folder = f"models/{model.id}"
            loading.at(folder, f"{folder}/{ABOUT}", ("paper",), f"papers.bib has no '{model.paper}'{hint}")
    file = f"{catalog.root.name}/papers.bib"
    for key in sorted(set(catalog.papers) - cited):
        loading.problems.append(Problem(file, 0, 0, f"'{key}' is cited nowhere"))
    if SURVEY_KEY not in catalog.papers:
        loading.problems.append(Problem(file, 0, 0, f"the survey itself, '{SURVEY_KEY}', is missing"))
