"""What the command says on standard error, and the exit code that goes with it."""

import os
import re
import sys
from collections.abc import Callable

from mho.errors import InputError, MhoError
from mho.interruption import EXIT_CODE, interruptible


def exit_code(work: Callable[[], object], *, last: bool = False) -> int:
    """Do the work; tell what went wrong in one line.

    0 done, 1 the work failed, 2 wrong usage or bad input, 130 interrupted.

    Args:
        work: what to do.
        last: whether the process ends after it; see `mho.interruption.interruptible`.
    """
    with interruptible(last=last) as delivery:
        try:
            try:
                work()
                sys.stdout.flush()
            finally:
                if delivery is not None:
                    delivery.settle()
        except KeyboardInterrupt as interruption:
            return fail(EXIT_CODE, str(interruption) or "interrupted")
        except Exception as problem:
            if delivery is not None and delivery.requested is not None:
                # Compiled code turns the exception that it is interrupted by into its own.
                return fail(EXIT_CODE, delivery.requested)
            return _failed(problem)
    return 0


def _failed(problem: Exception) -> int:
    match problem:
        case InputError():
            return fail(2, problem)
        case MhoError():
            return fail(1, problem)
        case BrokenPipeError():
            # The reader of standard output has gone; nobody is left to tell.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 1
        case OSError():
            return fail(1, problem)
        case MemoryError():
            return fail(1, "out of memory")
    shortage = re.search(r"out of memory.*", str(problem), re.IGNORECASE)
    if type(problem).__name__ == "JaxRuntimeError" and shortage:
        return fail(1, shortage[0][:1].lower() + shortage[0][1:])
    raise problem


def fail(code: int, problem: BaseException | str) -> int:
    """Tell a problem in one line; return the code."""
    print(f"mho: {one_line(problem)}", file=sys.stderr)
    return code


def one_line(problem: BaseException | str) -> str:
    """The text of an error in one line; an OSError by its file and reason."""
    if isinstance(problem, OSError) and problem.strerror:
        named = f"{problem.filename}: " if problem.filename else ""
        return f"{named}{problem.strerror}"
    return " ".join(str(problem).split())
