"""Where decisions differ from what is in force: columns over the whole fleet, without a loop.

What becomes of a row that differs is ``planning``'s question.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from recommender.decision import Layer
from recommender.resources import COMPUTE_PERCENT, TFLOPS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from autoscaler.scaling.cluster import Amounts, WorkloadView
    from autoscaler.scaling.observing import Observed
    from recommender.decision import Decisions
    from recommender.observation import Bools, Floats
    from recommender.resources import Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerColumns:
    """One layer that sets amounts, ``[W, R]``."""

    layer: Layer
    kind: str
    in_force: Floats
    running: Floats
    starting: Floats
    acts: Bools
    may_change: Bools

    def stated_at_start(self, view: WorkloadView) -> Amounts:
        """Return what a decision stated for starting workers before."""
        return view.start_request if self.layer is Layer.REQUESTS else view.start_limit


def layer_columns(
    views: Sequence[WorkloadView], observed: Observed, decisions: Decisions
) -> list[LayerColumns]:
    """Return the layers that were due, with what may need a change."""
    workloads, policies = observed.observation.workloads, observed.policies
    is_written = _is_written(
        observed.observation.resources,
        (workloads.request, workloads.limit, decisions.next_request, decisions.next_limit),
    )
    has_stated = np.array([bool(view.start_request or view.start_limit) for view in views], bool)
    layers = []
    for layer, kind, rules, in_force, running, starting in (
        (Layer.REQUESTS, "request", policies.requests, workloads.request,
         decisions.next_request, decisions.start_request),
        (Layer.LIMITS, "limit", policies.limits, workloads.limit,
         decisions.next_limit, decisions.start_limit),
    ):  # fmt: skip
        if layer not in decisions.due:
            continue
        acts = rules.acts & is_written
        runs = acts & np.isfinite(running) & (running != in_force)
        starts = np.isfinite(starting) & ((starting != in_force) | has_stated[:, None])
        starts &= acts | (rules.is_initial & is_written)
        layers.append(
            LayerColumns(
                layer=layer,
                kind=kind,
                in_force=in_force,
                running=running,
                starting=starting,
                acts=acts,
                may_change=runs | starts,
            )
        )
    return layers


def scaled_rows(observed: Observed, decisions: Decisions) -> Bools:
    """Return the rows, ``[W]``, whose replicas are to be changed."""
    workloads = observed.observation.workloads
    wanted = decisions.next_replicas
    if Layer.REPLICAS not in decisions.due:
        return np.zeros(len(wanted), bool)
    is_own_row = workloads.replica_row == np.arange(len(wanted))
    differs = np.isfinite(wanted) & (wanted != workloads.replicas)
    scaled: Bools = observed.policies.replicas.acts & is_own_row & differs
    return scaled


def held_scalings(views: Sequence[WorkloadView], observed: Observed, decisions: Decisions) -> Bools:
    """Return the rows, ``[W]``, whose replicas were decided and are held by the cluster."""
    rows = scaled_rows(observed, decisions)
    rows[rows] = [bool(views[row].replicas_held) for row in np.flatnonzero(rows).tolist()]
    return rows


def _is_written(resources: Sequence[Resource], tables: Sequence[Floats]) -> Bools:
    """Return which amounts the API can carry: known resources, percent only without TFLOPS."""
    names = [resource.name for resource in resources]
    rows = len(tables[0])
    is_written = np.tile([resource.is_known for resource in resources], (rows, 1))
    if TFLOPS.name in names and COMPUTE_PERCENT.name in names:
        tflops = names.index(TFLOPS.name)
        has_tflops = np.any([np.isfinite(table[:, tflops]) for table in tables], axis=0)
        is_written[:, names.index(COMPUTE_PERCENT.name)] &= ~has_tflops
    return is_written
