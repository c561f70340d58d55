"""Completion as shells ask for it, and as a real bash does it."""

import os
import subprocess
import sys

import pytest

COMMAND = [sys.executable, "-m", "autoscaler"]


@pytest.mark.parametrize(
    ("shell", "words"),
    [
        ("bash", "complete -o default -F _tfa_completion tfa"),
        ("zsh", "compdef _tfa_completion tfa"),
        ("fish", "complete --command tfa"),
    ],
)
def test_a_script_is_shown_for_each_shell(tfa, shell, words):
    ended = tfa("--show-completion", shell)
    assert (ended.code, ended.err) == (0, "")
    assert words in ended.out


def test_an_unknown_shell_is_answered_with_the_known_ones(tfa):
    ended = tfa("--show-completion", "tcsh")
    assert ended.code == 2
    assert all(shell in ended.err for shell in ("tcsh", "bash", "zsh", "fish"))


BASH = """\
PATH={path}:$PATH
eval "$(tfa --show-completion bash)"
COMP_WORDS=({words})
COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 ))
_tfa_completion tfa
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("tfa sim", ["simulate"]),
        ("tfa agent to", ["top"]),
        ("tfa simulate --dem", ["--demo"]),
        ("tfa webhook --log-format j", ["json"]),
    ],
)
def test_bash_completes_commands_options_and_values(tmp_path, words, completed):
    program = tmp_path / "tfa"
    program.write_text(f'#!/bin/sh\nexec {" ".join(COMMAND)} "$@"\n')
    program.chmod(0o755)
    ended = subprocess.run(
        ["bash", "--norc", "-c", BASH.format(path=tmp_path, words=words)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "HOME": str(tmp_path)},
    )
    assert ended.stdout.splitlines() == completed
