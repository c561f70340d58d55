"""The benchmarks on a control plane run, with little to do; no time is judged."""

import math

from tests.benchmarks.admission import AdmissionSizes
from tests.benchmarks.cluster import ClusterSizes, on_a_cluster
from tests.components.fixtures import needed_program
from tests.components.programs import CLUSTER_PROGRAMS

TINY = ClusterSizes(
    admission=AdmissionSizes(rate_per_s=20.0, warm_up_s=0.2, span_s=0.5, admits=2),
    starts=1,
    workloads=600,
    changes=20,
    rounds=1,
    status_writes=20,
)


def test_every_number_is_measured():
    for name in CLUSTER_PROGRAMS:
        needed_program(name)
    rows = list(on_a_cluster(TINY))

    may_be_zero_or_less = (
        "    the webhook adds",
        "  refused by the API server",
        # a watch may be quicker than the answer to the write
        "20 changes seen after their writes, p50",
    )
    assert [
        row.what
        for row in rows
        if not math.isfinite(row.value) or (row.value <= 0 and row.what not in may_be_zero_or_less)
    ] == []
    assert [row.what for row in rows if not row.what.startswith(" ")] == [
        "tfa webhook, an empty cluster: until ready",
        "cache of 600 workloads: synced",
        "20 changes seen after their writes, p50",
        "20 changes seen after their writes, p99",
        "600 workloads listed by the stock client",
        "20 statuses written, a budget of 200/s",
        "tfa webhook, 600 workloads: until ready",
        "10 pods created at 20/s: in the webhook, p99 at most",
        "reviews sent to the webhook at 20/s, p50",
        "reviews sent to the webhook at 20/s, p99",
        "reviews answered, 16 at a time",
        "admit, typical pod",
        "admit, heavy pod",
    ]
