"""The script that completes commands does so in a real shell."""

import os
import shutil
import subprocess
import sys

import pytest


def script(shell: str) -> str:
    ran = subprocess.run([sys.executable, "-m", "mho", "completion", shell], capture_output=True, text=True, check=True)
    return ran.stdout


def test_bash_completes_subcommands_experiments_and_options() -> None:
    asked = ["mho re", "mho train paper", "mho train drn-digits --mism", "mho solve --js", "mho sweep xor --see"]
    lines = "\n".join(
        f"COMP_WORDS=({words}); COMP_CWORD={len(words.split()) - 1}; _mho; echo ${{COMPREPLY[@]}}" for words in asked
    )
    ran = subprocess.run(["bash", "-c", f"{script('bash')}\n{lines}"], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines() == ["report reproduce", "paper-mnist", "--mismatch", "--json", "--seed --seeds"]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_can_read_theirs(shell: str) -> None:
    text = script(shell)
    assert "paper-mnist" in text and "mismatch" in text
    if shutil.which(shell) is None:
        reason = f"{shell} is not installed: its script was not run"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    subprocess.run([shell, "-n"], input=text, text=True, check=True)
