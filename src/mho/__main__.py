"""The command `mho` from its first line on: a signal before there is anything to interrupt ends it, without a traceback.

Importing this module takes the process's handlers of SIGINT and SIGTERM, so programs import `mho.command` instead.
"""

import os
import signal
import sys
from types import FrameType


def _end(number: int, frame: FrameType | None) -> None:
    os.write(2, b"mho: interrupted\n" if number == signal.SIGINT else b"mho: terminated\n")
    os._exit(130)


for _number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(_number, _end)

from mho.command import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
