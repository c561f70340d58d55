"""When endpoints are asked, and what of their answers counts."""

import json
import threading
from dataclasses import replace

import numpy as np
import pytest

from autoscaler.api.condition_reasons import ExternalReason
from autoscaler.clock import VirtualClock
from autoscaler.errors import SourceUnavailableError
from autoscaler.scaling.cluster import WorkerView, amounts
from autoscaler.scaling.external.allowed_hosts import AllowedHosts
from autoscaler.scaling.external.answers import ExternalAnswer
from autoscaler.scaling.external.api_keys import NoKeyError
from autoscaler.scaling.external.asking import FIRST_WITHIN_S, AskedScalers
from tests.autoscaler.scaling.builders import START, policy, view
from tests.components.processes import until

URL = "https://scaler.example/hook/s3cret"
MORE = {
    "needScaleUp": True,
    "recommendedResources": {"requests": {"tflops": "60"}, "limits": {"tflops": "120"}},
}
WISH = ExternalAnswer(request=amounts({"tflops": 60.0}), limit=amounts({"tflops": 120.0}))
NO_CHANGE = {"needScaleUp": False}


class Endpoints:
    """What is behind all addresses; thread-safe as far as a test needs it."""

    def __init__(self):
        self.asked = []
        self.reply = MORE
        self.error = None
        self.open = threading.Event()
        self.open.set()

    def ask(self, url, body, *, bearer=None):
        self.asked.append((url, json.loads(body), bearer))
        assert self.open.wait(20)
        if self.error is not None:
            raise self.error
        return json.dumps(self.reply).encode()


class Turnstile:
    """Lets in as many as are told, where ``Event`` lets in everybody."""

    def __init__(self):
        self._turns = threading.Semaphore(0)

    def wait(self, timeout):
        return self._turns.acquire(timeout=timeout)

    def set(self):
        self._turns.release(100)

    def let_one_pass(self):
        self._turns.release()


def scaled(workload="chat", *, url=URL, delay="0s", interval="30s", secret=None, **more):
    config = {"enable": True, "url": url, "initialDelayPeriod": delay, "interval": interval}
    if secret is not None:
        config["apiKeySecretRef"] = secret
    made = policy(profile={"autoScalingConfig": {"externalScaler": config}})
    return view(workload, policy=made, **more)


def key_of(namespace, secret_namespace, secret_name):
    if secret_namespace not in (None, namespace):
        raise NoKeyError("another namespace")
    return f"key of {namespace}/{secret_name}"


class World:
    """Endpoints, a clock that stands, and whoever asks."""

    def __init__(self, *views, allowed=("scaler.example",), key_of=key_of):
        self.endpoints = Endpoints()
        self.clock = VirtualClock(START)
        self.views = list(views)
        self.asked = AskedScalers(
            ask=self.endpoints.ask,
            key_of=key_of,
            allowed=AllowedHosts.parse(allowed),
            clock=self.clock,
            threads=2,
        )

    def pass_s(self, seconds, **more):
        """Move on, see the fleet, ask who is due, and wait for the answers; return how many."""
        self.clock.advance_to(self.clock.now_s() + seconds)
        self.asked.see(self.views, **more)
        count = self.asked.ask_due()
        self.wait()
        return count

    def wait(self):
        until(lambda: self.asked.in_flight == 0, what="nobody is being asked")


@pytest.fixture
def world():
    made = []

    def of(*views, **more):
        made.append(World(*views, **more))
        made[-1].asked.see(views)
        return made[-1]

    yield of
    for each in made:
        each.endpoints.open.set()
        each.asked.stop()


def test_an_endpoint_is_told_what_is_in_force_and_its_answer_counts(world):
    chat = scaled()
    asking = world(chat, view("without"))
    assert asking.pass_s(FIRST_WITHIN_S) == 1
    url, question, bearer = asking.endpoints.asked[0]
    assert (url, bearer) == (URL, None)
    assert question == {
        "workloadName": "chat",
        "namespace": "team",
        "currentResources": {
            "requests": {"tflops": "40", "vram": "10Gi"},
            "limits": {"tflops": "80", "vram": "16Gi"},
        },
    }
    assert asking.asked.answer_of(chat.uid) == WISH
    assert asking.asked.state_of(chat.uid) == (ExternalReason.ANSWERED, "the endpoint answers")
    assert asking.asked.state_of("team-without-1") is None
    assert asking.asked.answer_of("team-without-1") is None


