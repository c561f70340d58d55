"""What is wrong with a webhook, seen from outside."""

import pytest

from autoscaler.errors import ApiUnavailableError, NotFoundError
from autoscaler.kube.certificates import new_authority_and_serving
from autoscaler.kube.endpoint_probe import Probe
from autoscaler.kube.resource import ENDPOINT_SLICES
from autoscaler.kube.webhook_address import ServiceAddress, UrlAddress
from autoscaler.kube.webhook_entries import PODS_WEBHOOK, entry_of
from autoscaler.scaling.running.webhook_health import WebhookHealth

HERE = UrlAddress(url="https://192.0.2.1:9443")
TITLE = "MutatingWebhookConfiguration tensor-fusion-autoscaler"


class OneConfiguration:
    """An API server with one webhook configuration and the endpoints of its Service."""

    def __init__(self, *, entries=(), error=None, slices=()):
        self._entries = entries
        self._error = error
        self._slices = slices

    def get(self, resource, name, namespace=None):
        assert (resource, name) == (PODS_WEBHOOK.configuration, PODS_WEBHOOK.configuration_name)
        if self._error is not None:
            raise self._error
        return {"webhooks": list(self._entries)}

    def pages(self, resource, *, namespace=None, label_selector=""):
        assert resource == ENDPOINT_SLICES
        yield self._slices, "1"


class Probing:
    """Answers as it is told for each endpoint, and remembers what it was asked with."""

    def __init__(self, **errors):
        self.errors = errors
        self.asked = []

    def __call__(self, endpoints, *, server_name, trusted):
        self.asked.append((tuple(endpoints), server_name, trusted))
        return tuple(
            Probe(endpoint=each, error=self.errors[each[0]])
            if each[0] in self.errors
            else Probe(endpoint=each, served="certificate")
            for each in endpoints
        )


def problems(api, probing=None, address=HERE):
    return WebhookHealth(api, address, probe=probing or Probing()).problems()


@pytest.fixture(scope="module")
def authority():
    return new_authority_and_serving(HERE.names, now_s=1.8e9, lifetime_s=86400.0).authority


def slice_of(*addresses, is_ready=True):
    return {
        "ports": [{"name": "https", "port": 9443}],
        "endpoints": [{"addresses": list(addresses), "conditions": {"ready": is_ready}}],
    }


def test_a_webhook_that_is_not_installed_or_empty_is_unhealthy():
    assert problems(OneConfiguration(error=NotFoundError("no"))) == (f"{TITLE} is not installed",)
    assert problems(OneConfiguration()) == (
        f"{TITLE} has no entries, so pods are not admitted by the webhook",
    )


def test_what_cannot_be_looked_at_is_not_taken_for_healthy():
    api = OneConfiguration(error=ApiUnavailableError("no connection"))

    assert problems(api) == ("the webhook cannot be looked at: no connection",)


def test_the_process_is_verified_by_the_authorities_of_the_entries(authority):
    probing = Probing()
    api = OneConfiguration(entries=[entry_of(PODS_WEBHOOK, HERE, authority)])

    assert problems(api, probing) == ()
    assert probing.asked == [((("192.0.2.1", 9443),), "192.0.2.1", (authority,))]


def test_a_process_that_does_not_answer_is_named(authority):
    api = OneConfiguration(entries=[entry_of(PODS_WEBHOOK, HERE, authority)])

    found = problems(api, Probing(**{"192.0.2.1": "Connection refused"}))

    assert found == ("webhook endpoint 192.0.2.1, port 9443: Connection refused",)


def test_one_ready_process_that_answers_is_enough(authority):
    address = ServiceAddress()
    entries = [entry_of(PODS_WEBHOOK, address, authority)]
    api = OneConfiguration(entries=entries, slices=[slice_of("10.0.0.1", "10.0.0.2")])

    assert problems(api, Probing(**{"10.0.0.1": "timed out"}), address) == ()


def test_processes_that_are_not_ready_do_not_count(authority):
    address = ServiceAddress()
    entries = [entry_of(PODS_WEBHOOK, address, authority)]
    api = OneConfiguration(entries=entries, slices=[slice_of("10.0.0.1", is_ready=False)])

    assert problems(api, address=address) == ("no webhook process is ready",)
