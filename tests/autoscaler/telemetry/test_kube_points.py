from prometheus_client.parser import text_string_to_metric_families

from autoscaler.kube.lanes import Priority
from autoscaler.kube.rotation_action import Action
from autoscaler.telemetry.exposition import registry_of, render
from autoscaler.telemetry.family import PREFIX
from autoscaler.telemetry.kube_families import QUEUE_BACKLOG
from tests.autoscaler.telemetry.parts import all_parts, budget, cache, elector, keeper


def exported(**changes):
    text = render(registry_of(**all_parts(**changes))).decode()
    return {
        (sample.name.removeprefix(PREFIX), *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_every_cache_has_its_numbers():
    pools = cache()
    jobs = cache(resource="jobs.batch", is_synced=False, objects=0)

    found = exported(caches=lambda: [pools, jobs])

    of_pools = ("resource", "gpupools.tensor-fusion.ai")
    assert {
        ("cache_objects", of_pools): 3.0,
        ("cache_age_seconds", of_pools): 1.5,
        ("cache_relists_total", of_pools): 4.0,
        ("cache_failures_total", of_pools): 5.0,
        ("cache_listener_failures_total", of_pools): 6.0,
        ("cache_synced", of_pools): 1.0,
        ("cache_synced", ("resource", "jobs.batch")): 0.0,
    }.items() <= found.items()


def test_the_queue_shows_what_waits_by_urgency():
    found = exported()

    assert [found["queue_backlog", ("priority", each)] for each in Priority] == [7.0] * 5
    assert found[("queue_retries_total",)] == 5.0
    assert [name for name in Priority if name not in QUEUE_BACKLOG.meaning] == []


def test_the_write_budget_shows_its_rate_and_what_it_refused():
    found = exported()

    assert {
        ("write_rate_per_second",): 100.0,
        ("write_rate_configured_per_second",): 200.0,
        ("writes_total",): 50.0,
        ("writes_refused_total",): 2.0,
        ("writes_throttled_total",): 3.0,
        ("write_pause_seconds",): 0.5,
        ("write_latency_baseline_seconds",): 0.004,
    }.items() <= found.items()


def test_what_is_not_known_yet_is_absent_and_not_zero():
    names = {
        name
        for name, *_ in exported(
            budget=lambda: budget(baseline_s=None),
            elector=lambda: elector(epoch=None, is_leader=False),
            keeper=lambda: keeper(expires_s=None),
        )
    }

    assert "write_latency_baseline_seconds" not in names
    assert "leader_epoch" not in names
    assert "kept_certificate_expiry_timestamp_seconds" not in names


def test_a_leader_is_one_and_a_follower_zero():
    assert exported()[("leader",)] == 1.0
    assert exported(elector=lambda: elector(is_leader=False))[("leader",)] == 0.0


def test_events_are_counted_by_what_became_of_them():
    found = exported()

    results = ("written", "repeated", "dropped", "failed")
    assert [found["events_total", ("result", each)] for each in results] == [4.0, 3.0, 2.0, 1.0]
    assert found[("events_waiting",)] == 6.0


def test_the_keeper_shows_endpoints_and_every_step():
    found = exported()

    assert found["webhook_endpoints", ("result", "verified")] == 2.0
    assert found["webhook_endpoints", ("result", "failed")] == 1.0
    steps = {step: found["certificate_steps_total", ("step", step)] for step in list(Action)[1:]}
    assert steps == dict.fromkeys(list(Action)[1:], 0.0) | {Action.ISSUE: 1.0}
