"""Appendix B as printed, and Table 4 recomputed from it under each reading."""

from __future__ import annotations

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

from markupsafe import Markup

from surveykit.database.reading import Reader
from surveykit.site.pages.configurations import place
from surveykit.site.text import numbers
from surveykit.site.text.markdown import Cell, escape, link, slug, span, table

TABLE4 = "survey/table-4.md"
APPENDIX_B = "survey/appendix-b.md"


def table4_context(reader: Reader) -> dict[str, Any]:
    """What the page of Table 4 shows."""
    ours = {
        (t.method, t.backbone): t
        for t in reader.all("SELECT * FROM table4_recomputed ORDER BY lower(method), method, backbone")
    }
    backbones = _backbones(reader)
    methods = {t.method: t.method_id for t in ours.values()}
    lines: list[list[Cell]] = [
        [
            link(name, f"methods/{methods[name]}.md", TABLE4),
            *(_score(ours.get((name, b.id))) for b in backbones),
        ]
        for name in methods
    ]
    return {
        "ours": table(["Method", *(b.name for b in backbones)], lines, "l" + "r" * len(backbones)),
        "caveats": _caveats(ours.values(), {b.id: b.name for b in backbones}),
        "dashes": _dashes(reader),
        "readings": _readings(reader, backbones),
    }


def _backbones(reader: Reader) -> list[Any]:
    return reader.all(
        "SELECT id, name FROM backbone WHERE id IN (SELECT backbone FROM appendix_b) ORDER BY parameters, id"
    )


def _score(t: Any | None) -> str | Markup:
    """`67.34 ± 4.79`, with the number of datasets where it is not all of them."""
    if t is None:
        return span("no rows", "absent")
    if t.score_mean is None:
        return f"{numbers.ABSENT} ({t.datasets} of 4)"
    return escape(f"{numbers.score(t.score_mean)} ± {numbers.score(t.score_std)} ({t.datasets})") + caveat_mark(t)


def caveat_mark(t: Any) -> Markup:
    """An asterisk beside a mean that is doubtful, with the reason as its tip; nothing beside others."""
    return span("*", "caveat", title=caveat_words(t)) if t.caveat else Markup("")


def caveat_words(t: Any) -> str:
    """Why a mean is doubtful, in a sentence."""
    more = "" if t.score_if_fraction is None else f"; the mean would then be {numbers.score(t.score_if_fraction)}"
    return f"Doubtful: {t.caveat}{more}."


def _caveats(rows: Iterable[Any], names: dict[str, str]) -> Markup:
    """Every doubtful mean with its reason."""
    return table(
        ["Method", "Base model", "Mean", "Why it is doubtful"],
        [
            [t.method, names[t.backbone], numbers.score(t.score_mean), caveat_words(t).removeprefix("Doubtful: ")]
            for t in rows
            if t.caveat and t.score_mean is not None
        ],
        "llrl",
    )


def _dashes(reader: Reader) -> Markup:
    """Which datasets lack a score where there is no mean."""
    rows = reader.all(
        "SELECT t.method, b.name, list(d.dataset ORDER BY d.dataset) AS lacking,"
        " list(EXISTS (SELECT 1 FROM appendix_b r WHERE (r.method, r.backbone, r.dataset) = (t.method, t.backbone, d.dataset))"
        "   ORDER BY d.dataset) AS printed FROM table4_recomputed t"
        " JOIN backbone b ON b.id = t.backbone CROSS JOIN (SELECT DISTINCT dataset FROM appendix_b) d"
        " WHERE t.score_mean IS NULL AND NOT EXISTS (SELECT 1 FROM appendix_b a WHERE a.score IS NOT NULL"
        "   AND (a.method, a.backbone, a.dataset) = (t.method, t.backbone, d.dataset))"
        " GROUP BY t.method, t.backbone, b.name, b.parameters ORDER BY b.parameters, lower(t.method)"
    )
    return table(
        ["Method", "Backbone", "Dataset without a score"],
        [
            [
                r.method,
                r.name,
                ", ".join(
                    f"{dataset} ({'cell is blank' if printed else 'no row'})"
                    for dataset, printed in zip(r.lacking, r.printed, strict=True)
                ),
            ]
            for r in rows
        ],
        "lll",
    )


