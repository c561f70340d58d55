"""Random fleets whose statistics and forecasts may lack anything, for laws of ``decide``."""

from dataclasses import fields, is_dataclass

import numpy as np
from hypothesis import strategies as st

from recommender.decide import ALL_LAYERS
from recommender.decision import Layer
from recommender.forecast.gate import Gate
from recommender.policy.model import Mode
from tests.builders import policy
from tests.fleets import BEGIN_S, GIB, StatedFleet

PREDICTS = {"enable": True, "prediction": {"enable": True}}
POLICIES = (
    policy(),
    policy(is_enrolled=True),
    policy({"autoSetRequests": {"enable": True}}),
    policy({"autoSetLimits": {"enable": True}}),
    policy(is_enrolled=True, mode=Mode.INITIAL),
    policy(
        {
            "autoSetRequests": {"enable": True, "maxAllowed": {"tflops": "50", "vram": "20Gi"}},
            "autoSetLimits": {"enable": True, "mode": "initial", "minAllowed": {"tflops": "5"}},
        }
    ),
    policy({"autoSetResources": {"enable": True, "targetResource": "all"}}, qos="critical"),
    policy({"autoSetRequests": {"enable": True, "riskTarget": "5%"}}),
    policy(dict.fromkeys(("autoSetRequests", "autoSetLimits", "autoSetReplicas"), PREDICTS)),
    policy({"autoSetLimits": {**PREDICTS, "riskTarget": "1%"}, "autoSetRequests": PREDICTS}),
)
CRON = {
    "name": "night", "enable": True, "start": "0 0 * * *", "end": "30 0 * * *",
    "desiredResources": {"requests": {"tflops": "60"}, "limits": {"vram": "30Gi"}},
    "desiredReplicas": 3,
}  # fmt: skip
WITH_CRON = policy({"cronScalingRules": [CRON]}, is_enrolled=True)
UNIT = np.array([1.0, GIB])
numbers = st.one_of(st.just(np.nan), st.sampled_from([0.0, 0.01, 0.9, 1.0, 10.0, 80.0, 1e7]))
positive = st.one_of(st.just(np.nan), st.sampled_from([0.5, 1.0, 10.0, 10.5, 80.0, 400.0]))
counts = st.sampled_from([0.0, 1.0, 3.0, 30.0])
flags = st.booleans()


@st.composite
def amounts(draw, rows, elements):
    return np.array(draw(st.lists(elements, min_size=2 * rows, max_size=2 * rows))).reshape(rows, 2)


@st.composite
def uses(draw, rows):
    """Draw statistics that may lack anything."""
    use = {
        name: draw(amounts(rows, numbers)) * UNIT
        for name in (
            "request_target", "request_lower", "request_upper", "limit_percentile",
            "day_percentile", "burst", "last_three", "recent_minutes", "hour_mean", "loaded_floor",
        )
    }  # fmt: skip
    use |= {
        name: draw(amounts(rows, flags)) * np.array([1, 0]).astype(bool)
        for name in ("is_saturated",)
    }
    shares = st.sampled_from([np.nan, np.inf, 1.0, 100.0])
    use["saturated_share"] = np.where(use["is_saturated"], draw(amounts(rows, shares)), np.nan)
    vram_only = np.array([0.0, 1.0])
    use["is_opaque"] = draw(amounts(rows, flags)) * vram_only.astype(bool)
    use["denials"] = draw(amounts(rows, counts)) * vram_only
    use["new_denials"] = draw(amounts(rows, counts)) * vram_only
    use["saturated_minutes"] = draw(amounts(rows, counts))
    use["saturated_share_day"] = draw(amounts(rows, st.sampled_from([0.0, 0.1, np.nan])))
    use["points"] = draw(amounts(rows, st.sampled_from([0, 11, 100, 2880]))).astype(np.int64)
    ages = draw(amounts(rows, st.sampled_from([15, 300, 301, 4000, 10**6])))
    use["last_sample_s"] = BEGIN_S - ages.astype(np.int64)
    use["first_sample_s"] = use["last_sample_s"] - draw(
        amounts(rows, st.sampled_from([0, 1800, 86400, 10**6]))
    ).astype(np.int64)
    use["step_s"] = draw(amounts(rows, st.sampled_from([15, 60, 3600]))).astype(np.int64)
    return use


@st.composite
def forecasts(draw, rows):
    """Draw forecasts that may lack anything, behind any gates."""
    gates = st.sampled_from([*Gate, *[Gate.OPEN] * len(Gate)])
    row_gates = st.lists(gates, min_size=rows, max_size=rows)
    seen = {
        name: draw(amounts(rows, numbers)) * UNIT
        for name in ("limit", "limit_histogram", "request", "request_histogram", "segment")
    }
    ages = draw(amounts(rows, st.sampled_from([-60, 0, 900, 3600, 4500, 10**6])))
    return {
        **seen,
        "limit_gate": draw(amounts(rows, gates)),
        "request_gate": draw(amounts(rows, gates)),
        "segment_since_s": BEGIN_S - ages.astype(np.int64),
        "replica_demand": draw(amounts(rows, numbers))[:, 0],
        "replica_gate": np.array(draw(row_gates)),
    }


@st.composite
def fleets(draw, policies=POLICIES, most_rows=4, *, foresees=flags):
    rows = draw(st.integers(1, most_rows))
    request = draw(amounts(rows, positive)) * UNIT
    limit = np.fmax(draw(amounts(rows, positive)) * UNIT, request)
    workers = st.lists(st.sampled_from([np.nan, 0.0, 3.0, 9.0, 90.0]), max_size=3)
    demand = draw(st.lists(workers, min_size=rows, max_size=rows))
    pauses = st.sampled_from([False, False, False, True])
    row_numbers = st.lists(
        st.sampled_from([np.nan, 0.0, 1.0, 4.0, 40.0]), min_size=rows, max_size=rows
    )
    return StatedFleet(
        *draw(st.lists(st.sampled_from(policies), min_size=rows, max_size=rows)),
        demand=demand,
        is_ready=[[draw(flags) for _ in of_row] for of_row in demand],
        usage=draw(uses(rows)),
        foreseen=draw(forecasts(rows)) if draw(foresees) else None,
        request=request,
        limit=limit,
        **{
            name: draw(amounts(rows, positive)) * UNIT
            for name in ("stated_request", "stated_limit", "card", "largest_placeable", "quota",
                         "external_request", "external_limit")
        },
        **{
            name: np.array(draw(row_numbers))
            for name in ("replicas", "stated_replicas", "replica_quota", "external_replicas")
        },
        is_paused=np.array([draw(pauses) for _ in range(rows)]),
    )  # fmt: skip


dues = st.sampled_from([ALL_LAYERS, *(frozenset({layer}) for layer in Layer)])


def lived(fleet, due):
    """Let the fleet live for two ticks, so that its state has something in it."""
    fleet.decide(applies=True)
    fleet.now_s += 60
    fleet.decide(due, applies=True)
    fleet.now_s += 900
    return fleet


def is_equal(one, other):
    if isinstance(one, np.ndarray):
        return np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
    if is_dataclass(one) and not isinstance(one, type):
        names = [field.name for field in fields(one)]
        return all(is_equal(getattr(one, name), getattr(other, name)) for name in names)
    return one == other


def nan_equal(one, other):
    return (one == other) | (np.isnan(one) & np.isnan(other))


def codes_at(decisions, layer, code, shape):
    steps, out = decisions.steps, np.zeros(shape, np.bool_)
    mask = (steps.layer == layer) & (steps.code == code.number)
    out[steps.row[mask], steps.resource[mask]] = True
    return out
