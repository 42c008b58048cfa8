"""Nothing is left to chance: random numbers do not depend on which tests ran before, nor databases on the user's."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
import torch
from conftest import ROOT, SEED

from surveykit.database.cache import ENVIRONMENT


def test_what_sql_puts_together_has_an_order() -> None:
    """DuckDB's threads would put texts together in another order each time, and add in another order: -0.0 or 0.0."""
    parts = []
    folders = {"surveykit": ("*.sql", "*.py"), "catalog/sources": ("*.sql", "*.yaml")}
    for path in [path for folder, kinds in folders.items() for kind in kinds for path in (ROOT / folder).rglob(kind)]:
        text = path.read_text(encoding="utf-8")
        for place in re.finditer(r"\b(string_agg|corr)\(", text):
            end, depth = place.end(), 1
            while depth:
                depth += {"(": 1, ")": -1}.get(text[end], 0)
                end += 1
            parts.append((path.name, " ".join(text[place.start() : end].split())))
    assert len(parts) > 5
    assert [part for part in parts if "ORDER BY" not in part[1]] == []


@pytest.mark.parametrize("time", [1, 2])
def test_random_numbers_begin_anew_with_every_test(time: int) -> None:
    wanted = torch.rand(3, generator=torch.Generator().manual_seed(SEED))
    assert torch.equal(torch.rand(3), wanted), time


def test_databases_of_the_user_are_left_alone() -> None:
    assert Path(os.environ[ENVIRONMENT]).name.startswith("surveykit-tests-")