def _readings(reader: Reader, backbones: list[Any]) -> list[Any]:
    """Each other reading: what moves, and by how much at most."""
    found: dict[int, Any] = {}
    for r in reader.all(
        "SELECT r.*, o.score_mean AS our_mean, o.score_std AS our_std FROM table4_readings r"
        " JOIN table4_readings o USING (backbone, method) WHERE o.position = 1 AND r.position > 1"
        " ORDER BY r.position, lower(r.method), r.method"
    ):
        entry = found.setdefault(
            r.position,
            SimpleNamespace(name=r.reading, says=r.says[:1].upper() + r.says[1:], anchor=slug(r.reading), cells={}),
        )
        entry.cells[r.method, r.backbone] = r
    for entry in found.values():
        moved = {key: (_move(r.score_mean, r.our_mean), _move(r.score_std, r.our_std)) for key, r in entry.cells.items()}  # fmt: skip
        moved = {key: moves for key, moves in moved.items() if any(m.shown != numbers.ABSENT for m in moves)}
        names = {b.id: b.name for b in backbones}
        entry.moved = len(moved)
        entry.of = len(entry.cells)
        entry.new = sum(r.our_mean is None and r.score_mean is not None for r in entry.cells.values())
        entry.mean, entry.std = (_largest(moved, i, names) for i in (0, 1))
        columns = [
            (b, i)
            for b in backbones
            for i in (0, 1)
            if any(key[1] == b.id and moves[i].shown != numbers.ABSENT for key, moves in moved.items())
        ]
        lines: list[list[Cell]] = [
            [name, *(moved.get((name, b.id), (_still(), _still()))[i].shown for b, i in columns)]
            for name in dict.fromkeys(name for name, _ in moved)
        ]
        heads = ["Method", *(f"{b.name}, {('mean', 'deviation')[i]}" for b, i in columns)]
        entry.table = table(heads, lines, "l" + "r" * (len(heads) - 1))
    return list(found.values())


def _still() -> Any:
    return SimpleNamespace(by=0.0, shown=numbers.ABSENT)


def _move(there: float | None, ours: float | None) -> Any:
    """How far a figure moves; `by` is None where only one of the two readings has the figure."""
    if there is None and ours is None:
        return _still()
    if there is None or ours is None:
        return SimpleNamespace(by=None, shown="no longer any" if there is None else f"new: {numbers.score(there)}")
    shown = numbers.change(there - ours)
    return SimpleNamespace(by=there - ours, shown=shown)


def _largest(moved: dict[tuple[str, str], Any], i: int, names: dict[str, str]) -> str:
    """The largest change of one of the two figures, with its place."""
    known = [(abs(moves[i].by), key, moves[i]) for key, moves in moved.items() if moves[i].by]
    known = [entry for entry in known if entry[2].shown != numbers.ABSENT]
    if not known:
        return numbers.ABSENT
    _, (method, backbone), move = max(known, key=lambda entry: entry[:2])
    return f"{move.shown} ({method}, {names[backbone]})"


def appendix_b_context(reader: Reader) -> dict[str, Any]:
    """What the page of Appendix B shows."""
    blocks = []
    for b in _backbones(reader):
        rows = reader.all("SELECT * FROM appendix_b WHERE backbone = ? ORDER BY position", b.id)
        datasets = sorted({r.dataset for r in rows})
        tables = [
            SimpleNamespace(name=d, anchor=f"{slug(b.id)}-{slug(d)}", table=_seeds([r for r in rows if r.dataset == d]))
            for d in datasets
        ]
        blocks.append(SimpleNamespace(name=b.name, anchor=slug(b.id), tables=tables, rows=len(rows)))
    return {
        "blocks": blocks,
        "rows": reader.one("SELECT count(*) AS n FROM appendix_b").n,
        "names": table(
            ["Where", "Printed name", "Method", "Configuration", "Evidence"],
            [
                [
                    n.locator or "Table 4",
                    n.printed,
                    link(n.name, f"methods/{n.method}.md", APPENDIX_B),
                    link(n.configuration, place(n.configuration), APPENDIX_B) if n.configuration else numbers.ABSENT,
                    n.evidence,
                ]
                for n in reader.all(
                    "SELECT p.*, m.name, s.locator FROM printed_name p JOIN method m ON m.id = p.method"
                    " LEFT JOIN source_table s USING (source, table_name)"
                    " WHERE source = 'lialin2023scaling' AND table_name IN ('table4', 'appendix_b')"
                    " ORDER BY table_name, lower(printed)"
                )
            ],
            "lllll",
        ),
    }


def _seeds(rows: list[Any]) -> Markup:
    """Methods by seeds. Scores that share a cell stand in their printed order."""
    seeds = sorted({r.seed_printed for r in rows if r.seed_printed is not None}, key=lambda s: (len(s), s))
    columns: list[str | None] = [*seeds, *([None] if any(r.seed_printed is None for r in rows) else [])]
    cells: dict[tuple[str, str | None], list[str]] = {}
    for r in rows:
        cells.setdefault((r.method, r.seed_printed), []).append(r.score_printed or "blank")
    heads = ["Method", *("seed blank" if seed is None else f"seed {seed}" for seed in columns)]
    lines: list[list[Cell]] = [
        [method, *(", ".join(cells.get((method, seed), [numbers.ABSENT])) for seed in columns)]
        for method in sorted({r.method for r in rows}, key=lambda name: (name.lower(), name))
    ]
    return table(heads, lines, "l" + "r" * len(columns))
