"""Experiments 12 and 13: what NVML says of a process, beside what the process did."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import pairwise
from statistics import mean, median

from tests.benchmarks.gpu.lab import Lab
from tests.benchmarks.gpu.loads import NS, RunningLoad
from tests.benchmarks.gpu.outcomes import CannotRunError, ExperimentError, Row
from tests.benchmarks.gpu.pods import Limits
from tests.benchmarks.gpu.works import ELEMENTWISE_20_US, LONG, Work
from tests.components.processes import until

READ_EVERY_S = 0.05
FLOP_PER_PRODUCT = 2.0
TENSOR_SERIES = "tf_worker_compute_tflops"
MOST_ERROR_PERCENT = 5.0

Sample = tuple[int, int]
"""Microseconds of the clock, and percent."""


def utilisation(lab: Lab) -> None:
    """12: period, resolution and bias of NVML's utilisation of a process, at some duty cycles."""
    duties = lab.sizes.duties
    for work in (LONG, ELEMENTWISE_20_US):
        name = work.name(lab.workers)
        lab.record.ran(f"{name} for {', '.join(f'{duty:.0%}' for duty in duties)} of the time")
        with lab.load(work) as load:
            whole = lab.alone_per_s(load)
            lab.must_list(load.pid)
            load.go()
            samples = [_at_duty(lab, load, work, whole, duty) for duty in duties]
        _of_samples(lab, name, [sample for each in samples for sample in each])


def _at_duty(
    lab: Lab, load: RunningLoad, work: Work, whole_per_s: float, duty: float
) -> Sequence[Sample]:
    """Write down what NVML says at a duty cycle; return its samples."""
    load.tell(f"duty {duty}")
    name, sizes = f"{work.name(lab.workers)} at {duty:.0%}", lab.sizes
    from_ns = time.monotonic_ns() + round(sizes.settle_s * NS)
    until_ns = from_ns + round(sizes.duty_s * NS)
    load.wait_until(from_ns)
    samples = _read(lab, load.pid, sizes.duty_s)
    load.wait_until(until_ns)
    at_work_per_s = load.while_busy_per_s(from_ns, until_ns) or whole_per_s
    true_percent = 100 * load.between_per_s(from_ns, until_ns) / at_work_per_s
    lab.share(f"{name}: true", true_percent, 100 * duty, None)
    if not samples:
        raise ExperimentError(f"{name}: NVML had no sample in {sizes.duty_s:g} s")
    bias = mean(percent for _, percent in samples) - true_percent
    lab.record.row(Row(what=f"{name}: NVML above the truth", value=bias, unit="points"))
    return samples


def _read(lab: Lab, pid: int, duration_s: float) -> Sequence[Sample]:
    """Return the samples of a process over some time."""
    since_us = time.time_ns() // 1000
    end_s = time.monotonic() + duration_s
    seen: dict[int, int] = {}
    while time.monotonic() < end_s:
        found = lab.nvml.utilisation(since_us) or lab.nvml.utilisation_info(since_us)
        seen |= {at_us: percent for at_us, sampled, percent in found if sampled == pid}
        since_us = max([since_us, *(at_us for at_us, _, _ in found)])
        time.sleep(READ_EVERY_S)
    return sorted(seen.items())


def _of_samples(lab: Lab, name: str, samples: Sequence[Sample]) -> None:
    gaps_us = [later - earlier for (earlier, _), (later, _) in pairwise(samples)]
    if gaps_us:
        lab.record.row(
            Row(what=f"{name}: period of samples", value=median(gaps_us) / 1000, unit="ms")
        )
    values = sorted({percent for _, percent in samples})
    steps = [later - earlier for earlier, later in pairwise(values)]
    lab.record.row(Row(what=f"{name}: least step", value=min(steps, default=0), unit="points"))


def tensor_activity(lab: Lab) -> None:
    """13: tensor activity by GPM, as the agent exports it, beside the operations of a product."""
    if lab.workers != "torch":
        raise CannotRunError("the driver-API programs use no tensor cores; PyTorch does")
    pod, rows = lab.pod("tensor"), 8192
    lab.record.ran(f"gemm:{rows} alone")
    with lab.agent({pod: Limits()}) as agent, lab.load(LONG, pod) as load:
        load.ready()
        load.go()
        load.measured_per_s(0, lab.sizes.settle_s)
        try:
            until(
                lambda: any('method="tensor"' in name for name, _ in agent.series(TENSOR_SERIES)),
                what="the agent exports tensor activity",
                deadline_s=5.0,
            )
        except TimeoutError as error:
            raise CannotRunError(f"the card offers no GPM: {lab.card['gpm_supported']}") from error
        # A gauge is the mean since the last boundary of 5 s, so one of before the load has passed.
        from_ns = time.monotonic_ns() + round(5.5 * NS)
        until_ns = from_ns + round(max(lab.sizes.window_s, 2.0) * NS)
        load.wait_until(until_ns)
        rate = load.between_per_s(from_ns, until_ns)
        said = [value for name, value in agent.series(TENSOR_SERIES) if 'method="tensor"' in name]
    true_tflops = FLOP_PER_PRODUCT * rows**3 * rate / 1e12
    lab.record.row(Row(what="by its operations", value=true_tflops, unit="TFLOPS"))
    lab.record.row(Row(what="by the agent", value=said[0], unit="TFLOPS"))
    lab.record.row(
        Row(
            what="error",
            value=100 * (said[0] / true_tflops - 1),
            unit="%",
            low=-MOST_ERROR_PERCENT,
            high=MOST_ERROR_PERCENT,
        )
    )
