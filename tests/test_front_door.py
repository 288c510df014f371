"""`import mho`: its names, and that they cost nothing before they are used."""

import subprocess
import sys

import mho


def test_every_public_name_is_there_and_documented():
    for name in mho.__all__:
        found = getattr(mho, name)
        assert name == "__version__" or found.__doc__, name
    assert len(mho.__all__) == len(set(mho.__all__)) and set(mho.__all__) <= set(dir(mho))


def test_importing_loads_no_library():
    code = "import mho, sys; print([m for m in ('jax', 'numpy', 'equinox', 'scipy') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"
