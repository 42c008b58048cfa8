"""What the config.json of a checkpoint says, beside that of the catalog."""

from __future__ import annotations

from collections.abc import Iterable

from surveykit.catalog.dimensions import dimension_keys
from surveykit.catalog.models import Model
from surveykit.checkpoints.header import Header, printed
from surveykit.errors import CheckpointError


def expected(model: Model) -> dict[str, object]:
    """What a checkpoint's config.json should say of a model, where it says it: what the catalog's own says.

    It has what no shape tells: the number of heads, and whether an output layer beside the embedding is its copy.
    """
    dimensions = model.dimensions
    tied = {"tie_word_embeddings": dimensions.tied}
    return {"model_type": dimensions.model_type, **dimension_keys(model.config), **tied}


def nearest_to(header: Header, among: Iterable[Model]) -> tuple[Model, str]:
    """The model whose dimensions a checkpoint's config.json has, or else most of them, and a sentence that says so.

    A field that config.json leaves out, or has null in, is no objection.

    Raises:
        CheckpointError: there is no config.json, it is of another architecture, or it fits more than one model.
    """
    name_one = "name the model to compare it with"
    config = header.config
    if config is None:
        raise CheckpointError(f"{header.source}: there is no config.json to identify the model; {name_one}")
    kind = config.get("model_type")
    candidates = [model for model in among if model.dimensions.model_type == kind]
    if kind is None:
        raise CheckpointError(f"{header.source}: config.json has no model_type; {name_one}")
    if not candidates:
        raise CheckpointError(
            f"{header.source}: config.json describes a {printed(str(kind))}, which the catalog does not have; {name_one}"
        )

    def objections(model: Model) -> int:
        return sum(config.get(name) not in (None, value) for name, value in expected(model).items())

    fewest = min(map(objections, candidates))
    best = [model for model in candidates if objections(model) == fewest]
    if fewest:
        return best[0], f"config.json has the dimensions of no catalogued model; the nearest is {best[0].id}"
    if len(best) > 1:
        fitting = ", ".join(model.id for model in best)
        raise CheckpointError(f"{header.source}: config.json fits {fitting}; {name_one}")
    return best[0], f"config.json has the dimensions of {best[0].id}"
