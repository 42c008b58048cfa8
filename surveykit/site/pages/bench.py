"""A page for each plan of the bench, and the list of them: what runs, how to run it oneself, and what it said on which device."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from markupsafe import Markup

from surveykit.database.reading import AnswerRow, Reader
from surveykit.site.drawing.pictures import bench_picture
from surveykit.site.drawing.svg import Picture
from surveykit.site.inputs import Surroundings
from surveykit.site.pages.configurations import place
from surveykit.site.pages.downloads import size
from surveykit.site.pages.sources import path_of as source_page
from surveykit.site.text import numbers
from surveykit.site.text.markdown import Cell, code, joined, link, slug, table

BENCH = "bench/index.md"
RAW = "bench/results"
"""Where the result files lie on the site."""


def path_of(plan: str) -> str:
    """The page of a plan."""
    return f"bench/{plan}.md"


def bench_files(around: Surroundings) -> dict[str, Path]:
    """The result files by their paths on the site."""
    return {f"{RAW}/{name}": path for name, path in around.bench.items()}


def bench_context(reader: Reader) -> dict[str, Any]:
    """What the list of plans shows."""
    rows: list[list[Cell]] = [
        [link(p.id, path_of(p.id), BENCH), p.says, numbers.count(p.cells), _devices(p.devices)]
        for p in reader.all(
            "SELECT p.id, p.says, p.cells, (SELECT list(DISTINCT device ORDER BY device) FROM bench WHERE plan = p.id) AS devices"
            " FROM plan p ORDER BY p.id"
        )
    ]
    return {"plans": table(["Plan", "What it is for", "Cells", "Run on"], rows, "llrl"), **_elsewhere(reader, BENCH)}


def _devices(devices: list[str] | None) -> str:
    return ", ".join(devices) if devices else "nothing yet"


def plan_contexts(
    reader: Reader, drawn: Mapping[str, Picture], around: Surroundings
) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Each plan with what its page shows."""
    for plan in reader.all("SELECT p.*, t.locator, s.name AS source_name FROM plan p LEFT JOIN source_table t"
                           " USING (source, table_name) LEFT JOIN source s ON s.key = p.source ORDER BY p.id"):  # fmt: skip
        page = path_of(plan.id)
        devices = [_device(reader, plan, device, drawn, page) for device in _done(reader, plan)]
        yield (
            plan,
            {
                "plan": plan,
                "what": _what(plan),
                "steps": _steps(plan, around.repository),
                "repository": around.repository,
                "issue": around.sources.report(f"Results of {plan.id}", page),
                "beside": link(plan.source_name, source_page(plan.source), page) if plan.source else None,
                "done": table(
                    ["Device", "Processor", "Versions", "Cells done", "Failed", "Out of date", "When"],
                    [device["summary"] for device in devices],
                    "lllrrrl",
                ),
                "devices": devices,
                "runs": _runs(reader, plan, page, bench_files(around)),
                **_elsewhere(reader, page),
            },
        )


def _what(plan: AnswerRow) -> Markup:
    tasks = (
        [code(name) for name in plan.tasks.split(",")] if plan.tasks else ["random tokens, so only speed and memory"]
    )
    rows: list[list[Cell]] = [
        ["Models", joined(map(code, plan.models.split(",")))],
        ["Configurations", joined(map(code, plan.configurations.split(",")))],
        ["Tasks", joined(tasks)],
        ["Cells", numbers.count(plan.cells)],
        ["Throughput 100 is", code(plan.baseline)],
    ]
    return table(["", "What is run"], rows, "ll")


def _steps(plan: AnswerRow, repository: str) -> str:
    """Ten lines at most for a shell."""
    data = " --data FOLDER" if plan.needs_data else ""
    lines = [
        (f"git clone {repository} && cd {repository.rpartition('/')[2]}", ""),
        ("python -m venv .venv && . .venv/bin/activate", ""),
        ("pip install -e '.[measure]'", ""),
        *([(f"pip install --no-deps {plan.packages}", "")] if plan.packages else []),
        (f"surveykit bench {plan.id} --dry-run{data}", "what will run, its cost, and whether it fits"),
        (f"surveykit bench {plan.id}{data}", "run it again to continue where it stopped"),
        (f"surveykit bench {plan.id} --report report", "the results as Markdown, CSV and LaTeX"),
        ("surveykit validate", "whether the files are valid"),
        (f"git checkout -b bench-{plan.id} && git add catalog/measured/bench/{plan.id}", ""),
        (f"git commit -m 'Results of {plan.id}'", "push it, and open a pull request"),
    ]
    width = max(len(command) for command, why in lines if why)
    return "\n".join(f"{command.ljust(width)}  # {why}" if why else command for command, why in lines)


