from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from autoscaler.errors import SourceUnavailableError, UsageError
from autoscaler.scaling.cluster import Change, amounts
from autoscaler.simulate.cluster import SimulatedCluster
from autoscaler.simulate.declaring import declared
from autoscaler.simulate.families import Planned
from autoscaler.simulate.fleet import CardGroup, Fleet
from recommender.resources import GIB

START = 1_767_571_200
KEY = ("team", "chat")
AMOUNTS = {
    "tflops-request": "40",
    "tflops-limit": "80",
    "vram-request": "10Gi",
    "vram-limit": "16Gi",
    "replicas": "2",
}


def _chat(tflops=60.0, vram_gib=8.0, **more):
    load = Planned(points=((0, tflops, vram_gib),))
    annotations = {**AMOUNTS, **more.pop("annotations", {})}
    return declared(
        more.pop("name", "team/chat"),
        more.pop("load", load),
        pool="p",
        gpu_model="A100",
        annotations=annotations,
        **more,
    )


def _cluster(*workloads, cards=4):
    fleet = Fleet(cards=(CardGroup(pool="p", gpu_model="A100", count=cards),), workloads=workloads)
    return SimulatedCluster(fleet, start_s=START, length_s=7200, rng=np.random.default_rng(1))


def _change(cluster, key=KEY, **what):
    view = cluster.view(key)
    frozen = {k: amounts(v) if isinstance(v, dict) else v for k, v in what.items()}
    return Change(namespace=key[0], workload=key[1], uid=view.uid, **frozen)


def _read(cluster, metric, seconds=60):
    samples = cluster.metrics.read(metric, cluster.now_s - seconds, cluster.now_s, 15)
    return samples.value


def test_ready_workers_share_the_load_of_their_workload():
    cluster = _cluster(_chat(tflops=60.0))

    cluster.run_until(START + 60)

    use = _read(cluster, "tflops").reshape(4, 2)
    np.testing.assert_allclose(use.sum(axis=1), 60.0, rtol=1e-5)
    assert (use > 25.0).all()


def test_each_worker_of_a_job_has_the_whole_load():
    cluster = _cluster(_chat(tflops=60.0, is_shared_load=False))

    cluster.run_until(START + 60)

    np.testing.assert_allclose(_read(cluster, "tflops"), 60.0, rtol=1e-5)


def test_use_ends_at_the_limit_and_the_waiting_time_tells_the_demand():
    cluster = _cluster(_chat(tflops=320.0, annotations={"replicas": "1"}))

    cluster.run_until(START + 60)

    use, throttled = _read(cluster, "tflops"), _read(cluster, "throttled_ratio")
    np.testing.assert_allclose(use, 80.0, rtol=1e-5)
    np.testing.assert_allclose(use / (1 - throttled), 320.0, rtol=1e-5)
    np.testing.assert_allclose(_read(cluster, "effective_share_percent"), 100 * 80 / 312, rtol=1e-5)


def test_an_allocation_above_the_limit_is_refused_and_the_worker_keeps_what_it_has():
    load = Planned(points=((0, 10.0, 8.0), (60, 10.0, 20.0)))
    cluster = _cluster(_chat(load=load, annotations={"replicas": "1"}))

    cluster.run_until(START + 120)

    assert _read(cluster, "vram_bytes").tolist() == [8 * GIB] * 4
    assert _read(cluster, "vram_denied").tolist() == [1.0] * 4


def test_a_raised_vram_limit_ends_the_refusals():
    load = Planned(points=((0, 10.0, 8.0), (60, 10.0, 20.0)))
    cluster = _cluster(_chat(load=load, annotations={"replicas": "1"}))
    cluster.run_until(START + 120)

    cluster.apply([_change(cluster, limit={"vram_bytes": 24 * GIB})])
    cluster.run_until(START + 180)

    assert _read(cluster, "vram_bytes").tolist() == [20 * GIB] * 4
    assert len(_read(cluster, "vram_denied")) == 0


