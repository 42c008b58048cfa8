"""A method in the survey's own experiment: its rows of Table 5 and its scores, on its page."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from surveykit.database.reading import Reader
from surveykit.site.data.judged import word_badge
from surveykit.site.pages.raw_results import APPENDIX_B, caveat_mark, caveat_words
from surveykit.site.text import numbers
from surveykit.site.text.cells import cell
from surveykit.site.text.markdown import Cell, escape, link, slug, table
from surveykit.site.text.proof import proof, rows_where


def experiment_rows(reader: Reader, method: str) -> Markup:
    """Memory and time as printed in Table 5, with what we predict of the memory. Time is not measured by us."""
    heads = [
        "Row", "Model", "RAM printed, GB", "predicted", "Verdict", "Training speed, %", "Inference speed, %", "Verdict",
        "Proof",
    ]  # fmt: skip
    return table(heads, (_experiment(t) for t in reader.of("method", method, _EXPERIMENT)), "llrrlrrll")


def _experiment(t: Any) -> list[Cell]:
    at = ("table5", t.row_label, t.backbone)
    predicted = (
        numbers.ABSENT if t.predicted_gb is None else f"{t.predicted_gb:.1f} ({numbers.error(t.error_percent, 0)})"
    )
    return [
        t.row_label,
        t.backbone_name,
        cell(t.ram_gb_printed or numbers.ABSENT, *at, "ram"),
        cell(predicted, *at, "ram-predicted"),
        cell(word_badge("not_measured" if t.predicted_gb is None else "predicted"), *at, "ram-verdict"),
        cell(t.throughput_train_printed or numbers.ABSENT, *at, "training"),
        cell(t.throughput_infer_printed or numbers.ABSENT, *at, "inference"),
        word_badge("not_measured"),
        _experiment_proof(t),
    ]


def _experiment_proof(t: Any) -> Markup:
    at = {"row_label": t.row_label, "backbone": t.backbone}
    if t.predicted_gb is None:
        lines = ["Figures of Table 5 as printed; we have no figure beside them."]
        return proof(lines, rows_where("table5", "ram_gb_printed, throughput_train_printed", **at))
    lines = [
        f"({t.predicted_gb:.4f} GB − {t.ram_gb_printed} GB) / {t.ram_gb_printed} GB = {numbers.error(t.error_percent)}",
        f"Predicted by tracing {t.configuration} on {t.backbone_name} without weights: batch {t.batch}, {t.length} positions,"
        f" {t.dtype}, the setting that fits all rows best.",
    ]
    asked = "printed_gb, predicted_gb, error_percent, batch, length, dtype"
    return proof(lines, rows_where("table5_memory", asked, **at, is_best_setting=True))


def score_rows(reader: Reader, method: str, page: str) -> Markup:
    """Mean scores as we recompute Table 4 from Appendix B, with the place of each backbone's raw results."""
    heads = ["Name in Appendix B", "Model", "Mean score", "Deviation", "Place", "Caveat", "Source", "Proof"]
    return table(heads, (_scored(s, page) for s in reader.of("method_id", method, _SCORES)), "llrrrlll")


def _scored(s: Any, page: str) -> list[Cell]:
    at = ("score", s.method, s.backbone)
    return [
        s.method,
        s.backbone_name,
        cell(escape(numbers.score(s.score_mean)) + caveat_mark(s), *at, "mean"),
        cell(numbers.score(s.score_std), *at, "deviation"),
        f"{s.place} of {s.of}",
        caveat_words(s) if s.caveat else numbers.ABSENT,
        link("raw results", f"{APPENDIX_B}#{slug(s.backbone)}", page),
        proof(
            [f"Mean over {s.datasets} data sets of the mean over seeds, row {s.method} of Appendix B."],
            rows_where("appendix_b", "dataset, seed, score", method=s.method, backbone=s.backbone),
        ),
    ]


_EXPERIMENT = """
SELECT t.*, b.name AS backbone_name, p.predicted_gb, p.error_percent, p.batch, p.length, p.dtype FROM table5 t
JOIN backbone b ON b.id = t.backbone
LEFT JOIN table5_memory p ON p.backbone = t.backbone AND p.row_label = t.row_label AND p.is_best_setting
ORDER BY lower(t.row_label), t.row_label, b.parameters
"""
_SCORES = """
SELECT t.*, b.name AS backbone_name, rank() OVER (PARTITION BY t.backbone ORDER BY t.score_mean DESC) AS place,
    count(*) OVER (PARTITION BY t.backbone) AS of
FROM table4_recomputed t JOIN backbone b ON b.id = t.backbone
WHERE t.score_mean IS NOT NULL ORDER BY lower(t.method), t.method, b.parameters
"""
