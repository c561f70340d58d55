"""One pod on a node: which container runs when, what its status says, and how it ends.

A step never waits: it looks at the processes, starts what is due, and leaves the rest to the next.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.cluster.kubelet_containers import Container, Surroundings, timestamp
from tests.cluster.kubelet_environment import CannotStartError, Values, environment
from tests.cluster.kubelet_runtime import Runtime, Start
from tests.cluster.kubelet_volumes import empty_dirs, mounts, pod_folder
from tests.components.processes import LOOPBACK

Object = Mapping[str, Any]
GRACE_S = 30.0
ENDED = ("Succeeded", "Failed")


def is_deleted(pod: Object) -> bool:
    """Return whether the API waits for the end of a pod."""
    return "deletionTimestamp" in pod["metadata"]


def has_ended(pod: Object) -> bool:
    """Return whether a pod has been run to its end."""
    return pod.get("status", {}).get("phase") in ENDED


class RunningPod:
    """A pod from its binding to its end."""

    def __init__(
        self, pod: Object, *, root: Path, address: str, values: Values, runtime: Runtime
    ) -> None:
        self.pod = pod
        self._runtime = runtime
        self._is_held = False
        self._root = root
        self._address = address
        self._values = values
        self._started_at = timestamp()
        self._conditions: dict[str, dict[str, Any]] = {}
        self._failure: tuple[str, str] | None = None
        self._kill_at_s: float | None = None
        self.folders = empty_dirs(root, pod)
        """Volume to its folder."""
        for folder in (pod_folder(root, pod), *self.folders.values()):
            folder.mkdir(parents=True, exist_ok=True)
        spec = pod["spec"]
        self._init = [
            self._container(each, is_init=True) for each in spec.get("initContainers", ())
        ]
        self._main = [self._container(each, is_init=False) for each in spec["containers"]]

    @property
    def key(self) -> tuple[str, str]:
        """Return namespace and name."""
        return self.pod["metadata"]["namespace"], self.pod["metadata"]["name"]

    @property
    def is_deleted(self) -> bool:
        """Return whether the API waits for its end."""
        return is_deleted(self.pod)

    @property
    def is_gone(self) -> bool:
        """Return whether it is deleted and nothing of it runs."""
        return self.is_deleted and not any(each.is_running for each in self._all)

    @property
    def needs_looks(self) -> bool:
        """Return whether it changes without a word from the API."""
        if self.phase in ENDED:
            return False
        return any(each.is_process or "waiting" in each.state for each in self._all)

    def container(self, name: str | None) -> Container:
        """Return a container by name, the first one without.  Raises ``LookupError``."""
        if name is None:
            return self._main[0]
        for each in self._all:
            if each.name == name:
                return each
        raise LookupError(f"pod {'/'.join(self.key)} has no container {name!r}")

    def step(self, now_s: float) -> None:
        """Go on as far as it goes now."""
        for each in self._all:
            each.look(now_s=now_s)
        if self.is_deleted:
            self._end(now_s)
        elif self.phase not in ENDED:
            unfinished = next((each for each in self._init if each.code != 0), None)
            for each in self._main if unfinished is None else [unfinished]:
                if self._is_due(each, now_s):
                    self._start(each, now_s)

    def restart(self, name: str | None, now_s: float) -> None:
        """End a container by force and start it again, whatever the restart policy says."""
        container = self.container(name)
        container.kill()
        self._start(container, now_s)

    def hold(self, *, is_held: bool) -> None:
        """Keep it from being ready, or no longer."""
        self._is_held = is_held

    def fail(self, reason: str, message: str) -> None:
        """End everything; the pod has failed."""
        self._failure = (reason, message)
        self.kill()

    def kill(self) -> None:
        """End everything by force."""
        for each in self._all:
            each.kill()

    def remove_folders(self) -> None:
        """Remove its volumes; the logs stay."""
        self._runtime.removed(self.pod["metadata"]["uid"])
        shutil.rmtree(pod_folder(self._root, self.pod), ignore_errors=True)

    @property
    def phase(self) -> str:
        """Return the phase, by the rules of the kubelet."""
        if self._failure is not None:
            return "Failed"
        may_restart = self.pod["spec"].get("restartPolicy", "Always") != "Never"
        if any(each.code != 0 for each in self._init):
            has_failed = any(each.code for each in self._init)
            return "Failed" if has_failed and not may_restart else "Pending"
        if any(not each.starts for each in self._main):
            return "Pending"
        codes = [each.code for each in self._main]
        if None in codes or any(self._is_to_restart(each) for each in self._main):
            return "Running"
        return "Failed" if any(codes) else "Succeeded"

    def status(self) -> dict[str, Any]:
        """Return the status as a kubelet patches it."""
        is_initialized = all(each.code == 0 for each in self._init)
        ready = {each.name: each.is_running and not self._is_held for each in self._main}
        is_ready = all(ready.values()) and not self.is_deleted
        self._set_condition("PodReadyToStartContainers", holds=self._failure is None)
        self._set_condition("Initialized", holds=is_initialized)
        self._set_condition("ContainersReady", holds=is_ready)
        self._set_condition("Ready", holds=is_ready)
        reason, message = self._failure or (None, None)
        return {
            "phase": self.phase,
            "reason": reason,
            "message": message,
            "hostIP": LOOPBACK,
            "hostIPs": [{"ip": LOOPBACK}],
            "podIP": self._address,
            "podIPs": [{"ip": self._address}],
            "startTime": self._started_at,
            "conditions": list(self._conditions.values()),
            "initContainerStatuses": [each.status(is_ready=each.code == 0) for each in self._init],
            "containerStatuses": [each.status(is_ready=ready[each.name]) for each in self._main],
        }

    @property
    def _all(self) -> list[Container]:
        return [*self._init, *self._main]

    def _container(self, spec: Object, *, is_init: bool) -> Container:
        namespace, name = self.key
        folder = f"{namespace}_{name}_{self.pod['metadata']['uid']}"
        return Container(
            spec,
            is_init=is_init,
            waiting_for="PodInitializing"
            if self.pod["spec"].get("initContainers")
            else "ContainerCreating",
            logs=self._root / "logs" / folder / spec["name"],
        )

    def _is_to_restart(self, container: Container) -> bool:
        """Return whether an ended container is started again."""
        if container.code is None:
            return "waiting" in container.state
        policy: str = self.pod["spec"].get("restartPolicy", "Always")
        if container.is_init or policy == "OnFailure":
            return container.code != 0 and policy != "Never"
        return policy == "Always"

    def _is_due(self, container: Container, now_s: float) -> bool:
        if not self._is_to_restart(container):
            return False
        if now_s >= container.not_before_s:
            return True
        if container.starts > 1 and container.code is not None:
            container.wait_for("CrashLoopBackOff", f"next start in {container.backoff_s:g} s")
        return False

    def _start(self, container: Container, now_s: float) -> None:
        try:
            start = self._new_start(container)
            container.start(self._surroundings(start))
        except CannotStartError as error:
            container.wait_for(error.reason, str(error))
            container.not_before_s = now_s + container.backoff_s
            return
        if container.pid is not None:
            self._runtime.started(start, container.pid)

    def _new_start(self, container: Container) -> Start:
        if container.spec.get("restartPolicy"):
            raise CannotStartError(f"{container.name}: a restartPolicy of its own is unsupported")
        addresses = {"podIP": self._address, "hostIP": LOOPBACK}
        pod = {**self.pod, "status": {**self.pod.get("status", {}), **addresses}}
        places = mounts(container.spec, self.folders)
        for place in places.values():
            place.mkdir(parents=True, exist_ok=True)
        return Start(
            pod_uid=self.pod["metadata"]["uid"],
            node=self.pod["spec"]["nodeName"],
            folder=pod_folder(self._root, self.pod),
            environment={"HOSTNAME": self.pod["metadata"]["name"]}
            | environment(container.spec, pod, self._values),
            places=places,
        )

    def _surroundings(self, start: Start) -> Surroundings:
        return Surroundings(
            environment=start.environment,
            places=start.places,
            folder=start.folder,
            added=self._runtime.variables(start),
        )

    def _end(self, now_s: float) -> None:
        if self._kill_at_s is None:
            grace_s = self.pod["metadata"].get("deletionGracePeriodSeconds", GRACE_S)
            self._kill_at_s = now_s + grace_s
            for each in self._all:
                each.ask_to_end()
        elif now_s >= self._kill_at_s:
            self.kill()

    def _set_condition(self, kind: str, *, holds: bool) -> None:
        status = str(holds)
        if self._conditions.get(kind, {}).get("status") != status:
            self._conditions[kind] = {
                "type": kind,
                "status": status,
                "lastTransitionTime": timestamp(),
            }
