"""What the command says on standard error, and the exit code that goes with it."""

import os
import re
import sys
from collections.abc import Callable

from mho.errors import InputError, MhoError


def exit_code(work: Callable[[], object]) -> int:
    """Do the work; tell what went wrong in one line.

    0 done, 1 the work failed, 2 wrong usage or bad input, 130 interrupted.
    """
    try:
        work()
        sys.stdout.flush()
    except InputError as problem:
        return fail(2, problem)
    except MhoError as problem:
        return fail(1, problem)
    except BrokenPipeError:
        # The reader of standard output has gone; nobody is left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as problem:
        return fail(1, problem)
    except KeyboardInterrupt as interruption:
        return fail(130, str(interruption) or "interrupted")
    except MemoryError:
        return fail(1, "out of memory")
    except Exception as problem:
        shortage = re.search(r"out of memory.*", str(problem), re.IGNORECASE)
        if type(problem).__name__ == "JaxRuntimeError" and shortage:
            return fail(1, shortage[0][:1].lower() + shortage[0][1:])
        raise
    return 0


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