def test_an_opaque_allocator_takes_its_share_of_the_limit_at_its_start():
    cluster = _cluster(_chat(opaque_share=0.5))
    cluster.run_until(START + 60)
    cluster.apply([_change(cluster, limit={"vram_bytes": 20 * GIB})])
    cluster.run_until(START + 120)
    before = set(_read(cluster, "vram_bytes").tolist())

    cluster.restart(KEY)
    cluster.run_until(START + 300)

    assert {8.0 * GIB} == before
    assert {10.0 * GIB} == set(_read(cluster, "vram_bytes").tolist())


def test_a_new_worker_loads_warms_up_and_is_ready_only_then():
    cluster = _cluster(_chat(startup_s=120))
    cluster.run_until(START + 60)

    (outcome,) = cluster.apply([_change(cluster, replicas=3)])
    new = cluster.view(KEY).workers[-1]
    cluster.run_until(START + 120)
    loading = _read(cluster, "tflops").reshape(4, 3)[:, 2].tolist()
    cluster.run_until(START + 180)
    warming = _read(cluster, "tflops").reshape(4, 3)[:, 2].tolist()
    ready = cluster.view(KEY).workers[-1]

    assert outcome.applied
    assert (new.started_s, new.ready_s) == (START + 60, None)
    assert loading == [0.0] * 4
    np.testing.assert_allclose(warming, 0.7 * 80.0, rtol=1e-5)
    assert ready.ready_s == START + 180


def test_a_worker_that_cannot_load_its_model_does_not_become_ready():
    cluster = _cluster(_chat(vram_gib=30.0, annotations={"replicas": "1"}, startup_s=60))
    cluster.restart(KEY)

    cluster.run_until(START + 600)
    stuck = cluster.view(KEY).workers[0].ready_s
    cluster.apply([_change(cluster, limit={"vram_bytes": 40 * GIB})])
    cluster.run_until(START + 900)

    assert stuck is None
    assert cluster.view(KEY).workers[0].ready_s is not None


def test_a_request_is_capped_at_what_the_card_has_left():
    other = _chat(name="team/other", annotations={"replicas": "1", "tflops-request": "200",
                                                  "tflops-limit": "300"})  # fmt: skip
    chat = _chat(annotations={"replicas": "1"})
    cluster = _cluster(other, chat, cards=1)

    change = _change(cluster, request={"tflops": 150.0}, limit={"tflops": 200.0})
    (outcome,) = cluster.apply([change])

    assert outcome.applied
    assert {"tflops": pytest.approx(112.0)} == dict(outcome.capped)
    assert "no room" in outcome.reason
    assert cluster.view(KEY).request["tflops"] == pytest.approx(112.0)


def test_replicas_that_fit_nowhere_are_not_created():
    cluster = _cluster(_chat(annotations={"tflops-request": "150", "tflops-limit": "200"}), cards=2)

    (outcome,) = cluster.apply([_change(cluster, replicas=9)])

    assert dict(outcome.capped) == {"replicas": 4.0}
    assert 4 == len(cluster.view(KEY).workers) == cluster.view(KEY).replicas


def test_requests_never_exceed_a_card_whatever_is_asked():
    cluster = _cluster(_chat(), _chat(name="team/other"), cards=1)
    rng = np.random.default_rng(3)

    for _ in range(60):
        key = KEY if rng.random() < 0.5 else ("team", "other")
        change = _change(
            cluster,
            key,
            request={"tflops": rng.uniform(1, 300), "vram_bytes": rng.uniform(1, 80) * GIB},
            replicas=int(rng.integers(1, 6)),
        )
        cluster.apply([change])
        views = cluster.snapshot()
        for name, capacity in (("tflops", 312.0), ("vram_bytes", 80 * GIB)):
            total = sum(view.request[name] * len(view.workers) for view in views)
            assert total <= capacity * (1 + 1e-6)


def test_scaling_down_ends_unready_workers_first_and_names_are_not_reused():
    cluster = _cluster(_chat(startup_s=600))
    cluster.apply([_change(cluster, replicas=3)])
    cluster.run_until(START + 60)

    cluster.apply([_change(cluster, replicas=2)])
    after_down = [worker.name for worker in cluster.view(KEY).workers]
    cluster.apply([_change(cluster, replicas=3)])

    assert after_down == ["chat-0", "chat-1"]
    assert [w.name for w in cluster.view(KEY).workers] == ["chat-0", "chat-1", "chat-3"]


