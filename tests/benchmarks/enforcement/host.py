"""A plain host: fake cards, workers under the limiter, and ``tfa agent --standalone``."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import NAMESPACE_OID, uuid5

from autoscaler.agent.pages.abi import CTL_BYTES, CTL_FILE, ONE_Q32, Ctl
from autoscaler.agent.pages.folders import PageFolders, folders_within
from tests.benchmarks.enforcement.launches import library
from tests.benchmarks.own_process import ROOT
from tests.cluster.child_processes import ChildProcess, passed_on, start_child
from tests.cluster.node_cgroups import NodeCgroups, own_cgroup
from tests.components.processes import LOOPBACK, ServerError, free_port, status_of, until
from tests.fakes.gpu.cards import CardTraits, FakeCards, make_cards
from tests.fakes.gpu.programs import RunningProgram

PERCENT = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HostWorker:
    """One worker of the host: its amounts in percent of a card, and its GPUs by index."""

    name: str
    limit_percent: float
    request_percent: float = 0.0
    qos: str = "medium"
    gpus: Sequence[int] = field(default=(0,))

    @property
    def uid(self) -> str:
        """Return its name in the file of workers: as a UID, which control groups can tell."""
        return str(uuid5(NAMESPACE_OID, self.name))

    def limited_to(self, percent: float) -> HostWorker:
        """Return the same worker with another limit."""
        return replace(self, limit_percent=percent)


class Host:
    """Cards, a file of workers, and an agent; a context that ends the agent.

    Where control groups may be made, each process of a worker is in one of its own, as in a
    cluster; else the agent believes what a process says of itself, and reads more to know it.
    """

    def __init__(self, folder: Path, *cards: CardTraits) -> None:
        """``folder`` is empty."""
        self.cards: FakeCards = make_cards(folder / "cards", *cards)
        self._folder = folder
        self._port = free_port()
        self._file = folder / "workers.yaml"
        self._starts = 0
        self._agent: ChildProcess | None = None
        parent = own_cgroup()
        self._cgroups = NodeCgroups(parent) if parent else None

    @property
    def agent_pid(self) -> int:
        """Return the number of the agent's process."""
        assert self._agent is not None
        return self._agent.pid

    def state(self, workers: Sequence[HostWorker]) -> None:
        """Write the file of workers."""
        rows = [_row(worker, self._root(worker)) for worker in workers]
        unfinished = self._file.with_suffix(".new")
        # JSON is YAML too.
        unfinished.write_text(json.dumps({"workers": rows}), encoding="utf-8")
        unfinished.replace(self._file)

    def start_agent(self) -> float:
        """Start the agent, wait until it is ready, and return after how many seconds it was.

        Raises ``ServerError`` with the end of its log where it ended.
        """
        self._starts += 1
        url = f"http://{LOOPBACK}:{self._port}"
        begin_s = time.perf_counter()
        self._agent = agent = start_child(
            [
                *(sys.executable, "-m", "autoscaler", "agent"),
                f"--standalone={self._file}",
                f"--nvml={self.cards.nvml_library}",
                f"--bind-address={LOOPBACK}",
                f"--health-port={self._port}",
                "--node=bench",
            ],
            self._folder / f"agent-{self._starts}.log",
            url=url,
            environment={**passed_on(), **self.cards.environment()},
            folder=ROOT,
        )
        until(
            lambda: agent.has_ended or status_of(f"{url}/readyz") == 200,
            what="the agent is ready",
        )
        if agent.has_ended:
            raise ServerError(f"the agent ended; its log ends:\n{agent.end_of_log()}")
        return time.perf_counter() - begin_s

    def kill_agent(self) -> None:
        """End the agent as a kernel does that has no memory left."""
        if self._agent is not None:
            self._agent.kill()
            self._agent = None

    def wait_for_pages(self, workers: Sequence[HostWorker]) -> None:
        """Wait until every worker has its control page.  Raises ``TimeoutError``."""
        until(
            lambda: all((self._folders(each).control / CTL_FILE).exists() for each in workers),
            what="the control pages are made",
        )

    def load(self, worker: HostWorker, *words: object) -> RunningProgram:
        """Return a process of a worker that runs the program ``load``, under the limiter."""
        program = RunningProgram(
            "load",
            self.cards,
            *words,
            environment={"TF_ROOT": str(self._root(worker)), "POD_NAME": worker.uid},
            preload=library(),
        )
        if self._cgroups is not None:
            self._cgroups.put(worker.uid, program.pid)
        return program

    def share_in_force(self, worker: HostWorker) -> float:
        """Return the share of its first GPU that the control page of a worker has."""
        return share_in(self._folders(worker))

    def _folders(self, worker: HostWorker) -> PageFolders:
        return folders_within(self._root(worker))

    def _root(self, worker: HostWorker) -> Path:
        return self._folder / "workers" / worker.name

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill_agent()
        self.cards.close()
        if self._cgroups is not None:
            self._cgroups.close()


def share_in(folders: PageFolders) -> float:
    """Return the share of its first GPU that the control page of a worker has."""
    content = (folders.control / CTL_FILE).read_bytes().ljust(CTL_BYTES, b"\0")
    share_q32: int = Ctl.from_buffer_copy(content).gpu[0].share_q32
    return share_q32 / ONE_Q32


def _row(worker: HostWorker, root: Path) -> Mapping[str, object]:
    return {
        "name": worker.uid,
        "root": str(root),
        "gpus": list(worker.gpus),
        "qos": worker.qos,
        "compute-percent-request": worker.request_percent,
        "compute-percent-limit": worker.limit_percent,
    }
