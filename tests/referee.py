"""ngspice, or the reason why a test that needs it is skipped."""

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from mho.ngspice.simulator import SpiceOperatingPoint, operating_point


def require_ngspice() -> None:
    """Skip the test without ngspice; fail it where CI is set."""
    if shutil.which("ngspice") is None:
        reason = "ngspice, the referee, is not installed"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)


def spice_operating_point(text: str) -> SpiceOperatingPoint:
    """ngspice's operating point of a netlist; see `require_ngspice`."""
    require_ngspice()
    return operating_point(text)


def batch_voltages(netlist: str, folder: Path) -> dict[str, float]:
    """Node voltages by name from `ngspice -b`, run on the netlist as it is; from its binary raw file."""
    require_ngspice()
    (folder / "circuit.cir").write_text(netlist)
    (folder / "point.raw").unlink(missing_ok=True)
    ran = subprocess.run(
        ["ngspice", "-b", "-r", "point.raw", "circuit.cir"], cwd=folder, capture_output=True, text=True, timeout=60
    )
    assert (folder / "point.raw").exists(), ran.stdout + ran.stderr
    header, values = (folder / "point.raw").read_bytes().split(b"Binary:\n", 1)
    names = [line.split()[1] for line in header.decode().split("Variables:\n")[1].splitlines() if line.strip()]
    found = dict(zip(names, np.frombuffer(values, np.float64), strict=True))
    return {name[2:-1]: float(value) for name, value in found.items() if name.startswith("v(")}
