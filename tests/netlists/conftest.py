"""ngspice as the referee: its solution of a netlist, at full precision."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(scope="session")
def ngspice(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., dict[str, np.ndarray]]:
    """A function that runs a netlist without ``.end`` and gives every vector of its ``analysis`` by name."""
    program = shutil.which("ngspice")
    if program is None:
        reason = "ngspice, the referee, is not installed"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("ngspice")

    def solve(text: str, analysis: str = "op") -> dict[str, np.ndarray]:
        raw, source = folder / "out.raw", folder / "netlist.cir"
        raw.unlink(missing_ok=True)
        control = f".control\nset filetype=ascii\n{analysis}\nwrite {raw} all\nquit\n.endc\n.end\n"
        source.write_text(text.rstrip("\n") + "\n" + control, encoding="utf-8")
        run = subprocess.run([program, "-b", str(source)], capture_output=True, text=True, timeout=60, cwd=folder)
        assert raw.exists(), f"ngspice refused:\n{text}\n{run.stdout}\n{run.stderr}"
        return _vectors(raw)

    return solve


def _vectors(raw: Path) -> dict[str, np.ndarray]:
    head, _, body = raw.read_text().partition("Values:\n")
    lines = head.splitlines()
    count = next(int(line.split(":")[1]) for line in lines if line.startswith("No. Variables"))
    start = lines.index("Variables:") + 1
    names = [line.split()[1] for line in lines[start : start + count]]
    numbers = np.array([float(word) for word in body.split()]).reshape(-1, count + 1)[:, 1:]
    bare = [name[2:-1] if name.startswith(("v(", "V(")) else name for name in names]
    return dict(zip(bare, numbers.T, strict=True))
