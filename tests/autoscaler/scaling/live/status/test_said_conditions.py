"""What the condition ``ResourceUpdate`` says of a workload, and of what may change it."""

import pytest

from autoscaler.api.names import Condition
from autoscaler.scaling.live.status.said_conditions import Facts, said_of
from recommender.policy.model import Mode
from recommender.policy.resolve import resolve

RULE = {"enable": True, "name": "day", "start": "0 8 * * *", "end": "0 18 * * *"}
AMOUNTS = {"desiredResources": {"requests": {"tflops": "60"}}}
ENDPOINT = {"enable": True, "url": "https://scaler.team.svc"}


def update(config, **changes):
    facts = {
        "policy": resolve(profile={"autoScalingConfig": config}).policy,
        "unknown": None,
        "is_stale": False,
        "mode": Mode.APPLY,
        "hold": "",
        "is_paused": False,
        "problem": "",
        "held": None,
        "external": None,
    }
    said = said_of(Facts(**{**facts, **changes}))[Condition.RESOURCE_UPDATE]
    return said.reason, said.message


@pytest.mark.parametrize(
    ("config", "acting"),
    [
        (
            {"autoSetLimits": {"enable": True}, "autoSetReplicas": {"enable": True}},
            "auto-limits, auto-replicas",
        ),
        ({"cronScalingRules": [RULE | AMOUNTS]}, "cronScalingRules"),
        ({"externalScaler": ENDPOINT}, "externalScaler"),
        (
            {"autoSetRequests": {"enable": True}, "cronScalingRules": [RULE | AMOUNTS]},
            "auto-requests",
        ),
    ],
    ids=str,
)
def test_it_names_what_acts_also_where_that_is_no_layer(config, acting):
    assert update(config) == ("Updated", f"{acting}: on, and what is decided is carried out")


@pytest.mark.parametrize(
    ("config", "changes", "said"),
    [
        (
            {"mode": "recommend", "autoSetLimits": {"enable": True}},
            {},
            (
                "NotEnrolled",
                (
                    "auto-requests, auto-limits and auto-replicas are off or only recommend: "
                    "nothing is changed"
                ),
            ),
        ),
        (
            {"autoSetLimits": {"enable": True}},
            {"mode": Mode.RECOMMEND},
            (
                "RecommendOnly",
                (
                    "the installation is in mode recommend (ConfigMap tensor-fusion-control): "
                    "nothing is changed"
                ),
            ),
        ),
        (
            {"autoSetLimits": {"enable": True}},
            {"hold": "the history is still being read"},
            ("Held", "only raises pass: the history is still being read"),
        ),
    ],
    ids=str,
)
def test_it_says_why_nothing_or_not_everything_is_changed(config, changes, said):
    assert update(config, **changes) == said
