"""``tfa autoscaler`` as a process: ready, elected, healthy or held, ended and started again."""

from __future__ import annotations

import pytest
import urllib3

from autoscaler.api.names import AUTOSCALER_LEASE, NAMESPACE, ServiceAccount
from tests.cluster.api_proxy import ApiProxy
from tests.cluster.autoscaler_process import release_autoscaler_lease, start_autoscaler
from tests.cluster.live_prometheus import ScrapingPrometheus
from tests.cluster.webhook_process import is_asked
from tests.components.processes import free_port, status_of, until

GRACE_S = 60.0
"""Of the shipped Deployment."""
DECISIONS = "/api/v1/decisions"
DECIDES_NOT = "this process does not decide"
PACE = ("--tick=1s", "--step=1s", "--requests-every=2s", "--since=1h")


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory):
    with ScrapingPrometheus(tmp_path_factory.mktemp("prometheus"), []) as server:
        yield server


@pytest.fixture
def start(installation, prometheus):
    """Return what starts an autoscaler; all of them have ended after the test."""
    release_autoscaler_lease(installation.plane)
    started = []

    def start(*arguments):
        source = f"--prometheus-url={prometheus.url}"
        started.append(installation.start_autoscaler(source, *PACE, *arguments))
        return started[-1]

    yield start
    for autoscaler in started:
        if autoscaler.process.is_running:
            autoscaler.process.stop()


def leading(autoscaler):
    autoscaler.wait_until_leader()
    return autoscaler


def warmed(autoscaler):
    """Wait until it has read the history: a leader says nothing of that before its first tick."""
    leading(autoscaler)
    until(lambda: autoscaler.metric("ticks_total") > 0, what="it ticks")
    until(lambda: autoscaler.metric("warming") == 0, what="the history was read")
    return autoscaler


def ended(autoscaler):
    autoscaler.process.ask_to_end()
    until(lambda: not autoscaler.process.is_running, what="it has ended", deadline_s=GRACE_S)
    return autoscaler


def ticks(autoscaler, number=2):
    before = autoscaler.metric("ticks_total")
    until(lambda: autoscaler.metric("ticks_total") >= before + number, what="it ticks")


def holder(plane):
    lease = plane.kubectl("get", "lease", AUTOSCALER_LEASE, "-n", NAMESPACE, "-o", "json").json
    return lease["spec"].get("holderIdentity", "")


def page(url, path=DECISIONS):
    answer = urllib3.request("GET", url + path, retries=False, timeout=20.0)
    return answer.status, answer.data.decode()


@pytest.mark.usefixtures("controller_process")
def test_it_leads_ticks_and_is_forbidden_nothing(start):
    autoscaler = leading(start())

    ticks(autoscaler)

    until(lambda: autoscaler.metric("job_runs_total", job="rivals") > 0, what="all jobs ran")
    assert autoscaler.metric("job_failing") == 0
    assert status_of(f"{autoscaler.health_url}/healthz") == 200
    assert "forbidden" not in autoscaler.log().lower()
    assert "Traceback" not in autoscaler.log()


@pytest.mark.usefixtures("controller_process")
def test_the_gate_opens_once_webhook_and_metrics_are_healthy(start, installation):
    until(lambda: is_asked(installation.plane), what="the API server asks the webhook")
    autoscaler = warmed(start())

    until(lambda: autoscaler.metric("health_gate_open") == 2, what="both parts are healthy")

    assert autoscaler.metric("job_runs_total", job="health", outcome="failed") == 0


def test_a_webhook_that_does_not_answer_and_metrics_that_cannot_be_read_are_told(start):
    nobody = free_port()
    autoscaler = leading(
        start(
            f"--webhook-url=https://127.0.0.1:{nobody}",
            f"--prometheus-url=http://127.0.0.1:{nobody}",
        )
    )

    ticks(autoscaler)

    assert autoscaler.metric("health_gate_open") == 0
    assert autoscaler.metric("warming") == 1
    assert autoscaler.metric("cycle_errors_total", stage="collect") > 0
    told = [line for line in autoscaler.log().splitlines() if "the health gate is closed" in line]
    assert len(told) == 1
    assert "webhook" in told[0]


def test_a_standby_is_ready_and_takes_over_when_the_leader_ends(start, installation):
    leader = leading(start())
    standby = start()
    standby.wait_until_ready()
    first = holder(installation.plane)
    was_leading = standby.is_leader

    ended(leader)
    standby.wait_until_leader()
    ticks(standby)

    assert (was_leading, first != holder(installation.plane)) == (False, True)
    assert "Traceback" not in leader.log() + standby.log()


