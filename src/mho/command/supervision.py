"""A process of many, watched: however it ends, it says so in one line.

JAX's distributed runtime ends a process that lost the others by abort, in a thread of its own and with a stack trace.
So the work is done in a child, whose output the runtime cannot reach, and its parent puts the abort into words.
"""

import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable

from mho.command.exit_code import exit_code, fail
from mho.interruption import deferred

_FORWARDED = (signal.SIGINT, signal.SIGTERM)


def supervised(work: Callable[[], object], lost: str) -> int:
    """Do the work in a child process; return its exit code.

    Args:
        work: what to do. It may end by exit or by an error of this package.
        lost: what to say if it is aborted.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    watched, held = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(held)
        _work(work, watched)
    os.close(watched)
    with deferred():  # the child's exit code tells how it took the signals
        before = {number: signal.signal(number, lambda n, _: os.kill(child, n)) for number in _FORWARDED}
        try:
            _, status = os.waitpid(child, 0)
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            os.close(held)
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return code
    if -code == signal.SIGABRT:
        return fail(1, lost)
    return fail(1, f"ended by {signal.Signals(-code).name}" + (": out of memory?" if -code == signal.SIGKILL else ""))


def _work(work: Callable[[], object], watched: int) -> None:
    """The child's part; it does not return."""
    code = 1
    try:
        os.setpgid(0, 0)  # Ctrl-C reaches the parent alone, which passes it on
        threading.Thread(target=_end_with, args=(watched,), daemon=True).start()
        for name, number in (("stdout", 1), ("stderr", 2)):
            own = os.fdopen(os.dup(number), "w", buffering=1, errors="replace")
            setattr(sys, name, own)
            os.dup2(os.open(os.devnull, os.O_WRONLY), number)
        code = exit_code(work)
        if code == 0:
            import jax

            jax.distributed.shutdown()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        # Without the runtime's farewell: it would wait for processes that wait for this one.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _end_with(watched: int) -> None:
    """End this process when its parent is gone, which holds the other end of the pipe."""
    os.read(watched, 1)
    os._exit(1)
