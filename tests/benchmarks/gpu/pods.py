"""Workers of a plain host and their agent: ``tfa agent --standalone FILE`` as a process."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import urllib3

from autoscaler.agent.pages.abi import CTL_FILE, Ctl
from autoscaler.agent.pages.folders import folders_within
from autoscaler.agent.pages.use_page import UsePage
from autoscaler.agent.pages.use_reading import UseReading
from tests.benchmarks.gpu.outcomes import ExperimentError
from tests.components.processes import (
    LOOPBACK,
    RunningServer,
    free_port,
    start_process,
    status_of,
    until,
)

READY_S = 40.0


@dataclass(frozen=True, slots=True)
class Pod:
    """One worker as the limiter and the agent know it."""

    name: str
    root: Path

    def environment(self, library: Path) -> Mapping[str, str]:
        """Return what a process of it runs with, the limiter included."""
        return {**self.names(), "LD_PRELOAD": str(library)}

    def names(self) -> Mapping[str, str]:
        """Return the same without the limiter."""
        return {"POD_NAME": self.name, "TF_ROOT": str(self.root)}

    def held_bytes(self) -> int:
        """Return what its processes hold by their page of use.  Raises ``ExperimentError``."""
        return self._reading().memory_bytes(0)

    def hidden_bytes(self) -> int:
        """Return what the agent says that it holds beyond its page of use."""
        page = folders_within(self.root).control / CTL_FILE
        return int(Ctl.from_buffer_copy(page.read_bytes()).gpu[0].hidden_bytes)

    def launches(self) -> int:
        """Return how many launches its limiters have counted.  Raises ``ExperimentError``."""
        return self._reading().gpus[0].launches

    def charged_ns(self) -> int:
        """Return the device time that its limiters have charged.  Raises ``ExperimentError``."""
        return self._reading().gpus[0].charged_ns

    def _reading(self) -> UseReading:
        page = UsePage(folders_within(self.root).use, 1)
        try:
            reading = page.read(0)
        finally:
            page.close()
        if reading is None:
            raise ExperimentError(f"{page.path}: no process of {self.name} has made it")
        return reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What is in force for a pod."""

    percent: float = 100.0
    request_percent: float = 0.0
    qos: str = "medium"
    vram_bytes: int | None = None


class Agent:
    """The agent of one GPU; a context that ends it."""

    def __init__(self, folder: Path, uuid: str) -> None:
        self._folder = folder
        self._file = folder / "workers.yaml"
        self._uuid = uuid
        self._port = free_port()
        self._server: RunningServer | None = None
        self._starts = 0

    def set(self, limits: Mapping[Pod, Limits]) -> None:
        """Write who is served with which limits; the agent takes it within a tenth of a second."""
        rows = [_row(pod, self._uuid, each) for pod, each in limits.items()]
        unfinished = self._file.with_suffix(".new")
        # JSON is YAML too.
        unfinished.write_text(json.dumps({"workers": rows}), encoding="utf-8")
        unfinished.replace(self._file)
        if self._server is not None:
            self.wait_for_pages(limits)

    def wait_for_pages(self, pods: Mapping[Pod, Limits]) -> None:
        """Wait until every pod has its control page.  Raises ``TimeoutError``."""
        pages = [folders_within(pod.root).control / CTL_FILE for pod in pods]
        until(
            lambda: all(page.exists() for page in pages),
            what="the agent has made the control pages",
            deadline_s=READY_S,
        )

    def start(self) -> None:
        """Start it and wait until it is ready.  Raises ``ExperimentError``."""
        self._starts += 1
        server = start_process(
            [
                *(sys.executable, "-m", "autoscaler", "agent"),
                f"--standalone={self._file}",
                f"--bind-address={LOOPBACK}",
                f"--health-port={self._port}",
                "--node=experiments",
            ],
            self._folder / f"agent-{self._starts}.log",
            url=f"http://{LOOPBACK}:{self._port}",
        )
        self._server = server
        until(
            lambda: not server.is_running or status_of(f"{server.url}/readyz") == 200,
            what="the agent is ready",
            deadline_s=READY_S,
        )
        if not server.is_running:
            raise ExperimentError(f"the agent has ended: {server.end_of_log()}")

    def kill(self) -> None:
        """End it as a kernel does that has no memory left."""
        if self._server is not None:
            self._server.stop(deadline_s=0)

    def log(self) -> str:
        """Return all that it has logged since it was started last."""
        return self._server.log() if self._server is not None else ""

    def use_of(self, pod: Pod) -> Mapping[str, Any]:
        """Return what it shows of a pod.  Raises ``ExperimentError``."""
        for worker in self._get("/api/node").json()["workers"]:
            if worker["worker"] == pod.name:
                return dict(worker)
        raise ExperimentError(f"the agent does not show {pod.name}")

    def series(self, name: str) -> Iterator[tuple[str, float]]:
        """Yield labels and value of the series of a name, as they are exported."""
        for line in self._get("/metrics").data.decode().splitlines():
            if line.startswith(name + "{"):
                labels, _, value = line.removeprefix(name).rpartition(" ")
                yield labels, float(value)

    def _get(self, path: str) -> urllib3.BaseHTTPResponse:
        return urllib3.request("GET", f"http://{LOOPBACK}:{self._port}{path}", timeout=5.0)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._server is not None:
            self._server.stop()


def without_limiter(names: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a process with some variables of its own, and no limiter."""
    own = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    return own | dict(names)


def _row(pod: Pod, uuid: str, limits: Limits) -> Mapping[str, Any]:
    row = {
        "name": pod.name,
        "root": str(pod.root),
        "gpus": [uuid],
        "qos": limits.qos,
        "compute-percent-request": limits.request_percent,
        "compute-percent-limit": limits.percent,
    }
    return row | ({"vram-limit": limits.vram_bytes} if limits.vram_bytes else {})
