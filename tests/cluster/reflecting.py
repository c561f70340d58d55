"""Reflectors of a real API server behind a proxy, and what the server itself says beside them."""

from __future__ import annotations

from contextlib import contextmanager
from itertools import pairwise

from autoscaler.kube.api_server import ApiServer
from autoscaler.kube.backoff import Backoff
from autoscaler.kube.reflector import Reflector
from autoscaler.kube.resource import CONFIG_MAPS
from autoscaler.kube.store import key_of
from tests.components.processes import until

FIRST_S, LONGEST_S = 0.05, 0.8
"""Waits after failures, shorter than those of the product so that a test is too."""
DEADLINE_S = 30


@contextmanager
def asking(control_plane, user_agent="test"):
    """Ask an API server as the administrator, without a proxy."""
    api = ApiServer.from_environment(
        kubeconfig=control_plane.admin_kubeconfig, user_agent=user_agent
    )
    try:
        yield api
    finally:
        api.close()


@contextmanager
def reflecting(proxy, namespace, listener=None, **options):
    """Reflect the ConfigMaps of a namespace through a proxy."""
    api = ApiServer.from_environment(kubeconfig=proxy.kubeconfig(), user_agent="test-reflector")
    options = {"backoff": Backoff(first_s=FIRST_S, longest_s=LONGEST_S)} | options
    reflector = Reflector(api, CONFIG_MAPS, namespace=namespace, **options)
    if listener is not None:
        reflector.store.on_change(listener)
    reflector.start()
    try:
        yield reflector
    finally:
        reflector.stop()
        api.close()


def config_map(namespace, name, value="1", **labels):
    metadata = {"namespace": namespace, "name": name, "labels": labels}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"v": value}}


def state(objects):
    return {key_of(obj): (obj["metadata"]["uid"], obj.get("data")) for obj in objects}


def wait_until_same(reflector, api, namespace):
    """Wait until the store holds what a list of the server says."""
    truth = state(
        item for items, _ in api.pages(CONFIG_MAPS, namespace=namespace) for item in items
    )
    until(
        lambda: state(reflector.store.items()) == truth,
        what=f"the store holds {sorted(truth)}",
        deadline_s=DEADLINE_S,
    )


def wait_for(condition, what):
    until(condition, what=what, deadline_s=DEADLINE_S)


def gaps_s(proxy, of):
    """Return the times between requests of a kind."""
    times_s = [asked.time_s for asked in list(proxy.asked) if of(asked)]
    return [after - before for before, after in pairwise(times_s)]
