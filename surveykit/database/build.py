"""Catalog → DuckDB file: the tables of schema.sql filled, the views and macros of views/ created."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from surveykit.beside import new_file
from surveykit.catalog.claims import OVERHEAD_PRINTED
from surveykit.catalog.figures import parse_figure
from surveykit.catalog.load import Catalog
from surveykit.catalog.matched import is_matched
from surveykit.catalog.measured import cell_of, current_key
from surveykit.catalog.records import Method
from surveykit.catalog.shelves import SHELVES
from surveykit.database import audit
from surveykit.database.connection import CANNOT_WRITE, connect
from surveykit.database.survey_rows import survey_tables
from surveykit.database.verdict_rows import verdict_tables
from surveykit.errors import CatalogError, Problem, SurveyError
from surveykit.recipes.base import OVERHEAD_KINDS

_HERE = Path(__file__).parent
_TICKS = {"✓": "true", "✗": "false"}
# Views that others use come first; the rest is in alphabetical order.
_VIEW_ORDER = ("method_on_backbone", "methods_on", "methods", "table5", "appendix_b", "table4_readings", "statements")

Row = tuple[Any, ...]


def build(catalog: Catalog, path: Path) -> None:
    """Write the database of a catalog to a file. It is written beside and renamed, so none is ever half-written.

    Raises:
        SurveyError: the file cannot be written, or what is there is no file.
        FormulaError: a formula cannot be evaluated on one of the models.
    """
    try:
        with new_file(path) as beside, connect(beside) as connection:
            fill(connection, catalog)
    except CANNOT_WRITE as error:
        raise SurveyError(f"the database {path} cannot be written: {' '.join(str(error).split())}") from None


def check_that_it_builds(catalog: Catalog) -> None:
    """Build the database in memory, and forget it.

    Raises:
        CatalogError: the files make no database.
    """
    with connect() as connection:
        fill(connection, catalog)


def fill(connection: duckdb.DuckDBPyConnection, catalog: Catalog) -> None:
    """Create all tables, rows, views and macros in an empty database."""
    connection.execute("BEGIN")  # one transaction: a commit for each of 400 comments takes longer than the rest
    connection.execute((_HERE / "schema.sql").read_text(encoding="utf-8"))
    for table, rows in _tables(catalog):
        ordered = sorted(rows, key=repr)
        if ordered:
            try:
                _insert(connection, table, ordered)
            except duckdb.Error as error:  # a rule of the schema that the loader does not know
                reason = str(error).partition("\n")[0]
                raise CatalogError([Problem(catalog.root.name, 0, 0, f"table {table}: {reason}")]) from error
    for view in _views():
        connection.execute(view.read_text(encoding="utf-8"))
    connection.execute("COMMIT")  # a query of the audit that fails would undo what is not committed
    for table, results in audit.results(connection, catalog.survey):
        if results:
            _insert(connection, table, results)


def _insert(connection: duckdb.DuckDBPyConnection, table: str, rows: list[Row]) -> None:
    """Insert all rows in one statement, each column as one list: a mark for every value takes ten times as long."""
    columns = connection.execute(
        "SELECT data_type FROM duckdb_columns() WHERE table_name = ? ORDER BY column_index", [table]
    ).fetchall()
    lists = ", ".join(f"unnest(?::{kind}[])" for (kind,) in columns)
    connection.execute(f"INSERT INTO {table} SELECT {lists}", [list(values) for values in zip(*rows, strict=True)])


def _views() -> list[Path]:
    def place(path: Path) -> tuple[int, str]:
        known = path.stem in _VIEW_ORDER
        return (_VIEW_ORDER.index(path.stem) if known else len(_VIEW_ORDER), path.stem)

    return sorted((_HERE / "views").glob("*.sql"), key=place)


def _tables(catalog: Catalog) -> Iterator[tuple[str, Iterable[Row]]]:
    """Rows of every table, in an order that satisfies the foreign keys."""
    methods = catalog.methods.values()
    yield (
        "paper",
        [
            (p.key, p.title, "; ".join(p.authors), p.year, p.venue, p.url, p.arxiv, p.doi, p.bibtex)
            for p in catalog.papers.values()
        ],
    )
    yield (
        "method",
        [
            (
                m.id,
                m.name,
                m.family,
                m.survey.section,
                m.paper,
                m.idea,
                m.tradeoff,
                m.pseudocode,
                m.reconstruction,
                m.not_instantiated,
            )
            for m in methods
        ],
    )
    yield "alias", [(m.id, name) for m in methods for name in m.also_called]
    yield "relation", [(m.id, r.kind, r.method) for m in methods for r in m.relations]
    yield (
        "implementation",
        [(m.id, i, e.library, e.name, e.snippet, e.note) for m in methods for i, e in enumerate(m.implementations)],
    )
    yield "attribute", [row for m in methods for row in _attributes(m)]
    yield "overhead", [_overhead(m) for m in methods]
    yield "backbone", [
        (
            m.id, m.name, m.survey_label, m.checkpoint, d.model_type, m.paper, d.d_model, d.d_ff, d.d_kv, d.heads,
            d.kv_heads, d.inner, d.encoder_layers, d.decoder_layers, d.vocabulary, d.relative_buckets, d.positions,
            d.token_types, d.gated, d.tied, m.size, m.parameters is not None, m.parameters_source, d.has_symbols,
        )
        for m in catalog.models.values()
        for d in [m.dimensions]
    ]  # fmt: skip
    to = catalog.quantities.judging.matched_to
    reference = next((c.recipe for name, _, c in catalog.configurations() if name == to), None)
    yield "configuration", [
        (
            name, m.id, c.name, c.default, c.basis, c.basis_note, c.recipe.model_dump_json(), json.dumps(c.formula.let),
            c.formula.trainable, c.formula.added, c.formula.stored, is_matched(c.recipe, reference),
        )
        for name, m, c in catalog.configurations()
    ]  # fmt: skip
    quantities = catalog.quantities
    yield "quantity", [tuple(q.model_dump().values()) for q in quantities.quantities]
    yield "judging", [tuple(quantities.judging.model_dump().values())]
    yield "survey_row", [(r.row, name, r.evidence) for name, _, c in catalog.configurations() for r in c.survey_rows]
    yield (
        "oracle",
        [
            (name, i, o.library, o.config, json.dumps(o.arguments), o.trainable, o.differs_because)
            for name, _, c in catalog.configurations()
            for i, o in enumerate(c.oracles)
        ],
    )
    yield "claim", [*(row for m in methods for row in _method_claims(m)), *_table5_claims(catalog)]
    yield "run", [(r.run, r.date, r.surveykit, r.python, r.torch, r.transformers) for r in catalog.runs.values()]
    yield from _measured(catalog)
    yield "formula_value", _formula_values(catalog)
    yield (
        "explanation",
        [
            (m.id, i, e.row, e.cause, e.text, e.fits_setup, e.correction, e.innocent, e.evidence, e.remark)
            for m in methods
            for i, e in enumerate(m.explanations)
        ],
    )
    yield (
        "explanation_figure",
        [
            (m.id, i, quoted.backbone, column, printed)
            for m in methods
            for i, e in enumerate(m.explanations)
            for quoted in e.figures
            for column, printed in quoted.printed().items()
        ],
    )
    yield (
        "explanation_tried",
        [(m.id, i, name) for m in methods for i, e in enumerate(m.explanations) for name in sorted(set(e.tried))],
    )
    yield (
        "cell_explanation",
        [
            (m.id, e.table, e.column, e.printed, e.cause, e.text, e.innocent, e.evidence)
            for m in methods
            for e in m.cell_explanations
        ],
    )
    yield from survey_tables(catalog)
    yield from verdict_tables(catalog)


def _canonical(kinds: Iterable[str]) -> str:
    return "+".join(kind for kind in OVERHEAD_KINDS if kind in set(kinds)) or "none"


def _attributes(method: Method) -> Iterator[Row]:
    printed = method.survey.table1
    if printed is not None:
        locator = f"Table 1, row {printed.row}"
        values = {
            "type": printed.type,
            "disk": _TICKS[printed.disk],
            "ram": _TICKS[printed.ram],
            "bp": _TICKS[printed.bp],
            "overhead": _canonical(OVERHEAD_PRINTED[printed.overhead]),
        }
        for name, value in values.items():
            yield method.id, name, value, "known", "survey_table", locator
        return
    ours = method.effective
    assert ours is not None  # the loader refuses a method with neither
    yield method.id, "type", ours.type.value, ours.type.status, ours.type.source, ours.type.reason
    for name, flag in (("disk", ours.disk), ("ram", ours.ram), ("bp", ours.bp)):
        text = None if flag.value is None else str(flag.value).lower()
        yield method.id, name, text, flag.status, flag.source, flag.reason
    kinds = ours.overhead.kinds
    text = None if kinds is None else _canonical(kinds)
    yield method.id, "overhead", text, ours.overhead.status, ours.overhead.source, ours.overhead.reason


def _overhead(method: Method) -> Row:
    if method.survey.table1 is not None:
        kinds: tuple[str, ...] | None = OVERHEAD_PRINTED[method.survey.table1.overhead]
    else:
        assert method.effective is not None
        kinds = method.effective.overhead.kinds
    return (method.id, *(None if kinds is None else kind in kinds for kind in OVERHEAD_KINDS))


def _method_claims(method: Method) -> Iterator[Row]:
    """Tables 1 and 2 speak of methods; their ticks have no number."""
    for number, row in ((1, method.survey.table1), (2, method.survey.table2)):
        if row is None:
            continue
        for column, printed in row.model_dump(exclude={"row", "note"}).items():
            figure = _figure(printed) if column.endswith("_percent") else (None, None, None, None)
            locator = f"Table {number}, row {row.row}, {column}"
            yield locator, method.id, number, row.row, column, None, None, printed, "printed", *figure


def _table5_claims(catalog: Catalog) -> Iterator[Row]:
    owners = {r.row: (m.id, name) for name, m, c in catalog.configurations() for r in c.survey_rows}
    backbones = {b.survey_label: b.id for b in catalog.models.values() if b.survey_label}
    for cell in catalog.table5:
        method, configuration = owners[cell.row]
        locator = f"Table 5, {cell.backbone_label}, {cell.row}, {cell.column}"
        place = (locator, method, 5, cell.row, cell.column, configuration, backbones[cell.backbone_label])
        yield *place, cell.printed, cell.status, *_figure(cell.printed)


def _figure(printed: str | None) -> tuple[Decimal | None, Decimal | None, int | None, str | None]:
    if printed is None:
        return None, None, None, None
    figure = parse_figure(printed)
    return figure.low, figure.high, figure.decimals, figure.bound


def _measured(catalog: Catalog) -> Iterator[tuple[str, Iterable[Row]]]:
    """What was measured, each row with whether what it rests on has changed since."""
    tables = {"counts": "measurement", "costs": "cost", "memory": "memory_use", "trials": "trial"}
    for shelf in SHELVES:
        rows = shelf.rows(catalog)
        now = {cell: current_key(catalog, cell, shelf.measure) for cell in {cell_of(row) for row in rows}}
        names = [*shelf.record.values_of(), *(("backward",) if shelf.folder == "costs" else ())]
        found = [(*(getattr(row, name) for name in names), row.key != now[cell_of(row)]) for row in rows]
        yield tables[shelf.folder], found


def _formula_values(catalog: Catalog) -> Iterator[Row]:
    for name, _, configuration in catalog.configurations():
        written = configuration.formula
        for model in catalog.models_of(configuration):
            values = written.values_on(catalog.models[model].dimensions)
            if values is not None:
                yield name, model, *values.values()
