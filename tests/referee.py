"""ngspice, or the reason why a test that needs it is skipped."""

import os
import shutil

import pytest

from mho.spice.ngspice import SpiceOperatingPoint, operating_point


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
