"""``autoScalingConfig`` to the policy of one workload.

Nothing is raised for user input: every problem is collected, and the policy is usable whatever was
written.  A wrong value falls back to its default; where a wrong value could let a layer do more
than its owner wanted, the layer only recommends until it is corrected.
"""

from __future__ import annotations

from types import MappingProxyType

from recommender.errors import Problem
from recommender.policy.asked_only import asked_amounts, asked_replicas
from recommender.policy.generations import governing
from recommender.policy.horizontal import cron_rules, external_scaler, replica_rule, scale_to_zero
from recommender.policy.model import Dimension, Policy
from recommender.policy.settings import Settings, read_settings
from recommender.policy.taking import Taking
from recommender.policy.vertical import hold_crossed_bounds, limit_rule, request_rule


def parse_auto_scaling_config(
    mapping: object,
    *,
    path: str = "autoScalingConfig",
    source: str = "autoScalingConfig",
    qos: str = "medium",
    gpu_model: str = "",
    is_job: bool = False,
) -> Policy:
    """Return the policy that one ``autoScalingConfig`` states; ``policy.problems`` has the rest.

    ``path`` starts the paths of problems, ``source`` is what ``policy.source_of`` answers for what
    is set here.  ``qos`` and ``gpu_model`` are the workload's; ``is_job`` says that its owner is a
    Job, whose percentiles are over time.
    """
    settings = read_settings(mapping, path=path, source=source)
    return policy_from(settings, qos=qos, gpu_model=gpu_model, is_job=is_job)


def policy_from(
    settings: Settings, *, qos: str = "medium", gpu_model: str = "", is_job: bool = False
) -> Policy:
    """Return the policy that settings state together."""
    taking = Taking(settings)
    hold_crossed_bounds(taking)
    chosen = {dimension: governing(taking, dimension) for dimension in Dimension}
    requests = {
        dimension: request_rule(
            taking, dimension, chosen[dimension], is_job=is_job, is_critical=qos == "critical"
        )
        for dimension in Dimension
    }
    limits = {
        dimension: limit_rule(taking, dimension, chosen[dimension]) for dimension in Dimension
    }
    cron = cron_rules(taking, gpu_model=gpu_model)
    external = external_scaler(taking)
    requests, limits = asked_amounts(taking, chosen, requests, limits, cron, external)
    replicas = asked_replicas(taking, replica_rule(taking), cron)
    to_zero = scale_to_zero(taking)
    return Policy(
        requests=MappingProxyType(requests),
        limits=MappingProxyType(limits),
        replicas=replicas,
        cron=cron,
        external=external,
        scale_to_zero=to_zero,
        sources=MappingProxyType(taking.sources),
        problems=_distinct((*settings.problems, *taking.problems)),
    )


def _distinct(problems: tuple[Problem, ...]) -> tuple[Problem, ...]:
    return tuple(dict.fromkeys(problems))
