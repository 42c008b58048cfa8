"""What the files of a catalog say of each other: every name that one uses, another has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from surveykit.catalog import layers
from surveykit.catalog.loading import Loading
from surveykit.catalog.model_folder import ABOUT
from surveykit.catalog.records import Method
from surveykit.errors import FormulaError, nearest

if TYPE_CHECKING:
    from surveykit.catalog.load import Catalog


def check_relations(catalog: Catalog, loading: Loading) -> None:
    """Report every name in the files of methods and models that no other file has, and what stands twice."""
    for method in catalog.methods.values():
        path = layers.first(catalog.root, f"methods/{method.id}.yaml")
        if method.paper not in catalog.papers:
            hint = nearest(method.paper, catalog.papers)
            loading.problem(path, f"papers.bib has no '{method.paper}'{hint}", ("paper",))
        loading.once(path, ("also_called",), method.also_called)
        loading.once(path, ("relations",), [(r.kind, r.method) for r in method.relations])
        for i, relation in enumerate(method.relations):
            if relation.method not in catalog.methods:
                hint = nearest(relation.method, catalog.methods)
                loading.problem(path, f"no method '{relation.method}'{hint}", ("relations", i, "method"))
        for i, configuration in enumerate(method.configurations):
            loading.once(path, ("configurations", i, "also_on"), configuration.also_on)
            for j, model in enumerate(configuration.also_on):
                if model not in catalog.models:
                    hint = nearest(model, catalog.models)
                    loading.problem(path, f"no model '{model}'{hint}", ("configurations", i, "also_on", j))
        _check_formulas(method, catalog, loading)
    _check_judging(catalog, loading)
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


def _check_judging(catalog: Catalog, loading: Loading) -> None:
    """What quantities.yaml and settings.yaml name is there, as far as the catalog is whole enough to need it."""
    path = layers.first(catalog.root, "quantities.yaml")
    judging = catalog.quantities.judging
    if judging.setting not in catalog.settings:
        hint = nearest(judging.setting, catalog.settings)
        loading.problem(path, f"no setting '{judging.setting}'{hint}", ("judging", "setting"))


def _check_papers(catalog: Catalog, loading: Loading) -> None:
    """Every paper that something names is in the bibliography, and every entry of the own bibliography is named."""
    cited = {method.paper for method in catalog.methods.values()}
    for model in catalog.models.values():
        if model.paper is None:
            continue
        cited.add(model.paper)
        if model.paper not in catalog.papers:
            path = layers.first(catalog.root, f"models/{model.id}/{ABOUT}")
            loading.problem(
                path, f"papers.bib has no '{model.paper}'{nearest(model.paper, catalog.papers)}", ("paper",)
            )
    for folder in catalog.sources.values():
        cited |= {citation.key for citation in folder.citations} | {folder.source.paper or ""}
    own = loading.root / "papers.bib"
    if len(layers.layers(loading.root)) == 1:  # over the bundled catalog, its papers need no one to cite them
        for key in sorted(set(catalog.papers) - cited):
            loading.problem(own, f"'{key}' is cited nowhere")
