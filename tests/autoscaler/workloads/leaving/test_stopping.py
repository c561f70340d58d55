"""Stopping the controller before leaving, on the API server in memory."""

import pytest

from autoscaler.api.names import CONTROLLER_LEASE, NAMESPACE
from autoscaler.errors import AutoscalerError
from autoscaler.kube.resource import DEPLOYMENTS, LEASES
from autoscaler.workloads.leaving.stopping import MOST_S, stop_controller
from tests.autoscaler.api_double import ApiDouble

IDENTITY = {"name": CONTROLLER_LEASE, "namespace": NAMESPACE}


class Time:
    """Passes only while somebody waits; something happens then."""

    def __init__(self, happens):
        self.now_s = 0.0
        self._happens = happens

    def wait(self, duration_s):
        self.now_s += duration_s
        self._happens(self.now_s)


@pytest.fixture
def api():
    """Return a cluster whose controller has two processes, of which one leads."""
    api = ApiDouble()
    api.add(DEPLOYMENTS, {"metadata": IDENTITY, "spec": {"replicas": 2}})
    api.add(LEASES, {"metadata": IDENTITY, "spec": held("one", 0.0)})
    return api


def held(holder, renewed_s):
    return {"holderIdentity": holder, "renewTime": str(renewed_s), "leaseDurationSeconds": 15}


def keeps(api, until_s):
    """Return what renews the Lease up to a time, and gives it up then."""

    def renew(now_s):
        spec = held("one" if now_s < until_s else "", now_s)
        api.merge_patch(LEASES, CONTROLLER_LEASE, {"spec": spec}, NAMESPACE)

    return renew


def stop(api, time):
    stop_controller(api, namespace=NAMESPACE, wait=time.wait, steady_s=lambda: time.now_s)


def test_the_controller_is_scaled_to_0_and_waited_for(api):
    time = Time(keeps(api, until_s=20.0))

    stop(api, time)

    assert api.find(DEPLOYMENTS, NAMESPACE, CONTROLLER_LEASE)["spec"]["replicas"] == 0
    assert time.now_s == 20.0


def test_one_that_goes_on_is_named(api):
    with pytest.raises(AutoscalerError, match=rf"controller one still leads {MOST_S:.0f} s after"):
        stop(api, Time(keeps(api, until_s=1000.0)))


def test_without_a_deployment_and_a_lease_nobody_is_waited_for():
    time = Time(lambda _now_s: None)

    stop(ApiDouble(), time)

    assert time.now_s == 0.0
