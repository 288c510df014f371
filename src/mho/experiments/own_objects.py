"""A user's own Python objects, which configurations name as "module:name"."""

import importlib
import sys
from typing import Any

from mho.errors import InputError


def is_own(name: str) -> bool:
    """Whether a field names a user's own object."""
    return ":" in name


def own_object(field: str, name: str) -> Any:
    """The object that a field names.

    Its module is looked for where Python looks, and in the current folder.

    Raises:
        InputError: if there is no such module or name, or the module raises.
    """
    module, _, attribute = name.partition(":")
    if "" not in sys.path:
        sys.path.append("")
    try:
        found: Any = importlib.import_module(module)
    except ModuleNotFoundError as problem:
        if f"{module}.".startswith(f"{problem.name}."):
            raise InputError(
                f"{field} {name}: no module {module!r}; run mho in its folder, or put that on PYTHONPATH"
            ) from problem
        raise InputError(f"{field} {name}: the module raises {type(problem).__name__}: {problem}") from problem
    except (Exception, SystemExit) as problem:  # whatever the user's module does
        raise InputError(f"{field} {name}: the module raises {type(problem).__name__}: {_line(problem)}") from problem
    for part in attribute.split("."):
        if not hasattr(found, part):
            raise InputError(f"{field} {name}: module {module!r} has no {attribute!r}")
        found = getattr(found, part)
    return found


def own_made(field: str, name: str, kind: type | tuple[type, ...], *arguments: Any) -> Any:
    """What a field names, or what it makes of some arguments where it is a class or a function.

    Raises:
        InputError: see `own_object`; or if it raises, or is nothing of the kind wanted.
    """
    found = own_object(field, name)
    if isinstance(found, type) or not isinstance(found, kind):
        if not callable(found):
            raise InputError(f"{field} {name}: is a {type(found).__name__}, {_wanted(kind)}")
        try:
            found = found(*arguments)
        except (Exception, SystemExit) as problem:  # whatever the user's function does
            raise InputError(f"{field} {name}: raises {type(problem).__name__}: {_line(problem)}") from problem
    if not isinstance(found, kind):
        raise InputError(f"{field} {name}: gives a {type(found).__name__}, {_wanted(kind)}")
    return found


def _wanted(kind: type | tuple[type, ...]) -> str:
    kinds = kind if isinstance(kind, tuple) else (kind,)
    return f"expected {' or '.join(k.__name__ for k in kinds)}"


def _line(problem: BaseException) -> str:
    return " ".join(str(problem).split())
