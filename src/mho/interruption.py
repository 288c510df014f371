"""Interruption by SIGINT and SIGTERM: delivered once, in a safe place, and never lost.

Python delivers a signal by an exception in whatever the main thread runs next. Where that is a callback of the garbage
collector, a finalizer or a callback from compiled code, the exception is dropped there and the program goes on; and while
the main thread is in compiled code, nothing is delivered at all. So a thread that the signal wakes watches over the
delivery: it sends what was dropped again, and ends the process where the main thread cannot be reached.

- `interruptible` delivers by KeyboardInterrupt;
- `deferred` within it turns the signal into a flag, to be looked at where the work can be cut off;
- a second signal ends the process at once.
"""

import _thread
import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import NoReturn

EXIT_CODE = 130
"""Of a process that was interrupted."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_SAID = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}
_ONE_PRESS = 0.1
"""Seconds within which signals count as one: wrappers pass on what the process has received itself."""
_UNREACHED = 2.0
"""Seconds that the main thread may be out of reach, in compiled code say, until the process is ended without it."""
_TIDYING = 5.0
"""Seconds for what the exception passes through to tidy up, until it counts as lost."""
_TICK = 0.05
_SHOW_CURSOR = b"\x1b[?25h"
"""A progress bar hides it."""


class Delivery:
    """What has become of a signal to the main thread."""

    def __init__(self) -> None:
        self.requested: str | None = None
        """What the signal asked for, in a word; None before."""
        self._held = 0
        """How many deferrals are under way, or 1 once there is nothing left to interrupt."""
        self._raised = 0.0
        """When the exception was raised last; 0 while there is none under way."""
        self._dropped = False
        """Whether it was raised where nothing catches it."""
        self._own = 0
        """Signals that this object sends itself and has not seen arrive."""
        self._first: str | None = None
        """What the first signal asked for, as the thread has seen it."""
        self._over = False
        self._woken, self._wake = os.pipe()
        os.set_blocking(self._wake, False)
        self._wakeup_before = signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        self._hook_before, sys.unraisablehook = sys.unraisablehook, self._unraisable
        self._handlers_before = {number: signal.signal(number, self._handle) for number in _SIGNALS}
        self._watching = threading.Thread(target=self._watch, name="interruption", daemon=True)
        self._watching.start()

    def end(self, *, last: bool) -> None:
        """Put the handlers back; with `last`, signals are ignored from here on: the process is about to end anyway."""
        for number, handler in self._handlers_before.items():
            signal.signal(number, signal.SIG_IGN if last else handler)
        sys.unraisablehook = self._hook_before
        signal.set_wakeup_fd(self._wakeup_before)
        self._over = True
        os.write(self._wake, b"\0")
        self._watching.join()
        os.close(self._woken)
        os.close(self._wake)

    def settle(self) -> None:
        """The work is over, however it ended: deliver nothing any more."""
        self._held += 1

    @contextlib.contextmanager
    def deferred(self) -> Iterator[Callable[[], bool]]:
        """See the function `deferred`."""
        self._held += 1
        try:
            yield lambda: self.requested is not None
        except BaseException:
            self._held -= 1
            self._raised = time.monotonic()  # what the flag led to is under way
            raise
        self._held -= 1
        self._deliver()

    def _deliver(self) -> None:
        if self.requested is not None and not self._held:
            self._raised, self._dropped = time.monotonic(), False
            raise KeyboardInterrupt(self.requested)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.requested is None:
            self.requested = _SAID[signal.Signals(number)]
        elif self._raised and not self._dropped and time.monotonic() - self._raised < _TIDYING:
            return  # it is under way
        if _importing(frame):
            # Compiled modules do not survive an exception while they are set up: the thread sends it again.
            self._raised, self._dropped = time.monotonic(), True
            return
        self._deliver()

    def _unraisable(self, dropped: "sys.UnraisableHookArgs") -> None:
        if self.requested is not None and isinstance(dropped.exc_value, KeyboardInterrupt):
            self._dropped = True
        else:
            self._hook_before(dropped)

    def _watch(self) -> None:
        """The thread: wait for a signal, then see to it that it is delivered."""
        while not self._received() and not self._over:
            pass
        received = since = time.monotonic()
        again = False
        while not self._over:
            time.sleep(_TICK)
            now = time.monotonic()
            os.set_blocking(self._woken, False)
            if self._received() and now - received > _ONE_PRESS:
                self._end_process()
            if self._held:
                since = now
            elif self._dropped or (self._raised and now - self._raised > _TIDYING):
                # Where all that runs drops it, or it is lost twice, no more of it will help.
                if now - since > _UNREACHED if self._dropped else again:
                    self._end_process()
                again |= not self._dropped
                self._own += 1
                _thread.interrupt_main(signal.SIGINT)
            elif not self._raised and now - since > _UNREACHED:
                self._end_process()

    def _received(self) -> int:
        """How many signals have come that this object did not send."""
        try:
            numbers = [number for number in os.read(self._woken, 1000) if number in _SIGNALS]
        except BlockingIOError:
            return 0
        count = len(numbers)
        if numbers and self._first is None:
            self._first = _SAID[signal.Signals(numbers[0])]
        own = min(self._own, count)
        self._own -= own
        return count - own

    def _end_process(self) -> NoReturn:
        """End it from this thread: without a farewell of the main one, which may never come."""
        with contextlib.suppress(OSError):
            said = f"mho: {self._first} at once\n".encode()
            os.write(2, (_SHOW_CURSOR if os.isatty(2) else b"") + said)
        os._exit(EXIT_CODE)


def _importing(frame: FrameType | None) -> bool:
    """Whether a module is being imported where the signal came."""
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


_active: Delivery | None = None


@contextlib.contextmanager
def interruptible(*, last: bool = False) -> Iterator[Delivery | None]:
    """Within it SIGINT and SIGTERM raise KeyboardInterrupt in the main thread, once; None in another thread.

    Args:
        last: whether the process ends after it, so that later signals are to be ignored.
    """
    global _active
    if threading.current_thread() is not threading.main_thread():
        yield None
        return
    before, delivery = _active, Delivery()
    _active = delivery
    try:
        yield delivery
    finally:
        delivery.settle()
        _active = before
        delivery.end(last=last)


@contextlib.contextmanager
def deferred() -> Iterator[Callable[[], bool]]:
    """Turn SIGINT and SIGTERM into a flag, to be looked at between two pieces of the work; a second one acts at once.

    At its end what nobody has acted upon is delivered by KeyboardInterrupt.

    Yields:
        A function that says whether a signal has come.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    if _active is not None:
        with _active.deferred() as requested:
            yield requested
        return
    # A program of its own calls this package: a second signal is not to end it, but to raise at once.
    come = False

    def request(number: int, frame: FrameType | None) -> None:
        nonlocal come
        if come:
            raise KeyboardInterrupt
        come = True

    before = {number: signal.signal(number, request) for number in _SIGNALS}
    try:
        yield lambda: come
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if come:
        raise KeyboardInterrupt