def test_each_endpoint_is_asked_once_per_interval_and_they_are_spread(world):
    views = [scaled(f"w{i}", uid=f"uid-{i}", interval="60s") for i in range(40)]
    asking = world(*views)
    per_second = [asking.pass_s(1) for _ in range(180)]
    assert sum(per_second[:FIRST_WITHIN_S]) == 40
    assert sum(per_second) == 3 * 40
    assert max(per_second) <= 8


def test_a_workload_is_not_asked_for_within_its_initial_delay(world):
    chat = scaled(delay="10m")
    asking = world(chat)
    first_s = np.array([START - 60])
    assert asking.pass_s(500, first_sample_s=first_s) == 0
    assert asking.asked.state_of(chat.uid) == (
        ExternalReason.NOT_ASKED_YET,
        "the endpoint is asked once the initial delay of the workload is over",
    )
    assert asking.pass_s(40, first_sample_s=first_s) == 1


def test_without_samples_the_initial_delay_counts_from_the_oldest_worker(world):
    young = (WorkerView(name="a", started_s=START - 60, ready_s=None),)
    asking = world(replace(scaled(delay="10m"), workers=young))
    assert asking.pass_s(500, first_sample_s=np.array([-1])) == 0
    assert asking.pass_s(40, first_sample_s=np.array([-1])) == 1


def test_a_tick_without_metrics_does_not_begin_the_initial_delay_anew(world):
    asking = world(scaled(delay="10m"))
    asking.pass_s(1, first_sample_s=np.array([START - 86400]))
    assert asking.pass_s(FIRST_WITHIN_S, first_sample_s=None) == 1


def test_an_endpoint_that_does_not_answer_holds_nobody_up_and_is_not_asked_again_meanwhile(world):
    asking = world(scaled(), scaled("other", uid="other"))
    asking.endpoints.open.clear()
    asking.clock.advance_to(START + FIRST_WITHIN_S)
    assert asking.asked.ask_due() == 2
    asking.clock.advance_to(START + 300)
    assert asking.asked.ask_due() == 0
    assert asking.asked.in_flight == 2
    asking.endpoints.open.set()
    asking.wait()
    assert asking.asked.answer_of("other") == WISH


def test_slow_endpoints_of_one_namespace_do_not_hold_up_those_of_another(world):
    slow = [replace(scaled(f"s{i}", uid=f"s{i}"), namespace="slow") for i in range(9)]
    asking = world(*slow)
    asking.endpoints.open = Turnstile()
    asking.clock.advance_to(START + FIRST_WITHIN_S)
    assert asking.asked.ask_due() == 9
    until(lambda: len(asking.endpoints.asked) == 2, what="both threads wait for an endpoint")
    asking.asked.see([*slow, scaled()])
    asking.clock.advance_to(START + 2 * FIRST_WITHIN_S)
    assert asking.asked.ask_due() == 1
    asking.endpoints.open.let_one_pass()
    until(lambda: len(asking.endpoints.asked) == 3, what="the next one is asked")
    assert [question["namespace"] for _, question, _ in asking.endpoints.asked] == [
        "slow",
        "slow",
        "team",
    ]


@pytest.mark.parametrize(("interval", "kept_s"), [("30s", 300), ("10m", 1800)])
def test_an_answer_outlives_failures_for_three_intervals_and_at_least_five_minutes(
    world, interval, kept_s
):
    chat = scaled(interval=interval)
    asking = world(chat)
    asking.pass_s(FIRST_WITHIN_S)
    asking.endpoints.error = SourceUnavailableError("connection refused")
    asking.pass_s(kept_s - 1)
    assert asking.asked.answer_of(chat.uid) == WISH
    assert asking.asked.state_of(chat.uid) == (
        ExternalReason.FAILED,
        "https://scaler.example: connection refused",
    )
    asking.pass_s(1)
    assert asking.asked.answer_of(chat.uid) is None


def test_an_answer_without_a_wish_ends_the_one_before(world):
    chat = scaled()
    asking = world(chat)
    asking.pass_s(FIRST_WITHIN_S)
    asking.endpoints.reply = NO_CHANGE
    asking.pass_s(30)
    assert asking.asked.answer_of(chat.uid) == ExternalAnswer()
    assert asking.asked.state_of(chat.uid) == (
        ExternalReason.ANSWERED,
        "the endpoint asks for no change",
    )


