"""The pictures of the site, each drawn once from the database, with its words and the data that it shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

from markupsafe import Markup

from surveykit.database.reading import Reader
from surveykit.ranks import rank_correlation
from surveykit.site.drawing import charts
from surveykit.site.drawing.canvas import in_our_style
from surveykit.site.drawing.svg import Picture, as_csv, inline
from surveykit.site.drawing.taxonomy import taxonomy_picture
from surveykit.site.text.markdown import escape, link, slug, target
from surveykit.site.text.words import listed


def pictures(reader: Reader) -> dict[str, Picture]:
    """Every picture of the survey and of our predictions, by its name."""
    found = [
        taxonomy_picture(reader),
        _score(reader),
        _memory(reader),
        _speed(reader),
        _claimed(reader),
        _how_far_off(reader),
    ]
    return {picture.name: picture for picture in [*found, *_seeds(reader)]}


def bench_pictures(reader: Reader) -> dict[str, Picture]:
    """What the bench measured against memory: a picture for each plan and device, by its name."""
    found = {}
    for drawn in reader.all("SELECT DISTINCT plan, device FROM bench WHERE peak_bytes > 0 ORDER BY ALL"):
        rows = reader.all(_BENCH, drawn.plan, drawn.device)
        name = bench_picture(drawn.plan, drawn.device)

        def draw(rows: Sequence[Any], name: str = name) -> str:
            return charts.bench_against_memory(rows, name)

        units = listed(dict.fromkeys(r.unit for r in rows))
        found[name] = _picture(
            name, f"{drawn.plan} on {drawn.device}: {units} against memory",
            "One mark per configuration. Lines are 95 % intervals over seeds and examples for scores, and quartiles over steps "
            "for speed; a dashed line is chance level.",
            f"{units} against peak memory: {len(rows)} configurations, a panel for each model and task." + _least(rows),
            draw, rows, "group label method family megabytes value low high chance unit",
        )  # fmt: skip
    return found


def bench_picture(plan: str, device: str) -> str:
    """The name of the picture of a plan on a device."""
    return f"bench-{slug(plan)}-{slug(device)}"


def _least(rows: list[Any]) -> str:
    """What needs least memory in each panel, in a sentence."""
    least = [min(own, key=lambda r: r.megabytes) for _, own in charts.by_group(rows)]
    return f" Least memory: {listed(f'{r.label} on {r.group}' for r in least)}."


_BENCH = """
SELECT b.model || coalesce(', ' || b.task, '') AS "group", b.configuration AS label, m.id AS method, m.family,
    b.peak_bytes / 1e6 AS megabytes, b.chance * 100 AS chance,
    coalesce(b.score * 100, b.tokens_per_second) AS value,
    if(b.score IS NULL, b.tokens_low, b.score_low * 100) AS low, if(b.score IS NULL, b.tokens_high, b.score_high * 100) AS high,
    CASE b.metric WHEN 'accuracy' THEN 'accuracy, %' WHEN 'rouge-l' THEN 'ROUGE-L, %' ELSE 'tokens a second' END AS unit
FROM bench b JOIN method m ON m.id = split_part(b.configuration, '/', 1)
WHERE b.plan = ? AND b.device = ? AND b.peak_bytes > 0 AND coalesce(b.score, b.tokens_per_second) IS NOT NULL
    AND (b.score IS NULL) = (SELECT bool_and(o.score IS NULL) FROM bench o
        WHERE o.plan = b.plan AND o.device = b.device AND o.model = b.model AND o.task IS NOT DISTINCT FROM b.task)
