"""A stand-in for the kubelets of some nodes: it runs what the scheduler binds there.

Containers are ``kubelet_containers``: processes of this machine where their image says so,
pretended otherwise.  There is no isolation: all share this machine's network and files, a pod's
address is one of the loopback, and paths of mounts are rewritten (``kubelet_volumes``).  Of volumes
it knows emptyDirs.  Probes, hooks, limits and restartable init containers are left out; a container
is ready as soon as it runs, unless a test holds it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from itertools import count
from pathlib import Path
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Any, Self, TypeVar

from autoscaler.kube.resource import PODS
from tests.cluster.control_plane import ControlPlane
from tests.cluster.kubelet_pods import RunningPod, has_ended, is_deleted
from tests.cluster.kubelet_runtime import PlainRuntime, Runtime
from tests.cluster.pod_watch import PodWatch
from tests.cluster.rest import (
    CONFLICT,
    JSON,
    NOT_FOUND,
    STRATEGIC_PATCH,
    Rest,
    RestError,
    UnreachableError,
    read_values,
)

Object = Mapping[str, Any]
Answer = TypeVar("Answer")
LOOK_S = 0.02
DEADLINE_S = 30.0
ADDRESSES = count(1)


class PodAbsentError(LookupError):
    """A pod is not on the nodes of a kubelet."""


class FakeKubelet:
    """The kubelets of ``node_names``; ``folder`` holds ``pods/UID/volumes`` and ``logs``.

    Its methods may be called from any thread; they wait ``patience_s`` for a pod that is still on
    its way to the node and raise ``LookupError`` then.
    """

    def __init__(
        self,
        control_plane: ControlPlane,
        node_names: Sequence[str],
        folder: Path,
        *,
        patience_s: float = 10.0,
        runtime: Runtime | None = None,
    ) -> None:
        self.root = folder
        self._runtime = PlainRuntime() if runtime is None else runtime
        self._patience_s = patience_s
        self._rest = Rest(control_plane)
        self.node_names = tuple(node_names)
        self._pods: dict[str, RunningPod] = {}
        self._written: dict[str, Object] = {}
        self._due: set[str] = set()
        """Pods that changed since they were reported."""
        self._work: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._is_ending = threading.Event()
        self._finished: set[str] = set()
        """Pods whose end was written; events of before may still come."""
        self._watch = PodWatch(
            self._rest,
            lambda pod: pod["spec"].get("nodeName") in self.node_names,
            on_list=lambda pods: self._work.put(partial(self._take_list, pods)),
            on_event=lambda event: self._work.put(partial(self._take, event)),
        )
        # It lives until the last process has ended: the kernel ties them to it.
        self._thread = threading.Thread(target=self._run, name="kubelet", daemon=True)

    def start(self) -> Self:
        """Begin to run pods."""
        self._watch.start()
        self._thread.start()
        return self

    def stop(self) -> None:
        """End all processes and threads; the pods stay in the API as they are."""
        self._is_ending.set()
        self._watch.stop()
        self._thread.join(DEADLINE_S)
        self._rest.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def fail(
        self, namespace: str, name: str, *, reason: str = "Evicted", message: str = "by the test"
    ) -> None:
        """Let a pod fail as a node does that evicts it."""
        self._ask(namespace, name, lambda pod: pod.fail(reason, message))

    def hold_readiness(self, namespace: str, name: str) -> None:
        """Keep a pod from being ready, or make it unready."""
        self._ask(namespace, name, lambda pod: pod.hold(is_held=True))

    def release_readiness(self, namespace: str, name: str) -> None:
        """Let a held pod be ready."""
        self._ask(namespace, name, lambda pod: pod.hold(is_held=False))

    def end_container(
        self, namespace: str, name: str, *, code: int, container: str | None = None
    ) -> None:
        """Let a pretended container, the first one by default, end."""
        self._ask(namespace, name, lambda pod: pod.container(container).end_with(code))

    def restart_container(self, namespace: str, name: str, container: str | None = None) -> None:
        """End a container by force and start it again, whatever its restart policy says.

        It is the first one by default; an image that is only pretended restarts as well.  The start
        meets the pod as the API has it now.
        """
        newest = self._rest.get(PODS.path(namespace, name))

        def restart(pod: RunningPod) -> None:
            pod.pod = newest
            pod.restart(container, time.monotonic())

        self._ask(namespace, name, restart)

    def environment(
        self, namespace: str, name: str, container: str | None = None
    ) -> dict[str, str]:
        """Return the environment of a container's last start, with paths as the pod states them."""
        return self._ask(namespace, name, lambda pod: dict(pod.container(container).environment))

    def log_file(self, namespace: str, name: str, container: str | None = None) -> Path:
        """Return where the last run of a container writes."""
        return self._ask(namespace, name, lambda pod: pod.container(container).log_file)

    def pid(self, namespace: str, name: str, container: str | None = None) -> int | None:
        """Return the number of a container's process; None where it has none."""
        return self._ask(namespace, name, lambda pod: pod.container(container).pid)

    def volume(self, namespace: str, name: str, volume: str) -> Path:
        """Return the folder of an emptyDir of a pod."""
        return self._ask(namespace, name, lambda pod: pod.folders[volume])

    def _ask(self, namespace: str, name: str, answer: Callable[[RunningPod], Answer]) -> Answer:
        """Ask a pod in the thread that owns it, once it has come to the node.

        Raises ``LookupError`` where it does not come, or has no such container or volume.
        """
        end_s = time.monotonic() + self._patience_s
        while True:
            future: Future[Answer] = Future()
            self._work.put(partial(self._answer, future, (namespace, name), answer))
            try:
                return future.result(DEADLINE_S)
            except PodAbsentError:
                if time.monotonic() > end_s:
                    raise
            time.sleep(LOOK_S)

    def _answer(
        self,
        future: Future[Answer],
        key: tuple[str, str],
        answer: Callable[[RunningPod], Answer],
    ) -> None:
        try:
            for uid, pod in self._pods.items():
                if pod.key == key:
                    self._due.add(uid)
                    future.set_result(answer(pod))
                    return
            nodes = ", ".join(sorted(self.node_names))
            raise PodAbsentError(f"no pod {'/'.join(key)} is on {nodes}")
        except LookupError as error:
            future.set_exception(error)

    def _take_list(self, found: Sequence[Object]) -> None:
        for uid in self._pods.keys() - {pod["metadata"]["uid"] for pod in found}:
            self._forget(uid)
        for pod in found:
            self._take({"type": "MODIFIED", "object": pod})

    def _take(self, event: Object) -> None:
        pod = event["object"]
        uid = pod["metadata"]["uid"]
        if event["type"] == "DELETED":
            self._forget(uid)
            return
        if uid in self._pods:
            self._pods[uid].pod = pod
        elif uid in self._finished or (has_ended(pod) and not is_deleted(pod)):
            return
        else:
            self._pods[uid] = self._new_pod(pod)
        self._due.add(uid)

    def _new_pod(self, pod: Object) -> RunningPod:
        number = next(ADDRESSES)
        namespace = pod["metadata"]["namespace"]
        return RunningPod(
            pod,
            root=self.root,
            address=f"127.1.{number // 250}.{number % 250 + 1}",
            values=partial(read_values, self._rest, namespace),
            runtime=self._runtime,
        )

    def _forget(self, uid: str) -> None:
        pod = self._pods.pop(uid, None)
        self._written.pop(uid, None)
        self._due.discard(uid)
        if pod is not None:
            pod.kill()
            pod.remove_folders()

    def _run(self) -> None:
        try:
            while not self._is_ending.is_set():
                self._wait_for_work()
                for uid in [uid for uid, pod in self._pods.items() if pod.needs_looks]:
                    self._due.add(uid)
                for uid in tuple(self._due):
                    with suppress(UnreachableError):
                        self._advance(uid, self._pods[uid])
        finally:
            for pod in self._pods.values():
                pod.kill()

    def _wait_for_work(self) -> None:
        with suppress(Empty):
            self._work.get(timeout=LOOK_S)()
            while True:
                self._work.get_nowait()()

    def _advance(self, uid: str, pod: RunningPod) -> None:
        """Let a pod go on and write its status where that has changed; finish deleted ones."""
        pod.step(time.monotonic())
        path = PODS.path(*pod.key)
        if pod.is_gone:
            self._write("DELETE", path, {"gracePeriodSeconds": 0, "preconditions": {"uid": uid}})
            self._finished.add(uid)
            self._forget(uid)
            return
        status = pod.status()
        if status != self._written.get(uid):
            self._write("PATCH", f"{path}/status", {"metadata": {"uid": uid}, "status": status})
            self._written[uid] = status
        self._due.discard(uid)

    def _write(self, method: str, path: str, body: Object) -> None:
        try:
            self._rest.request(
                method, path, body, content_type=JSON if method == "DELETE" else STRATEGIC_PATCH
            )
        except RestError as error:
            # The pod, or the one of this uid, is gone: the watch tells.
            if error.status not in {NOT_FOUND, CONFLICT}:
                raise