def test_an_answer_that_cannot_be_used_fails_and_the_good_one_stays(world, caplog):
    chat = scaled()
    asking = world(chat)
    asking.pass_s(FIRST_WITHIN_S)
    asking.endpoints.reply = {"needScaleUp": "s3cret"}
    asking.pass_s(30)
    assert asking.asked.answer_of(chat.uid) == WISH
    reason, text = asking.asked.state_of(chat.uid)
    assert reason is ExternalReason.FAILED
    assert text == "https://scaler.example: needScaleUp is a string; allowed: true or false"
    assert "s3cret" not in caplog.text


def test_an_address_that_is_not_allowed_is_never_asked(world):
    chat = scaled(url="http://10.0.0.1/metadata")
    asking = world(chat)
    asking.pass_s(FIRST_WITHIN_S)
    assert asking.endpoints.asked == []
    reason, text = asking.asked.state_of(chat.uid)
    assert reason is ExternalReason.NOT_ALLOWED
    assert "--external-scaler-allow" in text


def test_a_key_is_sent_as_a_bearer_token(world):
    chat = scaled(secret={"name": "keys"})
    asking = world(chat)
    asking.pass_s(FIRST_WITHIN_S)
    assert asking.endpoints.asked[0][2] == "key of team/keys"


def test_a_key_of_another_namespace_is_refused_and_nobody_is_asked(world):
    chat = scaled(secret={"name": "keys", "namespace": "kube-system"})
    asking = world(chat)
    asking.pass_s(FIRST_WITHIN_S)
    assert asking.endpoints.asked == []
    assert asking.asked.state_of(chat.uid) == (ExternalReason.NO_SECRET, "another namespace")


def test_a_defect_of_one_question_is_logged_and_the_others_go_on(world, caplog):
    def broken(*_):
        raise RuntimeError("a bug")

    chat, other = scaled(secret={"name": "keys"}), scaled("other", uid="other")
    asking = world(chat, other, key_of=broken)
    asking.pass_s(FIRST_WITHIN_S)
    assert asking.asked.state_of(chat.uid)[0] is ExternalReason.FAILED
    assert "team/chat: a defect while asking" in caplog.text
    assert asking.asked.answer_of("other") == WISH


def test_another_address_forgets_the_answer_of_the_one_before(world):
    chat = scaled()
    asking = world(chat)
    asking.pass_s(FIRST_WITHIN_S)
    asking.asked.see([scaled(url="https://scaler.example/new")])
    assert asking.asked.answer_of(chat.uid) is None
    assert asking.asked.state_of(chat.uid)[0] is ExternalReason.NOT_ASKED_YET


def test_workloads_that_are_gone_are_forgotten(world):
    chat = scaled()
    asking = world(chat)
    asking.pass_s(FIRST_WITHIN_S)
    asking.asked.see([])
    assert asking.asked.answer_of(chat.uid) is None
    assert asking.asked.state_of(chat.uid) is None


def test_a_workload_on_several_gpu_models_is_asked_for_once_with_its_highest_amounts(world):
    small = scaled(gpu_model="A100", request=amounts({"tflops": 10.0}), limit=amounts({}))
    large = scaled(gpu_model="H100", request=amounts({"tflops": 30.0}), limit=amounts({}))
    asking = world(small, large)
    assert asking.pass_s(FIRST_WITHIN_S) == 1
    question = asking.endpoints.asked[0][1]
    assert question["currentResources"]["requests"] == {"tflops": "30"}


def test_after_the_stop_nobody_is_asked(world):
    asking = world(scaled())
    asking.asked.stop()
    assert asking.pass_s(FIRST_WITHIN_S) == 0


def test_questions_are_counted_by_how_they_ended(world):
    asking = world(scaled(), scaled("far", uid="far", url="https://far.example"))
    asking.pass_s(FIRST_WITHIN_S)
    assert asking.asked.outcomes() == {
        ExternalReason.ANSWERED: 1,
        ExternalReason.NOT_ALLOWED: 1,
        ExternalReason.NO_SECRET: 0,
        ExternalReason.FAILED: 0,
    }
