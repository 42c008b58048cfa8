"""What the engine measured, on the pages: verdicts of Tables 1 and 2, costs of a method, memory of Table 5, coverage."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from surveykit.database.reading import Reader
from surveykit.site.data.judged import cell_anchor, cells_of, judged_cell, reason_words, word_badge
from surveykit.site.text import numbers
from surveykit.site.text.cells import cell
from surveykit.site.text.markdown import Cell, code, escape, joined, link, slug, span, table
from surveykit.site.text.proof import proof, rows_where
from surveykit.site.text.words import COLUMNS, VERDICTS, listed, overhead_words, words, yes_no

COVERAGE = "survey/coverage.md"
MEMORY = "survey/memory.md"
_MARKS = {"✓": "yes", "✗": "no"}
BACKWARD = {"none": "into no block", "partial": "into some blocks", "full": "into all blocks"}


def cell_rows(reader: Reader, method: str) -> Markup:
    """The cells of Tables 1 and 2 of one method: printed, measured, verdict, reason."""
    rows: list[list[Cell]] = []
    columns = list(COLUMNS)
    for v in sorted(
        reader.of(
            "method",
            method,
            "SELECT v.*, b.name AS backbone_name, false AS usual FROM cell_verdict v"
            " LEFT JOIN backbone b ON b.id = v.backbone",
        ),
        key=lambda v: (v.table_number, columns.index(v.column_name)),
    ):
        anchor = cell_anchor(v.table_number, v.column_name)
        judged = judged_cell(v)
        rows.append(
            [
                f"Table {v.table_number}: {words(v.column_name, COLUMNS)}",
                cell(_MARKS.get(v.printed, v.printed), "claim", anchor),
                cell(judged.figure, "measured", anchor) + (Markup("<br>") + span(judged.of, "of") if judged.of else ""),
                cell(judged.badge(), anchor),
                proof([reason_words(v.reason, v.cause, v.explanation), f"In the source: {v.locator}."], _cell_query(v)),
            ]
        )
    return table(["Claim", "Printed", "Ours", "Verdict", "Proof"], rows, "lllll")


def _cell_query(v: Any) -> str:
    at = {"method": v.method, "table_number": v.table_number, "column_name": v.column_name}
    return rows_where("cell_verdict", "printed, measured, verdict, reason", **at)


def cost_rows(reader: Reader, method: str) -> Markup:
    """What the default configuration costs on each backbone."""
    rows: list[list[Cell]] = [
        [
            m.backbone_name,
            *(cell(shown, "cost", m.backbone, name) for name, shown in _costs(m).items()),
            _cost_proof(m),
        ]
        for m in reader.of("id", method, _COSTS_SQL)
    ]
    heads = [
        "Model", "Peak memory, GB", "of full tuning's", "Backward runs", "Inference overhead", "Extra FLOPs, %",
        "… merged", "Stored, bytes", "Changed, %", "Update rank", "Proof",
    ]  # fmt: skip
    return table(heads, rows, "lrrllrrrrrl")


_COSTS_SQL = """
SELECT m.*, b.name AS backbone_name, own.batch, own.length, own.target_length, own.dtype, own.peak, whole.peak AS full_peak,
    cost.blocks, cost.blocks_backward, cost.bare_flops, cost.inference_flops, cost.merged_flops
FROM method_on_backbone m CROSS JOIN judging JOIN backbone b ON b.id = m.backbone
JOIN cost ON cost.configuration = m.configuration AND cost.backbone = b.id
LEFT JOIN memory_use own ON own.configuration = m.configuration AND own.backbone = b.id
    AND own.length = judging.length AND own.dtype = judging.dtype
LEFT JOIN memory_use whole ON whole.configuration = judging.full_tuning AND whole.backbone = b.id
    AND whole.length = judging.length AND whole.dtype = judging.dtype
