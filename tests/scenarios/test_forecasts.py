"""Days of workloads that ask for forecasts: what settles stays, and what comes each day is met."""

from __future__ import annotations

from tests.scenarios.days import Days, course, workload

PREDICTS = {"enable": True, "prediction": {"enable": True}}
WITH_RISK = {**PREDICTS, "riskTarget": "1%"}
ALL = {"autoSetRequests": WITH_RISK, "autoSetLimits": WITH_RISK, "autoSetReplicas": PREDICTS}
REQUESTS = {"autoSetRequests": PREDICTS, "autoSetLimits": {"enable": True}}
NIGHT, DAY = 20, 90
BEGINS, ENDS = 8, 20


def _standing(days):
    view = days.view()
    return dict(view.request), dict(view.limit), view.replicas


def _days_and_nights(count):
    points = []
    for hour in range(0, 24 * count, 24):
        steps = ((0, NIGHT), (BEGINS, NIGHT), (BEGINS + 0.1, DAY), (ENDS, DAY), (ENDS + 0.1, NIGHT))
        points += [(hour + at, tflops, 9) for at, tflops in steps]
    return course(*points, noise_ratio=0.02)


def test_a_constant_demand_with_forecasts_in_all_layers_settles_within_a_day_and_stays():
    load = course((0, 150, 9), noise_ratio=0.01)
    item = workload(load, replicas=3, profile={"autoScalingConfig": ALL})
    days = Days(item, tick_s=120, length_h=40).until(24.25)
    settled = _standing(days)
    entries = len(days.entries())

    days.until(30)

    assert _standing(days) == settled
    assert len(days.entries()) == entries
    request, limit, replicas = settled
    use = 150 / replicas
    assert use <= request["tflops"] <= limit["tflops"] <= 1.3 * use


def test_requests_rise_with_a_learned_day_before_its_use_does():
    item = workload(_days_and_nights(6), profile={"autoScalingConfig": REQUESTS})
    days = Days(item, tick_s=300, length_h=24 * 6).until(24 * 5 + BEGINS - 0.25)
    before = days.request()

    days.until(24 * 5 + BEGINS + 0.1)

    assert days.request() >= DAY > before
    since_s = days.clock.now_s() - 1200
    [change] = [e for e in days.entries() if e.time_s > since_s and e.layer == "requests"]
    assert (change.before, change.after) == (before, days.request())
    assert "a part of the day begins" in change.reason