def _done(reader: Reader, plan: AnswerRow) -> list[AnswerRow]:
    return reader.all(
        "SELECT device, count(*) FILTER (NOT is_stale) AS done, count(*) FILTER (status = 'failed' AND NOT is_stale) AS failed,"
        " count(*) FILTER (is_stale) AS stale, min(started) AS first, max(started) AS last,"
        " list_sort(list(DISTINCT processor)) AS processors,"
        " list_sort(list(DISTINCT concat_ws(', ', 'torch ' || torch, 'transformers ' || transformers, 'Python ' || python,"
        "   'surveykit ' || surveykit, driver))) AS versions"
        " FROM bench_run WHERE plan = ? GROUP BY device ORDER BY device",
        plan.id,
    )  # fmt: skip


def _device(
    reader: Reader, plan: AnswerRow, device: AnswerRow, drawn: Mapping[str, Picture], page: str
) -> dict[str, Any]:
    rows = reader.all(
        "SELECT b.*, m.name AS method FROM bench b JOIN method m ON m.id = split_part(b.configuration, '/', 1)"
        " WHERE plan = ? AND device = ? ORDER BY position",
        plan.id, device.device,
    )  # fmt: skip
    days = dict.fromkeys(moment[:10] for moment in (device.first, device.last))
    summary: list[Cell] = [
        device.device, "; ".join(device.processors), "; ".join(device.versions), f"{device.done} of {plan.cells}", numbers.count(device.failed),
        numbers.count(device.stale), " to ".join(days),
    ]  # fmt: skip
    return {
        "name": device.device,
        "anchor": f"on-{slug(device.device)}",
        "summary": summary,
        "picture": drawn.get(bench_picture(plan.id, device.device)),
        "rows": _table(rows, page),
        "beside": _beside(reader, plan, device.device, page),
        "scored": any(row.score is not None for row in rows),
    }


def _table(rows: list[AnswerRow], page: str) -> Markup:
    """The rows with the columns in which one of them says something."""
    columns: list[tuple[str, str, Callable[[AnswerRow], Cell | None]]] = [
        ("Model", "l", lambda r: r.model if r.weights == "pretrained" else f"{r.model} (random weights)"),
        ("Task", "l", lambda r: r.task),
        ("Configuration", "l", lambda r: link(r.configuration, place(r.configuration), page)),
        ("Runs", "r", lambda r: f"{r.runs} ({r.failed} failed)" if r.failed else numbers.count(r.runs)),
        ("Trainable", "r", lambda r: _if(r.trainable, numbers.count)),
        ("Peak memory", "r", lambda r: _if(r.peak_bytes, size)),
        ("Reserved", "r", lambda r: _if(r.reserved_bytes, size)),
        ("Prediction", "r", lambda r: _if(r.error_percent, numbers.error)),
        ("Tokens a second", "r", lambda r: _if(
            r.tokens_per_second, lambda speed: f"{speed:,.0f} ({r.tokens_low:,.0f} to {r.tokens_high:,.0f})")),
        ("Training, baseline 100", "r", lambda r: _if(r.relative_speed, lambda speed: f"{speed:.1f}")),
        ("Inference, baseline 100", "r", lambda r: _if(
            r.relative_inference,
            lambda speed: f"{speed:.1f} ({r.relative_inference_low:.0f} to {r.relative_inference_high:.0f})")),
        ("Best rate", "r", lambda r: _if(r.rate, lambda rate: f"{rate:g}")),
        ("Score, %", "r", lambda r: _if(
            r.score, lambda score: f"{100 * score:.1f} ({100 * r.score_low:.1f} to {100 * r.score_high:.1f})")),
        ("Chance, %", "r", lambda r: _if(r.chance, lambda chance: f"{100 * chance:.1f}")),
        ("Seeds × examples", "r", lambda r: _if(r.seeds, lambda seeds: f"{seeds} × {r.examples}")),
        ("Place", "r", lambda r: r.place),
        ("Not clearly different from", "l", lambda r: r.not_told_apart or ("none" if r.place else None)),
        ("Why cells failed", "l", lambda r: r.reason),
    ]  # fmt: skip
    told = [(head, side, [cell(row) for row in rows]) for head, side, cell in columns]
    told = [one for one in told if any(cell is not None for cell in one[2])]
    lines = [
        [numbers.ABSENT if cell is None else cell for cell in line] for line in zip(*(c for *_, c in told), strict=True)
    ]
    return table([head for head, *_ in told], lines, "".join(side for _, side, _ in told))