def test_who_reads_a_standby_is_passed_on_to_the_leader(start):
    port = free_port()
    leader = leading(start("--page-address=127.0.0.1", f"--page-port={port}"))
    ticks(leader)
    # The processes of one installation have the same port, each at an address of its own.
    standby = start("--page-address=127.0.0.2", f"--page-port={port}", "--bind-address=127.0.0.2")
    at_leader, at_standby = f"http://127.0.0.1:{port}", f"http://127.0.0.2:{port}"
    until(lambda: status_of(f"{at_standby}/openapi.json") == 200, what="the standby listens")

    until(lambda: page(at_standby) == page(at_leader), what="the standby passes on")

    for path in (DECISIONS, "/nothing", "/openapi.json"):
        assert page(at_standby, path) == page(at_leader, path)
    assert "leads by lease" not in standby.log()


def test_without_addresses_a_standby_says_who_decides(start, installation):
    leader = leading(start())
    standby = start()
    standby.wait_until_ready()
    told = f"{DECIDES_NOT}; at present {holder(installation.plane).partition('_')[0]} does"
    until(lambda: told in page(standby.page_url)[1], what="the standby names the leader")

    assert page(standby.page_url)[0] == 503
    assert DECIDES_NOT not in page(leader.page_url)[1]


def test_at_the_end_the_state_is_kept_and_the_lease_given_up(start, installation):
    autoscaler = warmed(start())

    ended(autoscaler)

    assert autoscaler.state_file.stat().st_size > 0
    assert holder(installation.plane) == ""
    assert "Traceback" not in autoscaler.log()


def test_one_that_starts_again_goes_on_from_its_state(start):
    first = warmed(start())
    ended(first)

    second = leading(start(f"--state-file={first.state_file}"))

    assert f"the state of {first.state_file} was restored" in second.log()


def test_it_ends_in_time_while_the_api_server_is_silent(start, installation, tmp_path):
    with ApiProxy(installation.plane, tmp_path) as proxy:
        autoscaler = leading(start(f"--kubeconfig={proxy.kubeconfig(ServiceAccount.AUTOSCALER)}"))
        ticks(autoscaler)
        proxy.freeze()

        ended(autoscaler)

    assert "Traceback" not in autoscaler.log()


def test_beside_an_upstream_operator_it_answers_who_brings_the_token(
    installation, prometheus, tmp_path
):
    release_autoscaler_lease(installation.plane)
    token = tmp_path / "token"
    token.write_text("a token that nobody guesses".replace(" ", "-"))
    source = f"--prometheus-url={prometheus.url}"
    arguments = ("--profile=beside-upstream", source, f"--external-scaler-token-file={token}")
    autoscaler = start_autoscaler(
        installation.plane, tmp_path, webhook_url=None, arguments=(*PACE, *arguments)
    )
    with autoscaler.process:
        autoscaler.wait_until_leader()
        ticks(autoscaler)
        status, reply = ask(autoscaler, token.read_text())

        assert (status, reply["needScaleUp"], reply["needScaleDown"]) == (200, False, False)
        assert ask(autoscaler, "another-token-of-somebody")[0] == 401
        assert "Traceback" not in autoscaler.log()
        assert "forbidden" not in autoscaler.log().lower()


def ask(autoscaler, token):
    answer = urllib3.request(
        "POST",
        f"{autoscaler.page_url}/api/v1/external-scaler",
        json={"workloadName": "chat", "namespace": "team", "currentResources": {}},
        headers={"Authorization": f"Bearer {token}"},
        retries=False,
    )
    return answer.status, answer.json()


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--tick=0.1s", "--tick: 0.1s is not valid; allowed: 1s to 300s"),
        ("--scalable=Job", "--scalable: kind 'Job' is not valid"),
        ("--state-file=/nowhere/state", "--state-file: /nowhere/state cannot be written"),
        ("--page-address=here", "--page-address: 'here' is not valid; allowed: an IPv4 or IPv6"),
        ("--workloads=rows.csv", "--profile full has no use for --workloads"),
    ],
)
def test_what_is_not_allowed_ends_it_with_code_2(start, argument, message):
    autoscaler = start(argument)

    code = autoscaler.process.wait_and_clear()

    assert code == 2
    assert message in autoscaler.log()
    assert "Traceback" not in autoscaler.log()
