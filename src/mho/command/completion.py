"""`mho completion`: what a shell needs to complete subcommands, experiments and options."""

import contextlib
import importlib
import io
import os
import re
from collections.abc import Sequence

from mho.errors import InputError
from mho.experiments.registry import EXPERIMENTS

_HELP = """usage: mho completion bash | zsh | fish

Print a script that has the shell complete subcommands, experiments, options and files.

Examples: mho completion bash > ~/.local/share/bash-completion/completions/mho
          mho completion fish > ~/.config/fish/completions/mho.fish
          eval "$(mho completion zsh)"     # in ~/.zshrc, behind compinit"""

_SHELLS = ("bash", "zsh", "fish")
_OF_EXPERIMENTS = ("train", "sweep", "show")
_KINDS = ("drn-digits", "xor", "mlp-digits")
"""An experiment of each kind of configuration that has a name."""


def run(arguments: Sequence[str]) -> None:
    """Print a shell's script."""
    if arguments and arguments[0] in ("-h", "--help"):
        print(_HELP)
        return
    if len(arguments) != 1 or arguments[0] not in _SHELLS:
        raise InputError(f"mho completion: expected one of {', '.join(_SHELLS)} (see mho completion --help)")
    options = _options()
    print(_fish(options) if arguments[0] == "fish" else _bash(options, zsh=arguments[0] == "zsh"))


def _options() -> dict[str, list[str]]:
    """Options of each subcommand, as their helps tell them."""
    from mho.command import SUBCOMMANDS

    found: dict[str, list[str]] = {}
    columns = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = "250"  # no option's name is broken off
    try:
        for subcommand, (module, _) in SUBCOMMANDS.items():
            told = io.StringIO()
            for experiment in _KINDS if subcommand in ("train", "sweep") else (None,):
                # A parser's help ends the process.
                with contextlib.redirect_stdout(told), contextlib.suppress(SystemExit):
                    importlib.import_module(module).run([*([experiment] if experiment else []), "--help"])
            known = re.findall(r"(?<![\w-])--[a-z][a-z-]*[a-z]", told.getvalue())
            found[subcommand] = sorted(set(known) | {"--help"})
    finally:
        if columns is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = columns
    return found


def _bash(options: dict[str, list[str]], *, zsh: bool) -> str:
    cases = "\n".join(f"        {name}) words='{' '.join(given)}' ;;" for name, given in options.items())
    script = f"""_mho() {{
    local word="${{COMP_WORDS[COMP_CWORD]}}" words=''
    if [ "$COMP_CWORD" -eq 1 ]; then
        words='{" ".join(options)}'
    elif [ "${{word#-}}" != "$word" ]; then
        case "${{COMP_WORDS[1]}}" in
{cases}
        esac
    elif [ "$COMP_CWORD" -eq 2 ]; then
        case "${{COMP_WORDS[1]}}" in
        {"|".join(_OF_EXPERIMENTS)}) words='{" ".join(EXPERIMENTS)}' ;;
        completion) words='{" ".join(_SHELLS)}' ;;
        esac
    fi
    COMPREPLY=($(compgen -W "$words" -- "$word"))
}}
complete -o default -F _mho mho"""
    return f"autoload -U +X bashcompinit && bashcompinit\n{script}" if zsh else script


def _fish(options: dict[str, list[str]]) -> str:
    from mho.command import SUBCOMMANDS

    lines = [
        f"complete -c mho -n __fish_use_subcommand -f -a {name} -d '{summary.replace(chr(39), '')}'"
        for name, (_, summary) in SUBCOMMANDS.items()
    ]
    for name in _OF_EXPERIMENTS:
        lines.append(f"complete -c mho -n '__fish_seen_subcommand_from {name}' -a '{' '.join(EXPERIMENTS)}'")
    for name, given in options.items():
        lines += [f"complete -c mho -n '__fish_seen_subcommand_from {name}' -l {option[2:]}" for option in given]
    return "\n".join(lines)
