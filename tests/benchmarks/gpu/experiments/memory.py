"""Experiments 5 and 6: the VRAM limit by every path, and two processes that race for the last."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from tests.benchmarks.gpu.lab import Lab
from tests.benchmarks.gpu.outcomes import CannotRunError, ExperimentError, Row
from tests.benchmarks.gpu.pods import Limits, Pod
from tests.components.processes import until

GIB, MIB = 2**30, 2**20
CHUNKS = 32
"""That a limit is divided into."""
BLOCKS = 64
"""That the limit is divided into where two processes race for it."""
OUT_OF_MEMORY = 2
CODE_SEEN_S = 8.0
"""The agent takes some seconds to believe what the driver says of the code of kernels."""
LEAST_LIMIT_BYTES = 2 * GIB
PROGRAM_PATHS = {
    "plain": "cuMemAlloc",
    "async": "cuMemAllocAsync",
    "create": "cuMemCreate",
    "managed": "cuMemAllocManaged",
    "graph": "memory of a graph",
}
TORCH_BACKENDS = {
    "cudaMalloc": "backend:native",
    "cudaMallocAsync": "backend:cudaMallocAsync",
    "expandable segments": "expandable_segments:True",
}
NO_TORCH_PATHS = ("managed", "graph")
"""What PyTorch has no way to ask for, and the programs have."""

Ask = Callable[[str], Mapping[str, Any]]


def limit_by_every_path(lab: Lab) -> None:
    """5: grow until refused; the refusal is the framework's own, and all goes on afterwards."""
    limit_bytes = _limit_bytes(lab)
    lab.record.ran(f"a limit of {limit_bytes / GIB:g} GiB")
    is_torch = lab.workers == "torch"
    with lab.agent({}) as agent:
        for name, settings in TORCH_BACKENDS.items() if is_torch else ():
            pod = lab.pod(f"torch-{name.replace(' ', '-')}")
            agent.set({pod: Limits(vram_bytes=limit_bytes)})
            _grow_torch(lab, pod, name, settings, limit_bytes)
        for path in NO_TORCH_PATHS if is_torch else PROGRAM_PATHS:
            pod = lab.pod(f"program-{path}")
            agent.set({pod: Limits(vram_bytes=limit_bytes)})
            _grow_program(lab, pod, path, limit_bytes)


def race(lab: Lab) -> None:
    """6: two processes of a pod take until both are refused; together they hold the limit."""
    limit_bytes, pod = _limit_bytes(lab), lab.pod("racing")
    block_bytes = limit_bytes // BLOCKS
    lab.record.ran(f"two processes by {block_bytes // MIB} MiB, {limit_bytes / GIB:g} GiB in all")
    with (
        lab.agent({pod: Limits(vram_bytes=limit_bytes)}),
        _started(lab, lab.program("memory"), pod) as one,
        _started(lab, lab.program("memory"), pod) as other,
    ):
        processes = (one, other)
        for process in processes:
            _line(process)
        # Block by block, so that each is raced for.
        answers = [_taken_by_both(processes, block_bytes) for _ in range(BLOCKS)]
        held_bytes = pod.held_bytes()
    granted = [each.count(0) for each in zip(*answers, strict=True)]
    lab.record.row(
        Row(what="over the limit", value=max(held_bytes - limit_bytes, 0), unit="bytes", high=0)
    )
    lab.record.row(
        Row(
            what="left of the limit, when both are refused",
            value=(limit_bytes - held_bytes) / block_bytes,
            unit="blocks",
            high=1.0,
            note=f"granted: {granted[0]} and {granted[1]} blocks",
        )
    )
    unknown = [code for each in answers for code in each if code not in {0, OUT_OF_MEMORY}]
    lab.record.row(
        Row(what="answers other than out of memory", value=len(unknown), unit="", high=0)
    )


def _taken_by_both(processes: Sequence[subprocess.Popen[str]], block_bytes: int) -> list[int]:
    """Return what each was answered that was told to take a block."""
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(f"take plain {block_bytes}\n")
        process.stdin.flush()
    return [_line(process)["result"] for process in processes]


