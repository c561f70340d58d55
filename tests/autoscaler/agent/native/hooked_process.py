"""A program under the limiter: the library preloaded, over a driver without a device.

Each line of stdin is a JSON array, a question and its arguments; each line of stdout is the answer.
Run as a program with the folder of the stub driver.
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.autoscaler.agent.native.built import NATIVE, ROOT, built_library

_MODULE = "tests.autoscaler.agent.native.hooked_process"
HERE = Path(__file__).parent
DRIVER = "libcuda.so.1"
WORDS = 11
BUFFER_BYTES = 4096
UUIDS = tuple(
    f"GPU-{d * 8}-{d * 4}-{d * 4}-{d * 4}-{d * 12}" for d in (f"{n:x}" for n in range(1, 16))
)
"""What the stub driver says of its devices."""
LIMITER_FLAGS = ("-std=c11", "-fvisibility=hidden", f"-Wl,--version-script={NATIVE}/exports.map")


def limiter_sources() -> list[Path]:
    """Return the sources of the library."""
    return [path for path in sorted(NATIVE.glob("*.c")) if path.name != "install.c"]


@cache
def limiter(*flags: str) -> Path:
    """Return the limiter for this machine."""
    return built_library(limiter_sources(), flags=(*LIMITER_FLAGS, *flags))


@cache
def stub_folder() -> Path:
    """Return a folder with the driver under its name."""
    library = built_library(
        [HERE / "stub_driver.c"], include=(NATIVE,), flags=(f"-Wl,-soname,{DRIVER}",)
    )
    folder = library.with_name(f"{library.stem}-as-driver")
    folder.mkdir(exist_ok=True)
    unfinished = folder / f"{os.getpid()}"
    unfinished.unlink(missing_ok=True)
    unfinished.symlink_to(library)
    unfinished.replace(folder / DRIVER)
    return folder


class HookedProcess:
    """One process that has the limiter in it and talks to the stub driver."""

    def __init__(
        self,
        root: Path,
        environment: Mapping[str, str] | None = None,
        *,
        preload: Sequence[Path] | None = None,
    ) -> None:
        libraries = preload if preload is not None else (limiter(),)
        own = {
            "LD_PRELOAD": ":".join(str(path) for path in libraries),
            "LD_LIBRARY_PATH": str(stub_folder()),
            "TF_ROOT": str(root),
            "TF_CTL_WAIT": "0",
        }
        inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        self._process = subprocess.Popen(
            [sys.executable, "-m", _MODULE],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=inherited | own | dict(environment or {}),
        )

    def ask(self, question: str, *arguments: Any) -> Any:
        """Ask and return the answer; raises ``EOFError`` with what the process said at its end."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._process.stdin.write(json.dumps([question, *arguments]) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise EOFError(f"{question} {arguments}: {self._process.stderr.read()}")
        return json.loads(line)

    def call(self, exported: str, *arguments: int) -> int:
        """Call a function of the driver that was found by ``dlsym``."""
        return int(self.ask("call", exported, *arguments))

    def calls(self, exported: str) -> int:
        """Return how often the real function was called."""
        return int(self.ask("calls", exported))

    def finish(self) -> tuple[int, str]:
        """End the process by the end of its input; return its exit status and its stderr."""
        _out, error = self._process.communicate()
        return self._process.returncode, error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.communicate()


class _Driver:
    """The answers to the questions, in the process itself."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL(DRIVER)
        self._stub = ctypes.CDLL(DRIVER)
        self._stub.stub_calls.restype = ctypes.c_ulong
        self._stub.stub_argument.restype = ctypes.c_uint64
        self._buffers = [ctypes.create_string_buffer(BUFFER_BYTES) for _ in range(WORDS)]

    def call(self, exported: str, *arguments: int) -> int:
        return int(self._library[exported](*(ctypes.c_uint64(word) for word in arguments)))

    def call_at(self, address: int, *arguments: int) -> int:
        function = ctypes.CFUNCTYPE(ctypes.c_int, *[ctypes.c_uint64] * len(arguments))(address)
        return int(function(*arguments))

    def buffers(self) -> list[int]:
        """Return addresses of empty memory that functions may read and write."""
        return [ctypes.addressof(buffer) for buffer in self._buffers]

    def calls(self, exported: str) -> int:
        return int(self._stub.stub_calls(exported.encode()))

    def arguments(self, exported: str) -> list[int]:
        name = exported.encode()
        return [int(self._stub.stub_argument(name, index)) for index in range(WORDS)]

    def answer(self, exported: str, result: int) -> None:
        self._stub.stub_answer(exported.encode(), result)

    def set(self, variable: str, value: int) -> None:
        ctypes.c_int.in_dll(self._stub, variable).value = value

    def address_by_name(self, exported: str) -> int | None:
        """Return what ``dlsym`` finds."""
        try:
            return ctypes.cast(self._library[exported], ctypes.c_void_p).value
        except AttributeError:
            return None

    def address_by_version(self, base: str, version: int, flags: int, *, old: bool) -> int | None:
        """Return what ``cuGetProcAddress`` finds, by its old form or by the one of CUDA 12."""
        found, status = ctypes.c_void_p(), ctypes.c_int()
        common = (base.encode(), ctypes.byref(found), version, ctypes.c_uint64(flags))
        if old:
            self._library.cuGetProcAddress(*common)
        else:
            self._library.cuGetProcAddress_v2(*common, ctypes.byref(status))
        return found.value

    def pid_of_child(self, exported: str, *arguments: int) -> list[int]:
        """Call in a child after fork; return its pid and its exit status."""
        pid = os.fork()
        if pid == 0:
            os._exit(self.call(exported, *arguments) & 0xFF)
        return [pid, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])]


def _serve() -> None:
    driver = _Driver()
    for line in sys.stdin:
        question, *arguments = json.loads(line)
        options = arguments.pop() if arguments and isinstance(arguments[-1], dict) else {}
        answer: Callable[..., Any] = getattr(driver, question)
        sys.stdout.write(json.dumps(answer(*arguments, **options)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _serve()
