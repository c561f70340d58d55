"""The token of the endpoint: compared, renewed, and kept through mistakes."""

import pytest

from autoscaler.errors import UsageError
from autoscaler.scaling.external.token_file import TokenFile

TOKEN = "0123456789abcdef"
OTHER = "fedcba9876543210"


@pytest.fixture
def path(tmp_path):
    found = tmp_path / "token"
    found.write_text(f"{TOKEN}\n")
    return found


def replaced(path, text):
    """Replace a file as a mounted Secret is: by another one under its name."""
    new = path.with_suffix(".new")
    new.write_text(text)
    new.replace(path)


@pytest.mark.parametrize("header", [f"Bearer {TOKEN}", f"bearer  {TOKEN} "])
def test_the_token_of_the_file_matches(path, header):
    assert TokenFile(path).matches(header)


@pytest.mark.parametrize(
    "header",
    [None, "", TOKEN, f"Basic {TOKEN}", "Bearer", "Bearer ", f"Bearer {TOKEN}x", "Bearer \udcff"],
)
def test_anything_else_does_not(path, header):
    assert not TokenFile(path).matches(header)


def test_a_renewed_token_counts_at_once_and_the_old_one_no_more(path):
    token = TokenFile(path)
    replaced(path, OTHER)
    assert token.matches(f"Bearer {OTHER}")
    assert not token.matches(f"Bearer {TOKEN}")


@pytest.mark.parametrize("text", ["", "short", "two words of it"])
def test_a_file_that_becomes_unusable_leaves_the_token_as_it_was(path, text, caplog):
    token = TokenFile(path)
    replaced(path, text)
    assert token.matches(f"Bearer {TOKEN}")
    assert "the token stays as it was" in caplog.text
    assert TOKEN not in caplog.text


def test_a_file_that_is_gone_leaves_the_token_as_it_was(path):
    token = TokenFile(path)
    path.unlink()
    assert token.matches(f"Bearer {TOKEN}")


@pytest.mark.parametrize(
    "text", ["", "short", "x" * 5000, "with a space inside", "ümlaut-0123456789"]
)
def test_a_file_that_cannot_be_used_is_named_at_the_start(path, text):
    path.write_text(text)
    with pytest.raises(UsageError, match=r"allowed: 16 to 4096 visible ASCII"):
        TokenFile(path)


def test_a_missing_file_is_named_at_the_start(tmp_path):
    with pytest.raises(UsageError, match="No such file"):
        TokenFile(tmp_path / "absent")
