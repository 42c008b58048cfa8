"""Live pieces of the pages that are written by hand."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from surveykit.database.reading import Reader
from surveykit.site.text import numbers
from surveykit.site.text.markdown import Cell, bullets, code, escape, external, fence, table
from surveykit.site.text.verdict_tables import outcome_table
from surveykit.site.text.words import CAUSES, SYMBOLS, words


def fragments(reader: Reader, repository: str | None = None) -> dict[str, Markup]:
    """Every piece by the name that pages ask for."""
    return {
        "finding": finding(reader),
        "outcomes": outcome_table(reader, every=True),
        "causes": _causes(reader),
        "thresholds": _thresholds(reader),
        "symbols": table(["Symbol", "Meaning"], [[code(s), m] for s, m in SYMBOLS.items()], "ll"),
        "backbones": _backbones(reader),
        "coverage": _coverage(reader),
        "runs": _runs(reader),
        "not-measured": _not_measured(reader),
        "issue": external("an issue", f"{repository}/issues" if repository else None),
        "survey-bibtex": fence(
            reader.one("SELECT bibtex FROM paper WHERE key = (SELECT word_of FROM judging)").bibtex, "bibtex"
        ),
    }


def finding(reader: Reader) -> Markup:
    """The outcome of the verification in one sentence."""
    return escape(_outcome_sentence(reader.one("SELECT * FROM table5_summary")))


def _outcome_sentence(s: Any) -> str:
    """How the parameter figures ended, in words. A row prints one count twice, so rows are said first.

    Args:
        s: the row of the view `table5_summary`.
    """
    parts = [
        f"{s.rows_match} of {s.rows} row{'' if s.rows == 1 else 's'} match{'es' if s.rows == 1 else ''} in both parameter figures"
        + (f" ({s.full_tuning_rows} of them full tuning)" if s.full_tuning_rows else ""),
        f"{s.match} of {s.figures} printed figures match",
    ]
    if s.fits_another_setup:
        parts.append(f"{s.fits_another_setup} differ and fit another setup, which is named")
    if s.inconsistent:
        parts.append(f"{s.inconsistent} {'does' if s.inconsistent == 1 else 'do'} not match the count beside it")
    if s.unresolved:
        parts.append(f"{s.unresolved} {'differs and is' if s.unresolved == 1 else 'differ and are'} unresolved")
    if s.unexplained:
        parts.append(f"{s.unexplained} without an explanation")
    if s.not_measured:
        parts.append(f"{s.not_measured} not measured")
    return "; ".join(parts) + "."


def _causes(reader: Reader) -> Markup:
    counts = {row.cause: row.n for row in reader.all("SELECT cause, count(*) AS n FROM verdict GROUP BY cause")}
    rows = [[*said, str(counts.get(name, 0))] for name, said in CAUSES.items()]
    return table(["Cause", "Meaning", "Figures and cells"], rows, "llr")


def _thresholds(reader: Reader) -> Markup:
    rows: list[list[Cell]] = [
        [q.says, q.unit, f"{q.at_most.normalize():f}"]
        for q in reader.all("SELECT * FROM quantity WHERE at_most IS NOT NULL ORDER BY id")
    ]
    return table(["What is measured", "Unit", "A tick is right up to"], rows, "llr")


def _backbones(reader: Reader) -> Markup:
    rows = []
    for b in reader.all(_MEASURED_ON):
        widths = [b.d_model, b.d_ff, b.heads, b.d_kv, b.inner_width]
        layers = f"{b.encoder_layers} + {b.decoder_layers}"
        checkpoint = (
            external(b.checkpoint, f"https://huggingface.co/{b.checkpoint}") if b.checkpoint else numbers.ABSENT
        )
        size = numbers.ABSENT if b.parameters is None else numbers.count(b.parameters)
        rows.append([b.name, b.architecture, size, *map(numbers.count, widths), layers, checkpoint])
    heads = [
        "Backbone", "Architecture", "Parameters", "d_model", "d_ff", "Heads", "d_kv", "Heads × d_kv", "Layers",
        "Checkpoint",
    ]  # fmt: skip
    return table(heads, rows, "llrrrrrrrl")


_MEASURED_ON = """
SELECT * FROM backbone WHERE id IN (SELECT backbone FROM measurement) ORDER BY architecture <> 't5', parameters, id
"""


def _coverage(reader: Reader) -> Markup:
    m = reader.one(
        "SELECT count(*) AS n, count(*) FILTER (status = 'counted') AS counted, count(*) FILTER (formulas_agree) AS agree,"
        " count(formulas_agree) AS formulas, count(*) FILTER (is_stale) AS stale, count(DISTINCT configuration) AS configurations,"
        " count(DISTINCT backbone) AS backbones FROM measured"
    )
    text = f"{m.configurations} configurations on {m.backbones} backbones: {m.counted} counts"
    if m.counted < m.n:
        text += f" and {m.n - m.counted} failures"
    text += (
        f". In {m.agree} of the {m.formulas} with a closed form, it gives the same integers as the instantiated model"
    )
    if m.stale:
        text += f"; {m.stale} are older than the recipe or the engine"
    return escape(text) + Markup(".")


def _runs(reader: Reader) -> Markup:
    rows = [
        [r.run, str(r.date), r.surveykit, r.python, r.torch, r.transformers, r.provenance, numbers.count(r.n)]
        for r in reader.all(
            "SELECT r.*, m.provenance, count(*) AS n FROM run r JOIN measurement m USING (run) GROUP BY ALL ORDER BY r.date, run"
        )
    ]
    heads = ["Run", "Date", "surveykit", "Python", "torch", "transformers", "Built from", "Counts"]
    return table(heads, rows, "lllllllr")


def _not_measured(reader: Reader) -> Markup:
    lines = []
    for t in reader.all(
        "SELECT table_number, count(*) AS n, count(*) FILTER (verdict = 'not_comparable') AS apart,"
        " count(*) FILTER (verdict = 'not_measured') AS open FROM cell_verdict GROUP BY ALL ORDER BY ALL"
    ):
        text = f"Table {t.table_number}: {t.apart} of {t.n} cells are not comparable, each with its reason"
        lines.append(escape(text + (f"; {t.open} are not measured." if t.open else ".")))
    said = {
        "score": "scores",
        "throughput_train": "throughput in training",
        "throughput_infer": "throughput in inference",
    }
    for r in reader.all(
        "SELECT column_name, count(*) AS n, count(*) FILTER (status = 'missing_in_source') AS missing FROM claim"
        " WHERE source = 'lialin2023scaling' AND table_name = 'table5' AND list_contains(?, column_name) GROUP BY ALL ORDER BY ALL",
        list(said),
    ):
        text = f"Table 5, {words(r.column_name, said)}: {r.n} cells, kept as printed"
        if r.missing:
            text = f"Table 5, {words(r.column_name, said)}: {r.missing} of {r.n} cells are missing in the text we used"
        lines.append(escape(f"{text}."))
    return bullets(lines)
