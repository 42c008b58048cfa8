"""What the files of a catalog say of each other: every name that one uses, another has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from surveykit.catalog import layers
from surveykit.catalog.loading import Loading
from surveykit.catalog.model_folder import ABOUT
from surveykit.catalog.records import Method
from surveykit.errors import FormulaError

if TYPE_CHECKING:
    from surveykit.catalog.load import Catalog


def check_relations(catalog: Catalog, loading: Loading) -> None:
    """Report every name in the files of methods and models that no other file has, and what stands twice."""
    for method in catalog.methods.values():
        path = layers.first(catalog.root, f"methods/{method.id}.yaml")
        loading.known(path, ("paper",), "papers.bib has no", method.paper, catalog.papers)
        loading.once(path, ("also_called",), method.also_called)
        loading.once(path, ("relations",), [(r.kind, r.method) for r in method.relations])
        for i, relation in enumerate(method.relations):
            loading.known(path, ("relations", i, "method"), "no method", relation.method, catalog.methods)
        for i, configuration in enumerate(method.configurations):
            loading.once(path, ("configurations", i, "also_on"), configuration.also_on)
            for j, model in enumerate(configuration.also_on):
                loading.known(path, ("configurations", i, "also_on", j), "no model", model, catalog.models)
        _check_formulas(method, catalog, loading)
    path, setting = layers.first(catalog.root, "quantities.yaml"), catalog.quantities.judging.setting
    if loading.known(path, ("judging", "setting"), "no setting", setting, catalog.settings):
        stated = catalog.settings[setting]
        if stated.batch is None or not stated.lengths:
            leaves = "the batch" if stated.batch is None else "the length"
            loading.problem(
                path,
                f"setting '{setting}' leaves {leaves} to people: nothing can be judged in it",
                ("judging", "setting"),
            )
    _check_papers(catalog, loading)


def _check_formulas(method: Method, catalog: Catalog, loading: Loading) -> None:
    """Every formula has a value on every model that its configuration is counted on."""
    path = layers.first(catalog.root, f"methods/{method.id}.yaml")
    sizes = [b.id for b in catalog.models.values() if b.dimensions.model_type == "t5"]
    for i, configuration in enumerate(method.configurations):
        for model in dict.fromkeys((*sizes, *configuration.also_on)):
            if model not in catalog.models or configuration.formula is None:
                continue
            try:
                configuration.formula.values_on(catalog.models[model].dimensions)
            except FormulaError as error:
                loading.problem(path, f"on {model}: {error}", ("configurations", i, "formula"))
                break


def _check_papers(catalog: Catalog, loading: Loading) -> None:
    """Every paper that something names is in the bibliography, and every entry of the own bibliography is named."""
    cited = {method.paper for method in catalog.methods.values()}
    for model in catalog.models.values():
        cited.add(model.paper or "")
        path = layers.first(catalog.root, f"models/{model.id}/{ABOUT}")
        loading.known(path, ("paper",), "papers.bib has no", model.paper, catalog.papers)
    for folder in catalog.sources.values():
        cited |= {citation.key for citation in folder.citations} | {folder.source.paper or ""}
    own = loading.root / "papers.bib"
    if len(layers.layers(loading.root)) == 1:  # over the bundled catalog, its papers need no one to cite them
        for key in sorted(set(catalog.papers) - cited):
            loading.problem(own, f"'{key}' is cited nowhere")
