"""A child process `ngspice -p`: commands go in through a pipe, what it prints comes back, and it leaves nothing behind.

`-p` reads commands from standard input as at its prompt, without one; `-n` leaves the user's `.spiceinit` unread.
"""

import contextlib
import os
import re
import selectors
import shutil
import signal
import subprocess
import tempfile
import time
import weakref
from pathlib import Path

from mho.errors import InputError, MhoError

_NETLIST_NAME = "netlist.cir"
_REFUSED = re.compile(r"^\s*error|circuit not parsed", re.IGNORECASE | re.MULTILINE)

_PROGRESS = re.compile(r"(trying gmin = +\S+|supplies reduced to +\S+%|reference value : +\S+) *", re.IGNORECASE)
# What ngspice prints whether or not anything is amiss, and what only says again that it failed.
_NOISE = re.compile(
    r"$|note:|circuit:|doing analysis|no\. of data|binary raw file|using |\d+ : condition met"
    r"|warning: (further|last) gmin|warning: gmin step|warning: .*stepping failed$|(dc|transient) solution failed"
    r"|.*pause requested|.*simulation(\(s\))? (interrupted|aborted)|simulation interrupted due to error",
    re.IGNORECASE,
)


class SpiceError(MhoError):
    """ngspice found no solution, took too long or died."""


class _DiedError(SpiceError):
    """ngspice ended by itself."""


def telling_lines(answer: str) -> tuple[str, ...]:
    """The lines of an answer that say what is amiss, without progress reports and tables, each warning once."""
    lines: list[str] = []
    in_table = False
    for spoken in answer.replace("\r", "\n").split("\n"):
        line = " ".join(_PROGRESS.sub("", spoken).split())
        # After a failure ngspice lists every node's last two iterates, up to its verdict.
        if line.lower().startswith("last node voltages"):
            in_table = True
        elif line.lower().startswith("doanalyses"):
            in_table = False
        repeated = line.lower().startswith("warning") and line in lines
        if not in_table and not repeated and not _NOISE.match(line):
            lines.append(line)
    return tuple(lines)


def complaint(answer: str) -> str:
    """What an answer says is amiss, in one line: its first error, or its last words."""
    lines = telling_lines(answer)
    errors = [k for k, line in enumerate(lines) if line.lower().startswith("error")]
    told = lines[errors[0] : errors[0] + 4] if errors else lines[-4:]
    return "; ".join(told).replace(":; ", ": ") or "it gave no reason"


class NgspiceProcess:
    """An ngspice process in a temporary folder; both are gone after `close`, or when Python ends.

    Args:
        deadline: when ngspice must have started (`time.monotonic`, seconds).

    Raises:
        InputError: ngspice is not on the PATH.
        SpiceError: ngspice does not answer.

    """

    def __init__(self, deadline: float) -> None:
        executable = shutil.which("ngspice")
        if executable is None:
            raise InputError("ngspice is not on the PATH; install it (Debian, Ubuntu: apt install ngspice)")
        # With a display ngspice would open it. Relative paths of .include start where the caller stands.
        environment = {name: value for name, value in os.environ.items() if name != "DISPLAY"}
        environment |= {"LC_ALL": "C", "NGSPICE_INPUT_DIR": os.getcwd()}
        self.folder = Path(tempfile.mkdtemp(prefix="mho-ngspice-"))
        try:
            # In a session of its own, Ctrl-C reaches Python alone, which then ends the whole process group.
            process = subprocess.Popen(
                [executable, "-n", "-p"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                bufsize=0,
                cwd=self.folder,
                env=environment,
                start_new_session=True,
            )
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise
        assert process.stdin is not None and process.stdout is not None
        self._process = process
        self._end = weakref.finalize(self, _end, process, self.folder)
        self._input, self._output = process.stdin.fileno(), process.stdout.fileno()
        os.set_blocking(self._input, False)
        self._heard = bytearray()
        self._commands = 0
        try:
            self.command("", deadline)  # takes its greeting away, an "ERROR" about the missing display
        except BaseException:
            self.close()
            raise

    def load(self, deck: str, deadline: float) -> str:
        """Load a netlist, and return what ngspice said to it.

        Raises:
            InputError: ngspice refuses the netlist.
            SpiceError: ngspice takes too long.

        """
        (self.folder / _NETLIST_NAME).write_text(deck, encoding="utf-8")
        try:
            # The zeros switch off the transient in place of an operating point (see `mho.ngspice.simulator`).
            commands = f"set filetype=binary\noptran 1 1 1 0 0 0\nsource {_NETLIST_NAME}"
            answer = self.command(commands, deadline)
        except _DiedError as error:
            raise InputError(f"ngspice refuses the netlist: {error}") from error
        if _REFUSED.search(answer):
            raise InputError(f"ngspice refuses the netlist: {complaint(answer)}")
        return answer

    def command(self, text: str, deadline: float) -> str:
        """Send lines of commands, and return what ngspice printed until it had done the last.

        Raises:
            SpiceError: ngspice is closed, died, or was not done at the deadline and was killed.

        """
        if not self._end.alive:
            raise SpiceError("this ngspice is closed, after a failure or by `close`; start another")
        started = time.monotonic()
        self._commands += 1
        mark = f"mho-done-{self._commands}"
        unsent = memoryview(f"{text}\necho {mark}\n".encode())
        done = f"{mark}\n".encode()
        sought = 0
        with selectors.DefaultSelector() as selector:
            selector.register(self._output, selectors.EVENT_READ)
            selector.register(self._input, selectors.EVENT_WRITE)
            while (end := self._heard.find(done, sought)) < 0:
                sought = max(0, len(self._heard) - len(done))
                remaining = deadline - time.monotonic()
                ready = {key.fd for key, _ in selector.select(remaining)} if remaining > 0 else set()
                if not ready:
                    self.close()
                    raise SpiceError(f"ngspice was not done after {time.monotonic() - started:.3g} s; it was killed")
                # Listen before speaking: ngspice may wait for us to take its words before it takes ours.
                if self._output in ready:
                    words = os.read(self._output, 1 << 16)
                    if not words:
                        raise self._died()
                    self._heard += words
                if self._input in ready:
                    try:
                        unsent = unsent[os.write(self._input, unsent[: 1 << 16]) :]
                    except BrokenPipeError:
                        unsent = unsent[:0]  # it is dead, but its last words are still to be read
                    if not unsent:
                        selector.unregister(self._input)
        answer = self._heard[:end].decode(errors="replace")
        del self._heard[: end + len(done)]
        return answer

    def processor_seconds(self) -> float:
        """What the process has used of the processor so far, from /proc (proc(5)); 0 once it is gone."""
        try:
            fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def kill(self) -> None:
        """Kill the process group, from any thread; a `command` under way in another then ends with an error."""
        _kill(self._process)

    def close(self) -> None:
        """Kill the process group and remove the folder; twice does no harm."""
        self._end()

    def _died(self) -> _DiedError:
        try:
            status = self._process.wait(1.0)
        except subprocess.TimeoutExpired:
            status = 0  # it closed its output and lives on
        last_words = complaint(self._heard.decode(errors="replace"))
        self.close()
        how = f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
        return _DiedError(f"ngspice {how}: {last_words}")


def _kill(process: subprocess.Popen[bytes]) -> None:
    # Until it is waited for, its number is its own, dead or alive; after that it may be another's.
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _end(process: subprocess.Popen[bytes], folder: Path) -> None:
    _kill(process)
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
    shutil.rmtree(folder, ignore_errors=True)
