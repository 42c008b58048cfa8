"""Printed sizes of files beside those that the engine finds in the precisions of their runs."""

from __future__ import annotations

from surveykit.catalog.load import Catalog
from surveykit.catalog.saved_files import held_in
from surveykit.database.tables.verdicts import evidence
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
