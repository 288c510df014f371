"""Wide networks: seconds and memory of training, from 100 to 32768 nodes in one hidden layer.

Each width is a `mho train` of its own, from its start to its plots, on some hundred samples of MNIST (the rest are held out
and make the test): `drn-xl` and narrower networks with its settings. Time is that of its steps; peak memory the kernel's
high-water mark, as in `mho.benchmarks.memory`. What does not depend on the width, the samples and the compiler's memory
among it, is what a network of one hidden node takes; the exponent of memory is of what is above that.
"""

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mho.benchmarks.memory import idle_peak, training_peak
from mho.benchmarks.scaling import exponent, plot_scaling

EXPERIMENT = "drn-xl"
SOURCES, OUTPUTS = 1568, 10
WIDTHS = (100, 512, 2048, 8192, 32768)
SAMPLES = 60000
BATCH = 4
WORK = 3e9
"""Conductances times steps, so that the steps of each width take some seconds."""
STEPS = (30, 2000)
"""Steps at the least and at the most."""

Row = dict[str, Any]
