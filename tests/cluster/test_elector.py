"""Leader election between real processes over a real API server, which are killed and paused."""

import json
import sys
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

import pytest

from autoscaler.kube.lease import LeaseTimes
from autoscaler.kube.resource import CONFIG_MAPS, LEASES
from tests.cluster.child_processes import start_child
from tests.cluster.elected_counter import COUNTER, FOLLOWS, LEADS, LEASE, STOPPED
from tests.cluster.identities import USERS
from tests.cluster.rest import Rest
from tests.components.processes import until

ROOT = Path(__file__).parents[2]
SHORT = LeaseTimes(lease_s=5, renew_deadline_s=4.0, retry_s=0.6)
LONG = LeaseTimes(lease_s=600, renew_deadline_s=300.0, retry_s=0.6)
USER = "controller"
RIGHTS = f"""
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {{name: elected}}
rules:
- {{apiGroups: [coordination.k8s.io], resources: [leases], verbs: [create]}}
- {{apiGroups: [coordination.k8s.io], resources: [leases], resourceNames: [{LEASE}],
   verbs: [get, update]}}
- {{apiGroups: [""], resources: [configmaps], verbs: [get, update]}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: elected}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: elected}}
subjects: [{{kind: User, name: "{USERS[USER][0]}"}}]
"""


class Counting:
    """A namespace of a control plane in which processes count."""

    def __init__(self, control_plane, namespace, folder):
        self.control_plane = control_plane
        self.namespace = namespace
        self.folder = folder
        control_plane.kubectl("apply", "-n", namespace, "-f", "-", stdin=RIGHTS).well()
        control_plane.kubectl(
            "create", "configmap", COUNTER, "-n", namespace, "--from-literal=history=[]"
        ).well()

    @contextmanager
    def process(self, identity, times=SHORT):
        command = (
            *(sys.executable, "-m", "tests.cluster.elected_counter"),
            *("--kubeconfig", str(self.control_plane.kubeconfig(USER))),
            *("--namespace", self.namespace, "--identity", identity),
            *("--lease-s", str(times.lease_s), "--retry-s", str(times.retry_s)),
            *("--renew-deadline-s", str(times.renew_deadline_s)),
        )
        process = start_child(command, self.folder / f"{identity}.log", folder=ROOT)
        try:
            yield process
        finally:
            process.kill()

    def history(self):
        """Return (identity, epoch) of every count."""
        shown = Rest(self.control_plane).get(CONFIG_MAPS.path(self.namespace, COUNTER))
        return [tuple(each) for each in json.loads(shown["data"]["history"])]

    def reigns(self):
        """Return who counted, one after the other."""
        return [identity for identity, _ in (key for key, _ in groupby(self.history()))]

    def lease(self):
        return Rest(self.control_plane).get(LEASES.path(self.namespace, LEASE))["spec"]

    def counts_of(self, identity):
        return sum(each == identity for each, _ in self.history())

    def wait_until_counting(self, identity):
        before = self.counts_of(identity)
        until(lambda: self.counts_of(identity) > before + 3, what=f"{identity} counts")


@pytest.fixture
def counting(control_plane, namespace, tmp_path):
    return Counting(control_plane, namespace, tmp_path)


@pytest.fixture
def own_counting(own_control_plane, tmp_path):
    return Counting(own_control_plane, "default", tmp_path)


def leads(process):
    return LEADS in process.log()


def exit_code(process):
    until(lambda: process.has_ended, what="the process ends")
    return process.wait_and_clear()


def assert_epochs_rise(history):
    epochs = [epoch for epoch, _ in groupby(epoch for _, epoch in history)]
    assert epochs == sorted(set(epochs))


def test_one_of_two_leads_and_the_other_follows_when_it_is_killed(counting):
    with counting.process("a") as first:
        until(lambda: leads(first), what="a leads")
        with counting.process("b") as second:
            counting.wait_until_counting("a")
            assert not leads(second)
            first.kill()
            until(lambda: leads(second), what="b leads")
            counting.wait_until_counting("b")
            history = counting.history()
    assert counting.reigns() == ["a", "b"]
    assert_epochs_rise(history)
    assert counting.lease()["leaseTransitions"] == history[0][1] + 1


def test_a_leader_that_was_stopped_and_goes_on_ends_and_writes_no_more(counting):
    with counting.process("a") as first:
        counting.wait_until_counting("a")
        with counting.process("b") as second:
            first.pause()
            until(lambda: leads(second), what="b leads")
            counting.wait_until_counting("b")
            before = counting.counts_of("a")
            first.resume()
            assert exit_code(first) == 1
            assert "so the process ends: the lease was not renewed for" in first.log()
            counting.wait_until_counting("b")
            assert second.is_running
            assert counting.counts_of("a") == before
    assert counting.reigns() == ["a", "b"]
    assert_epochs_rise(counting.history())


def test_a_lease_that_is_released_is_taken_at_once(counting):
    # Nobody could wait for this lease to expire.
    with counting.process("a", LONG) as first:
        counting.wait_until_counting("a")
        with counting.process("b", LONG) as second:
            first.ask_to_end()
            assert exit_code(first) == 0
            assert STOPPED in first.log()
            counting.wait_until_counting("b")
            second.ask_to_end()
            assert exit_code(second) == 0
    assert counting.reigns() == ["a", "b"]
    assert counting.lease()["holderIdentity"] == ""


def test_a_lease_that_somebody_deletes_ends_the_reign_before_a_higher_one_begins(counting):
    with counting.process("a") as first:
        counting.wait_until_counting("a")
        command = ("delete", "lease", LEASE, "-n", counting.namespace)
        with counting.process("b") as second:
            until(lambda: f"{FOLLOWS} a" in second.log(), what="b knows of the reign of a")
            counting.control_plane.kubectl(*command).well()
            assert exit_code(first) == 1
            counting.wait_until_counting("b")
    assert counting.reigns() == ["a", "b"]
    assert_epochs_rise(counting.history())


@pytest.mark.parametrize("trouble", ["gone", "silent"])
def test_a_leader_without_an_api_server_ends(own_counting, trouble):
    plane = own_counting.control_plane
    with own_counting.process("a") as process:
        own_counting.wait_until_counting("a")
        stop = plane.stop_api_server if trouble == "gone" else plane.pause_api_server
        stop()
        assert exit_code(process) == 1
        (plane.start_api_server if trouble == "gone" else plane.resume_api_server)()
        before = own_counting.history()
        with own_counting.process("b"):
            own_counting.wait_until_counting("b")
    assert own_counting.counts_of("a") == len(before)


def test_an_api_server_that_is_back_in_time_keeps_its_leader(own_counting):
    times = LeaseTimes(lease_s=60, renew_deadline_s=50.0, retry_s=0.6)
    plane = own_counting.control_plane
    with own_counting.process("a", times) as process:
        own_counting.wait_until_counting("a")
        plane.stop_api_server()
        until(lambda: "not counted" in process.log(), what="the process sees the outage")
        plane.start_api_server()
        own_counting.wait_until_counting("a")
    assert len(set(own_counting.history())) == 1
