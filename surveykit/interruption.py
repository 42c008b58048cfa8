"""Ctrl-C and the system's request to end, as exceptions that close files and end processes on their way."""

from __future__ import annotations

import os
import signal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

AGAIN = 0.01
"""Seconds."""
MOST_POSTPONED = 50
"""Times that a signal is sent again because it came in pydantic or in what belongs together: half a second."""
WORDS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}


class Interrupted(KeyboardInterrupt):
    """Not KeyboardInterrupt itself: once that has passed through code which a library runs by itself, Python ends its
    own process with the signal, whatever the exit code is."""


class Interruption:
    """Inside its `with`, both signals raise Interrupted, and `exit_code` tells afterwards whether one came.

    A library that is interrupted in the middle may raise something else, or go on as if nothing had been: what counts
    is that the signal came. Handlers that others have set are left alone, and so are threads, which get no signals.
    """

    def __init__(self) -> None:
        self._number: int | None = None
        self._postponed = 0
        self._before: dict[int, object] = {}
        self._hook = sys.unraisablehook

    def __enter__(self) -> Interruption:
        self._hook, sys.unraisablehook = sys.unraisablehook, self._swallowed
        for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGTERM, signal.SIG_DFL)):
            if signal.getsignal(number) == usual:
                try:
                    self._before[number] = signal.signal(number, self._raise)
                except ValueError:
                    break  # not the main thread
        return self

    def __exit__(self, *details: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        sys.unraisablehook = self._hook

    def _swallowed(self, what: sys.UnraisableHookArgs) -> None:
        """A signal that came while Python ran a `__del__` or a weak reference's callback, out of which nothing can be
        raised: it is sent again a moment later."""
        if not issubclass(what.exc_type, Interrupted) or self._number is None:
            self._hook(what)
            return
        number, self._number = self._number, None
        _send_again(number)

    def _raise(self, number: int, frame: FrameType | None) -> None:
        if self.came:
            os._exit(self.exit_code)  # asked twice: no more tidying up, the next run does it
        if self._postponed < MOST_POSTPONED and (together.depth or _in_pydantic(frame)):
            self._postponed += 1
            return _send_again(number)
        self._number = number
        raise Interrupted

    @property
    def came(self) -> bool:
        return self._number is not None

    @property
    def word(self) -> str:
        return WORDS[signal.Signals(self._number or signal.SIGINT)]

    @property
    def exit_code(self) -> int:
        """As shells have it: 128 and the number of the signal."""
        return 128 + (self._number or signal.SIGINT)


class _Together:
    """Inside its `with`, what is brief and belongs together, such as files that are written for one another: a signal that
    comes meanwhile comes again after it."""

    depth = 0

    def __enter__(self) -> None:
        self.depth += 1

    def __exit__(self, *details: object) -> None:
        self.depth -= 1


together = _Together()


def _send_again(number: int) -> None:
    """Send a signal to this process a moment later."""
    from threading import Timer

    again = Timer(AGAIN, os.kill, (os.getpid(), number))
    again.daemon = True
    again.start()


def _in_pydantic(frame: FrameType | None) -> bool:
    """Whether code of pydantic is running, whose core panics, and says so, where Python that it calls is interrupted."""
    while frame is not None:
        if str(frame.f_globals.get("__name__", "")).startswith("pydantic."):
            return True
        frame = frame.f_back
    return False
