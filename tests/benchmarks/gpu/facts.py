"""``python -m tests.benchmarks.gpu.facts FOLDER``: what a real card and its driver do.

The limiter's law rests on facts of the driver: what a launch and an event cost, what an event pair
reads, how NVML's utilisation per process relates to device time, what a context takes, how two
processes share a card.  They are measured here with programs of the driver API alone (``probe.c``),
on any machine with a CUDA driver, a C compiler, PyTorch and ``nvidia-ml-py``.  Nothing of the
limiter takes part.  ``FOLDER/facts.json`` has all figures; what they mean is ``docs/gpu-facts.md``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
KERNELS_NS = (5e3, 100e3, 1.4e6, 11e6)
SHARES = (0.1, 0.25, 0.5, 0.75, 1.0)
TOGETHER = (
    ((1.4e6, 1.0), (1.4e6, 1.0)),
    ((5e3, 1.0), (11e6, 1.0)),
    ((100e3, 1.0), (1.4e6, 1.0)),
    ((1.4e6, 0.3), (1.4e6, 0.7)),
    ((100e3, 0.25), (1.4e6, 1.0)),
    ((100e3, 0.2), (1.4e6, 0.3), (11e6, 0.4)),
    ((1.4e6, 1.0), (1.4e6, 1.0), (1.4e6, 1.0)),
    ((11e6, 1.0), (11e6, 1.0)),
    ((100e3, 0.2), (100e3, 0.2)),
)
"""(ns of a kernel, share wanted) of processes that run side by side."""
RUN_S = 5.0
SETTLE_S = 2.0
"""Left out at the start of a run: calibration, and what NVML says of the time before."""
TORCH_PROGRAM = """
import torch
model = torch.nn.TransformerEncoderLayer(512, 8, batch_first=True, device="cuda").half().eval()
x = torch.randn(8, 128, 512, device="cuda", dtype=torch.half)
with torch.inference_mode():
    for _ in range(3): model(x)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph): model(x)
    for _ in range(3): graph.replay()
