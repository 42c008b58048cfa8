"""A prompt of given words whose embeddings may move a little."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from surveykit.errors import RecipeError
from surveykit.recipes.base import Edit, InPeft, Parts, Place, Shape
from surveykit.recipes.sites import InputEdit
from surveykit.recipes.soft_prompt import Prompt

if TYPE_CHECKING:
    from torch import Tensor

LABEL, INPUT = 0, 2
"""What a token's type is, divided by four, with the rest that is left: 1 and 3 are the words of the template."""


class ContextPrompt(InputEdit):
    """CPT: `context` + `delta`, both (tokens, d_model): the frozen embeddings of examples in words, and what is learned of them.

    Before each pass, a row of `delta` that is longer than its bound is cut to it: bound · √(d_model / 2048), one bound for words
    of inputs and one for those of the template. Rows of labels stay zero.

    Source: Blau et al. 2024, sections 3.2 and 3.3, as in PEFT's `peft/tuners/cpt`. Its loss on the examples' own labels is not
    built: it changes no count.
    """

    peft: ClassVar[InPeft | None] = InPeft("CPT", "CPTConfig", "cpt/t20", {
        "tokens": ("cpt_token_ids", [0]), "types": ("cpt_tokens_type_mask", [1]),
        "input_bound": ("opt_projection_epsilon", 0.1), "template_bound": ("opt_projection_format_epsilon", 0.1),
    }, means={"task_type": "CAUSAL_LM"}, targeted=False)  # fmt: skip

    kind: Literal["context_prompt"]
    tokens: tuple[Annotated[int, Field(ge=0)], ...] = Field(min_length=1)
    """The words of the examples, by their numbers in the vocabulary."""
    types: tuple[int, ...]
    """The type of each: with the rest of 0 by four a label, of 2 an input, else the template; 1 for those beyond the last."""
    input_bound: float = Field(gt=0)
    """How far the embedding of a word of an input may move, at a width of 2048."""
    template_bound: float = Field(gt=0)
    """… of a word of the template."""

    def tensors(self, place: Place) -> dict[str, Shape]:
        shape = (len(self.tokens), place.d_model)
        return {"context": Shape(shape, trained=False, kept="backbone"), "delta": Shape(shape)}

    def start(self, parts: Parts, place: Place) -> dict[str, Tensor]:
        table = parts.frozen
        if max(self.tokens) >= len(table):
            raise RecipeError(
                f"{self.kind}: this model has tokens 0 to {len(table) - 1}, and {max(self.tokens)} is named"
            )
        return {"context": table[list(self.tokens)]}

    def positions_added(self) -> int:
        return len(self.tokens)

    def _bounds(self, like: Tensor) -> Tensor:
        """How far each row may move, (tokens, 1); 0 for a label."""
        types = [self.types[n] if n < len(self.types) else 1 for n in range(len(self.tokens))]
        scale = math.sqrt(like.shape[-1] / 2048)
        of_type = {LABEL: 0.0, INPUT: self.input_bound * scale}
        return like.new_tensor([of_type.get(kind % 4, self.template_bound * scale) for kind in types])[:, None]

    def positions(self, parts: Parts) -> Tensor:
        delta = parts.delta
        bounds, values = self._bounds(delta), delta.detach()
        values.mul_((bounds / values.norm(dim=1, keepdim=True).clamp(min=1e-30)).clamp(max=1))
        return parts.context + delta * (bounds > 0)

    def deployed(self) -> Edit:
        return Prompt(kind="prompt", where=self.where, length=len(self.tokens))

    def deployed_tensors(self, parts: Parts, place: Place) -> dict[str, Tensor]:
        return {"prompt": self.positions(parts)}
