"""The catalog for programs that speak the Model Context Protocol: mcp."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Annotated, ParamSpec, TypeVar

from pydantic import Field, JsonValue

from surveykit import __version__, faults, output
from surveykit.api.names import Folder
from surveykit.beside import temporary
from surveykit.database.methods import Fact
from surveykit.errors import MissingExtra, SurveyError
from surveykit.fit.rows import Row, rows_of
from surveykit.record import Record

if TYPE_CHECKING:
    from mcp.server import MCPServer

Given = ParamSpec("Given")
Answered = TypeVar("Answered")

MOST_CHOICES = 20
"""Configurations that one answer of `fit` describes; each has some forty fields."""
INSTRUCTIONS = """\
Methods of parameter-efficient fine-tuning: what sources claim of them, what we count and predict, and verdicts on printed
figures. Begin with fields, which lists the tables and views, or the columns of one; query asks them. No tool writes anything,
and no weights are needed."""

Model = Annotated[
    str, Field(description="id of the catalog (t5-large, llama-3.1-8b), path of a config.json, or a name on the hub")
]
Methods = Annotated[list[str], Field(description="methods or method/configuration, such as lora or lora/qv-r8")]
HyperParameters = Annotated[
    dict[str, JsonValue] | None, Field(description="changes of hyper-parameters, such as {'rank': 32}")
]
Targets = Annotated[
    list[str] | None, Field(description="linear layers that edits go on, by name, as PEFT's target_modules")
]


class Rows(Record):
    """Rows of an answer."""

    columns: list[str]
    types: list[str]
    """DuckDB's names of the columns' types."""
    rows: list[dict[str, JsonValue]]


class Named(Record):
    """A table, view or column that a query can name."""

    name: str
    kind: str
    """`view`, `macro` or `table`; of a column, its type in DuckDB."""
    comment: str | None


class Shown(Record):
    """One method: every claim beside what was measured."""

    method: str
    paragraphs: list[str]
    facts: list[Fact]


class Counted(Record):
    """Parameters that one configuration trains on one model; null, with a reason, if it cannot be counted."""

    configuration: str
    model: str
    model_parameters: int
    trainable: int | None
    percent: float | None
    """Trainable parameters, in percent of the model's."""
    added: int | None
    changed: int | None
    stored_bytes: int | None
    reason: str | None


class Fitting(Record):
    """Which methods can be trained in a given memory."""

    sentences: list[str]
    """The answer in words."""
    choices: list[Row]
    """The best first."""
    tried: int
    """Configurations that were tried; `choices` may be fewer."""


class Judged(Record):
    """A claim with our figure and the verdict on the two."""

    configuration: str
    model: str | None
    column: str
    printed: str | None
    ours: str | None
    difference_percent: float | None
    verdict: str
    would_give: list[str]
    """If the figure differs, stated configurations that give it."""
    reason: str


def mcp(*, catalog: Folder | None = None) -> None:
    """Serve one program on standard input and output, with the Model Context Protocol: fields, query, show, count, fit
    and check.

    Nothing is written except a query's cache; queries have the same limits as those of `query`.

    Returns:
        Nothing, once the other side has closed the connection.

    Raises:
        SurveyError: there is no catalog.
        MissingExtra: the package mcp is not installed.
    """
    from surveykit.api.names import root_of

    root_of(catalog)  # a mistake is told now, not at the first question
    server(catalog).run("stdio")


