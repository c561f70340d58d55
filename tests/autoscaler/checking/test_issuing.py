"""Why cert-manager has not issued the certificate, in the words of cert-manager."""

import pytest

from autoscaler.api.names import CERTIFICATE_SECRET
from autoscaler.checking.issuing import OF_CERTIFICATE, issuing_hindrance
from autoscaler.errors import ForbiddenError

OURS = "tensor-fusion-webhook"


class Server:
    """An API server with these objects of cert-manager."""

    def __init__(self, certificates=(), requests=()):
        self._objects = {"certificates": certificates, "certificaterequests": requests}

    def pages(self, resource, *, namespace):
        assert namespace == "ours"
        yield list(self._objects[resource.plural]), "1"


def ready(status, message):
    return {"conditions": [{"type": "Ready", "status": status, "message": message}]}


def certificate(status=None, *, secret=CERTIFICATE_SECRET):
    return {
        "metadata": {"name": OURS},
        "spec": {"secretName": secret},
        "status": status or {},
    }


def request(name, message, *, created, of=OURS):
    metadata = {"name": name, "creationTimestamp": created, "annotations": {OF_CERTIFICATE: of}}
    return {"metadata": metadata, "status": ready("False", message)}


@pytest.mark.parametrize(
    "certificates",
    [
        (),
        (certificate(ready("True", "it is up to date")),),
        (certificate(ready("False", "it waits"), secret="of-somebody-else"),),
    ],
    ids=["without cert-manager", "issued", "another Secret"],
)
def test_where_nothing_hinders_nothing_is_said(certificates):
    assert issuing_hindrance(Server(certificates), "ours") is None


def test_the_newest_request_says_why():
    requests = (
        request("first", "too old", created="2026-01-01T00:00:00Z"),
        request("second", "issuer nobody not found", created="2026-01-02T00:00:00Z"),
        request("third", "of another one", created="2026-01-03T00:00:00Z", of="another"),
    )

    found = issuing_hindrance(Server([certificate(ready("False", "it waits"))], requests), "ours")

    assert found.text == (
        f"Certificate ours/{OURS} is not issued; cert-manager says: issuer nobody not found."
    )
    assert found.next_step.startswith("kubectl -n ours describe certificaterequest second;")


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (ready("False", "it waits."), "it waits."),
        (None, "nothing yet: does cert-manager run?"),
    ],
    ids=["it says that it waits", "nobody looked at it"],
)
def test_without_a_request_the_certificate_says_why(status, said):
    found = issuing_hindrance(Server([certificate(status)]), "ours")

    assert found.text.endswith(f"cert-manager says: {said}")
    assert found.next_step.startswith(f"kubectl -n ours describe certificate {OURS};")


def test_who_may_not_look_is_told_the_rest():
    class Refusing:
        def pages(self, _resource, *, namespace):
            raise ForbiddenError(f"may not, in {namespace}")

    assert issuing_hindrance(Refusing(), "ours") is None
