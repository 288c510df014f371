"""Compiled programs are kept between starts, and what is wrong with their folder is nobody's trouble."""

import os
import subprocess
import sys
from pathlib import Path

from mho.cache import _remove_oldest

PROGRAM = """
from mho.cache import keep_compiled_programs
keep_compiled_programs()
import jax, jax.numpy as jnp, jax.monitoring
events = []
jax.monitoring.register_event_listener(lambda event, **_: events.append(event))
print(float(jax.jit(lambda x: jnp.sin(x).sum())(jnp.ones(8))), events.count("/jax/compilation_cache/cache_hits") > 0)
"""


def start(folder: Path) -> tuple[str, str]:
    environment = {k: v for k, v in os.environ.items() if "COMPILATION_CACHE" not in k}
    environment |= {"MHO_CACHE_DIR": str(folder), "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    value, hit = done.stdout.split()
    return value, hit


def test_programs_are_kept_and_bad_entries_are_removed(tmp_path: Path) -> None:
    (first, hit), (second, again) = start(tmp_path), start(tmp_path)
    assert (hit, again) == ("False", "True") and first == second
    entries = [entry for entry in tmp_path.rglob("*") if entry.is_file()]
    assert entries
    for entry in entries:
        entry.write_bytes(entry.read_bytes()[:50])
    assert start(tmp_path) == (first, "False") and start(tmp_path) == (first, "True")
    in_the_way = tmp_path / "file"
    in_the_way.touch()
    assert start(in_the_way) == (first, "False")


def test_the_folder_is_bounded(tmp_path: Path) -> None:
    for age in range(4):
        (tmp_path / str(age)).write_bytes(bytes(100))
        os.utime(tmp_path / str(age), (1e9 - age, 1e9 - age))
    _remove_oldest(tmp_path, 250)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0", "1"]
    _remove_oldest(tmp_path / "absent", 0)
