"""What we publish as a finding: every figure in its text has a source, and every finding says what speaks for innocence."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from conftest import SURVEY
from pydantic import ValidationError

from surveykit.catalog.load import Catalog
from surveykit.catalog.sources import Explanation
from surveykit.catalog.statements import DataCheck, Statement
from surveykit.database.reading import Reader, reading

# A number that is no part of a name (T5-11B, wi_0, 34f60f3, 1e-3) and no number of a section, a table or a fraction.
NUMBER = re.compile(r"(?<![\w.,/+-])\d+(?:,\d{3})*(?:\.\d+)?(?![\w/])(?!-\w)")
NUMBERED = re.compile(
    r"(?:[Ss]ections?|[Tt]ables?|Appendix|Python|arXiv|version) [\w.]+(?:(?:, | and | or )\d[\d.]*)*|\([a-z][^ ()]*/[^()]*\)|\(\d{4}[a-z]?\)"
)

OUTSIDE = {
    "apollo tradeoff": {"256": "the authors' package, README", "128": "the same"},
    "c3a tradeoff": {"256": "PEFT's default block_size"},
    "monteclora tradeoff": {"150": "PEFT's default buffer_size"},
    "osf tradeoff": {
        "128": "the name of PEFT's experiment, and its rank_pattern", "2944": "3072 less 128", "3072": "Llama-3.2-3B's width",
    },
    "psoft tradeoff": {"1.2": "22,001,221,632 less 20,776,484,864 bytes, the two runs in PEFT's benchmark"},
    "ipt tradeoff": {"100": "tokens of the prompt, section 6.4"},
    "attention-fusion tradeoff": {"0.0009": "the paper's abstract"},
    "lets tradeoff": {"49.5": "the paper's abstract", "1.4": "the same", "0.2": "the same"},
    "table2, DoRA, changed_percent": {"66.7": "LLaMA-7B as published: 32 layers, 4096 wide, feed-forward 11008"},
    "table2, Ladder Side-Tuning, trainable_percent": {
        "17,967,384": "widths divided by 4 and the embedding of image features, from the authors' repository",
    },
    "no-spread-over-seeds": {
        "0.0039": "2 ** -8, the distance of bfloat16 below one", "4,096": "entries in our trial", "884": "its steps",
    },
    "seeds-without-effect-on-boolq": {
        "0.0039": "2 ** -8, the distance of bfloat16 below one", "4,096": "entries in our trial", "884": "its steps",
    },
    "percent-off-in-last-digit": {"0.001": "one unit in the last printed digit"},
    "percent-not-from-millions": {"0.001": "one unit in the last printed digit"},
    "answers-that-fit-no-count": {"0.01": "a unit in the last printed digit"},
}  # fmt: skip
"""Figures that no query of ours can give, by finding, each with its source."""


OF_THE_ROW = """
    SELECT DISTINCT c.printed FROM verdict v JOIN claim c
        ON c.source = v.source AND (c.method = v.method OR c.row_label IN (v.row_label, 'Houlsby'))
    WHERE v.source = ? AND v.explanation = ? AND c.printed IS NOT NULL
