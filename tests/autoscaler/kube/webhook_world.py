"""A world around the certificate keeper in memory: API server, webhook processes, and time.

Processes load the Secret when a test says so, API servers learn of a changed configuration late,
and the keeper can end before or after any write.  ``failures`` says which admissions would fail.
"""

from __future__ import annotations

import copy

from autoscaler.api.names import CERTIFICATE_SECRET, NAMESPACE
from autoscaler.clock import VirtualClock
from autoscaler.errors import AlreadyExistsError, ConflictError, NotFoundError
from autoscaler.kube.certificate_keeper import CertificateKeeper, KeeperRules
from autoscaler.kube.certificate_secret import read_stored
from autoscaler.kube.certificates import fault_of, leaf_of, validity_s
from autoscaler.kube.endpoint_probe import Probe
from autoscaler.kube.resource import SECRETS
from autoscaler.kube.webhook_address import ServiceAddress
from autoscaler.kube.webhook_entries import WEBHOOKS, authorities_of

START_S = 1_800_000_000
DAY_S = 86_400
ADDRESS = ServiceAddress()
MOST_RUNS = 20
INFINITE = float("inf")


class KeeperEndedError(Exception):
    """The keeper's process ended at a write."""


class MemoryApi:
    """Secret and webhook configurations with versions; no watch, no defaults."""

    def __init__(self):
        self.objects = {}
        self.writes = []
        self.version = 0
        self.ends_at = None
        """(writes that come before, whether the write itself arrives): the keeper ends there."""
        for webhook in WEBHOOKS:
            key = webhook.configuration, None, webhook.configuration_name
            self._store(key, {"metadata": {"name": webhook.configuration_name}, "webhooks": []})

    def get(self, resource, name, namespace=None):
        if (resource, namespace, name) not in self.objects:
            raise NotFoundError(f"{resource.plural} {name!r} not found")
        return copy.deepcopy(self.objects[resource, namespace, name])

    def create(self, resource, obj, *, namespace):
        key = resource, namespace, obj["metadata"]["name"]
        if key in self.objects:
            raise AlreadyExistsError("already exists")
        self._write(key, obj)

    def replace(self, resource, obj):
        key = resource, obj["metadata"]["namespace"], obj["metadata"]["name"]
        self._check(key, obj["metadata"]["resourceVersion"])
        self._write(key, obj)

    def merge_patch(self, resource, name, patch, namespace=None):
        key = resource, namespace, name
        self._check(key, patch["metadata"]["resourceVersion"])
        self._write(key, {**self.objects[key], "webhooks": patch["webhooks"]})

    def remove(self, resource, name, namespace=None):
        self.objects.pop((resource, namespace, name), None)

    def _check(self, key, version):
        if key not in self.objects:
            raise NotFoundError("not found")
        if self.objects[key]["metadata"]["resourceVersion"] != version:
            raise ConflictError("the object has been modified")

    def _write(self, key, obj):
        if self.ends_at is not None:
            left, arrives = self.ends_at
            self.ends_at = (left - 1, arrives) if left else None
            if not left:
                if arrives:
                    self._store(key, obj)
                raise KeeperEndedError
        self._store(key, obj)
        self.writes.append(key)

    def _store(self, key, obj):
        self.version += 1
        stored = copy.deepcopy(dict(obj))
        stored["metadata"]["resourceVersion"] = str(self.version)
        self.objects[key] = stored


