"""How the Services of a cluster are asked for."""

import pytest

from autoscaler.errors import ForbiddenError
from autoscaler.kube.discovery import TIMEOUT_S, discover
from autoscaler.kube.prometheus_services import selectors
from tests.autoscaler.kube.test_prometheus_services import STACK, THANOS


class Services:
    """Answers lists by label selector."""

    def __init__(self, **found):
        self.found = found
        self.asked = []

    def request(self, method, path, *, query, timeout_s):
        self.asked.append((method, path, query["labelSelector"], timeout_s))
        label = query["labelSelector"].partition(" ")[0].rpartition("/")[2].replace("-", "_")
        return {"items": self.found.get(label)}


def test_services_of_all_namespaces_are_listed_by_a_few_selectors():
    api = Services()

    assert discover(api) == ()
    assert api.asked == [
        ("GET", "/api/v1/services", selector, TIMEOUT_S) for selector in selectors()
    ]
    assert len(api.asked) < 5


def test_what_several_selectors_find_is_put_into_one_order():
    api = Services(name=[THANOS], app=[STACK])

    assert [each.product for each in discover(api)] == ["Thanos", "Prometheus"]


def test_a_service_that_two_selectors_find_counts_once():
    api = Services(name=[THANOS], app=[THANOS])

    assert len(discover(api)) == 1


def test_a_missing_right_is_told():
    class Forbidding(Services):
        def request(self, method, path, *, query, timeout_s):
            raise ForbiddenError("403: no")

    with pytest.raises(ForbiddenError):
        discover(Forbidding())