def _beside(reader: Reader, plan: AnswerRow, device: str, page: str) -> Markup | None:
    """Printed figures of the table that a plan repeats, each with what was measured here and, where there is one, predicted."""
    rows = reader.all(
        "SELECT c.row_label, c.position, c.column_name, c.printed, c.method, b.name AS model, h.value, h.figure,"
        " CASE WHEN v.verdict = 'predicted' THEN v.measured END AS predicted"
        " FROM bench_claim h JOIN claim c USING (source, table_name, position, column_name)"
        " JOIN verdict v USING (source, table_name, position, column_name)"
        " JOIN backbone b ON b.id = c.backbone WHERE h.plan = ? AND h.device = ?",
        plan.id, device,
    )  # fmt: skip
    if not rows:
        return None
    columns = {row.column_name: _FIGURES[row.figure] for row in sorted(rows, key=lambda row: row.column_name)}
    predicted = {row.column_name for row in rows if row.predicted is not None}
    heads = ["Row", "Model"]
    for column, words in columns.items():
        heads += [f"{words}: printed", "predicted", "here"] if column in predicted else [f"{words}: printed", "here"]
    lines: list[list[Cell]] = []
    for position in sorted({row.position for row in rows}):
        found = {row.column_name: row for row in rows if row.position == position}
        first = next(iter(found.values()))
        line: list[Cell] = [link(first.row_label, f"methods/{first.method}.md", page), first.model]
        for column in columns:
            row = found.get(column)
            line.append(numbers.ABSENT if row is None else row.printed)
            if column in predicted:
                line.append(numbers.ABSENT if row is None or row.predicted is None else row.predicted)
            line.append(numbers.ABSENT if row is None else f"{row.value:.1f}")
        lines.append(line)
    return table(heads, lines, "ll" + "r" * (len(heads) - 2))


_FIGURES = {
    "peak_bytes": "Peak memory, GB", "reserved_bytes": "Reserved, GB", "relative_speed": "Training, baseline 100",
    "relative_inference": "Inference, baseline 100", "score": "Score, %",
}  # fmt: skip
"""What the bench measures and sources print, in words."""


def _if(value: Any, write: Callable[[Any], str]) -> str | None:
    return None if value is None else write(value)


def _runs(reader: Reader, plan: AnswerRow, page: str, files: Mapping[str, Path]) -> Markup:
    """Every file, with a link to it where it is on the site."""
    rows: list[list[Cell]] = []
    for r in reader.all(
        "SELECT * FROM bench_run WHERE plan = ? ORDER BY device, model, task, configuration, rate, seed, id", plan.id
    ):
        path = f"{RAW}/{plan.id}/{r.folder}/{r.id}.json"
        says = "out of date" if r.is_stale else r.status if r.reason is None else f"failed: {r.reason}"
        name = link(r.id, path, page) if path in files else code(r.id)
        rows.append(
            [name, r.device, r.model, r.task or "random tokens", r.configuration, f"{r.rate:g}", str(r.seed), says]
        )
    return table(["File", "Device", "Model", "Task", "Configuration", "Rate", "Seed", "Ended"], rows, "lllllrrl")


def _elsewhere(reader: Reader, page: str) -> dict[str, Any]:
    """Runs of others, whose figures are claims like any other."""
    found = reader.all(
        "SELECT s.key, s.name, sum(t.rows) AS rows FROM source s JOIN source_table t ON t.source = s.key"
        " WHERE s.tier = 'measured_elsewhere' GROUP BY ALL ORDER BY 3 DESC, 1"
    )
    rows: list[list[Cell]] = [[link(s.name, source_page(s.key), page), numbers.count(s.rows)] for s in found]
    return {"elsewhere": table(["Source", "Rows"], rows, "lr")}
