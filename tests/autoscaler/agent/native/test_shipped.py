"""An installed wheel gives its limiter away whole, and a checkout says how to have one."""

import pytest

from autoscaler.agent.native.shipped import (
    INSTALLER,
    LIBRARY,
    PLACE,
    SHIPPED,
    NoLimiterError,
    copy_limiter,
)
from autoscaler.errors import AutoscalerError
from tests.autoscaler.agent.native.built import ROOT


@pytest.fixture
def shipped(tmp_path):
    folder = tmp_path / "shipped"
    folder.mkdir()
    for name in (LIBRARY, INSTALLER):
        (folder / name).write_text(f"new {name}")
    return folder


def test_both_files_come_into_a_folder_that_is_made(shipped, tmp_path):
    into = tmp_path / "opt" / "limiter"
    paths = copy_limiter(into, shipped)

    assert paths == (into / "libtflimit.so", into / "install")
    assert [path.read_text() for path in paths] == ["new libtflimit.so", "new install"]
    assert sorted(into.iterdir()) == sorted(paths)


def test_both_files_may_be_run_by_everyone(shipped, tmp_path):
    for path in copy_limiter(tmp_path, shipped):
        assert path.stat().st_mode & 0o777 == 0o755


def test_a_process_that_has_the_earlier_library_open_keeps_it(shipped, tmp_path):
    (tmp_path / LIBRARY).write_text("old")
    with (tmp_path / LIBRARY).open() as opened:
        copy_limiter(tmp_path, shipped)
        assert opened.read() == "old"
    assert (tmp_path / LIBRARY).read_text() == f"new {LIBRARY}"


def test_an_installation_without_a_limiter_says_how_to_have_one(tmp_path):
    into = tmp_path / "into"
    with pytest.raises(NoLimiterError, match="make limiter builds it"):
        copy_limiter(into, tmp_path / "nothing")
    assert not into.exists()


def test_a_folder_that_cannot_be_made_is_named(shipped, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(AutoscalerError, match="file/folder: cannot be written: Not a directory"):
        copy_limiter(tmp_path / "file" / "folder", shipped)


def test_the_place_in_a_wheel_is_where_the_code_looks():
    assert ROOT / PLACE == SHIPPED
