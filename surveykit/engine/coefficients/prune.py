"""Of many moments, those that may be the peak of a step on some model that there might be."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import numpy as np
from numpy.typing import NDArray

from surveykit.engine.trace.sized import Monomial, Terms, added

Numbers = NDArray[np.float64]
SAMPLES = 3000
NEGLIGIBLE = 0.001
"""Share of the whole peak by which it may come out too small where moments are left out."""
_BETWEEN = {
    "n": (6, 96), "h": (256, 12288), "f": (512, 40000), "v": (20000, 260000), "hd": (32, 256), "kv": (1, 64),
    "g": (1, 12), "b": (1, 64), "l": (16, 16384), "t": (1, 512), "p": (512, 8192),
}  # fmt: skip
_MOST_POSITIONS = 1 << 17


def samples(names: Sequence[str], seed: int = 1) -> dict[str, Numbers]:
    """Dimensions of models and batches as there might be, each as a row of numbers."""
    random, found = Random(seed), {name: [0.0] * SAMPLES for name in _BETWEEN}
    for i in range(SAMPLES):
        for name, (low, high) in _BETWEEN.items():
            found[name][i] = float(round(low * (high / low) ** random.random()))
        found["b"][i] = min(found["b"][i], max(1.0, _MOST_POSITIONS // found["l"][i]))
        heads = found["h"][i] / found["hd"][i]  # as many queries as the width has room for, about
        found["kv"][i] = max(1.0, round(heads / found["g"][i])) if "g" in names else max(1.0, round(heads))
    return {name: np.array(values) for name, values in found.items()}


def values(terms: Terms, at: dict[str, Numbers]) -> Numbers:
    """A polynomial at each of the samples."""
    total = np.zeros(SAMPLES)
    for key, factor in terms.items():
        total += factor * _monomial(key, at)
    return total


def _monomial(key: Monomial, at: dict[str, Numbers]) -> Numbers:
    product = np.ones(SAMPLES)
    for name, power in key:
        product = product * at[name] ** power
    return product


def peaks(moments: Sequence[Sequence[Terms]], beside: Terms, at: dict[str, Numbers]) -> list[int]:
    """Numbers of the moments that are kept: the fewest whose highest is nowhere noticeably below the highest of all.

    Args:
        moments: each a polynomial in parts.
        beside: what is live throughout.
    """
    whole: dict[tuple[tuple[Monomial, float], ...], int] = {}
    for number, parts in enumerate(moments):
        total: Terms = {}
        for part in parts:
            total = added(total, part)
        whole.setdefault(tuple(sorted(total.items())), number)
    kept = [*whole.values()]
    keys = sorted({key for total in whole for key, _ in total})
    columns = np.stack([_monomial(key, at) for key in keys], axis=1)
    factors = np.zeros((len(keys), len(whole)))
    for j, polynomial in enumerate(whole):
        for key, factor in polynomial:
            factors[keys.index(key), j] = factor
    matrix = columns @ factors
    highest = matrix.max(axis=1)
    enough = highest - NEGLIGIBLE * (highest + values(beside, at))
    chosen: list[int] = []
    covered = np.zeros(SAMPLES, dtype=bool)
    reaches = matrix >= enough[:, None]
    while not covered.all():
        best = int((reaches & ~covered[:, None]).sum(axis=0).argmax())
        chosen.append(best)
        covered |= reaches[:, best]
    return [kept[j] for j in sorted(chosen)]
