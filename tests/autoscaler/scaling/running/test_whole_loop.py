"""The whole loop with its real parts, over a fleet that lives and a network that fails."""

import logging

import pytest

from autoscaler.kube.resource import WORKLOADS
from autoscaler.scaling.live.caches import HPAS
from tests.autoscaler.scaling.live.live_objects import GIB, hpa
from tests.autoscaler.scaling.running.led_process import LedProcess
from tests.autoscaler.scaling.running.living_fleet import DAY_S, Demand, LivingFleet
from tests.autoscaler.scaling.running.loop_laws import LoopLaws
from tests.autoscaler.scaling.running.stormy_fleet import StormyFleet
from tests.autoscaler.workloads.objects import TEAM

HOUR_S = 3600
REQUESTS_ALONE = {"autoSetRequests": {"enable": True}}


@pytest.mark.parametrize("seed", range(4))
def test_no_law_is_broken_in_a_storm_and_all_comes_to_rest_after_it(seed, tmp_path, caplog):
    caplog.set_level(logging.CRITICAL, "autoscaler")
    stormy = StormyFleet(seed, tmp_path)
    try:
        stormy.storm(70)
        writes = stormy.settle(230)
    finally:
        stormy.close()

    assert stormy.laws.broken == []
    assert stormy.fleet.lowered == []
    assert sum(writes) > 0
    # what is decided at the pace of hours may just be due
    assert sum(count > 0 for count in writes[-60:]) <= 1


class Led:
    """One workload whose autoscaler may be followed by another one that knows nothing."""

    def __init__(self, *, config=None, remember=lambda fleet: fleet.remember(), **demand):
        self.fleet = LivingFleet()
        options = {} if config is None else {"config": config}
        self.fleet.add(demand=Demand(**demand), **options)
        remember(self.fleet)
        self.laws = LoopLaws(self.fleet)
        self.process = self._leading(1)
        self.changes = []
        """(resource, before, after, reason) of each change of running workers that was made."""

    def run(self, ticks, *, is_followed=True):
        for _ in range(ticks):
            self.fleet.step()
            self.process.see()
            tick = self.process.tick()
            self.laws.after_tick(tick)
            for plan, outcome in () if tick.applied is None else tick.applied.outcomes:
                self.changes += [
                    (each.resource, each.before, each.after, each.reason)
                    for each in plan.effects
                    if outcome.applied and not each.is_at_start
                ]
            if is_followed:
                self.fleet.follow()

    def fail_over(self, *, ticks_before_history=2):
        """Let a process on another node lead, without a state, and read its history."""
        self.follow_leader()
        self.run(ticks_before_history)
        self.process.warm()

    def follow_leader(self):
        self.process.end()
        self.process = self._leading(self.process.epoch + 1)

    def in_force(self, key):
        return self.fleet.in_force(self.fleet.pods()[0])[key]

    def guard(self):
        return self.fleet.status().get("guard", {})

    def close(self):
        self.process.end()
        assert self.laws.broken == []
        assert self.fleet.lowered == []

    def _leading(self, epoch):
        process = LedProcess(self.fleet, epoch=epoch, requests_every_s=120)
        process.see()
        self.laws.process = process
        return process


@pytest.mark.parametrize("when", ["before trouble", "in trouble", "after trouble", "never"])
def test_a_harmful_decrease_is_taken_back_once_also_over_a_fail_over(when):
    led = Led(config=REQUESTS_ALONE, tflops=2.0)
    led.run(1)
    led.process.warm()
    led.run(20)
    assert led.in_force("tflops-request") == 8.0
    if when == "before trouble":
        led.fail_over()
    led.fleet.demand["chat"].tflops = 30.0
    led.run(12)
    if when == "in trouble":
        led.fail_over()
    led.run(12)
    led.fleet.demand["chat"].tflops = 2.0
    if when == "after trouble":
        led.fail_over()
    led.run(240)
    led.close()

    taken_back = [each for each in led.changes if "rolled back" in each[3]]
    assert [each[:3] for each in taken_back] == [("tflops", 8.0, 10.0)]
    assert sum(after < before for _, before, after, _ in led.changes) == 1
    assert "noDecreaseUntil" in led.guard()


