from pathlib import Path

import pytest

from autoscaler.cli.output import Destination, Format, destinations, write_file, write_folder
from autoscaler.errors import AutoscalerError, UsageError


def test_the_result_goes_to_stdout_as_a_table():
    assert destinations(None, []) == (Destination(format=Format.TABLE),)


def test_a_plain_path_takes_the_result_in_the_format_of_its_suffix():
    [only] = destinations(None, ["a/report.html"])
    assert only == Destination(format=Format.HTML, path=Path("a/report.html"))


def test_the_format_option_wins_over_the_suffix():
    [only] = destinations(Format.JSON, ["report.html"])
    assert only.format is Format.JSON


def test_copies_stand_beside_the_result():
    first, html, data = destinations(Format.MD, ["html=x", "json=y"])
    assert first == Destination(format=Format.MD)
    assert (html.format, data.format) == (Format.HTML, Format.JSON)


def test_a_path_with_an_equals_sign_is_a_path():
    [only] = destinations(None, ["a=b.json"])
    assert only.path == Path("a=b.json")


@pytest.mark.parametrize("out", ["", "html="])
def test_an_empty_path_is_refused(out):
    with pytest.raises(UsageError, match="allowed: FILE or FORMAT=FILE"):
        destinations(None, [out])


@pytest.mark.parametrize("out", ["{}", "json={}"])
def test_a_folder_in_place_of_a_file_is_refused_before_the_work(tmp_path, out):
    with pytest.raises(UsageError, match=f"{tmp_path} is a folder"):
        destinations(None, [out.format(tmp_path)])


def test_a_folder_takes_kustomize(tmp_path):
    [_, copy] = destinations(None, [f"kustomize={tmp_path}"])
    assert copy == Destination(format=Format.KUSTOMIZE, path=tmp_path)


def test_a_file_appears_whole_and_leaves_nothing_beside_it(tmp_path):
    path = tmp_path / "new" / "report.json"
    write_file(path, "one")
    write_file(path, "two")
    assert path.read_text() == "two"
    assert [item.name for item in path.parent.iterdir()] == ["report.json"]


def test_a_file_that_cannot_be_written_is_named_and_the_old_one_stays(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(AutoscalerError, match="folder: cannot be written"):
        write_file(tmp_path / "folder", "text")
    assert [item.name for item in tmp_path.iterdir()] == ["folder"]


def test_a_folder_replaces_its_earlier_version(tmp_path):
    path = tmp_path / "out"
    write_folder(path, {"kustomization.yaml": "1", "old.yaml": "2"})
    write_folder(path, {"kustomization.yaml": "3"})
    assert {item.name: item.read_text() for item in path.iterdir()} == {"kustomization.yaml": "3"}


@pytest.mark.parametrize("name", ["notes.txt", "deployment.yaml"])
def test_a_folder_of_other_files_is_not_replaced(tmp_path, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(UsageError, match="not replaced"):
        write_folder(tmp_path, {"kustomization.yaml": "3"})
    assert (tmp_path / name).read_text() == "mine"
