"""Counts at one matched setting: places and rank of LoRA's default."""

from __future__ import annotations

from pathlib import Path

import duckdb

from surveykit.catalog.load import Catalog
from surveykit.catalog.matched import is_matched


def test_matched_configurations_have_the_places_and_the_rank(catalog: Catalog) -> None:
    reference = catalog.recipe(catalog.quantities.judging.matched_to)
    matched = {name for name, _, c in catalog.configurations() if is_matched(c.recipe, reference)}
    assert {"lora/qv-r8", "dora/qv-r8", "adalora/qv-r12-to-8", "qlora/qv-r8", "relora/qv-r8-rounds"} <= matched
    for other in ("lora/qv-r4", "lora/all-linear-r8", "lora/self-attention-qv-r8", "dora/qkv-feed-forward-r32",
                  "krona/qv", "relora/r128", "galore/all-linear-r4", "full-tuning/all"):  # fmt: skip
        assert other not in matched
    assert not is_matched(reference, None)


def test_every_count_of_a_method_stands_beside_its_configuration(database: Path, catalog: Catalog) -> None:
    with duckdb.connect(str(database), read_only=True) as connection:
        rows = connection.execute(
            "SELECT m.id, m.configuration, m.trainable_measured, x.trainable, m.configuration_matched, m.trainable_matched,"
            " y.trainable FROM method_on_backbone m"
            " LEFT JOIN measurement x ON x.configuration = m.configuration AND x.backbone = m.backbone"
            " LEFT JOIN measurement y ON y.configuration = m.configuration_matched AND y.backbone = m.backbone"
        ).fetchall()
        dora, lora = (
            connection.execute("SELECT trainable_matched FROM methods WHERE id = ?", [name]).fetchone()
            for name in ("dora", "lora")
        )
        words = dict(connection.execute("SELECT id, word_of FROM methods").fetchall())
        printed = {row[0] for row in connection.execute("SELECT method FROM table1").fetchall()}
    assert sum(row[4] is not None for row in rows) > 50
    for _, _, default, counted, _, matched, counted_matched in rows:
        assert default == counted
        assert matched == counted_matched
    assert dora is not None
    assert lora is not None
    assert 1.05 < dora[0] / lora[0] < 1.07
    assert {name for name, word in words.items() if word == catalog.quantities.judging.word_of} == printed