def _limit_bytes(lab: Lab) -> int:
    """Return the limit, smaller on a small card.  Raises ``CannotRunError``."""
    free = lab.card["memory_total_bytes"] - lab.card["memory_used_bytes"]
    limit = min(lab.sizes.vram_limit_bytes, free // 2 // GIB * GIB)
    if limit < LEAST_LIMIT_BYTES:
        raise CannotRunError(f"not enough memory: {free / GIB:.1f} GiB of the card are free, of 4")
    return int(limit)


def _grow_program(lab: Lab, pod: Pod, path: str, limit_bytes: int) -> None:
    chunk_bytes, name = limit_bytes // CHUNKS, PROGRAM_PATHS[path]
    used_before_bytes = lab.nvml.memory_used_bytes()
    with _asking(lab, lab.program("memory", "--launch", "yes"), pod) as (ask, pid):
        code = _code_of(pod)
        taken, result = 0, 0
        # Some more than fit, and no more: what is not refused must not fill the card.
        while result == 0 and taken <= CHUNKS + 2:
            # Graphs that free their memory share it: only a larger one makes the driver take more.
            size_bytes = chunk_bytes * (taken + 1) if path == "graph" else chunk_bytes
            result = ask(f"take {path} {size_bytes}")["result"]
            taken += result == 0
        peak_bytes = lab.memory_bytes_of([pid], used_before_bytes)
        _rows(lab, name, peak_bytes, limit_bytes, is_refused=result == OUT_OF_MEMORY, code=code)
        for _ in range(taken):
            ask("give")
        ask("wait")
        again = ask(f"take {path} {chunk_bytes}")["result"] == 0
        _row_of_use(lab, name, is_usable=again)


def _grow_torch(lab: Lab, pod: Pod, name: str, settings: str, limit_bytes: int) -> None:
    command = lab.torch("memory", limit_bytes // CHUNKS, CHUNKS + 2)
    used_before_bytes = lab.nvml.memory_used_bytes()
    added = {"PYTORCH_CUDA_ALLOC_CONF": settings}
    with _asking(lab, command, pod, added) as (ask, pid):
        code = _code_of(pod)
        grown = ask("grow")
        peak_bytes = lab.memory_bytes_of([pid], used_before_bytes)
        is_refused = grown["refused_by"] == "OutOfMemoryError"
        _rows(lab, f"PyTorch, {name}", peak_bytes, limit_bytes, is_refused=is_refused, code=code)
        _row_of_use(lab, f"PyTorch, {name}", is_usable=ask("free")["is_usable"])


def _code_of(pod: Pod) -> str:
    """Wait until what the driver has loaded counts, and tell it; it may be nothing."""
    with suppress(TimeoutError):
        until(
            lambda: pod.hidden_bytes() > 0,
            what="code of kernels counts for the limit",
            deadline_s=CODE_SEEN_S,
        )
    return f"{pod.hidden_bytes() / MIB:.0f} MiB of code count"


def _rows(
    lab: Lab, name: str, peak_bytes: int, limit_bytes: int, *, is_refused: bool, code: str
) -> None:
    lab.record.row(
        Row(
            what=f"{name}: most by NVML",
            value=peak_bytes / GIB,
            unit="GiB",
            high=limit_bytes / GIB,
            note=code,
        )
    )
    what = f"{name}: refused as out of memory"
    lab.record.row(Row(what=what, value=float(is_refused), unit="(1: yes)", low=1.0))


def _row_of_use(lab: Lab, name: str, *, is_usable: bool) -> None:
    what = f"{name}: usable after freeing"
    lab.record.row(Row(what=what, value=float(is_usable), unit="(1: yes)", low=1.0))


@contextmanager
def _asking(
    lab: Lab, command: list[str], pod: Pod, added: Mapping[str, str] | None = None
) -> Iterator[tuple[Ask, int]]:
    """Run a process that answers each line by a line; yield how to ask, and its PID."""
    with _started(lab, command, pod, added) as process:

        def ask(question: str) -> Mapping[str, Any]:
            assert process.stdin is not None
            process.stdin.write(f"{question}\n")
            process.stdin.flush()
            return _line(process)

        _line(process)
        yield ask, process.pid


@contextmanager
def _started(
    lab: Lab, command: list[str], pod: Pod, added: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    with (
        lab.log().open("wb") as errors,
        subprocess.Popen(
            command,
            env={**lab.environment(pod), **(added or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        try:
            yield process
        finally:
            process.kill()


def _line(process: subprocess.Popen[str]) -> Mapping[str, Any]:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        code = process.wait()
        raise ExperimentError(f"a worker ended with {code} where an answer was awaited")
    answered: Mapping[str, Any] = json.loads(line)
    return answered
