"""A network's structure as JSON: its classes, settings, and the shapes of its arrays, from which it is built again.

Values of arrays are the checkpoints' business. Nothing is executed but the import of the modules that the classes are in.
"""

import dataclasses
import importlib
import math
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
        InputError: for what cannot be told by name: a class that is defined in the program itself or in a function, or a
            value that is no number, text, array, sequence or record.
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
    if kind.__module__ == "__main__" or "<locals>" in kind.__qualname__:
        raise InputError(
            f"class {kind.__qualname__}: is defined in the program itself, where a run could not find it again; put it "
            "into a module of its own"
        )
    fields = {field.name: structure_of(getattr(value, field.name)) for field in dataclasses.fields(value)}
    return {"class": f"{kind.__module__}:{kind.__qualname__}", "fields": fields}


def built(structure: Structure) -> Any:
    """What `structure_of` told, with zeros in its arrays.

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
        return tuple(built(v) for v in structure["tuple"])
    if "list" in structure:
        return [built(v) for v in structure["list"]]
    if "dict" in structure:
        return {k: built(v) for k, v in structure["dict"].items()}
    if "names" in structure:
        return Names([str(n) for n in structure["names"]])
    kind, fields = _class(structure["class"]), structure["fields"]
    if {field.name for field in dataclasses.fields(kind)} != set(fields):
        raise InputError(f"class {structure['class']} has other fields than when the run was made")
    made = object.__new__(kind)
    for name, value in fields.items():
        object.__setattr__(made, name, built(value))
    return made


def _class(named: str) -> Any:
    module, _, name = named.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as problem:
        raise InputError(f"class {named} is not there ({problem}); put its module on the path") from problem
    if not (isinstance(found, type) and dataclasses.is_dataclass(found)):
        raise InputError(f"class {named} is no record")
    return found
