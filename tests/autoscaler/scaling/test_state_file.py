from __future__ import annotations

import stat
import subprocess
import sys

import pytest

from autoscaler.errors import UsageError
from autoscaler.scaling import state_file

KILLED = 9
DIES_BEFORE_THE_NAME_IS_GIVEN = f"""
import os, sys
from pathlib import Path
from autoscaler.scaling import state_file

os.replace = lambda *names: os._exit({KILLED})
os.rename = os.replace
state_file.save(Path(sys.argv[1]), b"new")
"""


def test_what_was_saved_is_loaded(tmp_path):
    path = tmp_path / "state"

    state_file.save(path, b"one")
    state_file.save(path, b"another")

    assert state_file.load(path) == b"another"
    assert [item.name for item in tmp_path.iterdir()] == ["state"]


def test_without_a_file_there_is_nothing(tmp_path):
    assert state_file.load(tmp_path / "state") is None


def test_only_its_owner_can_read_it_whatever_was_there_before(tmp_path):
    path = tmp_path / "state"
    (tmp_path / "state.tmp").write_bytes(b"left by a process that died")
    (tmp_path / "state.tmp").chmod(0o644)

    state_file.save(path, b"data")

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_process_that_dies_before_the_name_is_given_leaves_the_old_file(tmp_path):
    path = tmp_path / "state"
    state_file.save(path, b"old")

    died = subprocess.run(
        [sys.executable, "-c", DIES_BEFORE_THE_NAME_IS_GIVEN, str(path)], check=False
    )
    between = state_file.load(path)
    state_file.save(path, b"newer")

    assert died.returncode == KILLED
    assert between == b"old"
    assert state_file.load(path) == b"newer"
    assert [item.name for item in tmp_path.iterdir()] == ["state"]


def test_a_link_in_place_of_the_unwritten_file_is_not_followed(tmp_path):
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    (tmp_path / "state.tmp").symlink_to(victim)

    with pytest.raises(Exception, match="cannot be written"):
        state_file.save(tmp_path / "state", b"data")

    assert victim.read_bytes() == b"precious"


def test_an_unusable_file_is_kept_under_another_name_one_generation_long(tmp_path):
    path = tmp_path / "state"
    for data in (b"first", b"second"):
        path.write_bytes(data)
        aside = state_file.set_aside(path)

    assert aside == tmp_path / "state.unusable"
    assert aside.read_bytes() == b"second"
    assert state_file.load(path) is None


@pytest.mark.parametrize("act", [state_file.load, lambda path: state_file.save(path, b"data")])
def test_a_folder_that_does_not_exist_is_named(tmp_path, act):
    with pytest.raises(UsageError, match=r"state file .*nowhere/state .*there is no folder"):
        act(tmp_path / "nowhere" / "state")


@pytest.mark.parametrize("act", [state_file.load, lambda path: state_file.save(path, b"data")])
def test_a_path_that_is_a_folder_is_refused(tmp_path, act):
    with pytest.raises(UsageError, match="it is a folder; allowed: a file"):
        act(tmp_path)


def test_a_path_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(UsageError, match="there is no folder"):
        state_file.load(tmp_path / "file" / "state")
