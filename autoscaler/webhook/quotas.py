"""What the quotas of a namespace refuse of what a pod declares."""

from __future__ import annotations

from autoscaler.api.ceilings import Ceilings
from autoscaler.api.names import PREFIX
from autoscaler.webhook.devices import Devices
from autoscaler.webhook.verdict import Verdict
from recommender.errors import Problem
from recommender.policy.stated import Stated


def check_quotas(ceilings: Ceilings, stated: Stated, devices: Devices, verdict: Verdict) -> None:
    """Refuse declared amounts and a GPU count above what quotas allow.

    A limit that nobody states has no bound, so that one must be stated where a quota has a
    largest one.
    """
    for key, ceiling in ceilings.amounts.items():
        value = stated.amount_of(key)
        if value is None and key.endswith("-limit"):
            verdict.refuse(
                Problem(
                    f"annotation {PREFIX}{key}",
                    f"not set, and {ceiling.path} allows at most "
                    f"{ceiling.quantity}; allowed: 0 < {key} <= {ceiling.quantity}",
                )
            )
        elif value is not None and value > ceiling.value:
            verdict.refuse(
                Problem(
                    stated.source_of(key),
                    f"{key} {stated.quantities[key]} is above {ceiling.path}; "
                    f"allowed: at most {ceiling.quantity}",
                )
            )
    most = ceilings.gpu_count
    if most is not None and devices.count > most.value:
        verdict.refuse(
            Problem(
                devices.count_source,
                f"{devices.count} GPUs are above {most.path}; allowed: at most {most.quantity}",
            )
        )
