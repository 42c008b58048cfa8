"""Where long work runs: in this process, in others on this machine, on a Ray cluster. An executor owns no state.

Every one is a function that takes what `in_lasting_processes` takes: how to make the work, its tasks, and whether to stop.
"""

from __future__ import annotations

import importlib
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, Protocol, TypeVar

from surveykit.errors import MissingExtra, SurveyError, nearest
from surveykit.processes import LOST, Lost, Stop, in_lasting_processes, never

Task = TypeVar("Task")
Result = TypeVar("Result")

Name = Literal["here", "processes", "ray"]
NAMES: tuple[Name, ...] = ("here", "processes", "ray")


def name_of(word: str) -> Name:
    """An executor's name.

    Raises:
        SurveyError: it is none.
    """
    for name in NAMES:
        if name == word:
            return name
    raise SurveyError(f"executor is '{word}'; it must be one of {', '.join(NAMES)}{nearest(word, NAMES)}")


class Executor(Protocol):
    """Does tasks, and gives what comes of each in the order in which they are done; LOST where its process was lost."""

    def __call__(
        self,
        make: Callable[..., Callable[[Task], Result]],
        arguments: Sequence[object],
        tasks: Sequence[Task],
        *,
        stop: Stop = never,
    ) -> Iterator[tuple[Task, Result | Lost]]: ...


def executor(name: Name, *, workers: int | None = None, address: str | None = None, gpus: float = 0) -> Executor:
    """An executor by its name.

    Args:
        workers: tasks at once; None for one on each processor, or for all that a cluster has room for.
        address: of a Ray cluster; None starts one on this machine.
        gpus: that each task has, on Ray.
    """
    if name == "here":
        return in_this_process
    if name == "processes":
        return partial(in_lasting_processes, workers=workers or os.cpu_count() or 1)
    return partial(_on_ray, cluster=_Cluster(address, workers, gpus))


def in_this_process(
    make: Callable[..., Callable[[Task], Result]],
    arguments: Sequence[object],
    tasks: Sequence[Task],
    *,
    stop: Stop = never,
) -> Iterator[tuple[Task, Result | Lost]]:
    """One after another."""
    work = make(*arguments)
    for task in tasks:
        if stop():
            return
        yield task, work(task)


@dataclass(frozen=True)
class _Cluster:
    address: str | None
    workers: int | None
    gpus: float


def _on_ray(
    make: Callable[..., Callable[[Task], Result]],
    arguments: Sequence[object],
    tasks: Sequence[Task],
    *,
    cluster: _Cluster,
    stop: Stop = never,
) -> Iterator[tuple[Task, Result | Lost]]:
    """As tasks of Ray, each with one processor. Where a node or a worker is lost, Ray runs what ran there again, twice at most;
    LOST comes of what is lost then."""
    ray = _ray()
    try:
        ray.init(
            address=cluster.address, num_cpus=None if cluster.address else cluster.workers, include_dashboard=False,
            log_to_driver=False, logging_level="error",
        )  # fmt: skip
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise SurveyError(f"there is no Ray cluster at {cluster.address or 'this machine'}: {error}") from None
    try:
        work = ray.remote(num_cpus=1, num_gpus=cluster.gpus, max_retries=2)(_told)
        told = ray.put((make, tuple(arguments)))  # once: a catalog may be among it
        there = ray.cluster_resources()
        most = int(there.get("GPU", 0) / cluster.gpus) if cluster.gpus else int(there.get("CPU", 1))
        if most < 1:
            raise SurveyError("the Ray cluster has no GPU, but each task needs one: use --device cpu")
        waiting, running = deque(tasks), dict[Any, Task]()
        while True:
            while waiting and len(running) < min(most, cluster.workers or most) and not stop():
                task = waiting.popleft()
                running[work.remote(told, task)] = task
            if not running:
                return
            (done,), _ = ray.wait([*running], num_returns=1)
            task = running.pop(done)
            try:
                yield task, ray.get(done)
            except (ray.exceptions.WorkerCrashedError, ray.exceptions.NodeDiedError, ray.exceptions.ObjectLostError):
                yield task, LOST
            except ray.exceptions.RayTaskError as error:
                raise error.cause or error from None
    finally:
        ray.shutdown()


_work: Callable[[Any], Any] | None = None
"""Of a worker of Ray: what it does with a task."""


def _told(told: tuple[Callable[..., Callable[[Any], Any]], tuple[object, ...]], task: object) -> Any:
    """What a worker of Ray does with a task."""
    global _work
    if _work is None:
        make, arguments = told
        _work = make(*arguments)
    return _work(task)


def _ray() -> Any:
    try:
        importlib.import_module("ray.exceptions")
        return importlib.import_module("ray")
    except ImportError:
        raise MissingExtra("ray", "ray", "running on a Ray cluster") from None
