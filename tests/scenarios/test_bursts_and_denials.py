from __future__ import annotations

from itertools import pairwise

import pytest

from recommender.resources import GIB
from tests.scenarios.days import CHAT, HOUR, START, Days, course, workload


def test_a_burst_raises_the_limit_in_the_tick_that_sees_it():
    load = course((0, 20, 8), (1, 150, 8))
    days = Days(workload(load, "auto-limits", amounts=(20, 40, 10, 16)), tick_s=15, length_h=3)
    days.until(1)
    before = days.limit()

    days.step()
    at_once = days.limit()
    days.until(1 + 2 / 60)

    assert before <= 40.0
    assert at_once >= 1.5 * before
    assert days.ticks[241 - 1].planned[0].change.is_urgent
    assert days.limit() >= 100.0


def test_a_limit_falls_only_after_calm_minutes_and_step_by_step():
    load = course((0, 20, 8), (1, 70, 8), (1.25, 20, 8))
    days = Days(workload(load, "auto-limits"), length_h=3)
    limits = []
    while days.hours < 2.5:
        days.step()
        limits.append((days.hours, days.limit()))

    during = max(limit for hours, limit in limits if 1 < hours < 1.25)
    just_after = next(limit for hours, limit in limits if hours >= 1.25 + 4 / 60)
    falls = [b / a for (_, a), (_, b) in pairwise(limits) if b < a]
    assert during >= 70.0
    assert just_after >= 70.0
    assert falls
    assert min(falls) >= 0.8 - 1e-3


def test_a_refused_allocation_raises_the_vram_limit_until_it_fits():
    load = course((0, 20, 8), (1, 20, 22))
    days = Days(workload(load, "auto-limits"), length_h=3)
    days.until(1)
    before = days.limit("vram_bytes")

    days.step()
    first = days.limit("vram_bytes")
    days.until(1.25)

    assert before == 16 * GIB
    assert first == pytest.approx(1.2 * 16 * GIB, abs=2**20)
    assert days.limit("vram_bytes") >= 22 * GIB
    assert any("an allocation was refused" in entry.reason for entry in days.entries())
    denied = days.cluster.metrics.read("vram_denied", START + HOUR, START + 5 * HOUR, 15)
    assert denied.ts.max() < START + 1.25 * HOUR - 60


def test_a_workload_that_is_not_enrolled_is_never_changed():
    load = course((0, 5, 2), (1, 200, 30))
    days = Days(workload(load), length_h=3).until(2)

    view = days.view()
    assert view.limit == view.stated_limit
    assert view.request == view.stated_request
    assert days.entries() == ()
    assert days.ticks[-1].decisions.target_limit[0, 0] > 80.0


def test_a_lower_vram_waits_for_the_next_start_of_a_worker():
    load = course((0, 20, 4))
    made = workload(load, "auto-limits", "auto-requests", amounts=(40, 80, 4, 16))
    days = Days(made, length_h=27)
    days.until(12)
    days.cluster.restart(CHAT)
    too_early = days.until(12.25).limit("vram_bytes")
    running = days.until(25).limit("vram_bytes")

    days.cluster.restart(CHAT)
    days.until(25.25)

    assert too_early == running == 16 * GIB
    assert 4 * GIB < days.limit("vram_bytes") < 8 * GIB


def test_an_opaque_allocator_is_not_followed_up():
    item = workload(course((0, 30, 8), (1, 60, 8)), "auto-limits", opaque_share=0.9)
    days = Days(item, length_h=6).until(4)

    assert days.limit("vram_bytes") == 16 * GIB
    assert days.ticks[-1].observed.observation.usage.is_opaque[0, 1]
