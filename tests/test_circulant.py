"""Products with circulant blocks through Fourier transforms are those of the matrix written out, and so are their gradients."""

from __future__ import annotations

import torch

from surveykit.engine.edits.circulant import Circulant
from surveykit.engine.edits.tensors import Part
from surveykit.recipes import Shape, Where
from surveykit.recipes.block_circulant import BlockCirculant


def test_a_product_and_its_gradients_are_those_of_the_matrix() -> None:
    edit = BlockCirculant(kind="block_circulant", where=Where(roles=("query",)), block_size=4)
    part = Part({"kernels": Shape((2, 3, 4), "normal")}, torch.device("cpu"), torch.float32, 0)
    x = torch.randn(5, 2, 12, requires_grad=True)
    matrix = edit.weight(part, torch.zeros(8, 12)) * 12
    wanted = torch.randn(5, 2, 8)
    found = [
        torch.autograd.grad((product * wanted).sum(), (x, part.kernels))
        for product in (x @ matrix.T, Circulant.apply(x, part.kernels))
    ]
    torch.testing.assert_close(Circulant.apply(x, part.kernels), x @ matrix.T)
    torch.testing.assert_close(found[1], found[0])
    first = matrix[:4, :4]
    assert all(torch.equal(first[row + 1].roll(-1), first[row]) for row in range(3))
