"""The README's examples run, one after the other, as a reader would type them."""

import re
from pathlib import Path

import numpy as np


def test_examples_of_the_readme_run() -> None:
    text = Path(__file__).parent.parent.joinpath("README.md").read_text()
    names: dict = {}
    for block in re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        exec(compile(block, "README.md", "exec"), names)
    assert names["point"].voltages[-1].shape == (1, 3) and np.all(names["point"].residual <= 1e-12)
    assert int(names["unconverged"]) == 0
    assert names["costs"][-1] < 0.8 * names["costs"][0]
