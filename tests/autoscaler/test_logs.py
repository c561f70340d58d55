import json
import logging
import re

import pytest

from autoscaler.logs import CHATTY_LIBRARIES, LogFormat, configure


@pytest.fixture(autouse=True)
def _as_before():
    root = logging.getLogger()
    names = ("", *CHATTY_LIBRARIES)
    handlers, levels = root.handlers[:], {name: logging.getLogger(name).level for name in names}
    yield
    root.handlers[:] = handlers
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def test_a_line_of_text_says_when_how_urgent_where_and_what(capsys):
    configure(LogFormat.TEXT)
    logging.getLogger("autoscaler.webhook").warning("refused %s", "team/a")

    line = capsys.readouterr().err
    assert re.fullmatch(
        r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z WARNING autoscaler\.webhook refused team/a\n",
        line,
    )


def test_json_is_one_object_a_line(capsys):
    configure(LogFormat.JSON)
    logging.getLogger("part").info("two\nlines")

    event = json.loads(capsys.readouterr().err)
    assert event.pop("time").endswith("Z")
    assert event == {"level": "info", "logger": "part", "message": "two\nlines"}


def test_what_others_wrote_stays_in_its_line_of_text(capsys):
    configure(LogFormat.TEXT)
    logging.getLogger("part").info("name: %s", "a\nforged \x1b[2J")

    lines = capsys.readouterr().err.splitlines()
    assert [line.partition("part ")[2] for line in lines] == ["name: a forged  [2J"]


@pytest.mark.parametrize("log_format", LogFormat)
def test_an_error_comes_with_its_traceback(log_format, capsys):
    configure(log_format)
    try:
        int("broken")
    except ValueError:
        logging.getLogger("part").exception("it failed")

    shown = capsys.readouterr().err
    assert "it failed" in shown
    assert "Traceback" in shown
    assert "ValueError: invalid literal" in shown


def test_what_is_no_unicode_is_still_logged_as_json(capsys):
    configure(LogFormat.JSON)
    logging.getLogger("part").info("file %s", "\udcff")

    assert json.loads(capsys.readouterr().err)["message"] == "file ?"


@pytest.mark.parametrize("library", CHATTY_LIBRARIES)
def test_libraries_do_not_log_answers(library, capsys):
    configure(LogFormat.TEXT, level=logging.DEBUG)
    logging.getLogger(library).debug("response body: secret")

    assert capsys.readouterr().err == ""


def test_configuring_again_does_not_log_twice(capsys):
    configure(LogFormat.TEXT)
    configure(LogFormat.TEXT)
    logging.getLogger("part").info("once")

    assert capsys.readouterr().err.count("once") == 1
