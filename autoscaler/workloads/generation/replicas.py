"""Which number of replicas stands in the ``spec`` of a workload.  Pure."""

from __future__ import annotations

from autoscaler.api.names import WorkloadMode


def wanted_replicas(
    mode: WorkloadMode | None,
    *,
    is_autoscaled: bool,
    present: int | None,
    stated: int | None,
    owned: int,
    clients: int,
) -> int | None:
    """Return ``spec.replicas`` of a workload that follows its pods; None: it is not set.

    ``present`` is what it has, ``stated`` what annotation or profile say, ``owned`` what the owners
    ask for, ``clients`` how many clients there are.  Where the GPU is local the owners' number
    counts.  In remote mode auto-replicas has it once it acts, so that it is only filled; else it is
    the stated one, and without one there is one worker for each client.
    """
    if mode is None:
        return present
    if mode is not WorkloadMode.REMOTE:
        return owned
    if is_autoscaled:
        first = clients if stated is None else stated
        return present if present is not None else max(first, 1)
    return stated
