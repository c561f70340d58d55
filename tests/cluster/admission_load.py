"""Pods that are admitted all the time, while something else happens to the webhook."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager

from autoscaler.api.names import COMPONENT
from autoscaler.kube.resource import PODS
from tests.cluster.control_plane import ControlPlane
from tests.cluster.rest import Rest, RestError, UnreachableError
from tests.cluster.webhook_process import enabled_pod
from tests.components.processes import until

USERS = 3
PATH = f"{PODS.path('default')}?dryRun=All"
POD = enabled_pod("load", is_local_gpu="true", tflops_limit="20", vram_limit="4Gi")
NOT_ADMITTED = "the pod came back without our label"


class Load:
    """What became of the pods so far."""

    def __init__(self) -> None:
        self.failures: Counter[str] = Counter()
        """Text of an error to how often it came."""
        self.admitted = 0
        self.is_stopping = threading.Event()
        self._lock = threading.Lock()

    def note(self, failure: str | None) -> None:
        """Count an answer."""
        with self._lock:
            if failure is None:
                self.admitted += 1
            else:
                self.failures[failure] += 1

    def goes_on(self, count: int = 20) -> None:
        """Wait until so many more pods were admitted."""
        enough = self.admitted + count
        until(lambda: self.admitted >= enough, what=f"{count} more pods are admitted")


@contextmanager
def load(plane: ControlPlane) -> Iterator[Load]:
    """Have several users create pods, as dry runs, as fast as they can."""
    running = Load()
    threads = [threading.Thread(target=_create, args=(plane, running)) for _ in range(USERS)]
    for thread in threads:
        thread.start()
    try:
        running.goes_on()
        yield running
        running.goes_on()
    finally:
        running.is_stopping.set()
        for thread in threads:
            thread.join()


def _create(plane: ControlPlane, load: Load) -> None:
    with closing(Rest(plane)) as rest:
        while not load.is_stopping.is_set():
            try:
                made = rest.request("POST", PATH, POD)
            except (RestError, UnreachableError) as error:
                load.note(str(error))
            else:
                is_admitted = COMPONENT in made["metadata"]["labels"]
                load.note(None if is_admitted else NOT_ADMITTED)
