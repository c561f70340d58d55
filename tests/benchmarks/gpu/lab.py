"""The surroundings of one experiment: a card, who works on it, the limiter, and a folder."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tests.benchmarks.gpu.facts import Nvml
from tests.benchmarks.gpu.loads import NS, RunningLoad
from tests.benchmarks.gpu.outcomes import CannotRunError, ExperimentError, Record, Row
from tests.benchmarks.gpu.pods import Agent, Limits, Pod, without_limiter
from tests.benchmarks.gpu.sizes import SIZES, Sizes
from tests.benchmarks.gpu.works import Work, Workers
from tests.fakes.gpu.building import Program, program

TORCH_WORKERS = Path(__file__).parent / "torch_workers"
REPORT_MS = 20
GIB = 2**30


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What all experiments of one run have in common; it travels to their processes as JSON."""

    workers: Workers
    size: str
    gpu: int
    """Index by NVML."""
    library: str
    """The limiter."""
    torch_python: str | None
    """An interpreter that has PyTorch."""
    turns_per_us: float
    """Of the programs' kernel; 0: not measured yet."""

    @property
    def sizes(self) -> Sizes:
        """Return how much is measured."""
        return SIZES[self.size]


class Lab:
    """What an experiment works with."""

    def __init__(self, setting: Setting, folder: Path, record: Record) -> None:
        """Open the card; raises ``CannotRunError`` where there is none."""
        self.setting = setting
        self.sizes = setting.sizes
        self.workers = setting.workers
        self.folder = folder
        self.record = record
        self.nvml = opened_nvml(setting.gpu)
        self.card = self.nvml.describe()
        self.uuid: str = self.card["uuid"]
        self.library = Path(setting.library)
        self._logs = 0

    def pod(self, name: str) -> Pod:
        """Return a worker of this experiment."""
        return Pod(name, self.folder / "pods" / name)

    @contextmanager
    def agent(self, limits: Mapping[Pod, Limits]) -> Iterator[Agent]:
        """Run an agent that serves some pods."""
        agent = Agent(self.folder, self.uuid)
        agent.set(limits)
        with agent:
            agent.wait_for_pages(limits)
            yield agent

    def load(self, work: Work, pod: Pod | None = None) -> RunningLoad:
        """Return a paused worker: of a pod with the limiter, or without either."""
        return RunningLoad(self._load_command(work), self.environment(pod), self.log())

    def alone_per_s(self, plain: RunningLoad, duty: float = 1.0) -> float:
        """Return what a paused worker without the limiter does in a second of the card's time.

        Under full load a card may lower its clock to keep to its power limit, so that a quarter of
        the time does more than a quarter of the work.  So who can tell the time that it had the
        card works for the share ``duty`` of it.  Raises ``ExperimentError``.
        """
        tells_busy = plain.ready().get("tells_busy", False)
        plain.tell(f"duty {duty} led" if tells_busy and duty < 1 else "duty 1")
        plain.go()
        from_ns = time.monotonic_ns() + round(self.sizes.settle_s * NS)
        until_ns = from_ns + round(self.sizes.window_s * NS)
        plain.wait_until(until_ns)
        plain.pause()
        # Programs tell how long they had the card while they are led alone.
        rate = plain.while_busy_per_s(from_ns, until_ns) or plain.between_per_s(from_ns, until_ns)
        if rate <= 0:
            raise ExperimentError("a worker without a limit did nothing")
        return rate

    def outside(self, work: Work, names: Mapping[str, str]) -> RunningLoad:
        """Return a paused worker without the limiter, with some variables of its own."""
        return RunningLoad(self._load_command(work), without_limiter(names), self.log())

    def environment(self, pod: Pod | None) -> Mapping[str, str]:
        """Return the environment of a process of a pod, or of none."""
        return without_limiter(pod.environment(self.library) if pod else {})

    def program(self, name: Program, *words: object) -> list[str]:
        """Return the command of a driver-API program."""
        turns = self.setting.turns_per_us
        return [str(program(name)), "--turns-per-us", str(turns), *map(str, words)]

    def torch(self, name: str, *words: object) -> list[str]:
        """Return the command of a PyTorch worker.  Raises ``CannotRunError`` without PyTorch."""
        if self.setting.torch_python is None:
            raise CannotRunError("no PyTorch that sees the GPU (--torch-python names another one)")
        return [self.setting.torch_python, str(TORCH_WORKERS / f"{name}.py"), *map(str, words)]

    def run(self, command: Sequence[str], pod: Pod | None, limit_s: float) -> RanCommand:
        """Run a command to its end, or for so long."""
        try:
            done = subprocess.run(
                command,
                env=dict(self.environment(pod)),
                capture_output=True,
                text=True,
                timeout=limit_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return RanCommand(output="", problem=f"hung: ended after {limit_s:.0f} s")
        words = " ".join(done.stderr.split())[-300:]
        problem = f"ended with {done.returncode}: {words}" if done.returncode else ""
        return RanCommand(output=done.stdout, problem=problem)

    def share(self, what: str, percent: float, wanted: float, points: float | None) -> None:
        """Write down a share in percent, which must be within some points of what is wanted."""
        row = Row(what=what, value=percent, unit="%", note=f"wanted: {wanted:g} %")
        if points is not None:
            row = replace(row, low=wanted - points, high=wanted + points)
        self.record.row(row)

    def memory_bytes_of(self, pids: Sequence[int], used_before_bytes: int) -> int:
        """Return what processes hold by NVML, or where it does not list them, the card's growth."""
        listed = dict(self.nvml.processes())
        known = [held for pid in pids if (held := listed.get(pid))]
        if len(known) == len(pids):
            return sum(known)
        return max(self.nvml.memory_used_bytes() - used_before_bytes, 0)

    def must_list(self, pid: int) -> None:
        """Raise ``CannotRunError`` where NVML names processes by numbers of another namespace."""
        listed = [each for each, _ in self.nvml.processes()]
        if pid not in listed:
            raise CannotRunError(
                f"NVML lists the processes {listed} and not {pid}: it names them by the PIDs of "
                "the host, so run this with them (--pid=host)"
            )

    def log(self) -> Path:
        """Return a new file for what a process says on stderr."""
        self._logs += 1
        return self.folder / f"worker-{self._logs}.log"

    def _load_command(self, work: Work) -> list[str]:
        if work.for_workers(self.workers) == "torch":
            return self.torch("load", work.torch, REPORT_MS, work.pieces_per_wait)
        lengths = ",".join(map(str, work.kernels_ns))
        words = ("--kernel-ns", lengths, "--depth", work.depth, "--streams", work.streams)
        return self.program("load", *words, "--report-ms", REPORT_MS)


@dataclass(frozen=True, slots=True, kw_only=True)
class RanCommand:
    """A command that has ended; ``problem`` is empty where it ended well."""

    output: str
    problem: str


def opened_nvml(gpu: int) -> Nvml:
    """Return a GPU's figures.  Raises ``CannotRunError`` where there is none."""
    try:
        import pynvml  # type: ignore[import-untyped]
    except ImportError as error:
        raise CannotRunError(f"{sys.executable} lacks nvidia-ml-py") from error
    try:
        return Nvml(gpu)
    except pynvml.NVMLError as error:
        raise CannotRunError(f"no GPU {gpu}: {error}") from error
