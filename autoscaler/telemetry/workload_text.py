"""The metrics of single workloads as text, column by column.

The client library makes an object of each number and looks at its labels one by one: for 10 000
workloads it takes five times as long, all of it at the cost of the loop, which shares the
interpreter with it.  The format is the one that the library writes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from autoscaler.telemetry import workload_families as families

if TYPE_CHECKING:
    from autoscaler.scaling.cluster import WorkloadView
    from autoscaler.scaling.running.counts.fleet_table import FleetTable
    from autoscaler.telemetry.family import Family
    from recommender.observation import Floats

_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n", '"': '\\"'})


def workload_text(table: FleetTable, now_s: float) -> bytes:
    """Return the metrics of all workloads of a table; what is not known is absent."""
    heads = [_head(view) for view in table.views]
    age_s = np.where(table.last_sample_s < 0, np.nan, now_s - table.last_sample_s)
    lines: list[str] = []
    for family, amounts in (
        (families.REQUEST, table.request),
        (families.LIMIT, table.limit),
        (families.RECOMMENDED_REQUEST, table.recommended_request),
        (families.RECOMMENDED_LIMIT, table.recommended_limit),
        (families.RECOMMENDED_LOWER, table.recommended_lower),
        (families.RECOMMENDED_UPPER, table.recommended_upper),
        (families.CONFIDENCE, table.confidence),
        (families.AGE, age_s),
    ):
        lines += _beginning(family)
        for column, resource in enumerate(table.resources):
            end = f',resource="{resource.translate(_ESCAPES)}"}} '
            lines += _lines(family, heads, end, amounts[:, column])
    # Of a workload on several GPU models, one row stands for its replicas.
    is_own_row = table.replica_row == np.arange(len(heads))
    for family, replicas in (
        (families.REPLICAS, table.replicas),
        (families.RECOMMENDED_REPLICAS, table.recommended_replicas),
    ):
        lines += _beginning(family)
        lines += _lines(family, heads, "} ", np.where(is_own_row, replicas, np.nan))
    lines += _risks(table, heads)
    return "".join(lines).encode()


def _risks(table: FleetTable, heads: Sequence[str]) -> Iterator[str]:
    """Return what was promised to workloads that state a risk, and what came of it."""
    evidence = table.evidence
    layers = (
        () if evidence is None else (("requests", evidence.requests), ("limits", evidence.limits))
    )
    for family in (families.RISK_PROMISED, families.RISK_REALISED):
        yield from _beginning(family)
        for layer, of in layers:
            shares = of.promised if family is families.RISK_PROMISED else of.realised
            shares = np.where(np.isnan(of.promised), np.nan, shares)
            for column, resource in enumerate(table.resources):
                end = f',resource="{resource.translate(_ESCAPES)}",layer="{layer}"}} '
                yield from _lines(family, heads, end, shares[:, column])


def _head(view: WorkloadView) -> str:
    """Return the labels of a workload, without the closing brace."""
    values = (view.namespace, view.workload, view.pool, view.gpu_model)
    return "{" + ",".join(
        f'{name}="{value.translate(_ESCAPES)}"'
        for name, value in zip(families.WORKLOAD_LABELS, values, strict=True)
    )


def _beginning(family: Family) -> Iterable[str]:
    meaning = family.meaning.replace("\\", r"\\").replace("\n", r"\n")
    yield f"# HELP {family.name} {meaning}\n"
    yield f"# TYPE {family.name} {family.kind}\n"


def _lines(family: Family, heads: Sequence[str], end: str, values: Floats) -> Iterator[str]:
    name = family.name
    for head, value in zip(heads, values.tolist(), strict=True):
        if math.isfinite(value):
            yield f"{name}{head}{end}{value!r}\n"