WHERE m.bp_measured IS NOT NULL ORDER BY b.parameters
"""


def _cost_proof(m: Any) -> Markup:
    """How the costs of one row come about."""
    bare = numbers.count(m.bare_flops)
    lines = [
        f"Memory: {numbers.count(m.peak)} bytes / {numbers.count(m.full_peak)} bytes of full tuning; batch {m.batch},"
        f" {m.length} positions, {m.dtype}.",
        f"Backward runs in {m.blocks_backward} of {m.blocks} blocks.",
        f"FLOPs of inference: {numbers.count(m.inference_flops)} before and {numbers.count(m.merged_flops)} after merging,"
        f" {bare} without the method.",
        f"Traced without weights: {m.configuration} on {m.backbone_name}.",
    ]
    asked = "ram_gb_predicted, ram_ratio, bp_share, inference_flops_percent, stored_bytes_measured"
    return proof(lines, rows_where("method_on_backbone", asked, id=m.id, backbone=m.backbone))


def _costs(m: Any) -> dict[str, str]:
    return {
        "memory": numbers.significant(m.ram_gb_predicted),
        "memory-share": numbers.significant(m.ram_ratio),
        "backward": f"{BACKWARD[m.bp_measured]} ({m.bp_share * 100:.0f} %)",
        "overhead": _overheads(m.overhead_unmerged, m.overhead_merged),
        "flops": numbers.percent(m.inference_flops_percent),
        "flops-merged": numbers.percent(m.merged_flops_percent),
        "stored": numbers.count(m.stored_bytes_measured),
        "changed": numbers.percent(m.changed_percent_measured),
        "rank": numbers.count(m.update_rank_measured),
    }


def _overheads(unmerged: str, merged: str) -> str:
    if unmerged == merged:
        return overhead_words(unmerged)
    return f"{overhead_words(unmerged)}; merged: {overhead_words(merged)}"


def trial_sentence(reader: Reader, method: str) -> str | None:
    """What the default configuration did on a tiny T5, in a sentence; None when it was not run."""
    found = reader.of(
        "method",
        method,
        "SELECT t.*, c.method FROM trial t JOIN configuration c ON c.id = t.configuration WHERE c.is_default",
    )
    if not found:
        return None
    (t,) = found
    if t.status != "run":
        return f"It could not be run on a tiny T5: {t.reason}."
    parts = {
        "exact": "all edits merge, and outputs are equal before and after merging",
        "partly": f"some edits merge exactly; others remain because {t.obstacle}",
        "none": f"nothing merges because {t.obstacle}",
        "differs": "outputs differ before and after merging",
    }
    falls = {"yes": "some optimizer steps lower the loss", "no": "the loss did not fall", None: "nothing is trained"}
    kept = (
        "the base model and the saved file alone give the same outputs"
        if t.restored == "yes"
        else "outputs change after saving and loading"
    )
    return f"Run for real on a tiny T5 with random weights: {falls[t.loss_falls]}; {parts[t.merge]}; {kept}."


def cell_columns(reader: Reader) -> dict[tuple[str, str], Markup]:
    """Figure and verdict for each cell of Tables 1 and 2, by method and anchor, as a link to where it is explained."""
    return {
        (method, anchor): link(judged.markup(), f"methods/{method}.md#{anchor}", "survey/tables-1-2.md")
        for method, cells in cells_of(reader).items()
        for anchor, judged in cells.items()
    }


def coverage_context(reader: Reader) -> dict[str, Any]:
    """Every method: in the survey's tables, instantiated, each measure, verdicts, and the reason of each gap."""
    rows: list[list[Cell]] = []
    for m in reader.all(_COVERAGE_SQL):
        gaps = [m.not_instantiated, m.reconstruction and f"A reconstruction: {m.reconstruction}", m.refused, m.unread]
        rows.append(
            [
                link(m.name, f"methods/{m.id}.md", COVERAGE),
                yes_no(m.in_table1),
                yes_no(m.in_table2),
                yes_no(m.in_table5),
                numbers.count(m.configurations),
                f"{m.counted} of {m.cells}",
                f"{m.traced} of {m.cells}",
                f"{m.tried} of {m.configurations}",
                f"{m.judged} of {m.claimed}",
                joined((escape(gap) for gap in gaps if gap), "<br>") or numbers.ABSENT,
            ]
        )
    words_of = reader.all(
        "SELECT verdict, count(*) AS n, count(*) FILTER (found_by = 'search') AS searched FROM cell_verdict GROUP BY verdict ORDER BY n DESC, verdict"
    )
    heads = [
        "Method", "Table 1", "Table 2", "Table 5", "Configurations", "Counted", "Costs traced", "Run on a tiny T5",
        "Cells judged", "Gaps and their reasons",
    ]  # fmt: skip
    return {
        "coverage": table(heads, rows, "llllrrrrrl"),
        "methods": len(rows),
        "instantiated": sum(1 for m in rows if m[4] != "0"),
        "verdicts": [(word_badge(w.verdict), w.n, VERDICTS[w.verdict][1], w.searched) for w in words_of],
        "runs": _runs(reader),
    }


