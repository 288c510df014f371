"""Verilog-A text into equations, by openvaf-py."""

import contextlib
import importlib
import math
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

from mho.elements.verilog_a_equations import CALLED, NEVER, OPERATIONS, Equations, direction
from mho.errors import InputError

_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_STANDARD = ("constants.vams", "disciplines.vams", "constants.h", "disciplines.h")
"""Files to include that the compiler has itself."""


def module_text(path: str | Path) -> str:
    """The text of a Verilog-A file with a module of two terminals, the files that it includes in their places.

    Raises:
        InputError: if it cannot be read or has a fault, with file and line, or is no such module.
    """
    text = _read(Path(path))
    _compiled(Path(path), str(path))
    whole = _included(text, Path(path).parent, ())
    equations(whole, str(path))
    return whole


@lru_cache(maxsize=16)
def equations(text: str, origin: str = "--module") -> Equations:
    """The equations of a module's text.

    Args:
        text: the text, which includes no files but the standard ones.
        origin: its file, for errors.

    Raises:
        InputError: if the text has a fault; or it is no one module of two terminals, whose current is a function of the
            voltage between them and of parameters with defaults; or openvaf-py is not installed.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "module.va")
        file.write_text(text)
        modules = _compiled(file, origin)
    if len(modules) != 1:
        raise InputError(
            f"{origin}: holds {len(modules)} modules ({', '.join(m.name for m in modules)}); one is needed"
        )
    module = modules[0]
    of = f"{origin}: module {module.name}"
    system = module.get_dae_system()
    if module.num_terminals != 2:
        raise InputError(
            f"{of}: has {module.num_terminals} terminals; an element has two, and more of them have no energy in general"
        )
    if system["internal_nodes"] or len(system["residuals"]) != 2:
        inner = ", ".join(node["name"] for node in system["nodes"][2:])
        raise InputError(
            f"{of}: has unknowns of its own ({inner}): nodes inside, or contributions to a voltage; the current must be a "
            "function of the voltage between the terminals"
        )
    instructions, inputs, constants = _flat(module)
    own = {row["node_idx"]: _value(row["resist_var"]) for row in system["residuals"]}
    by_first = next(entry for entry in system["jacobian"] if entry["row_node_idx"] == entry["col_node_idx"] == 0)
    needed = _needed((own[0], own[1], _value(by_first["resist_var"])), instructions)
    used = [row for row in inputs if row[0] in needed]
    kept = tuple(i for i in instructions if i.get("result") in needed or "result" not in i)
    defaults = {name.lower(): value for name, value in module.get_param_defaults().items()}
    chosen = {}
    for _, kind, name in used:
        if kind == "voltage" and direction(name, system["terminals"]) is None:
            raise InputError(f"{of}: its current depends on {name}, not on the voltage between its terminals alone")
        if kind == "param":
            if name.lower() not in defaults:
                raise InputError(f"{of}: the default of parameter {name} is no plain number; write one")
            chosen[name] = defaults[name.lower()]
        elif kind not in ("voltage", "temperature", "param_given", "sysfun", *NEVER):
            raise InputError(f"{of}: its current depends on {name} ({kind}), which an element without memory has not")
        elif kind == "sysfun" and name != "mfactor":
            raise InputError(f"{of}: its current depends on {name}, which mho does not know")
    for instruction in kept:
        if instruction.get("loop_entry"):
            raise InputError(f"{of}: its current is computed in a loop, which mho does not know")
        opcode = instruction["opcode"]
        if opcode == "call" and instruction["called"] not in CALLED:
            raise InputError(f"{of}: its current depends on a call of {instruction['called']}, which mho does not know")
        if opcode not in (*OPERATIONS, "call", "phi", "br", "jmp", "exit", "ret"):
            raise InputError(f"{of}: its current depends on the operation {opcode}, which mho does not know")
    return Equations(
        module.name,
        chosen,
        tuple(used),
        constants,
        kept,
        current=own[0],
        slope=_value(by_first["resist_var"]),
        returned=own[1],
        terminals=tuple(system["terminals"]),
    )


def _value(name: str) -> str:
    return name.replace("mir_", "v")


def _flat(module: Any) -> tuple[list[dict[str, Any]], list[tuple[str, str, str]], dict[str, Any]]:
    """The instructions of a module's start and of its law as one sequence, the start's values called apart."""
    start, law = module.get_init_mir_instructions(), module.get_mir_instructions()

    def apart(name: str) -> str:
        return f"start {name}"

    def constants(part: Mapping[str, Any], named: Callable[[str], str]) -> dict[str, Any]:
        kinds = ("constants", "int_constants", "bool_constants")
        return {named(name): value for kind in kinds for name, value in part.get(kind, {}).items()}

    def renamed(instruction: Mapping[str, Any]) -> dict[str, Any]:
        new = dict(instruction)
        for key in ("block", "result", "condition", "destination", "true_block", "false_block"):
            if key in new:
                new[key] = apart(new[key])
        if "operands" in new:
            new["operands"] = [apart(name) for name in new["operands"]]
        if "phi_operands" in new:
            new["phi_operands"] = [{k: apart(v) for k, v in choice.items()} for choice in new["phi_operands"]]
        return new

    inputs = list(zip(law["params"], module.param_kinds, module.param_names, strict=False))
    begins = zip(start["params"], module.init_param_kinds, module.init_param_names, strict=False)
    inputs += [(apart(value), kind, name) for value, kind, name in begins]
    instructions = [renamed(i) for i in start["instructions"]]
    first = law["instructions"][0]["block"]
    if instructions:
        instructions.append({"block": instructions[-1]["block"], "opcode": "jmp", "destination": first})
    for pair in module.get_cache_mapping():
        instructions.append(
            {
                "block": first,
                "result": law["params"][pair[1]],
                "opcode": "optbarrier",
                "operands": [apart(f"v{pair[0]}")],
            }
        )
    called = {name: re.split(r"\W", declared["name"])[0] for name, declared in law["function_decls"].items()}
    texts = {name: math.nan for part in (start, law) for name in part.get("str_constants", {})}
    for instruction in law["instructions"]:
        more = {"called": called.get(instruction["func_ref"], "")} if instruction["opcode"] == "call" else {}
        instructions.append({**instruction, **more})
    return instructions, inputs, {**constants(start, apart), **constants(law, str), **texts}


def _needed(targets: Sequence[str], instructions: Sequence[Mapping[str, Any]]) -> set[str]:
    """Values that some depend on, the conditions of all branches among them."""
    made = {i["result"]: i for i in instructions if "result" in i}
    wanted = [*targets, *(i["condition"] for i in instructions if "condition" in i)]
    needed: set[str] = set()
    while wanted:
        name = wanted.pop()
        if name in needed:
            continue
        needed.add(name)
        instruction = made.get(name, {})
        wanted += [*instruction.get("operands", ()), *(c["value"] for c in instruction.get("phi_operands", ()))]
    return needed


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as problem:
        raise InputError(f"{path}: cannot be read: {problem.strerror}") from problem
    except UnicodeDecodeError as problem:
        raise InputError(f"{path}: is no text in UTF-8") from problem


def _included(text: str, folder: Path, within: tuple[Path, ...]) -> str:
    def content(match: re.Match[str]) -> str:
        path = folder / match[1]
        if match[1] in _STANDARD or path in within or not path.exists():
            return match[0]
        return _included(_read(path), path.parent, (*within, path))

    return re.sub(r'^[ \t]*`include[ \t]+"([^"\n]+)"', content, text, flags=re.MULTILINE)


def _compiled(path: Path, origin: str) -> list[Any]:
    try:
        openvaf: Any = importlib.import_module("openvaf_py")
    except ImportError as problem:
        raise InputError(f"{origin}: Verilog-A needs openvaf-py: pip install 'mho[veriloga]'") from problem
    with tempfile.TemporaryFile("w+") as said:
        try:
            with _standard_error(said):
                # Analog operators in conditions, such as limexp, are harmless in a law without memory.
                return openvaf.compile_va(str(path), True)
        except BaseException as problem:
            # A panic of the compiler is no Exception.
            if not isinstance(problem, Exception) and type(problem).__name__ != "PanicException":
                raise
            said.seek(0)
            raise InputError(_fault(_ANSI.sub("", said.read()), origin, problem)) from problem


def _fault(said: str, origin: str, problem: BaseException) -> str:
    """The compiler's first error in one line."""
    error = re.search(r"^error(?:\[\w+\])?: (.*)$", said, re.MULTILINE)
    if error is None:
        return f"{origin}: openvaf-py cannot compile it: {' '.join(str(problem).split())[:300]}"
    place = re.search(r"-->\s*(.+):(\d+):\d+\s*$", said[error.end() :].split("\nerror", 1)[0], re.MULTILINE)
    return f"{origin}:{place[2]}: {error[1]}" if place else f"{origin}: {error[1]}"


@contextlib.contextmanager
def _standard_error(file: IO[str]) -> Iterator[None]:
    """Have what the compiler writes to standard error, past Python, go into a file."""
    sys.stderr.flush()
    kept = os.dup(2)
    os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
