"""SIGINT and SIGTERM reach a command whatever it is doing: it ends by 130 and one line."""

import os
import signal
import subprocess
import sys
import time

import pytest

WORK = {
    "in Python": "while True: sum(range(1000))",
    "in a finalizer, which drops what it raises": """
class Dropping:
    def __del__(self):
        end = time.monotonic() + 0.3
        while time.monotonic() < end: sum(range(100))
while True: Dropping()""",
    "in a callback of the garbage collector": """
def collecting(phase, info):
    end = time.monotonic() + 0.3
    while time.monotonic() < end: sum(range(100))
gc.callbacks.append(collecting)
while True: gc.collect()""",
    "in compiled code": "hashlib.pbkdf2_hmac('sha256', b'', b'', 1 << 27)",
    "in compiled code that makes an exception of its own of it": """
try:
    while True: sum(range(1000))
except KeyboardInterrupt:
    raise SystemError('error return without exception set')""",
    "deferring it": """
with deferred() as requested:
    while not requested(): time.sleep(0.01)
    time.sleep(0.3)
raise AssertionError('never reached')""",
}
SCRIPT = """
import gc, hashlib, sys, time
from mho.command.exit_code import exit_code
from mho.interruption import deferred
def work():
    print("begun", flush=True)
    {work}
sys.exit(exit_code(work, last=True))
"""


STARTING = """
import runpy, sys, time
class Slow:
    def find_spec(self, name, path=None, target=None):
        if name == "mho.command":
            print("begun", flush=True)
            time.sleep(60)
sys.meta_path.insert(0, Slow())
runpy.run_module("mho", run_name="__main__")
"""


def begun(work: str) -> subprocess.Popen:
    return started(SCRIPT.format(work=work.strip().replace("\n", "\n    ")))


def started(script: str) -> subprocess.Popen:
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ
    )
    assert process.stdout is not None and process.stdout.readline() == "begun\n"
    time.sleep(0.1)
    return process


SAID = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}


@pytest.mark.parametrize(("number", "said"), SAID.items())
def test_a_signal_while_the_command_is_imported_ends_it(number: signal.Signals, said: str) -> None:
    process = started(STARTING)
    process.send_signal(number)
    assert (process.communicate(timeout=20)[1], process.returncode) == (f"mho: {said}\n", 130)


@pytest.mark.parametrize("doing", WORK)
def test_a_signal_is_never_lost(doing: str) -> None:
    # One handler serves both: which of them it is changes the word alone.
    number, said = list(SAID.items())[list(WORK).index(doing) % 2]
    process = begun(WORK[doing])
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err in (f"mho: {said}\n", f"mho: {said} at once\n")


def test_a_second_signal_ends_the_process_at_once() -> None:
    process = begun("with deferred():\n    time.sleep(60)\n    time.sleep(60)")
    process.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert (process.communicate(timeout=20)[1], process.returncode) == ("mho: terminated at once\n", 130)
