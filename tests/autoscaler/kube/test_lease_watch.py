"""Who leads, as somebody sees it who only looks."""

import pytest

from autoscaler.errors import NotFoundError
from autoscaler.kube.api_server import ApiServer
from autoscaler.kube.lease_watch import active_leader


class Leases(ApiServer):
    """Answers with one lease after the other; the last one stays."""

    def __init__(self, *specs):
        self.specs = list(specs)
        self.now_s = 0.0

    def get(self, resource, name, namespace=None, **_):
        spec = self.specs[0] if len(self.specs) == 1 else self.specs.pop(0)
        if spec is None:
            raise NotFoundError("no lease")
        return {"metadata": {"name": name, "namespace": namespace}, "spec": spec}

    def wait(self, duration_s):
        self.now_s += duration_s


def held(holder="a", renewed="10:00:00"):
    return {"holderIdentity": holder, "renewTime": renewed, "leaseDurationSeconds": 15}


def leader(*specs):
    """Return who leads, and how long that took to find out."""
    leases = Leases(*specs)
    found = active_leader(
        leases, "lease", namespace="ns", wait=leases.wait, steady_s=lambda: leases.now_s
    )
    return found, leases.now_s


def test_nobody_leads_without_a_lease():
    assert leader(None) == ("", 0.0)


def test_nobody_leads_where_the_lease_was_given_up():
    assert leader(held(holder="")) == ("", 0.0)


def test_who_renews_leads():
    assert leader(held(), held(), held(renewed="10:00:02")) == ("a", 2.0)


def test_who_takes_over_leads():
    assert leader(held(), held(holder="b")) == ("b", 1.0)


@pytest.mark.parametrize("after", [None, held(holder="", renewed="10:00:02")])
def test_a_lease_that_is_given_up_meanwhile_leaves_nobody(after):
    assert leader(held(), after) == ("", 1.0)


def test_a_holder_that_renews_nothing_for_the_length_of_the_lease_is_gone():
    assert leader(held()) == ("", 15.0)
