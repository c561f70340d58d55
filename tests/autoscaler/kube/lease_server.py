"""The part of an API server that electors ask, in memory: versions, conflicts, and faults."""

from copy import deepcopy

from autoscaler.errors import (
    AlreadyExistsError,
    ApiUnavailableError,
    ConflictError,
    NotFoundError,
)
from autoscaler.kube.resource import LEASES

NAMESPACE = "tests"
NAME = "leader"


class LeaseServer:
    """Holds one lease; ``before`` and ``after`` are called around the work of each request."""

    def __init__(self, lease=None):
        self.lease = lease
        self.version = 0
        self.requests = []
        self.is_down = False
        self.before = lambda method: None
        self.after = lambda method: None

    @property
    def spec(self):
        return self.lease["spec"]

    def get(self, resource, name, namespace, *, timeout_s):
        assert (resource, name, namespace) == (LEASES, NAME, NAMESPACE)
        return self._serve("GET", timeout_s, self._read)

    def request(self, method, path, *, body, timeout_s):
        assert (
            path
            == {
                "POST": LEASES.path(NAMESPACE),
                "PUT": LEASES.path(NAMESPACE, NAME),
            }[method]
        )
        write = self._create if method == "POST" else self._replace
        return self._serve(method, timeout_s, lambda: write(body))

    def _serve(self, method, timeout_s, answer):
        self.requests.append((method, timeout_s))
        self.before(method)
        if self.is_down:
            raise ApiUnavailableError("connection refused")
        given = answer()
        self.after(method)
        return deepcopy(given)

    def _read(self):
        if self.lease is None:
            raise NotFoundError("leases leader not found")
        return self.lease

    def _create(self, body):
        if self.lease is not None:
            raise AlreadyExistsError("leases leader already exists")
        return self._store(body)

    def _replace(self, body):
        held = self._read()["metadata"]["resourceVersion"]
        if body["metadata"]["resourceVersion"] != held:
            raise ConflictError(f"leases leader has changed: it is {held} by now")
        return self._store(body)

    def _store(self, body):
        self.version += 1
        self.lease = deepcopy(body)
        self.lease["metadata"]["resourceVersion"] = str(self.version)
        return self.lease
