import base64
import os
from pathlib import Path

import pytest

from autoscaler.errors import UsageError
from autoscaler.sources.prometheus.connection import Connection
from autoscaler.sources.prometheus.credentials import read_credentials, tls_marks

URL = "http://prometheus:9090"
NONE = Path("/dev/null/none")


@pytest.fixture
def secret(tmp_path):
    """Return a file that holds ``hunter2`` and a line end."""
    path = tmp_path / "secret"
    path.write_text("hunter2\n")
    return path


def test_without_credentials_there_are_the_plain_headers_only():
    credentials = read_credentials(Connection(url=URL, headers={"X-Scope-OrgID": "1"}))
    assert credentials.headers == {"X-Scope-OrgID": "1"}
    assert credentials.secrets == ()


def test_a_token_is_sent_as_bearer_without_the_line_end(secret):
    credentials = read_credentials(Connection(url=URL, bearer_token_file=secret))
    assert credentials.headers == {"Authorization": "Bearer hunter2"}


def test_a_password_is_sent_with_its_user_in_utf_8(tmp_path):
    path = tmp_path / "password"
    path.write_text(" pässwort: \r\n", encoding="utf-8")
    connection = Connection(url=URL, basic_user="ann", basic_password_file=path)
    scheme, pair = read_credentials(connection).headers["Authorization"].split()
    assert scheme == "Basic"
    assert base64.b64decode(pair).decode() == "ann: pässwort: "


def test_files_are_read_anew_each_time(secret):
    connection = Connection(url=URL, header_files={"X-Scope-OrgID": secret})
    assert read_credentials(connection).headers == {"X-Scope-OrgID": "hunter2"}
    secret.write_text("hunter3\n")
    assert read_credentials(connection).headers == {"X-Scope-OrgID": "hunter3"}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"\xff\xfehunter2", "is not UTF-8 text"),
        (b"hunter2\nhunter2", "more than one line"),
        (b"hunter2 \n", "blanks at an end"),
        (b"hunter2\0", "control characters"),
        ("hunter2ß".encode(), "more than ASCII"),
        (b"hunter2" * 10_000, "is larger than 65536 bytes"),
    ],
)
def test_a_file_that_no_header_can_carry_is_named_and_not_quoted(secret, content, problem):
    secret.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        read_credentials(Connection(url=URL, bearer_token_file=secret))
    assert str(caught.value).startswith(f"prometheus.tokenFile (--prometheus-token-file): {secret}")
    assert problem in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    for path, problem in (
        (tmp_path / "none", "No such file or directory"),
        (tmp_path, "Is a directory"),
    ):
        with pytest.raises(UsageError) as caught:
            read_credentials(Connection(url=URL, bearer_token_file=path))
        assert str(caught.value) == (
            f"prometheus.tokenFile (--prometheus-token-file): {path}: cannot be read: {problem}"
        )


@pytest.mark.parametrize(
    ("read", "given", "place"),
    [
        (read_credentials, {"header_files": {"X-A": NONE}}, "prometheus.headerFiles.X-A (--"),
        (
            read_credentials,
            {"basic_user": "ann", "basic_password_file": NONE},
            "prometheus.passwordFile: ",
        ),
        (tls_marks, {"ca_file": NONE}, "prometheus.caFile (--ca-file): "),
        (tls_marks, {"certificate_file": NONE}, "prometheus.certFile: "),
    ],
)
def test_a_missing_file_is_named_with_where_it_was_given(read, given, place):
    with pytest.raises(UsageError) as caught:
        read(Connection(url=URL, **given))
    assert str(caught.value).startswith(place)
    assert str(caught.value).endswith(f"{NONE}: cannot be read: Not a directory")


def test_a_pipe_is_refused_before_it_is_waited_for(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for read, file in ((read_credentials, "bearer_token_file"), (tls_marks, "ca_file")):
        with pytest.raises(UsageError, match=r"pipe: is a pipe; a file is expected"):
            read(Connection(url=URL, **{file: pipe}))


def test_credentials_are_not_shown(secret):
    connection = Connection(url=URL, basic_user="ann", basic_password_file=secret)
    assert repr(read_credentials(connection)) == "Credentials()"


def test_secrets_are_taken_out_of_texts_in_every_form(secret):
    connection = Connection(
        url=URL,
        basic_user="ann",
        basic_password_file=secret,
        header_files={"X-Token": secret},
    )
    credentials = read_credentials(connection)
    pair = credentials.headers["Authorization"].split()[1]
    assert credentials.hide(f"got {pair} for hunter2") == "got *** for ***"


def test_secrets_are_taken_out_where_they_were_written_anew(secret):
    secret.write_text('p"ss/word')
    hide = read_credentials(Connection(url=URL, header_files={"X-Token": secret})).hide
    assert hide('{"message":"no p\\"ss/word"}') == '{"message":"no ***"}'
    assert hide("/login/p%22ss%2Fword") == "/login/***"


def test_a_very_short_secret_does_not_blot_out_a_message(secret):
    secret.write_text("1")
    credentials = read_credentials(Connection(url=URL, header_files={"X-Scope-OrgID": secret}))
    assert credentials.hide("HTTP 401 for tenant 1") == "HTTP 401 for tenant 1"


def test_the_marks_of_tls_files_change_with_each_file(tmp_path):
    paths = [tmp_path / name for name in ("ca", "certificate", "key")]
    for path in paths:
        path.write_text("old")
    ca, certificate, key = paths
    connection = Connection(url=URL, ca_file=ca, certificate_file=certificate, key_file=key)
    for path in paths:
        before = tls_marks(connection)
        path.write_text("newer")
        assert tls_marks(connection) != before
    assert tls_marks(connection) == tls_marks(connection)


def test_a_tls_file_that_is_missing_or_empty_is_named(tmp_path):
    path = tmp_path / "ca.pem"
    connection = Connection(url=URL, ca_file=path)
    with pytest.raises(UsageError, match=r"ca.pem: cannot be read: No such file"):
        tls_marks(connection)
    path.touch()
    with pytest.raises(UsageError, match=r"ca.pem: is empty"):
        tls_marks(connection)
