"""Products with circulant blocks through Fourier transforms are those of the matrix written out, and so are their gradients."""

from __future__ import annotations

import torch

from surveykit.engine.edits.circulant import Circulant
from surveykit.engine.edits.tensors import Part
from surveykit.recipes import Place, Shape, Where
from surveykit.recipes.block_circulant import BlockCirculant


def test_a_product_and_its_gradients_are_those_of_the_matrix() -> None:
    edit = BlockCirculant(kind="block_circulant", where=Where(roles=("query",)), block_size=4)
    place = Place("query", "encoder.self", 0, 1, fan_in=12, fan_out=8, d_model=12, inner=8, heads=1, d_ff=16)
    shapes, full = {"kernels": Shape((2, 3, 4), "normal")}, torch.float32
    part = Part(shapes, place, torch.device("cpu"), full, seed=0, backbone=full)
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
