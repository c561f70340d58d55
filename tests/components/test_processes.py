"""Starting real processes: ready when they say so themselves, and never left behind."""

import socket
import sys

import pytest

from tests.components.processes import (
    LOOPBACK,
    ServerError,
    start_process,
    start_server,
    status_of,
    until,
    wait_until_ready,
)

SERVER = """
import http.server, sys
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
try:
    server = http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Answer)
except OSError:
    sys.exit("address already in use")
print("up and running", flush=True)
server.serve_forever()
"""


def python(script, *arguments):
    return [sys.executable, "-c", script, *map(str, arguments)]


def test_a_server_is_ready_when_it_answers_and_gone_when_it_was_stopped(tmp_path):
    with start_server(
        "server", lambda port: python(SERVER, port), tmp_path, ready_words="up and running"
    ) as server:
        assert status_of(server.url) == 200

    assert not server.is_running
    assert status_of(server.url) is None


def test_a_server_that_dies_at_its_start_shows_its_log(tmp_path):
    script = "import sys; print('reading the configuration'); sys.exit('line 3: no such key')"
    with pytest.raises(ServerError, match="ended at its start") as caught:
        start_server("server", lambda _: python(script), tmp_path, ready_words="ready")

    assert "reading the configuration" in str(caught.value)
    assert "line 3: no such key" in str(caught.value)


def test_a_server_that_never_gets_ready_is_stopped_and_shows_its_log(tmp_path):
    script = "print('replaying', flush=True); import time; time.sleep(600)"
    server = start_process(python(script), tmp_path / "log")
    until(lambda: "replaying" in server.log(), what="it has begun")
    with pytest.raises(ServerError, match=r"in vain until server is ready[^$]*replaying"):
        wait_until_ready(server, "server", ready_words="ready", deadline_s=0.1)

    assert not server.is_running


def test_a_port_that_was_taken_meanwhile_is_given_up_for_another(tmp_path):
    with socket.create_server((LOOPBACK, 0)) as taken:
        ports = [taken.getsockname()[1]]
        with start_server(
            "server",
            lambda port: python(SERVER, ports.pop() if ports else port),
            tmp_path,
            ready_words="up and running",
        ) as server:
            assert status_of(server.url) == 200

    assert (tmp_path / "server-0.log").read_text().strip() == "address already in use"


def test_another_server_does_not_answer_for_one_that_has_not_started(tmp_path):
    with start_server(
        "server", lambda port: python(SERVER, port), tmp_path, ready_words="up and running"
    ) as other:
        slow = start_process(
            python("import time; time.sleep(600)"), tmp_path / "slow.log", url=other.url
        )
        with pytest.raises(ServerError, match="in vain"):
            wait_until_ready(slow, "slow", ready_words="up and running", deadline_s=0.2)


def test_a_process_that_ignores_the_request_to_end_is_ended(tmp_path):
    script = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "print('deaf', flush=True); time.sleep(600)"
    )
    server = start_process(python(script), tmp_path / "log")
    until(lambda: "deaf" in server.log(), what="it ignores signals")

    server.stop(deadline_s=0.1)

    assert not server.is_running


def test_stopping_twice_is_stopping_once(tmp_path):
    server = start_process(python("pass"), tmp_path / "log")
    server.stop()
    server.stop()

    assert not server.is_running


def test_waiting_in_vain_says_for_what():
    with pytest.raises(TimeoutError, match=r"waited 0.05 s in vain until pigs fly; last: 0"):
        until(lambda: 0, what="pigs fly", deadline_s=0.05)
