"""A bound for what must not hang. It only stops what would go on for ever, and judges no speed."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

WAITING = 12
"""What waits takes no time of the processor, and on a busy machine what computes waits too: the clock may run on so long."""


class Late(BaseException):
    """Not an Exception, so that nothing on the way takes it for one of a library."""


@contextmanager
def within(seconds: int) -> Iterator[None]:
    """Raise `Late` in what takes more than so many seconds of the processor, or `WAITING` times as many by the clock."""

    def late(*_: object) -> None:
        raise Late(f"still at it after {seconds} s")

    before = {number: signal.signal(number, late) for number in (signal.SIGPROF, signal.SIGALRM)}
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.alarm(WAITING * seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.alarm(0)
        for number, handler in before.items():
            signal.signal(number, handler)
