from __future__ import annotations

from itertools import pairwise

from tests.scenarios.days import Days, course, workload

ALL = ("auto-requests", "auto-limits", "auto-replicas")


def _standing(days):
    view = days.view()
    return dict(view.request), dict(view.limit), view.replicas


def test_a_constant_demand_with_all_layers_settles_within_a_day_and_stays():
    load = course((0, 150, 9), noise_ratio=0.01)
    days = Days(workload(load, *ALL, replicas=3), tick_s=60, length_h=40).until(24.25)
    settled = _standing(days)
    entries = len(days.entries())

    days.until(30)

    assert _standing(days) == settled
    assert len(days.entries()) == entries
    request, limit, replicas = settled
    use = 150 / replicas
    assert use <= request["tflops"] <= limit["tflops"]
    assert request["tflops"] <= 1.5 * use


def test_replicas_follow_the_load_up_and_down():
    load = course((0, 50, 8), (1, 320, 8), (3, 50, 8))
    days = Days(workload(load, "auto-replicas", replicas=1, startup_s=60), length_h=6)
    days.until(1)
    quiet = days.view().replicas
    days.until(2)
    busy = days.view().replicas
    days.until(5)

    assert quiet == 1
    assert busy == 6
    assert days.view().replicas == 1


def test_replicas_stay_in_the_cool_down_after_the_load_has_gone():
    load = course((0, 200, 8), (1, 20, 8))
    days = Days(workload(load, "auto-replicas", replicas=4), length_h=3).until(1)
    before = days.view().replicas

    days.until(1 + 4 / 60)

    assert days.view().replicas == before


def test_the_change_budget_bounds_how_many_workers_change_in_ten_minutes():
    idle = course((0, 5, 4))
    fleet = [workload(idle, "auto-limits", name=f"team/w{i:02}") for i in range(30)]
    days = Days(*fleet, cards=12, length_h=3).until(1.5)

    charges = []
    for item in fleet:
        entries = days.entries((item.namespace, item.workload))
        times = [e.time_s for e in entries if not e.reason.startswith("at the next start")]
        charges += [times[0], *(b for a, b in pairwise(times) if b - a >= 600)]
    for time_s in charges:
        assert sum(time_s <= other < time_s + 600 for other in charges) <= 5
    assert len(charges) == 30