class WebhookWorld:
    """Keeper, endpoints and API servers over one ``MemoryApi`` and one clock."""

    def __init__(self, rules=None, *, endpoints=2):
        self.api = MemoryApi()
        self.clock = VirtualClock(START_S)
        self.rules = rules or KeeperRules()
        self.processes = [None] * endpoints
        """What each webhook process serves: a ``KeyPair``, or None before it has one."""
        self.address = ADDRESS
        self.is_leader = True
        self.believed = self._configured()
        """Entries as API servers see them."""
        self._changed_s = INFINITE
        """Since when API servers are behind."""
        self.restart_keeper()

    def restart_keeper(self):
        self.api.ends_at = None
        self.keeper = CertificateKeeper(
            self.api,
            self.address,
            endpoints=lambda: [(f"10.0.0.{n}", 9443) for n in range(len(self.processes))],
            is_leader=lambda: self.is_leader,
            clock=self.clock,
            rules=self.rules,
            probe=self._probe,
        )

    def run(self, times=1):
        """Run the keeper; one that ends is followed by another."""
        wait_s = 0.0
        for _ in range(times):
            try:
                wait_s = self.keeper.run_once()
            except KeeperEndedError:
                self.restart_keeper()
                wait_s = 0.0
            self._note_change()
        return wait_s

    def settle(self):
        """Let everybody act until nothing changes any more at this moment."""
        for _ in range(MOST_RUNS):
            version = self.api.version
            self.load()
            wait_s = self.run()
            self.catch_up()
            if self.api.version == version:
                return wait_s
        raise AssertionError(f"the keeper still writes after {MOST_RUNS} runs")

    def live(self, days):
        """Let days pass in a running installation; the law holds after each."""
        for _ in range(days):
            self.advance(DAY_S)
            self.settle()
            self.advance(self.rules.rotation.settle_s)
            self.settle()
            assert self.failures() == []

    def advance(self, seconds):
        """Move the clock; an API server is never further behind than keepers allow for."""
        now_s = int(self.clock.now_s() + seconds)
        if now_s - self._changed_s >= self.rules.rotation.settle_s:
            self.catch_up()
        self.clock.advance_to(now_s)

    def load(self, number=None):
        """Let one webhook process, or all, load the Secret; an unusable one is not taken."""
        pair = read_stored(self.secret).serving
        if pair is None or not is_loadable(pair):
            return
        for at in range(len(self.processes)) if number is None else [number]:
            self.processes[at] = pair

    def catch_up(self):
        """Let the API servers learn of the configurations."""
        self.believed = self._configured()
        self._changed_s = INFINITE

    def failures(self):
        """Return (entry, process) of each admission that would fail."""
        now_s = self.clock.now_s()
        return [
            (entry["name"], number)
            for entry in self.believed
            for number, pair in enumerate(self.processes)
            if pair is not None
            and fault_of(pair, authorities_of(entry), self.address.server_name, now_s)
        ]

    @property
    def secret(self):
        return self.api.objects.get((SECRETS, NAMESPACE, CERTIFICATE_SECRET))

    @property
    def stored(self):
        return read_stored(self.secret)

    @property
    def entries(self):
        return self._configured()

    def edit_secret(self, **data):
        """Write keys of the Secret by hand, ``tls_crt`` for ``tls.crt``; None removes one."""
        secret = copy.deepcopy(self.secret)
        for name, text in data.items():
            key = name.replace("_", ".")
            if text is None:
                secret["data"].pop(key, None)
            else:
                secret["data"][key] = text
        self.api._store((SECRETS, NAMESPACE, CERTIFICATE_SECRET), secret)

    def edit_entry(self, webhook, **fields):
        """Write fields of an entry by hand."""
        key = webhook.configuration, None, webhook.configuration_name
        live = copy.deepcopy(self.api.objects[key])
        live["webhooks"][0].update(fields)
        self.api._store(key, live)
        self._note_change()

    def first_end_s(self):
        """Return when the first certificate that is served ends."""
        return min(validity_s(leaf_of(pair.certificate))[1] for pair in self.processes if pair)

    def _configured(self):
        found = (
            self.api.objects.get((webhook.configuration, None, webhook.configuration_name), {})
            for webhook in WEBHOOKS
        )
        return [entry for live in found for entry in live.get("webhooks", [])]

    def _note_change(self):
        if self.believed == self._configured():
            self._changed_s = INFINITE
        else:
            self._changed_s = min(self._changed_s, self.clock.now_s())

    def _probe(self, endpoints, *, server_name, trusted):
        return tuple(
            self._probed(endpoint, pair, server_name, trusted)
            for endpoint, pair in zip(endpoints, self.processes, strict=True)
        )

    def _probed(self, endpoint, pair, server_name, trusted):
        if pair is None:
            return Probe(endpoint=endpoint, error="Connection refused")
        fault = fault_of(pair, trusted, server_name, self.clock.now_s())
        if fault is not None:
            return Probe(endpoint=endpoint, error=str(fault))
        return Probe(endpoint=endpoint, served=leaf_of(pair.certificate))


def is_loadable(pair):
    """Whether a TLS server can load it: a certificate, and the key that belongs to it."""
    fault = fault_of(pair, (), "", 0)
    return fault is not None and fault.name not in {"UNREADABLE", "KEY_DIFFERS"}
