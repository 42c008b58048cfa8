"""Work shared out to other processes, which end when they are told to, and when whoever told them is gone."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from typing import Any, Final, TypeVar

from surveykit.errors import SurveyError

Task = TypeVar("Task")
Result = TypeVar("Result")

Watch = Callable[[int, int], None]
"""Called with how many are done and how many there are, first with 0 done; a progress bar, for instance."""


def unwatched(done: int, total: int) -> None:
    """Nobody watches."""


class Lost:
    """What comes of a task whose process was ended from outside."""


LOST: Final = Lost()
ENDED = "a worker process was ended from outside; perhaps this machine has too little memory"
Stop = Callable[[], bool]
"""Whether no further task is to be begun."""


def never() -> bool:
    """All tasks are begun."""
    return False


_ahead = False
"""Whether workers are forked from a process that has imported what they need."""
_make: Callable[[], Callable[[Any], Any]] | None = None
_work: Callable[[Any], Any] | None = None
"""Of a worker process: what it does with a task, and what makes that, which the first task calls: what goes wrong then is said."""


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
    for task, result in _shared_out(make, tuple(arguments), deque(tasks), workers, never):
        if isinstance(result, Lost):
            raise SurveyError(ENDED)
        yield task, result


def in_lasting_processes(
    make: Callable[..., Callable[[Task], Result]],
    arguments: Sequence[object],
    tasks: Sequence[Task],
    *,
    workers: int,
    stop: Stop = never,
) -> Iterator[tuple[Task, Result | Lost]]:
    """The same, where the loss of a worker costs no more than the tasks that were running: LOST comes of them, and new
    workers do the rest. Raises whatever the work raises.

    Args:
        stop: asked before each task.
    """
    waiting = deque(tasks)
    while waiting and not stop():
        yield from _shared_out(make, tuple(arguments), waiting, workers, stop)


def import_ahead(module: str) -> None:
    """Start a process that imports a module, and from which the workers of this process are forked from then on. On Linux alone:
    elsewhere, and before this is called, each worker imports what it needs.

    For commands: that process stays, with its memory, for as long as this one. It must not have computed anything with torch
    when it is forked, as torch's threads do not survive that; and it keeps the environment variables of its start.
    """
    global _ahead
    if _ahead or sys.platform != "linux":
        return
    from multiprocessing import forkserver, resource_tracker

    multiprocessing.get_context("forkserver").set_forkserver_preload([module])
    resource_tracker.ensure_running()  # whoever starts it lets interrupts through again
    with _interrupts_held():  # workers inherit this
        forkserver.ensure_running()
    _ahead = True
    atexit.register(_end_what_imports_ahead)  # by itself it would end after its import


def _end_what_imports_ahead() -> None:
    """End it at once: when its import is done, it would still make the workers that it was asked for."""
    global _ahead
    if _ahead:
        from multiprocessing.forkserver import _forkserver

        with suppress(ProcessLookupError):
            os.kill(_forkserver._forkserver_pid, signal.SIGKILL)  # type: ignore[attr-defined]
        _ahead = False


def _shared_out(
    make: Callable[..., Callable[[Task], Result]],
    arguments: tuple[object, ...],
    waiting: deque[Task],
    workers: int,
    stop: Stop,
) -> Iterator[tuple[Task, Result | Lost]]:
    """Tasks from the front of `waiting`, until there are none, it is time to stop, or a worker is lost."""
    context = multiprocessing.get_context("forkserver" if _ahead else "spawn")
    others = set(multiprocessing.active_children())
    running: dict[Future[Result], Task] = {}
    broken = False
    # Told once: with each task, a catalog would be sent and read again.
    with ProcessPoolExecutor(workers, context, _begin, (make, arguments)) as pool:
        try:
            while True:
                while waiting and len(running) < workers and not broken and not stop():
                    # A worker inherits this: Ctrl-C is for the process that shares out the work.
                    with nullcontext() if _ahead else _interrupts_held():
                        try:
                            running[pool.submit(_do, waiting[0])] = waiting[0]
                        except BrokenProcessPool:
                            broken = True
                            break
                        except EOFError:  # the process that workers are forked from has gone
                            raise SurveyError(ENDED) from None
                    waiting.popleft()
                if not running:
                    return
                for done in wait(running, return_when=FIRST_COMPLETED).done:
                    task = running.pop(done)
                    try:
                        yield task, done.result()
                    except BrokenProcessPool:
                        broken = True
                        yield task, LOST
        except BaseException:
            _end_what_imports_ahead()
            pool.shutdown(wait=False, cancel_futures=True)
            for worker in set(multiprocessing.active_children()) - others:
                worker.terminate()
            raise


def _begin(make: Callable[..., Callable[[Any], Any]], arguments: tuple[object, ...]) -> None:
    global _make
    _make = partial(make, *arguments)
    _watch_parent()


def _do(task: object) -> Any:
    global _work
    if _work is None:
        assert _make is not None, "this is no worker"
        _work = _make()
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
