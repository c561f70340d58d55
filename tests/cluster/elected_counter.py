"""A small leader: while it leads, it counts in a ConfigMap and notes who counted in which epoch.

Run as a process by the tests of the elector, which kill, stop and continue it.  It writes as every
leader should: it asks the fence last, and carries the version that it read.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from pathlib import Path
from threading import Event

from autoscaler.errors import KubeError
from autoscaler.kube.api_server import ApiServer
from autoscaler.kube.elector import Elector
from autoscaler.kube.lease import LeaseTimes
from autoscaler.kube.resource import CONFIG_MAPS

LEASE = "counter"
COUNTER = "counter"
PAUSE_S = 0.02
LEADS = "leads"
FOLLOWS = "follows"
STOPPED = "stopped"


def main() -> None:
    """Campaign and count until SIGTERM."""
    given = arguments()
    stopping = Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    api = ApiServer.from_environment(kubeconfig=given.kubeconfig, user_agent="elected-counter")
    elector = Elector(
        api,
        namespace=given.namespace,
        name=LEASE,
        identity=given.identity,
        times=LeaseTimes(
            lease_s=given.lease_s, renew_deadline_s=given.renew_deadline_s, retry_s=given.retry_s
        ),
    )
    elector.start()
    is_known = False
    while not stopping.is_set() and not elector.wait_until_leader(PAUSE_S):
        if not is_known and (holder := elector.snapshot().holder):
            is_known = True
            say(f"{FOLLOWS} {holder}")
    if elector.is_leader():
        say(f"{LEADS} {elector.epoch}")
    while not stopping.is_set():
        try:
            count(api, elector, given.namespace)
        except KubeError as error:
            say(f"not counted: {error}")
        time.sleep(PAUSE_S)
    elector.stop()
    say(STOPPED)


def count(api: ApiServer, elector: Elector, namespace: str) -> None:
    """Count one, if this process leads."""
    shown = api.get(CONFIG_MAPS, COUNTER, namespace, timeout_s=1.0)
    history = json.loads(shown["data"]["history"])
    history.append([elector.identity, elector.epoch])
    shown["data"]["history"] = json.dumps(history)
    if elector.is_leader():
        api.replace(CONFIG_MAPS, shown)


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kubeconfig", type=Path, required=True)
    parser.add_argument("--namespace", required=True)
    parser.add_argument("--identity", required=True)
    parser.add_argument("--lease-s", type=int, required=True)
    parser.add_argument("--renew-deadline-s", type=float, required=True)
    parser.add_argument("--retry-s", type=float, required=True)
    return parser.parse_args()


def say(text: str) -> None:
    """Write a line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
