"""The README's examples run, one after the other, as a reader would type them."""

import re
from pathlib import Path

import numpy as np
import pytest


def test_examples_of_the_readme_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = Path(__file__).parent.parent.joinpath("README.md").read_text()
    names: dict = {}
    for block in re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        exec(compile(block, "README.md", "exec"), names)
    assert names["solution"].voltages[-1].shape == (1, 2) and np.all(names["solution"].residual <= 1e-12)
    # An untrained divider halves 1 V; this one was to give 0.8 of it.
    assert 200 < float(re.search(r"R1 in out (\S+)", names["text"])[1]) < 300  # type: ignore[index]
    assert int(names["unconverged"]) == 0
    assert names["costs"][-1] < 0.8 * names["costs"][0]
