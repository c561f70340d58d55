"""One process put together, before it runs."""

from types import SimpleNamespace

from autoscaler.api.control import Control
from autoscaler.clock import VirtualClock
from autoscaler.scaling.page.about import About
from autoscaler.scaling.running.health_gate import NOT_LOOKED_AT, NOT_READ
from autoscaler.scaling.running.process import Process, Surroundings
from autoscaler.scaling.running.rules import AutoscalerRules
from recommender.resources import TFLOPS, VRAM
from tests.autoscaler.scaling.builders import START, ListSource, StandingCluster


def process(**around):
    surroundings = Surroundings(
        cluster=StandingCluster(),
        resources=(TFLOPS, VRAM),
        control=Control,
        about=About(source="a test", tool_version="1", since_s=60),
        **around,
    )
    access = SimpleNamespace(source=ListSource("tflops"), opened=None, close=lambda: None)
    return Process(AutoscalerRules(), surroundings, access, VirtualClock(START))


def test_who_shows_what_is_held_is_told_why():
    told = []

    process(webhook=tuple, shows=lambda _loop, reasons: told.append(reasons) or ()).close()

    assert [reasons() for reasons in told] == [(NOT_LOOKED_AT, NOT_READ)]


def test_before_the_first_tick_no_forecast_promises_anything_and_nothing_is_trained():
    made = process()

    found = made.snapshot()
    made.close()

    assert (found.promises.gates, found.promises.promises) == ({}, {})
    assert (found.upkeep.training.models, found.upkeep.named.left_out) == ({}, 0)


def test_questions_to_external_scalers_are_in_the_snapshot():
    made = process(questions=lambda: {"Answered": 3})

    assert made.snapshot().questions == {"Answered": 3}
    made.close()
