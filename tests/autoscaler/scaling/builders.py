"""Small fleets and sources for the tests of the loop."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from autoscaler.errors import SourceUnavailableError
from autoscaler.scaling.cluster import Outcome, WorkerView, WorkloadView, amounts
from autoscaler.sources.source import Samples
from recommender.policy.resolve import resolve
from recommender.resources import GIB

START = 1_767_571_200
PREFIX = "tensor-fusion.ai/"


def policy(*enrolled, profile=None):
    """Return the policy of a workload that enrols ``auto-requests`` and so on."""
    annotations = {PREFIX + name: "true" for name in enrolled}
    return resolve(annotations=annotations, profile=profile).policy


def view(workload="chat", *enrolled, workers=1, namespace="team", **more):
    """Return a workload on an A100 with 40/80 TFLOPS and 10/16 GiB."""
    defaults = {
        "namespace": namespace,
        "workload": workload,
        "uid": f"{namespace}-{workload}-1",
        "policy": policy(*enrolled),
        "stated_request": amounts({"tflops": 40.0, "vram_bytes": 10 * GIB}),
        "stated_limit": amounts({"tflops": 80.0, "vram_bytes": 16 * GIB}),
        "replicas": workers,
        "stated_replicas": workers,
        "gpu_model": "A100",
        "owner": f"Deployment/{workload}",
        "workers": tuple(
            WorkerView(name=f"{workload}-{i}", started_s=START - 86400, ready_s=START - 86000)
            for i in range(workers)
        ),
    }
    defaults |= {"request": defaults["stated_request"], "limit": defaults["stated_limit"]}
    return WorkloadView(**(defaults | more))


class StandingCluster:
    """A cluster that takes every change; ``views`` may be replaced by the test."""

    def __init__(self, *views):
        self.views = list(views)
        self.applied = []
        self.error = None
        self.refusal = ""

    def snapshot(self):
        if self.error is not None:
            raise self.error
        return list(self.views)

    def reread(self, keys):
        return [view for view in self.views if view.key in set(keys)]

    def apply(self, changes):
        return [self._apply(change) for change in changes]

    def _apply(self, change):
        if self.refusal:
            return Outcome(change=change, applied=False, reason=self.refusal)
        self.applied.append(change)
        for i, item in enumerate(self.views):
            if item.key == (change.namespace, change.workload):
                self.views[i] = _after(item, change)
        return Outcome(change=change, applied=True)


def _after(item, change):
    """Return a view after a change: replicas are the workload's, amounts those of one GPU model."""
    if change.replicas is not None:
        return replace(item, replicas=change.replicas)
    if item.gpu_model != change.gpu_model:
        return item
    return replace(
        item,
        request=amounts({**item.request, **change.request}),
        limit=amounts({**item.limit, **change.limit}),
        start_request=amounts({**item.start_request, **change.start_request}),
        start_limit=amounts({**item.start_limit, **change.start_limit}),
        guard=change.guard,
    )


class ListSource:
    """Samples from lists: ``put(metric, ts, value, **labels)``; metrics in ``down`` fail."""

    def __init__(self, *metrics):
        self._rows = {metric: [] for metric in metrics}
        self.down = set()
        self.reads = []

    def put(self, metric, ts, value, **labels):
        named = {"namespace": "team", "workload": "chat", "worker": "chat-0"} | labels
        self._rows.setdefault(metric, []).append((ts, value, named))

    def metrics(self):
        return frozenset(self._rows)

    def read(self, metric, start_s, end_s, step_s):
        self.reads.append((metric, start_s, end_s, step_s))
        if metric in self.down:
            raise SourceUnavailableError(f"{metric} cannot be read")
        rows = [row for row in self._rows.get(metric, ()) if start_s <= row[0] < end_s]
        labels = []
        for _, _, label in rows:
            if label not in labels:
                labels.append(label)
        return Samples(
            series=np.array([labels.index(label) for _, _, label in rows], np.int32),
            ts=np.array([ts for ts, _, _ in rows], np.int64),
            value=np.array([value for _, value, _ in rows], np.float32),
            labels=tuple(labels),
        )
