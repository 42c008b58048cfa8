"""One configuration on its method's page: what it does, its formula, its counts with their proofs, its oracles."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

from markupsafe import Markup

from surveykit import formula
from surveykit.catalog.dimensions import from_row
from surveykit.database.reading import Reader
from surveykit.site.data.locations import location_table, tensor_table
from surveykit.site.text import numbers
from surveykit.site.text.cells import cell
from surveykit.site.text.markdown import bullets, code, escape, fence, joined, span, table
from surveykit.site.text.proof import proof, rows_where
from surveykit.site.text.recipe_words import recipe_lines
from surveykit.site.text.words import BASES, LIBRARIES, words


def anchor(configuration: str) -> str:
    """The anchor of method/configuration on its method's page."""
    return f"configuration-{configuration.split('/')[1]}"


def place(configuration: str) -> str:
    """The address of method/configuration."""
    return f"methods/{configuration.split('/')[0]}.md#{anchor(configuration)}"


def configuration_context(reader: Reader, configuration: Any, backbones: list[Any], page: str) -> dict[str, Any]:
    """What a page shows of one configuration."""
    let = json.loads(configuration.formula_let or "{}")
    measured, values = (
        {row.backbone: row for row in reader.of("configuration", configuration.id, f"SELECT * FROM {relation}")}
        for relation in ("measured", "formula_value")
    )
    # Every T5, then those of papers, each by size.
    backbones = sorted((b for b in backbones if b.id in {*measured, *values}), key=lambda b: b.architecture != "t5")
    return {
        "id": configuration.id,
        "anchor": anchor(configuration.id),
        "name": configuration.name,
        "is_default": configuration.is_default,
        "basis": words(configuration.basis, BASES),
        "basis_note": configuration.basis_note,
        "recipe": bullets(recipe_lines(json.loads(configuration.recipe))),
        "formulas": _formulas(configuration, let),
        "counts": _counts(reader, configuration.id, backbones, measured, values),
        "locations": location_table(configuration, backbones, configuration.id.split("/")[1]),
        "agreement": _agreement(len(values), measured),
        "stale": any(m.is_stale for m in measured.values()),
        "tensors": next((tensor_table(configuration, b) for b in backbones if b.id == "t5-large"), None),
        "rows": reader.of(
            "configuration",
            configuration.id,
            "SELECT configuration, printed AS row_label, evidence FROM printed_name WHERE source = 'lialin2023scaling'"
            " AND table_name = 'table5' ORDER BY printed",
        ),
        "oracles": _oracles(reader, configuration.id),
    }


def _formulas(configuration: Any, let: dict[str, str]) -> Markup:
    """The closed forms, as the catalog writes them."""
    if configuration.formula_trainable is None:
        return Markup("No closed form is known.")
    lines = [f"{name} = {text}" for name, text in let.items()]
    lines.append(f"trainable = {configuration.formula_trainable}")
    for name, text in (("added", configuration.formula_added), ("stored", configuration.formula_stored)):
        lines.append(f"{name} = {'trainable' if text == configuration.formula_trainable else text}")
    return fence("\n".join(lines))


def equations(reader: Reader, configuration: str, backbone: str) -> list[str]:
    """The formula of the trainable parameters with a model's numbers, after the definitions that need them.

    Args:
        configuration: id of one that the catalog names, or of a variant that a source speaks of.
        backbone: id of the model.

    Returns:
        Lines of text; none where there is no closed form for that model.
    """
    found = reader.of("configuration", configuration, _FORMULAS)
    models = reader.of("id", backbone, "SELECT * FROM backbone WHERE has_symbols")
    if not models or not any(f.backbone == backbone for f in found):
        return []
    let = json.loads(found[0].formula_let or "{}")
    symbols = formula.bind(let, from_row(models[0]).symbols())
    texts = {name: text for name, text in let.items() if formula.names_in(text)}
    texts["trainable"] = found[0].formula_trainable
    return [f"{name} = {' = '.join(dict.fromkeys((text, equation(text, symbols))))}" for name, text in texts.items()]


_FORMULAS = """
SELECT v.configuration, v.backbone, c.formula_let, c.formula_trainable
FROM formula_value v JOIN configuration c ON c.id = v.configuration WHERE c.formula_trainable IS NOT NULL
"""


def equation(text: str, symbols: dict[str, int]) -> str:
    """A formula with its numbers, and its value unless it is one."""
    filled, result = formula.fill_in(text, symbols), numbers.count(formula.evaluate(text, symbols))
    return filled if filled == result else f"{filled} = {result}"


def _counts(
    reader: Reader, configuration: str, backbones: list[Any], measured: dict[str, Any], values: dict[str, Any]
) -> Markup:
    rows = []
    for b in backbones:
        m, v = measured.get(b.id), values.get(b.id)
        none = SimpleNamespace(trainable=None, trainable_percent=None, added=None, stored=None)
        shown = m if m is not None and m.status == "counted" else none
        at = ("count", configuration.split("/")[1], b.id)
        rows.append(
            [
                b.name,
                cell(numbers.count(shown.trainable), *at, "trainable"),
                cell(numbers.percent(shown.trainable_percent), *at, "percent"),
                cell(numbers.count(shown.added), *at, "added"),
                cell(numbers.count(shown.stored), *at, "stored"),
                _check(m, v),
                _count_proof(reader, configuration, b) if m is not None else numbers.ABSENT,
            ]
        )
    heads = ["Model", "Trainable", "% of the model", "Added", "Stored", "Formula", "Proof"]
    return table(heads, rows, "lrrrrll")


def _count_proof(reader: Reader, configuration: str, backbone: Any) -> Markup:
    lines = [
        *equations(reader, configuration, backbone.id),
        f"Counted on {backbone.name}, built without its weights; {numbers.count(backbone.parameters)} parameters.",
    ]
    asked = "trainable, trainable_percent, added, stored"
    return proof(lines, rows_where("measured", asked, configuration=configuration, backbone=backbone.id))


def _check(measured: Any, value: Any) -> Markup:
    if measured is None:
        return span("not measured", "outcome not_measured")
    if measured.status != "counted":
        return span("failed", "outcome unexplained") + Markup(" ") + escape(measured.reason or "")
    if value is None:
        return escape("no closed form")
    if measured.formulas_agree:
        return span("equal", "outcome match")
    given = f"gives {numbers.count(value.trainable)}, {numbers.count(value.added)}, {numbers.count(value.stored)}"
    return span("differs", "outcome unexplained") + Markup(" ") + escape(given)


def _agreement(formulas: int, measured: dict[str, Any]) -> str:
    equal = sum(bool(m.formulas_agree) for m in measured.values())
    on = f"all {formulas}" if equal == formulas else f"{equal} of {formulas}"
    return f"Formula and instantiated model agree on {on} models." if formulas else ""


def _oracles(reader: Reader, configuration: str) -> Markup:
    """The same configuration in libraries."""
    lines = []
    for o in reader.of("configuration", configuration, "SELECT * FROM oracle ORDER BY position"):
        arguments = ", ".join(f"{name}={value!r}" for name, value in json.loads(o.arguments).items())
        line = escape(f"{words(o.library, LIBRARIES)}: ") + code(f"{o.config}({arguments})")
        if o.trainable is None:
            line += Markup(" has the same count.")
        else:
            line += joined([Markup(" counts"), code(o.trainable), Markup("instead.")], " ") + Markup(" ")
            line += escape(o.differs_because)
        lines.append(line)
    return bullets(lines)
