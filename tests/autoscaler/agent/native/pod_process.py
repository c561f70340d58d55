"""A process of a pod: the limiter's own functions, called in a process of its own by line.

Each line of stdin is a JSON array, a function and its arguments; each line of stdout is its result.
Run as a program with the path of a library that was built from the limiter's sources.
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.autoscaler.agent.native.built import NATIVE, ROOT, built_library

PAGE_SOURCES = tuple(
    NATIVE / name
    for name in ("pages.c", "page_files.c", "limits.c", "quantity.c", "slots.c", "identity.c")
)
_MODULE = "tests.autoscaler.agent.native.pod_process"
_REPLACED = "replaced"
STATES = ("attached", "without ctl", "unlimited", "refused")
"""``enum tf_attached``."""


class Terms(ctypes.Structure):
    """``struct tf_terms``."""

    _fields_ = (
        ("share_q32", ctypes.c_uint64),
        ("trim_k_q16", ctypes.c_uint64),
        ("burst_ns", ctypes.c_uint64),
        ("inflight_ns", ctypes.c_uint64),
        ("left_q32", ctypes.c_uint64),
    )


class PodProcess:
    """One process that has loaded the limiter's pages and slots."""

    def __init__(
        self,
        root: Path,
        environment: Mapping[str, str] | None = None,
        *,
        library: Path | None = None,
        prefix: Sequence[str] = (),
    ) -> None:
        library = library or built_library(PAGE_SOURCES)
        inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        self._process = subprocess.Popen(
            [*prefix, sys.executable, "-m", _MODULE, str(library)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=inherited | {"TF_ROOT": str(root), "TF_CTL_WAIT": "0"} | dict(environment or {}),
        )

    def call(self, name: str, *arguments: int | str) -> int:
        """Call a function and return its result."""
        self.send(name, *arguments)
        return self.answer()

    def send(self, name: str, *arguments: int | str) -> None:
        """Ask for a call; ``answer`` has its result."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([name, *arguments]) + "\n")
        self._process.stdin.flush()

    def answer(self) -> int:
        """Return the result of the call that was sent first."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise EOFError(f"process {self.pid} has ended")
        return int(json.loads(line))

    def attach(self) -> str:
        """Attach and return one of ``STATES``."""
        return STATES[self.call("tf_attach")]

    def join(self) -> Self:
        """Attach and claim a slot."""
        self.call("tf_attach")
        assert self.call("tf_slot_claim") == 1
        return self

    def left_q32(self, gpu: int) -> int:
        """Return what others leave of a GPU, as it is told."""
        return self._terms(gpu)[4]

    def terms(self, gpu: int) -> tuple[int, int, int, int]:
        """Return share_q32, trim_k_q16, burst_ns and inflight_ns of a GPU."""
        share, trim, burst, inflight, _ = self._terms(gpu)
        return share, trim, burst, inflight

    def _terms(self, gpu: int) -> list[int]:
        self.send("terms", gpu)
        assert self._process.stdout is not None
        terms: list[int] = json.loads(self._process.stdout.readline())
        return terms

    def share(self, gpu: int) -> float:
        """Return the share of a GPU that is in force."""
        return self.terms(gpu)[0] / (1 << 32)

    def end(self) -> str:
        """Let the process end, and return what it said on stderr."""
        return self._process.communicate(timeout=60)[1]

    def answers_until_the_end(self) -> list[str]:
        """Let the process end, and return the lines that it has answered."""
        return self._process.communicate(timeout=60)[0].splitlines()

    def kill(self) -> None:
        """End the process by SIGKILL, and wait for it."""
        self._process.kill()
        self._process.communicate(timeout=60)

    @property
    def pid(self) -> int:
        """Its process ID, as we see it."""
        return self._process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()


def loaded(path: str) -> ctypes.CDLL:
    """Return the library with the types of the functions that tests call."""
    library = ctypes.CDLL(path)
    unsigned, flag, gpu = ctypes.c_uint64, ctypes.c_bool, ctypes.c_int
    for name, arguments, result in (
        ("tf_attach", (), ctypes.c_int),
        ("tf_gpu_index", (ctypes.c_char_p,), ctypes.c_int),
        ("tf_memory_limit_bytes", (gpu,), unsigned),
        ("tf_counts_contexts", (), flag),
        ("tf_slot_claim", (), flag),
        ("tf_slot_release", (), None),
        ("tf_reserve", (gpu, unsigned), flag),
        ("tf_reserve_always", (gpu, unsigned, flag), None),
        ("tf_unreserve", (gpu, unsigned, flag), None),
        ("tf_held_bytes", (gpu,), unsigned),
        ("tf_terms_of", (gpu, ctypes.POINTER(Terms), unsigned), None),
        ("tf_now_ns", (), unsigned),
    ):
        function = getattr(library, name)
        function.argtypes, function.restype = arguments, result
    return library


def _answer(library: ctypes.CDLL, name: str, arguments: list[int | str]) -> object:
    if name == "terms":
        terms = Terms()
        library.tf_terms_of(arguments[0], ctypes.byref(terms), library.tf_now_ns())
        return [
            terms.share_q32,
            terms.trim_k_q16,
            terms.burst_ns,
            terms.inflight_ns,
            terms.left_q32,
        ]
    if name == "forked":
        return _forked(library, arguments)
    if name == "exec":
        os.execv(sys.executable, [sys.executable, "-m", _MODULE, sys.argv[1], _REPLACED])
    if name == "grow":
        gpu, step_bytes = (int(argument) for argument in arguments)
        granted = 0
        while library.tf_reserve(gpu, step_bytes):
            granted += step_bytes
        return granted
    encoded = [item.encode() if isinstance(item, str) else item for item in arguments]
    return int(getattr(library, name)(*encoded) or 0)


def _forked(library: ctypes.CDLL, arguments: list[int | str]) -> int:
    """Claim and grow in a child, which then ends without a word; return what it was granted."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        library.tf_slot_claim()
        granted = _answer(library, "grow", arguments)
        os.write(writing, str(granted).encode())
        os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading) as pipe:
        return int(pipe.read())


def _serve() -> None:
    library = loaded(sys.argv[1])
    if _REPLACED in sys.argv:
        sys.stdout.write("0\n")  # the answer to "exec", which the program before could not give
        sys.stdout.flush()
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        sys.stdout.write(json.dumps(_answer(library, name, arguments)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _serve()
