"""Builds the fake driver, the fake NVML and the programs for them, once for each content."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from tests.autoscaler.agent.native.built import BUILT, built_library, built_program

HERE = Path(__file__).resolve().parent
NATIVE = HERE / "native"
PROGRAMS = HERE / "programs"
MODEL = tuple(NATIVE / f"{name}.c" for name in ("device_model", "device_time", "utilization"))
"""The pure part: a card in any time."""
CARD = (*MODEL, NATIVE / "card.c")

Program = Literal[
    "load", "memory", "graph", "threads", "forking", "dependent", "endless", "alternating"
]
Route = Literal["dlsym", "linked", "proc_address"]
"""How a program finds its driver functions."""
_ROUTE_FLAGS = {"dlsym": (), "linked": ("-DROUTE_LINKED",), "proc_address": ("-DROUTE_ASKED",)}


def model_library() -> Path:
    """Return a library of the device model alone, for calls in virtual time."""
    return built_library(MODEL, include=(NATIVE,))


def control_library() -> Path:
    """Return the library behind ``cards``."""
    return built_library([NATIVE / "control.c", *CARD], include=(NATIVE,), flags=["-lpthread"])


def driver_folder() -> Path:
    """Return a folder with ``libcuda.so.1`` and ``libnvidia-ml.so.1``, for ``LD_LIBRARY_PATH``."""
    cuda = _driver("cuda_*.c", "libcuda.so.1")
    nvml = _driver("nvml_*.c", "libnvidia-ml.so.1")
    folder = BUILT / f"driver-{cuda.stem.rpartition('-')[2]}-{nvml.stem.rpartition('-')[2]}"
    folder.mkdir(exist_ok=True)
    for library, name in ((cuda, "libcuda.so.1"), (nvml, "libnvidia-ml.so.1")):
        if not (folder / name).exists():
            _link(folder / name, library)
    return folder


def program(name: Program, route: Route = "dlsym") -> Path:
    """Return one of the driver-API programs; each tells what it does in its source."""
    flags = [*_ROUTE_FLAGS[route], "-ldl", "-lpthread"]
    if route == "linked":
        flags.append(str(driver_folder() / "libcuda.so.1"))
    return built_program([PROGRAMS / f"{name}.c"], include=(PROGRAMS,), flags=flags)


def _driver(sources: str, name: str) -> Path:
    flags = [
        "-fvisibility=hidden",
        f"-Wl,-soname,{name}",
        "-Wl,-z,defs",
        # Its own calls and tables mean its own functions, whatever is loaded before it.
        "-Wl,-Bsymbolic",
        "-lpthread",
    ]
    return built_library([*sorted(NATIVE.glob(sources)), *CARD], include=(NATIVE,), flags=flags)


def _link(name: Path, target: Path) -> None:
    try:
        name.symlink_to(target)
    except FileExistsError:
        # Another test process was faster; the target is the same.
        return
