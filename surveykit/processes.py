"""Work shared out to other processes, which end when they are told to, and when whoever told them is gone."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any, TypeVar

from surveykit.errors import SurveyError

Task = TypeVar("Task")
Result = TypeVar("Result")

Watch = Callable[[int, int], None]
"""Called with how many are done and how many there are, first with 0 done; a progress bar, for instance."""


def unwatched(done: int, total: int) -> None:
    """Nobody watches."""


_work: Callable[[Any], Any] | None = None
"""Of a worker process: what it does with a task."""


def in_processes(
    make: Callable[..., Callable[[Task], Result]], arguments: Sequence[object], tasks: Sequence[Task], workers: int
) -> Iterator[tuple[Task, Result]]:
    """What comes of each task, in the order in which they are done.

    When the iteration ends early, by Ctrl-C for instance, the workers are ended at once, whatever they are doing.

    Args:
        make: makes the work from `arguments`, once in each worker.
        tasks: begun in this order.

    Raises:
        SurveyError: a worker was ended from outside. Besides, whatever the work raises.
    """
    context = multiprocessing.get_context("spawn")  # torch's threads do not survive a fork
    others = set(multiprocessing.active_children())
    with ProcessPoolExecutor(workers, context, _watch_parent) as pool:
        try:
            with _interrupts_held():  # a worker inherits this: Ctrl-C is for the process that shares out the work
                running = {pool.submit(_do, make, tuple(arguments), task): task for task in tasks}
            for done in as_completed(running):
                yield running[done], done.result()
        except BrokenProcessPool:
            reason = "a worker process was ended from outside; perhaps this machine has too little memory"
            raise SurveyError(reason) from None
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for worker in set(multiprocessing.active_children()) - others:
                worker.terminate()
            raise


def _do(make: Callable[..., Callable[[Any], Any]], arguments: tuple[object, ...], task: object) -> Any:
    global _work
    if _work is None:
        _work = make(*arguments)
    return _work(task)


def _watch_parent() -> None:
    """End this worker when its parent has gone, however that came about."""
    parent = multiprocessing.parent_process()
    assert parent is not None, "this is no worker"

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Ctrl-C waits meanwhile, and for ever in processes that are started meanwhile."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
