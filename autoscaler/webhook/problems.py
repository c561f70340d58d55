"""The recommender's problems as reasons of a verdict."""

from __future__ import annotations

from collections.abc import Iterable

from autoscaler.webhook.verdict import Verdict
from recommender.errors import Problem
from recommender.policy.horizontal import NEEDS_MODEL


def take_problems(problems: Iterable[Problem], layer: str, field: str, verdict: Verdict) -> None:
    """Note problems of one object under the paths of that object.

    The recommender names the ``layer`` that speaks (``profile spec``); whoever writes the object
    knows it as ``field`` (``spec``).  What depends on the GPU model of the pod is a warning.
    """
    for problem in problems:
        told = Problem(problem.path.replace(layer, field), problem.message.replace(layer, field))
        if problem.is_warning or problem.message == NEEDS_MODEL:
            verdict.warn(told)
        else:
            verdict.refuse(told)
