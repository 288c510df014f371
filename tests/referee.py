"""ngspice, or the reason why a test that needs it is skipped."""

import os
import shutil

import pytest

from mho.spice.ngspice import SpiceOperatingPoint, operating_point


def spice_operating_point(text: str) -> SpiceOperatingPoint:
    """ngspice's operating point of a netlist; skips the test without ngspice, fails it where CI is set."""
    if shutil.which("ngspice") is None:
        reason = "ngspice, the referee, is not installed"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return operating_point(text)