def _runs(reader: Reader) -> Markup:
    """Where the records come from: each environment, with the day on which it last changed one."""
    rows: list[list[Cell]] = [
        [str(r.date), f"{r.counts}", f"{r.costs}", f"{r.trials}", r.surveykit, r.python, r.torch, r.transformers]
        for r in reader.all(_RUNS_SQL)
    ]
    heads = [
        "Last changed", "Counted", "Costs traced", "Run on a tiny T5", "surveykit", "Python", "PyTorch", "transformers",
    ]  # fmt: skip
    return table(heads, rows, "lrrrllll")


_RUNS_SQL = """
SELECT run.*,
    (SELECT count(*) FROM measurement m WHERE m.run = run.run) AS counts,
    (SELECT count(*) FROM cost c WHERE c.run = run.run) AS costs,
    (SELECT count(*) FROM trial t WHERE t.run = run.run) AS trials
FROM run ORDER BY run.date, run.run
"""


_COVERAGE_SQL = """
SELECT
    method.id, method.name, method.not_instantiated, method.reconstruction,
    method.id IN (SELECT method FROM table1) AS in_table1,
    method.id IN (SELECT method FROM table2) AS in_table2,
    method.id IN (SELECT method FROM table5) AS in_table5,
    (SELECT count(*) FROM configuration c WHERE c.method = method.id AND c.varies IS NULL) AS configurations,
    (SELECT count(*) FROM configuration c JOIN measurement m ON m.configuration = c.id WHERE c.method = method.id) AS cells,
    (SELECT count(*) FROM configuration c JOIN measurement m ON m.configuration = c.id
        WHERE c.method = method.id AND m.status = 'counted') AS counted,
    (SELECT count(*) FROM configuration c JOIN cost ON cost.configuration = c.id
        WHERE c.method = method.id AND cost.status = 'traced') AS traced,
    (SELECT count(*) FROM configuration c JOIN trial ON trial.configuration = c.id
        WHERE c.method = method.id AND trial.status = 'run') AS tried,
    (SELECT count(*) FROM cell_verdict v WHERE v.method = method.id AND v.verdict NOT IN ('not_comparable', 'not_measured'))
        AS judged,
    (SELECT count(*) FROM cell_verdict v WHERE v.method = method.id) AS claimed,
    (SELECT string_agg(trial.configuration || ' cannot run: ' || trial.reason, '; ' ORDER BY trial.configuration) FROM trial
        JOIN configuration c ON c.id = trial.configuration WHERE c.method = method.id AND trial.status = 'refused') AS refused,
    (SELECT string_agg(DISTINCT v.reason, ' ' ORDER BY v.reason) FROM cell_verdict v
        WHERE v.method = method.id AND v.verdict = 'not_comparable' AND v.column_name NOT IN ('type', 'under_1b', 'under_20b', 'over_20b')
        AND method.reconstruction IS NULL) AS unread
FROM method ORDER BY lower(method.name), method.id
"""


def memory_anchor(backbone: str, row_label: str) -> str:
    """The anchor of a row of Table 5 on the page of predicted memory."""
    return f"{backbone}-{slug(row_label)}"


