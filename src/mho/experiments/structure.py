"""A network's structure as JSON: its classes, settings, and the shapes of its arrays, from which it is built again.

Values of arrays are the checkpoints' business. Nothing is executed but the import of the modules that the classes are in.
"""

import dataclasses
import importlib
import math
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from mho.errors import InputError
from mho.networks.branches import Names

Structure = Any
"""JSON."""

_SPECIAL = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}


def structure_of(value: Any) -> Structure:
    """The structure of a network, or of a part of it.

    Raises:
        InputError: for a value that is no number, text, array, sequence or record.
    """
    if value is None or isinstance(value, bool | int | str):
        return {"value": value}
    if isinstance(value, float):
        return {"value": value} if math.isfinite(value) else {"number": str(value)}
    if isinstance(value, np.ndarray | np.generic | jax.Array | jax.ShapeDtypeStruct):
        return {"array": [str(value.dtype), list(value.shape)]}
    if isinstance(value, tuple | list):
        return {type(value).__name__: [structure_of(v) for v in value]}
    if isinstance(value, dict) and all(isinstance(k, str) for k in value):
        return {"dict": {k: structure_of(v) for k, v in value.items()}}
    if isinstance(value, Names):
        return {"names": [value[k] for k in range(len(value))]}
    kind = type(value)
    if not dataclasses.is_dataclass(value):
        raise InputError(
            f"a {kind.__name__} in the network: it cannot be kept with a run; use numbers, arrays and modules"
        )
    fields = {field.name: structure_of(getattr(value, field.name)) for field in dataclasses.fields(value)}
    return {"class": _name(kind), "fields": fields}


def _name(kind: type) -> str:
    return f"{kind.__module__}:{kind.__qualname__}"


def built(structure: Structure, classes: Sequence[type] = ()) -> Any:
    """What `structure_of` told, with zeros in its arrays.

    Args:
        structure: from JSON.
        classes: that cannot be imported, or that stand for those of their names: in a program itself or in a function.

    Raises:
        InputError: if a class is not there.
    """
    if "value" in structure:
        return structure["value"]
    if "number" in structure:
        return _SPECIAL[structure["number"]]
    if "array" in structure:
        dtype, shape = structure["array"]
        return np.zeros(tuple(shape), np.dtype(dtype))
    if "tuple" in structure:
        return tuple(built(v, classes) for v in structure["tuple"])
    if "list" in structure:
        return [built(v, classes) for v in structure["list"]]
    if "dict" in structure:
        return {k: built(v, classes) for k, v in structure["dict"].items()}
    if "names" in structure:
        return Names([str(n) for n in structure["names"]])
    kind, fields = _class(structure["class"], classes), structure["fields"]
    # What the class has got since has its default.
    since = {f.name: f for f in dataclasses.fields(kind) if f.name not in fields}
    lost = fields.keys() - {f.name for f in dataclasses.fields(kind)}
    needed = [n for n, f in since.items() if f.default is f.default_factory is dataclasses.MISSING]
    if lost or needed:
        raise InputError(
            f"class {structure['class']} has other fields than when the run was made: {min([*lost, *needed])}"
        )
    made = object.__new__(kind)
    for name, value in fields.items():
        object.__setattr__(made, name, built(value, classes))
    for name, field in since.items():
        given = field.default_factory() if field.default is dataclasses.MISSING else field.default  # type: ignore[misc]
        object.__setattr__(made, name, given)
    return made


def _class(named: str, classes: Sequence[type]) -> Any:
    module, _, name = named.partition(":")
    given = [kind for kind in classes if named == _name(kind)]
    if not given and (module == "__main__" or "<locals>" in name):
        given = [kind for kind in classes if kind.__name__ == name.rpartition(".")[2]]
    if given:
        return given[0]
    try:
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as problem:
        own = module == "__main__" or "<locals>" in name
        told = "was defined in the program itself; give it by mho.load(RUN, classes=[...]), or put it into a module"
        raise InputError(
            f"class {named} {told if own else f'is not there ({problem}); put its module on the path'}"
        ) from problem
    if not (isinstance(found, type) and dataclasses.is_dataclass(found)):
        raise InputError(f"class {named} is no record")
    return found
