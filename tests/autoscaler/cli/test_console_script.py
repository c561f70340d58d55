import os
import pty
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import orjson
import pytest

COMMAND = [sys.executable, "-m", "autoscaler"]


def run(*arguments, **options):
    return subprocess.run(
        [*COMMAND, *map(str, arguments)], capture_output=True, text=True, check=False, **options
    )


def test_json_parses_with_stderr_apart(usage):
    ended = run("report", "--from", usage, "--no-what-if", "-o", "json")
    assert (ended.returncode, orjson.loads(ended.stdout)["meta"]["scanned_workloads"]) == (0, 3)


def test_no_colour_and_no_progress_without_a_terminal(usage, workloads):
    ended = run("report", "--from", usage, "--workloads", workloads, "--no-what-if")
    assert "\x1b" not in ended.stdout + ended.stderr


def test_a_terminal_shows_progress_from_the_first_query_on():
    ours, theirs = pty.openpty()
    command = [*COMMAND, "report", "--prometheus-url", "http://127.0.0.1:9"]
    ended = subprocess.run(command, stdout=subprocess.PIPE, stderr=theirs, check=False)
    os.close(theirs)
    shown = b""
    # The end of a terminal is an error on Linux.
    with os.fdopen(ours, "rb", buffering=0) as terminal, suppress(OSError):
        while part := terminal.read(4096):
            shown += part
    assert (ended.returncode, ended.stdout) == (3, b"")
    assert shown.index(b"report") < shown.index(b"error: ")


def test_a_closed_pipe_is_quiet(usage):
    process = subprocess.Popen(
        [*COMMAND, "report", "--from", str(usage), "--no-what-if", "-o", "json", "-q"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 0


def test_help_names_real_commands_only():
    ended = run("--help", env={**os.environ, "COLUMNS": "100"})
    assert ended.returncode == 0
    for command in (
        "report",
        "explain",
        "simulate",
        "backtest",
        "check",
        "render",
        "diff",
        "config",
        "version",
    ):
        assert command in ended.stdout
        assert run(command, "--help").returncode == 0


@pytest.mark.parametrize("arguments", [["reprot"], ["report"], ["report", "--form", "x"]])
def test_wrong_usage_ends_with_2(arguments):
    ended = run(*arguments)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "Traceback" not in ended.stderr


def test_version_is_said():
    assert run("version").stdout.startswith("tfa ")


def test_an_interrupt_ends_with_130(tmp_path):
    fifo = tmp_path / "usage.csv"
    os.mkfifo(fifo)
    process = subprocess.Popen(
        [*COMMAND, "report", "--from", str(fifo)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    with fifo.open("wb"):
        # The command has opened the pipe and waits for bytes that do not come.
        process.send_signal(2)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, b"")
    assert b"Traceback" not in err


def test_a_closed_stdout_or_stderr_is_quiet(usage):
    shell = " ".join([*COMMAND, "report", "--from", str(usage), "--no-what-if"])
    for closed in (">&-", ">/dev/null 2>&-"):
        ended = subprocess.run(
            f"{shell} {closed}", shell=True, capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0
        assert "Traceback" not in ended.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_behind_stdout_is_an_error(usage):
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [*COMMAND, "report", "--from", str(usage), "--no-what-if"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert ended.returncode == 3
    assert ended.stderr == "error: stdout: cannot be written: No space left on device\n"