ORDER BY b.position
"""


def figure(picture: Picture, page: str) -> Markup:
    """A picture within a page: itself, its caption, its files, and its own address."""
    files = [("SVG, light", f"{picture.name}-light.svg"), ("SVG, dark", f"{picture.name}-dark.svg")]
    files += [("data as CSV", f"{picture.name}.csv")] if picture.data else []
    downloads = Markup(", ").join(link(text, f"figures/{name}", page) for text, name in files)
    drawn = inline(picture, target("x", page)[:-1])
    place = f"picture-{picture.name}"
    box = Markup('<div class="pic" id="{}" tabindex="0" role="region" aria-label="{}">\n{}</div>\n\n')
    return box.format(place, Markup(escape(picture.title)), drawn) + Markup(
        f"{escape(picture.caption)} {downloads}, [link to this picture](#{place}).\n{{ .caption }}"
    )


def _picture(
    name: str, title: str, caption: str, alt: str, draw: Callable[[Sequence[Any]], str], rows: list[Any], columns: str
) -> Picture:
    names = tuple(columns.split())
    data = as_csv(names, [[getattr(r, column) for column in names] for r in rows])
    return Picture(name=name, title=title, caption=caption, alt=alt, data=data,
                   drawing=in_our_style(lambda: draw(rows)))  # fmt: skip


def _score(reader: Reader) -> Picture:
    rows = reader.all(
        "SELECT b.name AS backbone_name, t.method AS printed_name, p.method, m.family, t.score_mean AS score, t.caveat,"
        " x.trainable_percent AS share FROM table4_recomputed t JOIN backbone b ON b.id = t.backbone"
        " JOIN printed_name p ON p.source = 'lialin2023scaling' AND p.table_name = 'appendix_b' AND p.printed = t.method"
        " JOIN method m ON m.id = p.method"
        " JOIN measured x ON x.configuration = p.configuration AND x.backbone = t.backbone AND x.trainable > 0"
        " WHERE t.score_mean IS NOT NULL ORDER BY b.parameters, lower(t.method), t.method"
    )
    best = [max(own, key=lambda r: r.score) for _, own in charts.by_backbone(rows) if own]
    told = listed(f"{r.printed_name} on {r.backbone_name} ({r.score:.1f})" for r in best)
    return _picture(
        "score", "Score against trainable parameters",
        "Mean score over the datasets of Appendix B, recomputed because the text we used lacks the scores of Table 4, against "
        "our count of trainable parameters, in percent, for the configuration that we read each name as. Open marks are doubtful: a "
        "dataset is at chance level, or scores may be fractions of 1 instead of percentages.",
        f"Mean score against the share of trainable parameters, one panel for each backbone. The highest: {told}."
        + _correlations(rows, "share", "score"),
        charts.score_against_share, rows, "backbone_name printed_name method family share score caveat",
    )  # fmt: skip


def _table5(reader: Reader) -> list[Any]:
    return reader.all(
        "SELECT b.name AS backbone_name, row_label, method, params_percent AS share, ram_gb AS ram,"
        " throughput_train AS train, throughput_infer AS infer FROM table5 t JOIN backbone b ON b.id = t.backbone"
        " WHERE params_percent > 0 AND ram_gb > 0 AND throughput_train > 0 AND throughput_infer > 0"
        " ORDER BY b.parameters, b.id, row_label"
    )


def _memory(reader: Reader) -> Picture:
    rows = _table5(reader)
    return _picture(
        "memory", "Memory against throughput",
        "As printed in Table 5: throughput relative to full tuning (= 100) against peak memory." + _slower(rows),
        "Throughput in training and in inference relative to full tuning against peak memory in gigabytes, one panel for "
        "each backbone." + _slower(rows) + _correlations(rows, "ram", "train"),
        charts.memory_against_speed, rows, "backbone_name row_label method ram train infer",
    )  # fmt: skip


def _speed(reader: Reader) -> Picture:
    rows = _table5(reader)
    return _picture(
        "speed", "Parameters against throughput",
        "As printed in Table 5: throughput in training and in inference relative to full tuning (= 100) against the share "
        "of trainable parameters." + _slower(rows),
        "Throughput relative to full tuning against the printed share of trainable parameters, one panel for each "
        "backbone." + _slower(rows) + _correlations(rows, "share", "train"),
        charts.parameters_against_speed, rows, "backbone_name row_label method share train infer",
    )  # fmt: skip


def _slower(rows: list[Any]) -> str:
    """How many rows of Table 5 are slower than full tuning."""
    own = [r for r in rows if r.method != "full-tuning"]
    train, infer = sum(r.train < 100 for r in own), sum(r.infer < 100 for r in own)
    return f" Of {len(own)} rows, {train} are slower than full tuning in training and {infer} at inference."


def _correlations(rows: list[Any], x: str, y: str) -> str:
    """The rank correlation of two figures on each backbone, in a sentence."""
    told = []
    for name, own in charts.by_backbone(rows):
        found = rank_correlation([getattr(r, x) for r in own], [getattr(r, y) for r in own])
        if found is None:
            continue
        told.append(f"{found:.2f} on {name}")
    return f" Their rank correlation is {listed(told)}." if told else ""


def _claimed(reader: Reader) -> Picture:
    rows = reader.all(
        "SELECT b.name AS backbone_name, v.row_label, v.method, v.outcome, CAST(v.value_min AS DOUBLE) AS printed,"
        " CAST(v.measured AS DOUBLE) AS measured FROM table5_verdict v"
        " JOIN backbone b ON b.id = v.backbone WHERE v.column_name = 'params_millions' AND v.measured > 0"
        " AND v.value_min > 0 ORDER BY b.parameters, b.id, v.row_label"
    )
    equal = sum(r.outcome == "match" for r in rows)
    return _picture(
        "claimed", "Claimed against measured parameters",
        "Each mark is one row of Table 5 on one model. Marks on the diagonal are equal. Near the diagonal a difference can be "
        "too small to see, so shape and colour show it too.",
        "Printed against measured millions of trainable parameters, one mark for each row of Table 5 and model, on "
        f"logarithmic axes. {equal} of {len(rows)} match and lie on the diagonal; those that differ are named.",
        charts.claimed_against_measured, rows, "backbone_name row_label method printed measured outcome",
    )  # fmt: skip


def _how_far_off(reader: Reader) -> Picture:
    rows = reader.all(
        "SELECT p.source, p.row_label, split_part(p.configuration, '/', 1) AS method, b.name AS backbone_name, p.kind, p.split = 'held out' AS held_out,"
        " predicted_bytes / 1e9 AS predicted, predicted_bytes / 1e9 / (1 + error_percent / 100) AS printed,"
        " error_percent AS error FROM memory_prediction p JOIN backbone b ON b.id = p.backbone"
        " ORDER BY p.source, p.table_name, p.position, p.column_name"
    )
    near = sum(abs(r.error) <= 5 for r in rows)
    return _picture(
        "how-far-off", "Predicted against measured memory",
        "One mark per published run, on logarithmic axes; on the line, prediction and measurement are equal. Filled marks are "
        "held-out runs: we tuned nothing on their source and model.",
        f"Predicted against measured memory in gigabytes, {len(rows)} published figures on logarithmic axes; {near} of them lie "
        "within 5 % of the diagonal.",
        charts.predicted_against_printed, rows, "source row_label method backbone_name kind held_out printed predicted error",
    )  # fmt: skip


def _seeds(reader: Reader) -> list[Picture]:
    found = []
    for d in reader.all(
        "SELECT dataset, count(*) AS n FROM appendix_b WHERE score IS NOT NULL GROUP BY ALL ORDER BY 1"
    ):
        rows = reader.all(
            "SELECT b.name AS backbone_name, a.method AS printed_name, a.method_id AS method, a.seed, a.score"
            " FROM appendix_b a JOIN backbone b ON b.id = a.backbone WHERE a.dataset = ? AND a.score IS NOT NULL"
            " ORDER BY b.parameters, b.id, a.position",
            d.dataset,
        )
        name = f"seeds-{slug(d.dataset)}"

        def draw(drawn: Sequence[Any], dataset: str = d.dataset, name: str = name) -> str:
            return charts.seeds(drawn, dataset, name)

        found.append(
            _picture(
                name, f"Appendix B: {d.dataset}, seed by seed",
                f"{d.n} printed rows of Appendix B for {d.dataset}: one ring each, with the mean of "
                f"a method's rows as a bar.{_spread(rows)}",
                f"Scores on {d.dataset} of each method and seed, one panel for each backbone, {d.n} rows in all.{_spread(rows)}",
                draw, rows, "backbone_name printed_name method seed score",
            )
        )  # fmt: skip
    return found


def _spread(rows: list[Any]) -> str:
    """How far the rows of one method lie apart, beside how far the methods do."""
    groups: dict[tuple[str, str], list[float]] = {}
    for r in rows:
        groups.setdefault((r.backbone_name, r.printed_name), []).append(r.score)
    ranges = [max(own) - min(own) for own in groups.values() if len(own) > 1]
    if not ranges:
        return ""
    return f" Rows of one method lie {median(ranges):.1f} points apart in the median, {max(ranges):.1f} at most."
