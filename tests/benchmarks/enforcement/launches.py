"""What the limiter adds to a launch, and to a process that never calls CUDA.

The driver is one whose launches cost nearly nothing, so that the limiter shows; a launch of a real
one takes microseconds.  Times are CPU times of the launching threads, so that other work on the
machine counts little; the best of many rounds counts.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from autoscaler.agent.native.build import FOLDER, built, limiter
from autoscaler.agent.pages.abi import ONE_Q32, USE_FILE, Use
from tests.autoscaler.agent.native.built import NATIVE, built_library, built_program
from tests.autoscaler.agent.native.pod_pages import PodFolder, control_page
from tests.benchmarks.own_process import ROOT
from tests.benchmarks.targets import Measured

HERE = Path(__file__).parent / "native"
UUID = "GPU-11111111-1111-1111-1111-111111111111"
"""Of the driver's device."""
UNLIMITED, LIMITED = 1.0, 0.9
BURST_NS, IN_FLIGHT_NS = 50_000_000_000, 10_000_000_000
"""So much that no launch is held: how long those wait is their share's business."""
UNLIMITED_NS, LIMITED_NS, THREADS_NS, LOAD_MS = 5.0, 50.0, 60.0, 0.3


class LaunchingError(Exception):
    """A program of launches did not do what is measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchSizes:
    """How much is measured; all launches of one pod together must fit into ``BURST_NS``."""

    rounds: int = 20
    launches: int = 20_000
    """Of each thread in each round."""
    threads: int = 8
    starts: int = 300
    """Of a process that never calls CUDA."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Launchers:
    """Processes that launch at the same time in one pod; without a share, without the limiter."""

    share: float | None
    processes: int = 1
    threads: int = 1


def launch_overhead(sizes: LaunchSizes) -> Iterator[Measured]:
    """Yield what a launch costs more than without the limiter, in ns, and what its load costs."""
    threads = sizes.threads
    alone, many = Launchers(share=None), Launchers(share=None, threads=threads)
    native_ns, native_many_ns = launch_ns(alone, sizes), launch_ns(many, sizes)
    yield Measured(what="a launch of the cheapest driver", value=native_ns, unit="ns")
    yield Measured(what=f"  with {threads} threads", value=native_many_ns, unit="ns")
    for what, launchers, base_ns, target_ns in (
        ("unlimited, metered", Launchers(share=UNLIMITED), native_ns, UNLIMITED_NS),
        ("limited", Launchers(share=LIMITED), native_ns, LIMITED_NS),
        (
            f"limited, {threads} threads",
            Launchers(share=LIMITED, threads=threads),
            native_many_ns,
            THREADS_NS,
        ),
        ("limited, 2 processes of a pod", Launchers(share=LIMITED, processes=2), native_ns, None),
        (
            f"unlimited, {threads} threads",
            Launchers(share=UNLIMITED, threads=threads),
            native_many_ns,
            None,
        ),
    ):
        added_ns = launch_ns(launchers, sizes) - base_ns
        yield Measured(
            what=f"added to a launch: {what}", value=added_ns, unit="ns", target=target_ns
        )
    yield from load_rows(sizes.starts)


def launch_ns(launchers: Launchers, sizes: LaunchSizes) -> float:
    """Return the CPU time of a launch in the best round of the slowest process.

    Raises ``LaunchingError`` where launches were not counted, or held.
    """
    program = built_program([HERE / "launching.c"], flags=["-ldl", "-lpthread"])
    words = [str(each) for each in (launchers.threads, sizes.rounds, sizes.launches)]
    with TemporaryDirectory() as name, ExitStack() as running:
        folder = Path(name)
        environment = os.environ | _environment(folder, launchers.share)
        started = [
            running.enter_context(
                subprocess.Popen(
                    [program, *words],
                    env=environment,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            for _ in range(launchers.processes)
        ]
        answers = _answers(started)
        if launchers.share is not None:
            _must_be_metered(folder, launchers, sizes)
    return max(min(map(float, lines)) for lines in answers)


def _answers(started: list[subprocess.Popen[str]]) -> list[list[str]]:
    """Let all begin at the same time, and return the lines that each prints."""
    for each in started:
        assert each.stdout is not None
        if each.stdout.readline() != "ready\n":
            raise LaunchingError(f"{each.args!r} ended with {each.wait()}")
    for each in started:
        assert each.stdin is not None
        each.stdin.write("go\n")
        each.stdin.flush()
    answers = [each.communicate()[0].splitlines() for each in started]
    for each in started:
        if each.returncode != 0:
            raise LaunchingError(f"{each.args!r} ended with {each.returncode}")
    return answers


def _environment(folder: Path, share: float | None) -> Mapping[str, str]:
    """Lay out a driver, and a pod where there is a share; return what a process needs."""
    driver = built_library([HERE / "cheapest_driver.c"], include=(NATIVE,))
    (folder / "libcuda.so.1").symlink_to(driver)
    base = {"LD_LIBRARY_PATH": str(folder)}
    if share is None:
        return base
    pod = PodFolder(folder / "pod")
    ctl = control_page([UUID])
    ctl.gpu[0].share_q32 = round(ONE_Q32 * share)
    ctl.gpu[0].burst_ns, ctl.gpu[0].inflight_ns = BURST_NS, IN_FLIGHT_NS
    pod.write_ctl(ctl)
    return base | {"TF_ROOT": str(pod.root), "LD_PRELOAD": str(library())}


def library() -> Path:
    """Return the limiter as it is shipped.  Raises ``BuildError``."""
    return built(limiter(platform.machine(), ROOT / FOLDER)).absolute()


def _must_be_metered(folder: Path, launchers: Launchers, sizes: LaunchSizes) -> None:
    gpu = Use.from_buffer_copy((folder / "pod" / "use" / USE_FILE).read_bytes()).gpu[0]
    launches = launchers.processes * launchers.threads * sizes.rounds * sizes.launches
    if gpu.launches < launches or gpu.charged_ns == 0:
        raise LaunchingError(f"{gpu.launches} launches were counted; there were {launches}")
    if gpu.blocked_ns > 0:
        raise LaunchingError(f"launches were held for {gpu.blocked_ns} ns; allowed: 0")


def load_rows(starts: int) -> Iterator[Measured]:
    """Yield what the library costs a process that never calls CUDA, from its exec to its end."""
    program = shutil.which("true") or "/bin/true"
    environments: tuple[Mapping[str, str], ...] = ({}, {"LD_PRELOAD": str(library())})
    spent_ms: tuple[list[float], list[float]] = ([], [])
    for _ in range(starts):
        for times_ms, environment in zip(spent_ms, environments, strict=True):
            times_ms.append(_cpu_ms(program, environment))
    plain_ms, loaded_ms = map(median, spent_ms)
    yield Measured(what="start of a process", value=plain_ms, unit="ms")
    added_ms = max(loaded_ms - plain_ms, 0.0)
    yield Measured(what="added by the library", value=added_ms, unit="ms", target=LOAD_MS)


def _cpu_ms(program: str, environment: Mapping[str, str]) -> float:
    pid = os.posix_spawn(program, [program], environment)
    _, status, usage = os.wait4(pid, 0)
    if status != 0:
        raise LaunchingError(f"{program} ended with status {status}")
    return (usage.ru_utime + usage.ru_stime) * 1e3
