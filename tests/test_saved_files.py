"""Printed sizes of files beside those that the engine finds in the precisions of their runs."""

from __future__ import annotations

from typing import NoReturn

import pytest

from surveykit.catalog.load import Catalog
from surveykit.catalog.saved_files import held_in
from surveykit.database.tables.verdicts import evidence
from surveykit.engine import measure_files
from surveykit.engine.measure_files import file_values
from surveykit.engine.models import peft_modules
from surveykit.engine.models.catalogued import blueprint
from surveykit.errors import RecipeError, SurveyError
from surveykit.verify.judge import judge


def test_files_that_peft_names_are_as_large_as_its_benchmark_printed(catalog: Catalog) -> None:
    files = {(f.configuration, f.backbone, f.held): f for f in catalog.files}
    sizes = [c for c in catalog.claims if c.source == "peft-metamathqa" and c.quantity == "file_size"]
    apart = []
    for claim, verdict in zip(sizes, judge(sizes, evidence(catalog)), strict=True):
        file = files[claim.configuration or "", claim.model or "", held_in(claim)]
        if file.peft is None:
            apart.append(verdict)
            assert file.header is None
            assert file.numbers_alone
        else:
            assert (claim.row, file.size) == (claim.row, int(claim.printed or ""))
            assert verdict.word == "match"
            assert verdict.found.sense == "saved_file"
    assert len(apart) < len(sizes) / 8
    assert {v.outcome for v in apart if v.word != "match"} <= {"other_definition"}


def test_a_table_that_does_not_say_how_its_runs_were_made_has_no_file_of_a_run(catalog: Catalog) -> None:
    unsaid = [c for c in catalog.claims if c.quantity == "file_size" and c.step is None]
    assert unsaid
    assert all(held_in(claim) is None for claim in unsaid)
    assert {v.found.sense for v in judge(unsaid, evidence(catalog))} <= {"stored_bytes", None}


def test_a_slow_machine_finds_the_same_size(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    model, recipe = blueprint(catalog.models["t5-small"]), catalog.recipe("lora/qv-r8")
    before = file_values(recipe, model, ("float32", None))

    def too_slow(seconds: float, name: str) -> NoReturn:
        raise SurveyError(f"{name} is not built within {seconds} seconds")

    monkeypatch.setattr(peft_modules, "built_within", too_slow)
    assert file_values(recipe, model, ("float32", None)) == before
    assert before["header"]


@pytest.mark.parametrize(
    "accident",
    [ImportError("scikit-learn is required"), MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory"), None],
)  # fmt: skip
def test_what_goes_wrong_on_one_machine_alone_becomes_no_figure(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch, accident: Exception | None
) -> None:
    model, recipe = blueprint(catalog.models["t5-small"]), catalog.recipe("lora/qv-r8")

    def refused(*_: object, **__: object) -> NoReturn:
        raise RecipeError("PEFT does not put it there") from accident

    monkeypatch.setattr(measure_files, "wrapped", refused)
    if accident is None:
        assert file_values(recipe, model, ("float32", None))["numbers_alone"] == "PEFT does not put it there"
        return
    with pytest.raises(RecipeError, match="PEFT does not put it there"):
        file_values(recipe, model, ("float32", None))