def test_amounts_for_starting_workers_do_not_touch_running_ones():
    cluster = _cluster(_chat())

    cluster.apply([_change(cluster, start_limit={"vram_bytes": 12 * GIB})])
    running = cluster.view(KEY).limit["vram_bytes"]
    cluster.restart(KEY)

    assert running == 16 * GIB
    assert cluster.view(KEY).limit["vram_bytes"] == 12 * GIB


def test_a_change_for_an_earlier_incarnation_is_refused():
    cluster = _cluster(_chat())
    change = _change(cluster, limit={"tflops": 100.0})
    cluster.recreate(KEY)

    (outcome,) = cluster.apply([change])

    assert not outcome.applied
    assert "created anew" in outcome.reason
    assert cluster.view(KEY).limit["tflops"] == 80.0


def test_a_worker_on_several_devices_has_one_series_for_each():
    cluster = _cluster(_chat(annotations={"gpu-count": "2", "replicas": "1"}))

    cluster.run_until(START + 15)
    samples = cluster.metrics.read("tflops", START, START + 15, 15)

    assert len(cluster.view(KEY).workers) == 1
    assert len({label["uuid"] for label in samples.labels}) == 2
    assert {"chat-0"} == {label["worker"] for label in samples.labels}


def test_views_are_the_same_objects_while_nothing_changes():
    cluster = _cluster(_chat())
    cluster.run_until(START + 60)
    before = cluster.snapshot()

    cluster.run_until(START + 120)

    assert all(a is b for a, b in zip(before, cluster.snapshot(), strict=True))


def test_the_same_seed_gives_the_same_samples_whatever_the_length_of_steps():
    coarse, fine = _cluster(_chat()), _cluster(_chat())

    coarse.run_until(START + 600)
    for now in range(START + 15, START + 601, 15):
        fine.run_until(now)

    for metric in coarse.metrics.metrics():
        one = coarse.metrics.read(metric, START, START + 600, 15)
        other = fine.metrics.read(metric, START, START + 600, 15)
        np.testing.assert_array_equal(one.value, other.value)
        np.testing.assert_array_equal(one.ts, other.ts)


def test_an_outage_of_the_source_is_an_error_and_no_empty_answer():
    cluster = _cluster(_chat())
    cluster.metrics.is_down = True

    with pytest.raises(SourceUnavailableError, match="down"):
        cluster.metrics.read("tflops", START, START + 60, 15)


def test_an_unknown_gpu_model_is_refused_with_similar_names():
    chat = replace(_chat(), gpu_model="A10O")

    with pytest.raises(UsageError, match=r"A10O.*similar"):
        Fleet(cards=(CardGroup(pool="p", gpu_model="A100", count=1),), workloads=(chat,))


def test_a_workload_without_cards_in_its_pool_is_refused():
    chat = replace(_chat(), pool="elsewhere")

    with pytest.raises(UsageError, match="pool 'elsewhere' has no GPU"):
        Fleet(cards=(CardGroup(pool="p", gpu_model="A100", count=1),), workloads=(chat,))


def test_a_raise_without_any_effect_is_not_applied():
    other = _chat(name="team/other", annotations={"replicas": "1", "tflops-request": "272",
                                                  "tflops-limit": "300"})  # fmt: skip
    cluster = _cluster(other, _chat(annotations={"replicas": "1"}), cards=1)

    (outcome,) = cluster.apply([_change(cluster, request={"tflops": 60.0})])

    assert not outcome.applied
    assert "no room for more tflops" in outcome.reason


def test_on_a_crowded_card_workers_keep_what_they_requested_and_no_more():
    full = {"vram-request": "30Gi", "vram-limit": "60Gi", "replicas": "1"}
    cluster = _cluster(
        _chat(vram_gib=50.0, annotations=full),
        _chat(vram_gib=50.0, annotations=full, name="team/other"),
        cards=1,
    )

    cluster.run_until(START + 60)

    assert set(_read(cluster, "vram_bytes").tolist()) == {30 * GIB}
    assert len(_read(cluster, "vram_denied")) == 8