"""
"""What a source prints of the method of an explanation, or of the one that it is compared with."""


@dataclass
class Finding:
    """A text that is published, and where its figures come from."""

    name: str
    texts: list[str]
    smallest: int
    """Whole numbers below this are settings or counts of a few, and are not looked up."""
    values: list[Decimal] = field(default_factory=list)
    printed: set[str] = field(default_factory=set)


def findings(reader: Reader) -> Iterator[Finding]:
    for e in reader.all("SELECT * FROM explanation ORDER BY source, position"):
        texts = [e.text, e.innocent or ""]
        rows = reader.all(OF_THE_ROW, e.source, e.position)
        ours = reader.all("SELECT value FROM verdict WHERE source = ? AND explanation = ?", e.source, e.position)
        values = [*_row(reader, e.evidence), *_numbers([vars(row) for row in ours])]
        printed = {number for row in rows for number in NUMBER.findall(row.printed.replace("-", " "))}
        yield Finding(e.name, texts, 100, values, printed)
    for c in reader.all("SELECT c.*, r.rows FROM data_check c JOIN data_check_result r ON r.data_check = c.id"):
        values = [*_row(reader, c.evidence), *_numbers(json.loads(c.rows or "[]"))]
        yield Finding(c.id, [c.note, c.innocent or ""], 10, values)
    for s in reader.all("SELECT * FROM errata WHERE kind = 'sentence'"):
        rows = reader.all("SELECT figures FROM statement_result WHERE statement = ?", s.id)
        query = reader.one("SELECT evidence FROM statement WHERE id = ?", s.id).evidence
        values = [*_numbers([json.loads(r.figures) for r in rows]), *_row(reader, query)]
        yield Finding(s.id, [s.finding, s.innocent, s.correction or ""], 100, values, set(NUMBER.findall(s.says)))


def tradeoffs(reader: Reader) -> Iterator[Finding]:
    """What the methods' own pages say in passing, which a finding may contradict."""
    houlsby = "SELECT backbone, score_mean FROM table4_recomputed WHERE method_id = 'adapters'"
    for m in reader.all("SELECT id, tradeoff FROM method ORDER BY id"):
        counted = reader.all(
            "SELECT trainable, trainable / 1e6 AS millions, stored / 1e6 AS stored, trainable_percent FROM measured WHERE method = ?",
            m.id,
        )
        behind = reader.all(
            f"SELECT h.score_mean - s.score_mean AS points FROM ({houlsby}) AS h JOIN table4_recomputed AS s USING (backbone)"
            " WHERE s.method_id = ?",
            m.id,
        )
        printed = reader.all(
            "SELECT printed FROM claim WHERE source = ? AND method = ? AND printed IS NOT NULL", SURVEY, m.id
        )
        values = [*_numbers([vars(row) for row in counted]), *_numbers([vars(row) for row in behind])]
        yield Finding(f"{m.id} tradeoff", [m.tradeoff], 100, values, {p.printed for p in printed})


def _row(reader: Reader, sql: str | None) -> list[Decimal]:
    if sql is None:
        return []
    (row,) = reader.all(sql)
    return list(_numbers(vars(row)))


def _numbers(found: Any) -> Iterator[Decimal]:
    """Every number in a result, those inside of its texts included."""
    if isinstance(found, dict):
        found = list(found.values())
    if isinstance(found, list | tuple):
        for one in found:
            yield from _numbers(one)
    elif isinstance(found, str):
        yield from (Decimal(n.replace(",", "")) for n in NUMBER.findall(found))
    elif found is not None and not isinstance(found, bool):
        yield Decimal(str(found))


def _borne_out(figure: str, finding: Finding) -> bool:
    if figure in finding.printed or figure in OUTSIDE.get(finding.name, {}):
        return True
    said = Decimal(figure.replace(",", ""))
    half = Decimal(1).scaleb(-len(figure.partition(".")[2])) / 2
    return any(abs(value - said) <= half for value in finding.values)


def figures(finding: Finding) -> list[str]:
    """The figures of a finding's texts that must have a source."""
    text = NUMBERED.sub(" ", " ".join(finding.texts))
    return [n for n in NUMBER.findall(text) if "." in n or "," in n or int(n) >= finding.smallest]


def test_every_figure_of_a_finding_has_a_source(database: Path) -> None:
    """A figure comes from the finding's own query, from the print that it quotes, or from a source outside, which is named."""
    with reading(database) as reader:
        found = [*findings(reader), *tradeoffs(reader)]
    missing = [(f.name, n) for f in found for n in figures(f) if not _borne_out(n, f)]
    assert missing == []
    looked_up = {(f.name, n) for f in found for n in figures(f)}
    assert {(name, n) for name, sources in OUTSIDE.items() for n in sources} <= looked_up


def test_a_figure_that_is_wrong_is_found() -> None:
    """The mean of Pfeiffer adapters is 25.4 points behind, not 15, and a name or a section is no figure."""
    finding = Finding("x", ["T5-11B, Section 11.2 and Table 5: by 15.0 points (pfeiffer-adapter/rf16), not 25.4"], 100)
    finding.values = list(_numbers([{"points": 25.4373}, {"name": "Pfeiffer 3.5"}]))
    assert figures(finding) == ["15.0", "25.4"]
    assert [n for n in figures(finding) if not _borne_out(n, finding)] == ["15.0"]


def test_two_places_do_not_contradict_each_other(database: Path, catalog: Catalog) -> None:
    """The gap of Pfeiffer adapters stands on the method's page and among the errata."""
    with reading(database) as reader:
        erratum = reader.one("SELECT finding FROM errata WHERE id = 'pfeiffer-gap-up-to-15'").finding
    page = catalog.methods["pfeiffer-adapter"].tradeoff
    for points in ("4.4", "4.7", "25.4"):
        assert points in erratum
        assert points in page


