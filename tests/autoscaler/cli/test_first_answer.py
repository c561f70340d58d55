"""A process that cannot begin without a server waits for it, and lives meanwhile."""

import threading

import pytest
import urllib3

from autoscaler.cli.first_answer import Asking, first_answer
from autoscaler.errors import SourceUnavailableError, UsageError
from tests.components.processes import LOOPBACK, free_port, status_of, until


class Server:
    """Answers from the ``after``-th question on, or once it ``is_up``."""

    def __init__(self, *, after=10**9):
        self.after = after
        self.is_up = False
        self.asked = 0

    def ask(self):
        self.asked += 1
        if not self.is_up and self.asked < self.after:
            raise SourceUnavailableError("nobody listens")
        return "answer"


def test_whoever_is_answered_at_once_waits_for_nothing():
    port = free_port()
    assert first_answer(Server(after=1).ask, address=LOOPBACK, port=port) == "answer"


def test_it_asks_again_until_there_is_an_answer():
    asking = Asking(Server(after=4).ask)

    asking.run(threading.Event(), retry_s=0.001)

    assert (asking.found, asking.problems()) == ("answer", ())


def test_it_says_what_it_waits_for():
    asking = Asking(Server().ask)

    assert not asking.has_answer()
    said = "waits for the first answer of the metrics server: nobody listens"
    assert asking.problems() == (said,)


def test_whoever_is_told_to_end_asks_no_more():
    server, stop = Server(), threading.Event()
    stop.set()

    Asking(server.ask).run(stop)

    assert server.asked == 0


def test_what_waiting_does_not_mend_is_raised():
    def ask():
        raise UsageError("a file is missing")

    with pytest.raises(UsageError, match="a file is missing"):
        first_answer(ask, address=LOOPBACK, port=free_port())


def test_meanwhile_the_process_lives_and_is_not_ready():
    server, port, seen = Server(), free_port(), {}
    url = f"http://{LOOPBACK}:{port}"

    def look():
        until(lambda: status_of(f"{url}/readyz") == 503, what="it says that it is not ready")
        seen["live"] = status_of(f"{url}/healthz")
        seen["why"] = urllib3.request("GET", f"{url}/readyz", retries=False).data.decode()
        server.is_up = True

    looking = threading.Thread(target=look)
    looking.start()
    found = first_answer(server.ask, address=LOOPBACK, port=port)
    looking.join(30.0)

    assert (found, seen["live"]) == ("answer", 200)
    assert "nobody listens" in seen["why"]
