"""One container of a pod: a process of this machine, or only a status that says it runs.

An image ``process:PROGRAM`` is a process.  Its command is the container's ``command`` and ``args``,
or PROGRAM and ``args`` where no command is stated.  ``process:PROGRAM@PATH`` says that the image
holds PROGRAM at PATH: a command that names PATH runs PROGRAM.  Every other image is only pretended.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.cluster.child_processes import ChildProcess, passed_on, start_child
from tests.cluster.kubelet_environment import CannotStartError, expand
from tests.cluster.kubelet_volumes import relocated

Object = Mapping[str, Any]
IMAGE_PREFIX = "process:"
FIRST_BACKOFF_S = 0.1
LONGEST_BACKOFF_S = 2.0
KILLED = 137


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a container meets at one start."""

    environment: Mapping[str, str]
    """Resolved, with paths as the pod states them."""
    places: Mapping[str, Path]
    """Mount path to the folder on this machine."""
    folder: Path
    """Working directory."""
    added: Mapping[str, str] = field(default_factory=dict)
    """Variables of the container runtime, with paths of this machine."""


class Container:
    """A container over all its starts.

    ``state`` and ``last_state`` are the API's ContainerState.
    """

    def __init__(self, spec: Object, *, waiting_for: str, is_init: bool, logs: Path) -> None:
        self.spec = spec
        self.name: str = spec["name"]
        self.is_init = is_init
        self.state: Object = {"waiting": {"reason": waiting_for}}
        self.last_state: Object = {}
        self.starts = 0
        self.environment: Mapping[str, str] = {}
        self.not_before_s = 0.0
        """Monotonic time of the next try."""
        self._logs = logs
        self._process: ChildProcess | None = None

    @property
    def is_process(self) -> bool:
        """Return whether it is more than pretended."""
        return str(self.spec["image"]).startswith(IMAGE_PREFIX)

    @property
    def is_running(self) -> bool:
        """Return whether its state says so."""
        return "running" in self.state

    @property
    def code(self) -> int | None:
        """Return the exit code of its last run where it is not running and not to run again."""
        ended = self.state.get("terminated")
        return None if ended is None else int(ended["exitCode"])

    @property
    def pid(self) -> int | None:
        """Return the number of its process; None where there is none."""
        return None if self._process is None else self._process.pid

    @property
    def log_file(self) -> Path:
        """Where its newest run writes."""
        return self._logs / f"{max(self.starts - 1, 0)}.log"

    def start(self, surroundings: Surroundings) -> None:
        """Start it; a pretended init container has ended well at once.

        Raises ``CannotStartError``.
        """
        if self.is_process:
            words = command_line(self.spec, surroundings)
            self._logs.mkdir(parents=True, exist_ok=True)
            log_file = self._logs / f"{self.starts}.log"
            self._process = start_child(
                words,
                log_file,
                environment=passed_on()
                | {
                    name: relocated(value, surroundings.places)
                    for name, value in surroundings.environment.items()
                }
                | dict(surroundings.added),
                folder=surroundings.folder,
            )
        self.environment = surroundings.environment
        self._keep_last_state()
        self.starts += 1
        self.state = {"running": {"startedAt": timestamp()}}
        if self.is_init and not self.is_process:
            self.end_with(0)

    def look(self, *, now_s: float) -> None:
        """Take notice of a process that has ended."""
        if self._process is not None and self._process.has_ended:
            code = self._process.wait_and_clear()
            self._process = None
            self.end_with(code if code >= 0 else 128 - code)
            self.not_before_s = now_s + self.backoff_s

    def end_with(self, code: int) -> None:
        """Note an end."""
        self.state = {
            "terminated": {
                "exitCode": code,
                "reason": "Completed" if code == 0 else "Error",
                "startedAt": self.state.get("running", {}).get("startedAt"),
                "finishedAt": timestamp(),
                "containerID": self.identifier,
            }
        }

    def ask_to_end(self) -> None:
        """Send SIGTERM to a process; what is only pretended ends at once."""
        if self._process is not None:
            self._process.ask_to_end()
        elif self.is_running:
            self.end_with(0)

    def kill(self) -> None:
        """End it by force."""
        if self._process is not None:
            self._process.kill()
            self._process.wait_and_clear()
            self._process = None
        if self.is_running:
            self.end_with(KILLED)

    def wait_for(self, reason: str, message: str) -> None:
        """Note why it does not run; the API says so until the next try."""
        self._keep_last_state()
        self.state = {"waiting": {"reason": reason, "message": message}}

    @property
    def backoff_s(self) -> float:
        """Return how long it is let alone before its next start."""
        return min(FIRST_BACKOFF_S * 2.0 ** max(self.starts - 1, 0), LONGEST_BACKOFF_S)

    @property
    def identifier(self) -> str:
        """Return the identifier of its newest run."""
        return f"process://{self.name}-{self.starts}"

    def status(self, *, is_ready: bool) -> dict[str, Any]:
        """Return the API's ContainerStatus."""
        return {
            "name": self.name,
            "image": self.spec["image"],
            "imageID": self.spec["image"],
            "ready": is_ready,
            "started": self.is_running,
            "restartCount": max(self.starts - 1, 0),
            "state": self.state,
            "lastState": self.last_state,
            **({"containerID": self.identifier} if self.starts else {}),
        }

    def _keep_last_state(self) -> None:
        if "terminated" in self.state:
            self.last_state = self.state


def command_line(spec: Object, surroundings: Surroundings) -> list[str]:
    """Return the words that a container's process is started with.

    Raises ``CannotStartError`` where this machine has no such program.
    """
    program, _, path_in_image = str(spec["image"]).removeprefix(IMAGE_PREFIX).partition("@")
    first, *others = _expanded(spec.get("command") or [program], surroundings)
    if path_in_image and first == path_in_image:
        first = program
    first = relocated(first, surroundings.places)
    if shutil.which(first) is None:
        raise CannotStartError(
            f"this machine has no program {first}; an image {IMAGE_PREFIX}PROGRAM@{first} names "
            "the PROGRAM that stands for it",
            reason="RunContainerError",
        )
    others += _expanded(spec.get("args") or (), surroundings)
    return [first, *(relocated(word, surroundings.places) for word in others)]


def _expanded(words: Sequence[str], surroundings: Surroundings) -> list[str]:
    return [expand(word, surroundings.environment) for word in words]


def timestamp() -> str:
    """Return the time now as the API writes it, in whole seconds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
