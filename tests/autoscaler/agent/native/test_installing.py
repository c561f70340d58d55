"""The limiter's image puts the library into the pod and waits for the control page."""

from __future__ import annotations

import platform
import shutil
import subprocess
from pathlib import Path

import pytest

from autoscaler.agent.native.build import built, installer
from autoscaler.api.injection import INIT_COMMAND
from tests.autoscaler.agent.native.built import ROOT
from tests.components.processes import until

CONTENT = b"the library\n" * 20_000


@pytest.fixture
def image(tmp_path: Path) -> Path:
    folder = tmp_path / "image"
    folder.mkdir()
    made = built(installer(platform.machine(), ROOT / "build" / "limiter"))
    program = Path(shutil.copy(made, folder / "install"))
    (folder / "libtflimit.so").write_bytes(CONTENT)
    return program


def words(pod: Path, wait: str = "0s") -> list[str]:
    """Return the arguments of the injection contract, for a pod in a folder."""
    names = [word.split("=")[0] for word in INIT_COMMAND[1:]]
    values = (pod / "lib.so", pod / "ctl", wait)
    return [f"{name}={value}" for name, value in zip(names, values, strict=True)]


def run(*command: object) -> tuple[int, str, str]:
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, done.stderr


def test_the_library_is_copied_and_a_control_page_is_seen(image, tmp_path):
    (tmp_path / "ctl").touch()
    assert run(image, *words(tmp_path)) == (0, "copied\ncontrolled\n", "")
    assert (tmp_path / "lib.so").read_bytes() == CONTENT
    assert (tmp_path / "lib.so").stat().st_mode & 0o777 == 0o555


def test_without_a_control_page_the_pod_starts_all_the_same(image, tmp_path):
    assert run(image, *words(tmp_path)) == (0, "copied\nuncontrolled\n", "")


def test_a_control_page_that_comes_late_is_waited_for(image, tmp_path):
    with subprocess.Popen(
        [image, *words(tmp_path, "60s")], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "copied\n"
        (tmp_path / "ctl").touch()
        assert process.stdout.read() == "controlled\n"
    assert process.returncode == 0


def test_a_second_run_replaces_what_a_first_one_left(image, tmp_path):
    (tmp_path / "lib.so").write_bytes(b"old")
    (tmp_path / "lib.so.unfinished").write_bytes(b"half")
    assert run(image, *words(tmp_path))[0] == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["image", "lib.so"]
    assert (tmp_path / "lib.so").read_bytes() == CONTENT


def test_a_library_in_use_is_replaced_and_not_written_over(image, tmp_path):
    (tmp_path / "lib.so").write_bytes(b"old")
    with (tmp_path / "lib.so").open("rb") as in_use:
        run(image, *words(tmp_path))
        assert in_use.read() == b"old"


def test_the_library_may_come_from_elsewhere(image, tmp_path):
    (tmp_path / "other.so").write_bytes(b"other")
    run(image, *words(tmp_path), f"--source={tmp_path}/other.so")
    assert (tmp_path / "lib.so").read_bytes() == b"other"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ("--wait=soon", "--wait soon: is no whole number of seconds from 0s to 600s"),
        ("--wait=-1s", "--wait -1s: is no whole number of seconds from 0s to 600s"),
        ("--wait=601s", "--wait 601s: is no whole number of seconds from 0s to 600s"),
        ("--wait=1m", "--wait 1m: is no whole number of seconds from 0s to 600s"),
        ("--mode=x", "is none of --library= --control= --wait= --source="),
        ("--source=/absent/lib.so", "the limiter's library /absent/lib.so: No such file"),
        ("--library=/absent/lib.so", "cannot write /absent/lib.so: No such file"),
    ],
)
def test_a_wrong_order_is_refused_by_its_name(image, tmp_path, changed, said):
    status, out, error = run(image, *words(tmp_path), changed)
    assert (status, out) == (1, "")
    assert said in error


def test_what_is_missing_is_named(image):
    assert run(image) == (1, "", "argument --library=: is missing\n")
    assert run(image, "--library=/x") == (1, "", "argument --control=: is missing\n")


def test_it_can_be_ended_while_it_waits(image, tmp_path):
    with subprocess.Popen([image, *words(tmp_path, "60s")], stdout=subprocess.DEVNULL) as process:
        until((tmp_path / "lib.so").exists, what="the library is copied")
        process.terminate()
    assert process.returncode < 0
