import json
from http.server import BaseHTTPRequestHandler
from itertools import islice

import pytest

from autoscaler.agent.running.node_page import PATH, SCHEMA, node_document
from autoscaler.agent.running.snapshot import GPUReading
from autoscaler.cli import agent_top
from autoscaler.cli.agent_top import document_of, views
from autoscaler.cli.agent_view import render_text
from autoscaler.errors import InputError
from tests.autoscaler.agent.running.moments import NODE, device, sample, snapshot, use, worker
from tests.fakes.serving import serving_http


class Node(BaseHTTPRequestHandler):
    """Answers with ``body`` as an agent would, and with nothing else."""

    body = b""
    status = 200

    def do_GET(self):
        self.send_response(self.status if self.path == PATH else 404)
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_arguments):
        pass


def document(now_s=1000.0, **changes):
    return json.loads(json.dumps(node_document(snapshot(**changes), now_s)))


@pytest.fixture
def node():
    with serving_http(Node, body=json.dumps(document()).encode()) as url:
        yield url.removeprefix("http://")


def row(text, name):
    """Return the cells of the line that begins with a name."""
    [line] = [line for line in text.splitlines() if line.startswith(name)]
    return line.split()


def test_the_view_asks_for_the_page_that_the_agent_has():
    assert (agent_top.PATH, agent_top.SCHEMA) == (PATH, SCHEMA)


def test_one_interval_shows_gpus_workers_and_who_is_not_served(tfa, node):
    ended = tfa("agent", "top", "--once", "--interval=0.2s", f"--address={node}")

    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith(f"node {NODE}\n")
    gpu = ["0", "NVIDIA", "A100-SXM4-80GB", "time", "50", "50.0", "9.0", "80.0", "61", "300"]
    assert row(ended.out, "0") == gpu
    chat = ["team/chat-0", "high", "0", "25.0", "50.0", "156", "8.0", "20.0", "-", "-", "3", "2.0"]
    assert row(ended.out, "team/chat-0") == chat
    assert "not served: team/other: it names no GPU of this node" in ended.out


@pytest.mark.parametrize(
    ("is_mig", "seen", "shown"),
    [
        (False, sample(), "time"),
        (False, sample(is_under_mps=True), "mps"),
        (False, sample(problem="GPU is lost"), "-"),
        (False, None, "-"),
        (True, None, "mig"),
    ],
)
def test_a_gpu_says_what_a_share_of_it_is_one_of(is_mig, seen, shown):
    gpu = GPUReading(device=device(is_mig=is_mig), sample=seen, granted_share=0.5)

    assert row(render_text(document(gpus=(gpu,))), "0")[3] == shown


def test_json_is_the_document_of_the_agent(tfa, node):
    ended = tfa("agent", "top", "-o", "json", f"--address={node}")

    assert json.loads(ended.out) == document()


def test_rates_are_those_between_two_looks():
    before = document(now_s=1000.0)
    later = document(now_s=1002.0, uses=(use(launches=3000, throttled_s=2.5),))

    shown = row(render_text(later, before), "team/chat-0")

    # Half of the time held, and a thousand launches a second.
    assert shown[8:10] == ["50.0", "1000"]


def test_a_worker_that_began_anew_has_no_negative_rate():
    before, later = document(), document(now_s=1002.0, uses=(use(launches=1, throttled_s=0.0),))

    assert row(render_text(later, before), "team/chat-0")[8:10] == ["0.0", "0"]


def test_what_is_not_known_is_a_dash():
    unknown = use(compute_share=None, memory_bytes=None, denied_allocations=None)

    shown = row(render_text(document(uses=(unknown,))), "team/chat-0")

    assert (shown[3], shown[6], shown[10]) == ("-", "-", "-")


def test_names_of_others_do_not_move_the_cursor():
    text = render_text(document(uses=(use(worker=worker(name="\x1b[2Jchat")),)))

    assert "\x1b" not in text


def test_a_node_without_workers_says_so():
    assert "No worker is served." in render_text(document(uses=(), unserved={}))


def test_an_agent_that_is_replaced_is_waited_for():
    answers = iter([document(), InputError("agent: connection refused"), document(now_s=1002.0)])
    pauses = []

    def ask():
        answer = next(answers)
        if isinstance(answer, InputError):
            raise answer
        return answer

    shown = list(islice(views(ask, lambda: pauses.append(1)), 3))

    assert [text.partition("\n")[0] for text in shown] == [
        f"node {NODE}",
        "agent: connection refused",
        f"node {NODE}",
    ]
    assert len(pauses) == 2


@pytest.mark.parametrize(
    ("body", "status"), [(b"hello", 200), (b'{"schema": "other"}', 200), (b"[]", 200), (b"", 500)]
)
def test_somebody_else_who_answers_is_named(tfa, body, status):
    with serving_http(Node, body=body, status=status) as url:
        ended = tfa("agent", "top", "--once", f"--address={url.removeprefix('http://')}")

    assert ended.code == 3
    assert f"answers with HTTP {status}, not as an agent" in ended.err


def test_nobody_who_answers_is_named():
    with serving_http(Node) as url:
        address = url.removeprefix("http://")

    with pytest.raises(InputError, match=f"{address}: .*is an agent there"):
        document_of(address)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--address=8080"], "--address: '8080' is not valid; allowed: HOST:PORT"),
        (["--address=host:http"], "--address: 'host:http' is not valid; allowed: HOST:PORT"),
        (["--address=host:99999"], "--address: 'host:99999' is not valid"),
        (["--address=host:0"], "--address: 'host:0' is not valid"),
        (["--address=a b:80"], "--address: 'a b:80' is not valid; allowed: HOST:PORT"),
        (["--address=ü..x:80"], "--address: 'ü..x:80' is not valid; allowed: HOST:PORT"),
        (["--interval=0.1s"], "--interval: 0.1s is not valid; allowed: 0.2s and longer"),
        (["--interval=soon"], "--interval: 'soon' is not valid"),
        (["--output=csv"], "csv"),
    ],
    ids=" ".join,
)
def test_a_wrong_argument_is_named_with_what_is_allowed(tfa, arguments, message):
    ended = tfa("agent", "top", "--once", *arguments)

    assert ended.code == 2
    assert message in ended.err
    assert "Traceback" not in ended.err


def test_a_node_without_gpus_says_so():
    assert "The driver shows no GPU." in render_text(document(gpus=(), uses=()))
