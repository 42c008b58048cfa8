"""Methods side by side: compare, from records, or with changes that are counted and traced now."""

from __future__ import annotations

from surveykit.database.query import DEFAULT_BACKBONE

TYPE_CHECKING = False  # importing typing would delay every query
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pydantic import JsonValue

    from surveykit.api.asked import Asked
    from surveykit.api.names import Folder, Layers, Names
    from surveykit.database.methods import Comparison

CLAIMED = (
    "type", "disk", "ram", "bp", "overhead", "family", "families", "section", "after_survey", "year",
    "trainable_percent_printed", "changed_percent_printed", "evaluated_under_1b", "evaluated_under_20b",
    "evaluated_over_20b", "in_peft", "in_adapters",
)  # fmt: skip
"""Properties of a method, whatever is changed in its configuration."""
BATCH, LENGTH = 1, 256
"""Of the step that is traced to see how far backward reaches."""


def compare(
    method: Sequence[str], *, backbone: str = DEFAULT_BACKBONE, trainable_budget: str | int | None = None,
    set: Mapping[str, JsonValue] | None = None, targets: Names | None = None, roles: Names | None = None,
    layers: Layers | None = None, top_layers: int | None = None, also_train: Names | None = None,
    head: int | None = None, catalog: Folder | None = None, **hyper_parameters: JsonValue,
) -> Comparison:  # fmt: skip
    """Methods side by side, claims and measurements.

    With changes to the configurations, the claims are shown beside new counts and costs.

    Args:
        method: two or more.
        backbone: id of the model of the measurements.
        trainable_budget, set, targets, roles, layers, top_layers, also_train, head, hyper_parameters: as in `count`.

    Returns:
        For each property, one value per method.

    Raises:
        SurveyError: fewer than two methods, a name that is not in the catalog, or a change is wrong.
        CatalogError: the catalog is invalid.
        MissingExtra: torch or transformers is not installed, which changes need.
    """
    from surveykit.api.names import database_of, root_of
    from surveykit.database.methods import side_by_side
    from surveykit.database.reading import reading

    with reading(database_of(catalog)) as reader:
        found = side_by_side(reader, method, backbone)
    given = (targets, roles, layers, top_layers, also_train, head, trainable_budget)
    if not set and not hyper_parameters and all(value is None for value in given):
        return found
    from surveykit.api.asked import Asked
    from surveykit.catalog.changes import changes_of

    changes = changes_of(
        set, hyper_parameters, targets=targets, roles=roles, layers=layers, top_layers=top_layers, also_train=also_train,
        head=head,
    )  # fmt: skip
    root = root_of(catalog)
    return _measured_now(found, Asked(root, found.methods, changes, trainable_budget), root, head)


def _measured_now(found: Comparison, asked: Asked, root: Path, head: int | None) -> Comparison:
    from dataclasses import replace

    from surveykit.engine.on_model import count_on, measure_on, model_named

    blueprint = model_named(found.backbone, root, head)
    instance = blueprint.build()
    on = asked.on(instance)
    counts = list(count_on(instance, on.recipes, on.budget))
    costs = list(measure_on(blueprint, on.recipes, batch=BATCH, length=LENGTH, budget=on.budget))

    def percent(part: int | None, whole: int | None) -> float | None:
        return None if part is None or not whole else 100 * part / whole

    rows = {name: values for name, values in found.properties.items() if name in CLAIMED}
    rows |= {
        "configuration": tuple(c.configuration for c in counts),
        "size": tuple(c.size for c in counts),
        "trainable_measured": tuple(c.trainable for c in counts),
        "trainable_percent_measured": tuple(c.percent for c in counts),
        "added_measured": tuple(c.added for c in counts),
        "stored_measured": tuple(c.stored for c in counts),
        "changed_percent_measured": tuple(percent(c.changed, instance.parameters) for c in counts),
        "update_rank_measured": tuple(c.update_rank for c in counts),
        "overhead_unmerged": tuple(c.overhead for c in costs),
        "overhead_merged": tuple(c.overhead_merged for c in costs),
        "inference_flops_percent": tuple(
            percent(c.inference_flops and c.inference_flops - (c.bare_flops or 0), c.bare_flops) for c in costs
        ),
        "merged_flops_percent": tuple(
            percent(c.merged_flops and c.merged_flops - (c.bare_flops or 0), c.bare_flops) for c in costs
        ),
        "reason": tuple(count.reason or cost.reason for count, cost in zip(counts, costs, strict=True)),
    }
    return replace(found, properties={n: v for n, v in rows.items() if any(x is not None for x in v)}, notes=on.notes)
