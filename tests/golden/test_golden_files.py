import pytest

from tests.golden.contents import golden_files

FILES = golden_files()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_golden_file_is_current(path):
    expected = path.read_text(encoding="utf-8")

    assert expected == FILES[path], "after reading the differences: python -m tests.golden"