def test_a_vector_of_ones_hardly_moves_in_bfloat16() -> None:
    """What the data audit says of (IA)3: AdamW's steps round back to one at the swept learning rates."""
    import torch

    generator = torch.Generator().manual_seed(1)

    def moved(rate: float, noise: float, rare: float) -> int:
        ones = torch.nn.Parameter(torch.ones(4096, dtype=torch.bfloat16))
        optimizer = torch.optim.AdamW([ones], lr=rate, weight_decay=0.1)
        for _ in range(884):
            gradient = 1 + noise * torch.randn(4096, generator=generator)
            rarely = torch.rand(4096, generator=generator) < rare
            ones.grad = torch.where(rarely, 1e4 * gradient, gradient).to(torch.bfloat16)
            optimizer.step()
        return int((ones != 1).sum())

    assert [moved(rate, noise, 0) for rate in (1e-3, 1e-4, 5e-5, 1e-5) for noise in (0, 1e3)] == [0] * 8
    assert moved(1e-3, 1, 0.002) > 0
    assert (
        torch.nextafter(torch.tensor(1.0, dtype=torch.bfloat16), torch.tensor(0.0, dtype=torch.bfloat16)) == 1 - 2**-8
    )


RUNS = {
    "full_tuning": "full-tuning/all", "houlsby": "adapters/rf16", "pfeiffer": "pfeiffer-adapter/rf16",
    "scaled_parallel": "parallel-adapter/rf2-learned", "ln_tuning": "ln-tuning/norms", "lora": "lora/qv-r8",
    "hf_lora": "lora/qv-r8", "hf_lora_all": "lora/all-linear-r8", "hf_krona": "krona/lokr-qv-r8",
    "compacter": "compacter/n4-rf32", "compacter++": "compacter-plus-plus/n4-rf32", "ia3": "ia3/kv-ff",
    "mam": "mam-adapter/h800", "prefix_tuning": "prefix-tuning/mlp-p30-h512",
    "prefix_tuning_flat": "prefix-tuning/flat-p30", "unipelt": "unipelt/p10-rf16-r8",
}  # fmt: skip
"""Our configurations by the names in the public copy of the survey's code."""


def test_the_runs_in_the_public_copy_have_our_counts(database: Path) -> None:
    """github.com/xw-yao/peft_comparison, notebooks/18_dataset_average_table.ipynb at 34f60f3, column trainable_parameters."""
    lines = csv.DictReader((Path(__file__).parent / "extract" / "public_runs.csv").read_text("utf-8").splitlines())
    runs = list(lines)
    assert len(runs) == 45
    with reading(database) as reader:
        counts = {
            (m.configuration, m.backbone): m.trainable
            for m in reader.all("SELECT configuration, backbone, trainable FROM measurement")
        }
    for run in runs:
        assert f"{counts[RUNS[run['name']], run['backbone']]:.6e}" == run["trainable"], run


def test_a_finding_says_how_it_can_have_come_about(catalog: Catalog) -> None:
    """None is published without its innocent explanation; the records refuse it."""
    survey = catalog.sources[SURVEY]
    check = next(c for c in survey.data_checks if c.found)
    with pytest.raises(ValidationError, match="innocent explanation"):
        DataCheck(**{**check.model_dump(), "innocent": None})
    statement = next(s for s in survey.statements if s.status == "contradicted")
    with pytest.raises(ValidationError, match="innocent explanation"):
        Statement(**{**statement.model_dump(), "innocent": None})
    named = next(e for e in survey.explanations if e.row == "Prompt tuning" and e.models)
    inconsistent = next(e for e in survey.explanations if e.row == "FAR" and e.cause == "source_inconsistent")
    for explanation in (named, inconsistent):
        with pytest.raises(ValidationError, match="innocent explanation"):
            Explanation(**{**explanation.model_dump(), "innocent": None})
    with pytest.raises(ValidationError, match="mere remark"):
        Explanation(**{**named.model_dump(), "remark": "Of no weight."})


WORDS = (
    "copied",
    "copying",
    "fabricat",
    "invented",
    "faked",
    "manipulat",
    "dishonest",
    "careless",
    "sloppy",
    "written three times",
)
"""Words that judge people. What a finding has to say, it says of figures."""


def test_no_finding_judges_people(database: Path) -> None:
    with reading(database) as reader:
        said = [(f.name, text) for f in findings(reader) for text in f.texts]
    assert [(name, word) for name, text in said for word in WORDS if word in text.lower()] == []