@pytest.mark.parametrize("late_ticks", [0, 1, 4, 9, 20])
def test_a_decrease_that_comes_into_force_late_is_watched_too(late_ticks):
    led = Led(config=REQUESTS_ALONE, tflops=2.0)
    led.run(1)
    led.process.warm()
    led.run(1 + late_ticks, is_followed=False)
    assert led.in_force("tflops-request") == 10.0
    led.run(1)
    assert led.in_force("tflops-request") == 8.0
    led.fleet.demand["chat"].tflops = 30.0
    led.run(40)
    led.close()

    assert [each[:3] for each in led.changes if "rolled back" in each[3]] == [("tflops", 8.0, 10.0)]


@pytest.mark.parametrize("ticks_before_history", [1, 3])
def test_a_refused_allocation_is_answered_once_also_over_a_fail_over(ticks_before_history):
    led = Led()
    led.run(2)
    led.process.warm()
    led.run(10)
    led.fleet.demand["chat"].vram_bytes = 9 * GIB
    led.run(4)
    led.fleet.demand["chat"].vram_bytes = 2 * GIB
    led.fail_over(ticks_before_history=ticks_before_history)
    led.run(8)
    led.close()

    answers = [each for each in led.changes if "an allocation was refused" in each[3]]
    assert [each[0] for each in answers] == ["vram_bytes"]
    assert "answeredUntil" in led.guard()


def test_a_refusal_of_the_day_before_a_start_is_history_whenever_it_is_read():
    def remember(fleet):
        fleet.remember(to_ago_s=20 * HOUR_S)
        fleet.demand["chat"].vram_bytes = 9 * GIB
        fleet.remember(from_ago_s=20 * HOUR_S, to_ago_s=20 * HOUR_S - 60)
        fleet.demand["chat"].vram_bytes = 2 * GIB
        fleet.remember(from_ago_s=20 * HOUR_S - 60)

    led = Led(remember=remember)
    led.run(1)
    led.fleet.clock.advance_to(led.fleet.clock.now_s() + 1)
    led.process.warm()
    led.run(8)
    led.close()

    assert [each for each in led.changes if "an allocation was refused" in each[3]] == []


def test_what_starting_workers_get_does_not_rise_for_want_of_knowledge():
    led = Led()
    led.run(1)
    led.process.warm()
    led.run(3)
    before = led.fleet.status()["desiredResources"]
    led.follow_leader()
    led.run(3)
    led.close()

    assert before["nextStart"]["requests"] == {"vram": "3277Mi"}
    assert led.fleet.status()["desiredResources"]["nextStart"] == before["nextStart"]


def test_whoever_puts_replicas_back_at_once_is_fought_three_times_in_an_hour_at_most():
    led = Led(remember=lambda fleet: fleet.remember(from_ago_s=DAY_S), tflops=19.0)
    for _ in range(80):
        led.run(1)
        led.fleet.set_replicas(1)
        led.fleet.follow()
    led.fail_over()
    for _ in range(40):
        led.run(1)
        led.fleet.set_replicas(1)
        led.fleet.follow()
    led.close()

    assert len(led.laws.scalings) == 3
    assert "pausedUntil" in led.guard()["replicas"]


def test_an_autoscaler_of_pods_that_appears_ends_our_scaling_and_one_that_goes_lets_it_go_on():
    led = Led(tflops=19.0)
    led.fleet.api.add(HPAS, hpa())
    led.run(12)
    beside = list(led.laws.scalings)
    led.fleet.api.remove(HPAS, TEAM, "chat")
    led.run(4)
    led.close()

    assert beside == []
    assert led.laws.scalings != []


def test_a_workload_of_another_part_of_the_namespaces_is_stated_after_what_stands_there():
    led = Led()
    high = {"epoch": 99, "sequence": 7, "limits": {"tflops": "20"}}
    led.fleet.api.edit(
        WORKLOADS, TEAM, "chat", lambda obj: obj["status"].update(desiredResources=high)
    )
    led.run(2)
    led.process.warm()
    led.run(2)
    led.close()

    stated = led.fleet.status()["desiredResources"]
    assert (stated["epoch"], stated["sequence"]) == (99, 8)
