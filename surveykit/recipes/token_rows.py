"""Training the embeddings of a few tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from surveykit.recipes.base import InPeft, Overhead, Parts, Place, Role, Shape
from surveykit.recipes.sites import ParameterEdit

if TYPE_CHECKING:
    from torch import Tensor


class TokenRows(ParameterEdit):
    """Trainable tokens: the rows of a table of embeddings that belong to `tokens` are replaced by `rows` (tokens, d_model).

    They start as the table's own. An output layer that is tied to the table reads the new rows too. PEFT's file holds the rows once
    for each name that the table has in the model; they are kept once here.

    Source: PEFT's `peft/tuners/trainable_tokens` (no paper).
    """

    allowed_roles: ClassVar[frozenset[Role]] = frozenset({"embedding"})
    casts_input: ClassVar[bool] = False
    costs: ClassVar[frozenset[Overhead]] = frozenset()
    peft: ClassVar[InPeft | None] = InPeft(
        "TRAINABLE_TOKENS", "TrainableTokensConfig", "trainable-tokens/t2", {"tokens": ("token_indices", [])},
        targeted=False,
    )  # fmt: skip

    kind: Literal["token_rows"]
    tokens: tuple[Annotated[int, Field(ge=0)], ...] = Field(min_length=1)
    """The tokens, by their numbers in the vocabulary, each once."""

    def tensors(self, place: Place) -> dict[str, Shape]:
        rows, width = place.shape
        if max(self.tokens) >= rows or len({*self.tokens}) < len(self.tokens):
            raise ValueError(f"tokens are numbers from 0 to {rows - 1} there, each once")
        return {
            "rows": Shape((len(self.tokens), width)),
            "index": Shape((len(self.tokens),), "first", trained=False, kept="backbone"),
        }

    def start(self, parts: Parts, place: Place) -> dict[str, Tensor]:
        return {"rows": parts.frozen[list(self.tokens)], "index": parts.index.new_tensor(self.tokens)}

    def changed(self, place: Place) -> int:
        return len(self.tokens) * place.shape[-1]

    def update_rank(self, place: Place) -> int:
        return min(len(self.tokens), *place.shape)

    def value(self, parts: Parts, tensor: Tensor, place: Place) -> Tensor:
        return tensor.index_copy(0, parts.index.long(), parts.rows.type_as(tensor))
