"""Checks of what stands beside the usage: signs of demand that was held down, amounts in force."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoscaler.findings import Finding, Status
from autoscaler.sources.prometheus.chunks import DAY_S
from autoscaler.sources.prometheus.probe import Check
from autoscaler.sources.prometheus.promql import over_time
from autoscaler.sources.prometheus.series_checks import EXPORTER_STEP, counted_series, listed
from autoscaler.sources.source import Metric

if TYPE_CHECKING:
    from collections.abc import Iterator

    from autoscaler.sources.prometheus.probe import Probe

SIDE_METRICS = {
    Metric.EFFECTIVE_SHARE_PERCENT: "Whether a worker used all that it was given is judged by its "
    "limit alone, which is wrong where QoS holds it below the limit.",
    Metric.THROTTLED_RATIO: "How long launches waited is not seen: a limit that is too low shows "
    "only where use reaches it, and the demand behind it is taken as 1.25 times the share.",
    Metric.VRAM_DENIED: "Refused allocations are not seen: a VRAM limit is raised from 90 % use "
    "on only, and a decrease that led to refusals is not rolled back.",
}
"""What the autoscaler cannot see without them."""


def signals(probe: Probe) -> Iterator[Finding]:
    """Look for what tells of demand that was held down."""
    if probe.first_sized() is None:
        yield _not_looked_at(Check.SIGNALS)
        return
    for metric, without in SIDE_METRICS.items():
        names = probe.mapping.metrics.get(metric, ())
        found = probe.find(metric)
        if found is not None:
            name, in_a_day = found
            yield Finding(
                check=Check.SIGNALS,
                subjects=(metric,),
                status=Status.OK,
                text=f"{probe.selector(name)}: {counted_series(in_a_day)} in the last day",
            )
        elif names:
            yield Finding(
                check=Check.SIGNALS,
                subjects=(metric,),
                status=Status.WARNING,
                text=f"No series in the last day: {listed(names)}. {without}",
                next_step=EXPORTER_STEP,
            )
        else:
            yield Finding(
                check=Check.SIGNALS,
                subjects=(metric,),
                status=Status.SKIPPED,
                text=f"The mapping {probe.mapping.name} names none. {without}",
            )


def in_force(probe: Probe) -> Iterator[Finding]:
    """Look for the requests and limits that are in force."""
    if probe.first_sized() is None and probe.mapping.in_force:
        yield _not_looked_at(Check.IN_FORCE)
        return
    counts = {
        key: probe.count(over_time("last_over_time", probe.selector(name), DAY_S))
        for key, name in probe.mapping.in_force.items()
    }
    missing = [key for key, count in counts.items() if not count]
    stated = "State them in a workloads file (--workloads FILE)."
    if not counts:
        yield Finding(
            check=Check.IN_FORCE,
            status=Status.SKIPPED,
            text=f"The mapping {probe.mapping.name} names no requests and limits in force: "
            "recommendations have nothing to be compared with",
            next_step=stated,
        )
    elif missing:
        yield Finding(
            check=Check.IN_FORCE,
            status=Status.WARNING,
            text="Not measured in the last day: "
            + ", ".join(f"{key} ({probe.selector(probe.mapping.in_force[key])})" for key in missing)
            + "; recommendations have nothing to be compared with",
            next_step=f"{EXPORTER_STEP} {stated}",
        )
    else:
        yield Finding(check=Check.IN_FORCE, status=Status.OK, text=f"Measured: {', '.join(counts)}")


def _not_looked_at(check: Check) -> Finding:
    """Return the one finding of a server without usage: what stands beside it is no help."""
    return Finding(
        check=check, status=Status.SKIPPED, text="Not looked at, because no usage is measured"
    )