def server(catalog: Folder | None = None) -> MCPServer[None]:
    """The server with its tools.

    Raises:
        MissingExtra: the package mcp is not installed.
    """
    try:
        from mcp.server import MCPServer
        from mcp.types import ToolAnnotations
    except ModuleNotFoundError:
        raise MissingExtra("mcp", "mcp", "surveykit mcp") from None
    from surveykit.api import asking, checking, fitting, measuring, showing

    served: MCPServer[None] = MCPServer(
        "surveykit", version=__version__, instructions=INSTRUCTIONS, log_level="CRITICAL"
    )
    one_at_a_time = threading.Lock()  # tracing sets torch's threads for the whole process

    def tool(function: Callable[Given, Answered]) -> None:
        @wraps(function)
        def guarded(*args: Given.args, **given: Given.kwargs) -> Answered:
            with one_at_a_time, mistakes_in_words(function.__name__):
                return function(*args, **given)

        served.tool(annotations=ToolAnnotations(read_only_hint=True))(guarded)

    @tool
    def fields(
        table: Annotated[str | None, Field(description="one table or view, whose columns are listed")] = None,
    ) -> list[Named]:
        """What queries can name: every table and view, or the columns of one."""
        return [Named(**vars(one)) for one in asking.fields(table, catalog=catalog)]

    @tool
    def query(
        condition: Annotated[str | None, Field(description="what must hold of a method, as SQL; null for all")] = None,
        sql: Annotated[str | None, Field(description="a whole SELECT instead of a condition")] = None,
        select: Annotated[str | None, Field(description="columns, or *")] = None,
        backbone: Annotated[str | None, Field(description="id of the model that measured columns are of")] = None,
        limit: Annotated[int | None, Field(description="at most so many methods")] = None,
    ) -> Rows:
        """Methods for which a condition holds, or the rows of one SELECT on the read-only database."""
        found = asking.query(condition, sql=sql, select=select, backbone=backbone, limit=limit, catalog=catalog)
        return Rows(
            columns=found.columns, types=found.types, rows=json.loads(output.render(found.columns, found.rows, "json"))
        )

    @tool
    def show(method: Annotated[str, Field(description="id or name, such as lora")]) -> Shown:
        """One method: its idea, and every claim beside what was measured, with the verdict."""
        found = showing.show(method, catalog=catalog)
        return Shown(method=found.method, paragraphs=[*found.paragraphs], facts=[*found.facts])

    @tool
    def count(
        methods: Methods, model: Model, hyper_parameters: HyperParameters = None, targets: Targets = None
    ) -> list[Counted]:
        """How many parameters methods train, add and store on a model, from its configuration alone."""
        found = measuring.count(methods, model=model, set=hyper_parameters, targets=targets, catalog=catalog)
        same = ("configuration", "trainable", "percent", "added", "changed", "stored_bytes", "reason")
        return [
            Counted(model=model, model_parameters=one.model.parameters, **{name: getattr(one, name) for name in same})
            for one in found
        ]

    @tool
    def fit(
        model: Model,
        gpu_memory: Annotated[str, Field(description="such as 24GB or 24GiB")],
        methods: Annotated[list[str] | None, Field(description="only these; null for all, which takes longer")] = None,
        batch: Annotated[int | None, Field(description="examples at once; null: what the setting says")] = None,
        length: Annotated[int | None, Field(description="positions of an input; null: what the setting says")] = None,
        setting: Annotated[
            str | None, Field(description="trainer (the default), trl, qlora, litgpt, fms, peft-benchmark or survey")
        ] = None,
    ) -> Fitting:
        """Which methods can be trained on a model in a GPU's memory, with the predicted peak and its parts."""
        found = fitting.fit(
            model, gpu_memory=gpu_memory, methods=methods, batch=batch, length=length, setting=setting, catalog=catalog
        )
        rows = [*rows_of(found)][:MOST_CHOICES]
        return Fitting(sentences=[*found.sentences], choices=rows, tried=found.asked)

    @tool
    def check(
        claims: Annotated[
            str, Field(description="CSV text with the columns method, column, printed; if wanted model, unit, rank…")
        ],
        model: Annotated[str | None, Field(description="what rows without a model of their own speak of")] = None,
    ) -> list[Judged]:
        """Judge printed figures, such as those of a draft paper, against our counts."""
        with temporary("claims") as folder:
            table = folder / "claims.csv"
            table.write_text(claims, encoding="utf-8")
            checked = checking.check(table, model=model, catalog=catalog)
        return [_judged(one) for one in checked]

    return served


def _judged(one: object) -> Judged:
    from surveykit.api.checking import CheckedClaim

    assert isinstance(one, CheckedClaim)
    claim, found = one.verdict.claim, one.verdict.found
    return Judged(
        configuration=found.configuration or claim.row, model=claim.model, column=claim.column, printed=claim.printed,
        ours=found.measured, difference_percent=one.difference_percent, verdict=one.verdict.word,
        would_give=[f"{setup.configuration} ({setup.sense})" for setup in one.would_give], reason=found.reason,
    )  # fmt: skip


@contextmanager
def mistakes_in_words(tool: str) -> Iterator[None]:
    """The other side gets the same error messages as a user of `surveykit`, never a traceback."""
    from mcp.server.mcpserver.exceptions import ToolError

    try:
        yield
    except SurveyError as error:
        raise ToolError(str(error)) from None
    except Exception as error:
        raise ToolError(faults.environment_reason(error) or faults.report(error, ["mcp", tool])) from None
