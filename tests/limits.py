"""A bound for what must not hang. It only stops what would go on for ever, and judges no speed."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager


class Late(BaseException):
    """Not an Exception, so that nothing on the way takes it for one of a library."""


@contextmanager
def within(seconds: int) -> Iterator[None]:
    """Raise `Late` in what runs longer than so many seconds."""

    def late(*_: object) -> None:
        raise Late(f"still at it after {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