torch.cuda.synchronize()
free = torch.empty(2**28, device="cuda")
del free
torch.cuda.empty_cache()
"""


def built(folder: Path) -> tuple[Path, Path]:
    """Compile the probe and the listener."""
    probe, symbols = folder / "probe", folder / "symbols.so"
    flags = ["cc", "-std=c11", "-O2", "-Wall", "-Wextra"]
    subprocess.run(
        [*flags, "-o", probe, HERE / "probe.c", "-ldl", "-lpthread"],
        check=True,
    )
    subprocess.run(
        [*flags, "-shared", "-fPIC", "-o", symbols, HERE / "symbols.c", "-ldl"], check=True
    )
    return probe, symbols


def answer(probe: Path, *words: object) -> dict[str, Any]:
    done = subprocess.run(
        [probe, *map(str, words)], stdout=subprocess.PIPE, text=True, check=True, timeout=120
    )
    answered: dict[str, Any] = json.loads(done.stdout)
    return answered


class Nvml:
    """The figures of one card that an agent can read."""

    def __init__(self, index: int = 0) -> None:
        import pynvml

        self._nvml = pynvml
        pynvml.nvmlInit()
        self._card = pynvml.nvmlDeviceGetHandleByIndex(index)

    def describe(self) -> dict[str, Any]:
        nvml, card = self._nvml, self._card
        return {
            "name": nvml.nvmlDeviceGetName(card),
            "uuid": nvml.nvmlDeviceGetUUID(card),
            "driver": nvml.nvmlSystemGetDriverVersion(),
            "nvml": self.tried(nvml.nvmlSystemGetNVMLVersion),
            "memory_total_bytes": nvml.nvmlDeviceGetMemoryInfo(card).total,
            "memory_used_bytes": nvml.nvmlDeviceGetMemoryInfo(card).used,
            "sm_max_mhz": self.tried(nvml.nvmlDeviceGetMaxClockInfo, card, nvml.NVML_CLOCK_SM),
            "power_limit_mw": self.tried(nvml.nvmlDeviceGetEnforcedPowerLimit, card),
            "compute_mode": self.tried(nvml.nvmlDeviceGetComputeMode, card),
            "mig_mode": self.tried(nvml.nvmlDeviceGetMigMode, card),
            "gpm_supported": self.tried(
                lambda: nvml.nvmlGpmQueryDeviceSupport(card).isSupportedDevice
            ),
        }

    def tried(self, call: Any, *arguments: Any) -> Any:
        try:
            return call(*arguments)
        except self._nvml.NVMLError as error:
            return f"error: {error}"

    def processes(self) -> list[tuple[int, int | None]]:
        listed = self._nvml.nvmlDeviceGetComputeRunningProcesses(self._card)
        return [(process.pid, process.usedGpuMemory) for process in listed]

    def memory_used_bytes(self) -> int:
        return int(self._nvml.nvmlDeviceGetMemoryInfo(self._card).used)

    def utilisation(self, since_us: int) -> list[tuple[int, int, int]]:
        """Return (microseconds, pid, SM percent) of the samples after a stamp."""
        try:
            samples = self._nvml.nvmlDeviceGetProcessUtilization(self._card, since_us)
        except self._nvml.NVMLError as error:
            if error.value == self._nvml.NVML_ERROR_NOT_FOUND:
                return []
            raise
        return [(int(s.timeStamp), int(s.pid), int(s.smUtil)) for s in samples]

    def utilisation_info(self, since_us: int) -> list[tuple[int, int, int]]:
        """Return the same by the newer call, which some cards have in its place."""
        try:
            samples = self._nvml.nvmlDeviceGetProcessesUtilizationInfo(self._card, since_us)
        except self._nvml.NVMLError:
            return []
        return [(int(s.timeStamp), int(s.pid), int(s.smUtil)) for s in samples]

    def device_percent(self) -> int:
        return int(self._nvml.nvmlDeviceGetUtilizationRates(self._card).gpu)


def watched(nvml: Nvml, processes: list[subprocess.Popen[str]]) -> dict[str, Any]:
    """Read utilisation every 100 ms until all processes have ended."""
    seen: dict[str, Any] = {"samples": {}, "info": {}, "device": []}
    since_us = info_us = int(time.time() * 1e6)
    while any(process.poll() is None for process in processes):
        for stamp_us, pid, percent in nvml.utilisation(since_us):
            seen["samples"].setdefault(pid, []).append((stamp_us, percent))
            since_us = max(since_us, stamp_us)
        for stamp_us, pid, percent in nvml.utilisation_info(info_us):
            seen["info"].setdefault(pid, []).append((stamp_us, percent))
            info_us = max(info_us, stamp_us)
        seen["device"].append(nvml.device_percent())
        time.sleep(0.1)
    return seen


def started(probe: Path, kernel_ns: float, share: float, turn_ns: float) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [probe, "run", str(kernel_ns), str(share), str(RUN_S)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PROBE_TURN_NS": str(turn_ns)},
    )


def measured(
    nvml: Nvml, probe: Path, wanted: list[tuple[float, float]], turn_ns: float
) -> dict[str, Any]:
    """Run processes side by side; return what each did and what NVML said of it."""
    begin_us = int(time.time() * 1e6)
    processes = [started(probe, kernel_ns, share, turn_ns) for kernel_ns, share in wanted]
    watch = watched(nvml, processes)
    samples, ended = watch["samples"], []
    for (kernel_ns, share), process in zip(wanted, processes, strict=True):
        did = json.loads(process.communicate()[0])
        seen = [p for us, p in samples.get(process.pid, []) if us > begin_us + SETTLE_S * 1e6]
        newer = [
            p for us, p in watch["info"].get(process.pid, []) if us > begin_us + SETTLE_S * 1e6
        ]
        stamps = [us for us, _ in samples.get(process.pid, [])]
        gaps = sorted(b - a for a, b in pairwise(stamps))
        ended.append(
            {
                "kernel_ns": kernel_ns,
                "wanted_share": share,
                **did,
                "nvml_share": sum(seen) / len(seen) / 100 if seen else None,
                "nvml_info_share": sum(newer) / len(newer) / 100 if newer else None,
                "nvml_samples": len(seen),
                "nvml_median_gap_us": gaps[len(gaps) // 2] if gaps else None,
            }
        )
    late = watch["device"][len(watch["device"]) // 3 :]
    return {"processes": ended, "device_share": sum(late) / len(late) / 100 if late else None}


def context(nvml: Nvml, probe: Path) -> dict[str, Any]:
    """Return what one empty context takes, by the driver and by NVML."""
    before = nvml.memory_used_bytes()
    with subprocess.Popen(
        [probe, "context"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        said = json.loads(process.stdout.readline())
        listed = nvml.processes()
        used = nvml.memory_used_bytes()
        pid = process.pid
        process.communicate("\n")
    return {
        **said,
        "used_before_bytes": before,
        "grown_bytes": used - before,
        "listed": listed,
        "pid": pid,
    }


def asked_by_torch(symbols: Path, folder: Path) -> dict[str, Any]:
    """Return which driver functions PyTorch asks for."""
    log = folder / "symbols.log"
    log.unlink(missing_ok=True)
    done = subprocess.run(
        [sys.executable, "-c", TORCH_PROGRAM],
        env={**os.environ, "LD_PRELOAD": str(symbols), "SYMBOLS_LOG": str(log)},
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    lines = log.read_text(encoding="ascii").splitlines() if log.exists() else []
    counted = Counter(line for line in lines)
    return {"exit": done.returncode, "error": done.stderr[-500:], "asked": dict(counted)}


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    build = folder / "build"
    build.mkdir(exist_ok=True)
    probe, symbols = built(build)
    nvml = Nvml()
    facts: dict[str, Any] = {"card": nvml.describe()}

    def kept(name: str, call: Any) -> Any:
        """Keep what was measured so far, whatever comes after it."""
        try:
            facts[name] = call()
        except (subprocess.SubprocessError, OSError, ValueError) as error:
            facts[name] = {"error": repr(error)}
        (folder / "facts.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")
        print(name, json.dumps(facts[name])[:2000], flush=True)
        return facts[name]

    kept("context", lambda: context(nvml, probe))
    kept("costs", lambda: answer(probe, "costs"))
    kept("capture", lambda: answer(probe, "capture"))
    events = kept("events", lambda: answer(probe, "events"))
    kept("torch", lambda: asked_by_torch(symbols, build))
    turn_ns = float(events["turn_ns"])
    for pair in TOGETHER:
        name = "together " + " and ".join(f"{ns:g} x {share:g}" for ns, share in pair)
        kept(name, lambda pair=pair: measured(nvml, probe, list(pair), turn_ns))
    for kernel_ns in KERNELS_NS:
        for share in SHARES:
            name = f"alone {kernel_ns:g} x {share:g}"
            one = [(kernel_ns, share)]
            kept(name, lambda one=one: measured(nvml, probe, one, turn_ns))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
