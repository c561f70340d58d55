from dataclasses import replace

from autoscaler.kube.cache_problems import STALE_S, cache_problems
from tests.autoscaler.telemetry.parts import cache


def test_a_cache_that_heard_nothing_for_too_long_is_a_problem():
    fresh = cache(resource="jobs.batch", age_s=STALE_S)
    stale = replace(fresh, age_s=STALE_S + 1, last_error="no answer")

    assert cache_problems([fresh]) == ()
    assert cache_problems([stale]) == ("nothing was heard of jobs.batch for 300 s: no answer",)


def test_the_text_of_a_problem_does_not_change_with_time():
    stale = cache(age_s=400.0)

    assert cache_problems([stale]) == cache_problems([replace(stale, age_s=500.0)])
