"""Which other shipped mapping fits a server that has no series of the chosen one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoscaler.errors import QueryRejectedError
from autoscaler.sources.prometheus.chunks import DAY_S
from autoscaler.sources.prometheus.mappings import SHIPPED
from autoscaler.sources.prometheus.probe import SIZED_METRICS
from autoscaler.sources.prometheus.promql import over_time

if TYPE_CHECKING:
    from collections.abc import Iterator

    from autoscaler.sources.prometheus.mapping import SeriesName
    from autoscaler.sources.prometheus.probe import Probe


def names_of_others(probe: Probe) -> Iterator[str]:
    """Yield a sentence for each other shipped mapping of which the server has series of a day.

    Raises ``SourceError``, but not where the server refuses a name: then it has none of it.
    """
    for mapping in SHIPPED.values():
        if mapping.name == probe.mapping.name:
            continue
        sized = (mapping.metrics.get(metric, ()) for metric in SIZED_METRICS)
        names = dict.fromkeys(name for names in sized for name in names)
        found = dict.fromkeys(str(name) for name in names if _has_series(probe, name))
        if found:
            yield (
                f"This server has {', '.join(found)}: choose --prometheus-mapping {mapping.name} "
                "(prometheus.mapping of the settings file)."
            )


def _has_series(probe: Probe, name: SeriesName) -> bool:
    try:
        return probe.count(over_time("last_over_time", probe.selector(name), DAY_S)) > 0
    except QueryRejectedError:
        return False
