"""A run's configuration, and the versions of what made the page."""

import dataclasses
import platform
from importlib.metadata import version
from typing import Any

from mho import __version__
from mho.experiments.configuration import Configuration, short
from mho.experiments.experiment_file import field_documents
from mho.reporting.document import Section, element, paragraph, table
from mho.reporting.measured import Measured

_LONGEST = 200
"""Characters of a value that are shown: fields may hold whole files."""


def told_value(value: Any) -> str:
    """A field's value in few words."""
    text = " ".join(map(short, value)) if isinstance(value, tuple) else "" if value is None else short(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(text):,} characters)"


def fields(configuration: Configuration) -> dict[str, str]:
    """All fields of a configuration and their values."""
    return {f.name: told_value(getattr(configuration, f.name)) for f in dataclasses.fields(configuration)}


def settings_section(measured: Measured) -> Section:
    """Of any run: what differs from the defaults, then everything."""
    configuration = measured.configuration
    said, values = field_documents(type(configuration)), fields(configuration)
    given = {f.name: f.default for f in dataclasses.fields(configuration)}
    changed = [name for name in values if getattr(configuration, name) != given[name]]
    rows = [[name, value, said.get(name, "")] for name, value in values.items()]
    columns = ("field", "value", "what it is")
    whole = table("All fields", columns, rows)
    return Section(
        "Configuration",
        [
            table("Fields that differ from their defaults", columns, [row for row in rows if row[0] in changed]),
            element("details", element("summary", f"All {len(rows)} fields"), whole),
            paragraph(f"Run: {measured.run.folder.resolve()}"),
        ],
    )


def versions() -> str:
    """Of mho and what it computes with."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("jax", "numpy", "equinox", "optax"))
    return (
        f"mho {__version__}, {packages}, Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    )
