"""Experiments as TOML files: what they are, what kind, and those fields of their configuration that differ from it.

The built-in ones are such files in `named/`; a user's is one more.
"""

import ast
import dataclasses
import difflib
import functools
import inspect
import json
import math
import re
import sys
import textwrap
import tomllib
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mho.errors import InputError
from mho.experiments.configuration import KEPT_FILES, KINDS, Configuration, type_of, typed

_KINDS = {name: kind for name, kind in KINDS.items() if name != "network"}
"""Kinds of configurations that tell a whole network; another is made by a Python program."""
SUFFIX = ".toml"


@dataclass(frozen=True)
class Experiment:
    """A configuration and a line that says what it is."""

    summary: str
    configuration: Configuration


def read_experiment(path: Path) -> Experiment:
    """The experiment in a file.

    A module that a field names, as "module:name", is looked for in the file's folder, too.

    Raises:
        InputError: if it cannot be read, is no TOML, or has an unknown field or a wrong value: with file and line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as problem:
        raise InputError(f"{path}: cannot be read: {problem.strerror}") from problem
    except UnicodeDecodeError as problem:
        raise InputError(f"{path}: is no text in UTF-8") from problem
    try:
        fields = tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        where = re.search(r"\(at line (\d+), column \d+\)$", str(problem))
        place = f"{path}:{where[1]}" if where else str(path)
        raise InputError(f"{place}: not TOML: {str(problem).partition(' (at')[0]}") from problem
    kind = fields.pop("kind", None)
    if not isinstance(kind, str) or kind not in _KINDS:
        raise InputError(f"{_place(path, text, 'kind')}: kind {kind!r}: expected one of {', '.join(_KINDS)}")
    summary = fields.pop("summary", path.stem)
    expected = typing.get_type_hints(_KINDS[kind])
    for name, value in fields.items():
        place = _place(path, text, name)
        if name not in expected:
            close = difflib.get_close_matches(name, expected, n=1)
            told = f": did you mean {close[0]!r}?" if close else f" of the kind {kind}; see mho show"
            raise InputError(f"{place}: unknown field {name!r}{told}")
        fields[name] = typed(value, expected[name])
        if fields[name] is None:
            raise InputError(f"{place}: {name} is {json.dumps(value, default=str)}: expected {type_of(expected[name])}")
    for name in ("netlist", *KEPT_FILES):
        if fields.get(name) and "\n" not in fields[name] and not fields.get("text"):
            fields[name] = str(path.parent / fields[name])
    if fields.get("device", "").endswith(SUFFIX):
        fields["device"] = str(path.parent / fields["device"])
    folder = str(path.absolute().parent)
    if folder not in sys.path and any(isinstance(value, str) and ":" in value for value in fields.values()):
        sys.path.append(folder)
    try:
        return Experiment(str(summary), _KINDS[kind](**fields))
    except InputError as problem:
        named = re.match(r"--([a-z-]+)", str(problem))
        field = named[1].replace("-", "_") if named else ""
        raise InputError(f"{_place(path, text, field)}: {problem}") from problem


def _place(path: Path, text: str, field: str) -> str:
    """The file, and the line that a field stands on."""
    for number, line in enumerate(text.splitlines(), start=1):
        if field and re.match(rf"\s*\[*\s*[\"']?{re.escape(field)}[\"']?\s*[=.\]]", line):
            return f"{path}:{number}"
    return str(path)


def shown_experiment(summary: str, configuration: Configuration) -> str:
    """The file of a configuration: all its fields, and what they are."""
    kind = next(name for name, known in KINDS.items() if type(configuration) is known)
    documents = field_documents(type(configuration))
    lines = [f"summary = {_value(summary)}", f"kind = {_value(kind)}"]
    for field in dataclasses.fields(configuration):
        value = getattr(configuration, field.name)
        lines += ["", *textwrap.wrap(documents.get(field.name, ""), 118, initial_indent="# ", subsequent_indent="# ")]
        lines.append(f"# {field.name} =" if value is None else f"{field.name} = {_value(value)}")
    return "\n".join(lines) + "\n"


@functools.cache
def field_documents(kind: type) -> dict[str, str]:
    """What is said of each of a record's fields, in one line each."""
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__[:-1]):
        body = ast.parse(textwrap.dedent(inspect.getsource(base))).body[0]
        assert isinstance(body, ast.ClassDef)
        for statement, following in zip(body.body, body.body[1:], strict=False):
            if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
                said = following.value if isinstance(following, ast.Expr) else None
                if isinstance(said, ast.Constant) and isinstance(said.value, str):
                    found[statement.target.id] = " ".join(said.value.split())
    return found


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        if math.isinf(value):
            return "inf" if value > 0 else "-inf"
        short = f"{value:g}"
        return short if float(short) == value else repr(value)
    if isinstance(value, tuple):
        return f"[{', '.join(map(_value, value))}]"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else str(value)
