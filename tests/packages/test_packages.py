"""What is in the packages, and that the same sources always give the same bytes."""

import hashlib
import tarfile
import zipfile
from pathlib import Path

import pytest

from autoscaler.agent.native.build import ARCHITECTURES
from tests.autoscaler.agent.native.built import NATIVE, ROOT
from tests.autoscaler.agent.native.elf import Library
from tests.packages.building import PackageError, build_package
from tests.packages.conftest import MACHINE

LIMITER = "autoscaler/agent/native/shipped/libtflimit.so"
INSTALLER = "autoscaler/agent/native/shipped/install"
ASKED_S = 1_356_393_600
"""Any time is good, but for the default of hatchling."""
LARGEST_BYTES = 3_000_000


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def names_of(wheel):
    with zipfile.ZipFile(wheel) as opened:
        return opened.namelist()


def members_of(sdist):
    with tarfile.open(sdist) as opened:
        return {name.partition("/")[2] for name in opened.getnames()}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_wheel_says_where_it_can_be_installed(wheels, architecture):
    assert wheels[architecture].name.endswith(f"-py3-none-manylinux_2_17_{architecture}.whl")


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_wheel_carries_the_limiter_of_its_architecture(wheels, architecture, tmp_path):
    with zipfile.ZipFile(wheels[architecture]) as opened:
        assert Library(Path(opened.extract(LIMITER, tmp_path))).machine == architecture
        assert Library(Path(opened.extract(INSTALLER, tmp_path))).machine == architecture


def test_a_wheel_carries_all_modules_and_data_and_no_sources_of_the_limiter(wheels):
    names = set(names_of(wheels[MACHINE]))
    files = {
        path.relative_to(ROOT).as_posix()
        for package in ("autoscaler", "recommender")
        for path in (ROOT / package).rglob("*")
        if path.is_file() and path.suffix not in {".c", ".h", ".def", ".map", ".pyc"}
    }
    told = {name for name in names if ".dist-info/" not in name}

    assert told == files - {"autoscaler/agent/native/build.py"} | {LIMITER, INSTALLER}
    assert {"recommender/report/templates/report.html.j2", "autoscaler/py.typed"} <= told
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


def test_a_wheel_is_small(wheels):
    assert all(wheel.stat().st_size < LARGEST_BYTES for wheel in wheels.values())


def test_the_sdist_carries_what_everything_is_built_from(sdist):
    native = {path.relative_to(ROOT).as_posix() for path in NATIVE.iterdir() if path.is_file()}
    others = {"pyproject.toml", "hatch_build.py", "requirements.lock", "LICENSE", "README.md"}
    assert native | others | {"deploy/Dockerfile"} <= members_of(sdist)


def test_no_package_carries_what_was_built_or_is_ignored(sdist):
    members = members_of(sdist)
    assert not any(
        name.startswith(("build/", "tests/", ".venv")) or name.endswith((".so", ".pyc"))
        for name in members
    )


def test_the_same_bytes_come_out_of_the_sdist_in_another_folder(
    sdist, wheel_of_this_machine, tmp_path
):
    """The limiter is compiled again there."""
    with tarfile.open(sdist) as opened:
        opened.extractall(tmp_path / "sources", filter="data")
    [sources] = (tmp_path / "sources").iterdir()
    (tmp_path / "wheel").mkdir()
    (tmp_path / "sdist").mkdir()
    wheel = build_package("wheel", tmp_path / "wheel", sources=sources, architecture=MACHINE)
    again = build_package("sdist", tmp_path / "sdist", sources=sources)

    assert digest(wheel) == digest(wheel_of_this_machine)
    assert digest(again) == digest(sdist)


def test_the_time_of_all_files_is_the_one_that_is_asked_for(tmp_path):
    sdist = build_package("sdist", tmp_path, epoch_s=ASKED_S)
    with tarfile.open(sdist) as opened:
        assert {member.mtime for member in opened} == {ASKED_S}


def test_a_wheel_without_an_architecture_is_for_any_machine(tmp_path):
    wheel = build_package("wheel", tmp_path)
    assert wheel.name.endswith("-py3-none-any.whl")
    assert LIMITER not in names_of(wheel)


def test_an_architecture_without_a_limiter_is_named_with_those_that_have_one(tmp_path):
    with pytest.raises(PackageError) as raised:
        build_package("wheel", tmp_path, architecture="riscv64")
    assert str(raised.value) == (
        "TFA_WHEEL_ARCHITECTURE=riscv64 is not known; allowed: x86_64, aarch64\n"
    )