_ERRORS = ("Mean error", "Lowest to highest", "Mean absolute error", "Rank correlation")
_SAMPLES = {
    "all": "all, as named",
    "left_out": "without rows that print another method's count",
    "as_read": "those rows predicted as that method",
}


def _errors(s: Any) -> list[Cell]:
    return [
        numbers.error(s.mean_error_percent),
        f"{numbers.error(s.least_error_percent, 0)} to {numbers.error(s.greatest_error_percent, 0)}",
        f"{s.mean_absolute_error_percent:.1f} %",
        numbers.ABSENT if s.rank_correlation is None else f"{s.rank_correlation:.2f}",
    ]


def _read_otherwise(p: Any) -> str:
    if p.read_as_gb is None:
        return ""
    return f"; {numbers.error(100 * (float(p.read_as_gb) / float(p.printed_gb) - 1), 0)} as {p.read_as}"


def _other_rows(reader: Reader) -> Markup:
    """What rows that print another method's parameter count do to the mean error; nothing where there are none."""
    found = reader.all(
        "SELECT row_label, read_as, count(*) AS times FROM table5_memory WHERE is_best_setting AND read_as IS NOT NULL"
        " GROUP BY ALL ORDER BY ALL"
    )
    chosen = {
        s.sample: s.mean_absolute_error_percent
        for s in reader.all("SELECT * FROM table5_memory_setting WHERE backbone IS NULL AND is_chosen")
    }
    if not found or "left_out" not in chosen:
        return Markup()
    names = listed(f"{row.row_label} ({row.times})" for row in found)
    read = joined([code(row.read_as) for row in found], ", ")
    otherwise = (
        f" If they are predicted as that configuration, it is {chosen['as_read']:.1f} %." if "as_read" in chosen else ""
    )
    return Markup(
        "The rows {} print the parameter count of another configuration, {}, but are predicted here as named. "
        "The mean absolute error is {} % with them and {} % without.{}"
    ).format(names, read, f"{chosen['all']:.1f}", f"{chosen['left_out']:.1f}", otherwise)


def memory_context(reader: Reader) -> dict[str, Any]:
    """Memory of Table 5 beside predictions: every row in the setting that fits best, and every setting's error."""
    rows: list[list[Cell]] = [
        [
            p.backbone_name,
            span(
                link(p.row_label, f"methods/{p.method}.md", MEMORY),
                "row",
                identifier=memory_anchor(p.backbone, p.row_label),
            ),
            f"{p.printed_gb:.1f}",
            f"{p.predicted_gb:.1f}",
            f"{numbers.error(p.error_percent, 0)}{_read_otherwise(p)}",
        ]
        for p in reader.all(
            "SELECT p.*, b.name AS backbone_name FROM table5_memory p JOIN backbone b ON b.id = p.backbone"
            " WHERE is_best_setting ORDER BY b.parameters, lower(row_label)"
        )
    ]
    every = reader.all("SELECT * FROM table5_memory_setting WHERE sample = 'all' ORDER BY mean_absolute_error_percent")
    settings: list[list[Cell]] = [
        [f"{s.length}", s.dtype, *_errors(s), yes_no(s.is_chosen)] for s in every if s.backbone is None
    ]
    names = {b.id: b.name for b in reader.all("SELECT id, name FROM backbone ORDER BY parameters")}
    sizes: list[list[Cell]] = [
        [names[backbone], _SAMPLES[sample], str(s.rows), f"{s.length}, {s.dtype}", *_errors(s)]
        for backbone in names
        for sample in _SAMPLES
        for s in reader.all(
            "SELECT * FROM table5_memory_setting WHERE is_chosen AND backbone = ? AND sample = ?", backbone, sample
        )
    ]
    return {
        "rows": table(["Backbone", "Row", "Printed, GB", "Predicted, GB", "Error"], rows, "llrrr"),
        "settings": table(["Positions", "Numbers", *_ERRORS, "Shown above"], settings, "rlrrrrl"),
        "sizes": table(["Backbone", "Rows", "Number", "Setting", *_ERRORS], sizes, "llrlrrrr"),
        "tried": len(settings),
        "without": _other_rows(reader),
        "count": len(rows),
    }
