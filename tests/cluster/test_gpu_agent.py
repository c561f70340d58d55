"""The agent of a node without GPUs: what it simulates keeps the laws of a real one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from autoscaler.api.names import GPU_IDS, POOL_LABEL, PREFIX, QOS, WORKLOAD_LABEL
from tests.cluster.gpu_agent_demand import Demand, amount_at, read_demands, write_demands
from tests.cluster.gpu_agent_metrics import families
from tests.cluster.gpu_agent_use import BOUNDARY_S, SimulatedUse
from tests.cluster.gpu_agent_workers import Card, Worker, card_of, worker_of
from tests.components.worker_metrics import LABELS, WORKER_METRICS

GIB = 2.0**30
START_S = 1_000_000.0
"""On a boundary."""
CARD = Card(uuid="GPU-1", gpu_model="NVIDIA A100-SXM4-80GB", tflops=300.0, vram_bytes=80 * GIB)
CARDS = {CARD.uuid: CARD}


def worker(name="chat-0", workload="chat", *, request=50.0, limit=100.0, vram_gib=8.0, **fields):
    return Worker(
        **{
            "uid": f"uid-of-{name}",
            "namespace": "team",
            "workload": workload,
            "name": name,
            "pool": "shared",
            "qos": "medium",
            "uuids": (CARD.uuid,),
            "is_ready": True,
            "tflops_request": request,
            "tflops_limit": limit,
            "vram_request_bytes": vram_gib * GIB,
            "vram_limit_bytes": vram_gib * GIB,
            **fields,
        }
    )


def after(span_s, workers, demands, *, use=None, begin_s=START_S, serving=None):
    """Return what each worker has used after a time."""
    use = SimulatedUse() if use is None else use
    asked = {("team", workload): demand for workload, demand in demands.items()}
    for now_s in (begin_s, begin_s + span_s):
        use.advance(now_s, CARDS, workers, asked, serving or {})
    return {worker.name: used for worker, used in use.uses(workers)}


def test_a_worker_that_wants_less_than_its_limit_gets_it_and_waits_for_nothing():
    used = after(4.0, [worker()], {"chat": Demand(tflops=60.0)})["chat-0"]

    assert used.tflops == pytest.approx(60.0)
    assert used.share_tflops == 100.0
    assert used.device_s == pytest.approx(4.0 * 60.0 / 300.0)
    assert used.throttled_s == 0.0


def test_a_worker_that_wants_more_is_held_at_its_limit_and_waits_for_the_rest_of_the_time():
    used = after(4.0, [worker()], {"chat": Demand(tflops=400.0)})["chat-0"]

    assert used.tflops == pytest.approx(100.0)
    assert used.share_tflops == 100.0
    assert used.throttled_s == pytest.approx(4.0 * 0.75)


def test_a_raised_limit_counts_from_that_moment_on():
    use = SimulatedUse()
    demands = {"chat": Demand(tflops=400.0)}
    after(2.0, [worker(limit=100.0)], demands, use=use)

    used = after(2.0, [worker(limit=200.0)], demands, use=use, begin_s=START_S + 2.0)["chat-0"]

    assert used.tflops == pytest.approx(150.0)
    assert used.share_tflops == 200.0


def test_gauges_are_about_the_time_since_the_last_boundary():
    burst = [(START_S + BOUNDARY_S, 90.0), (START_S + BOUNDARY_S + 0.001, 30.0)]

    used = after(BOUNDARY_S + 2.0, [worker()], {"chat": Demand(tflops=burst)})["chat-0"]

    assert used.window_s == pytest.approx(2.0)
    assert used.tflops < 40.0


def test_a_full_card_is_shared_by_requests_first_and_by_weight_then():
    workers = [
        worker("a-0", "a", request=150.0, limit=300.0),
        worker("b-0", "b", request=50.0, limit=300.0, qos="critical"),
    ]

    used = after(4.0, workers, {"a": Demand(tflops=300.0), "b": Demand(tflops=300.0)})

    assert used["a-0"].tflops == pytest.approx(150.0 + 100.0 * 2.0 / 10.0)
    assert used["b-0"].tflops == pytest.approx(50.0 + 100.0 * 8.0 / 10.0)


def test_a_shared_demand_is_spread_over_the_workers_that_are_ready():
    demands = {"chat": Demand(tflops=90.0, is_shared=True)}
    workers = [worker("chat-0"), worker("chat-1"), worker("chat-2", is_ready=False)]

    used = after(4.0, workers, demands, serving={("team", "chat"): 2})

    assert [used[name].tflops for name in sorted(used)] == pytest.approx([45.0, 45.0, 0.0])


def test_an_allocation_above_the_limit_is_refused_and_tried_again_each_second():
    demands = {"chat": Demand(vram_bytes=10 * GIB)}

    used = after(3.5, [worker(vram_gib=8.0)], demands)["chat-0"]

    assert used.resident_bytes == 0.0
    assert used.denied == 4
    assert used.denied_bytes == 4 * 10 * GIB


def test_what_is_held_stays_where_the_limit_falls_below_it():
    use = SimulatedUse()
    demands = {"chat": Demand(vram_bytes=6 * GIB)}
    after(1.0, [worker(vram_gib=8.0)], demands, use=use)

    used = after(1.0, [worker(vram_gib=4.0)], demands, use=use, begin_s=START_S + 1.0)["chat-0"]

    assert (used.resident_bytes, used.denied) == (6 * GIB, 0)


def test_metrics_that_lie_low_show_less_use_and_all_of_the_waiting():
    lying = Demand(tflops=400.0, vram_bytes=4 * GIB, shown_ratio=0.25)
    used = after(4.0, [worker()], {"chat": lying})["chat-0"]

    shown = shown_of([(worker(), used)])

    assert shown["tf_worker_compute_tflops"] == pytest.approx(25.0)
    assert shown["tf_worker_memory_bytes"] == GIB
    assert shown["tf_worker_compute_throttled_seconds_total"] == pytest.approx(3.0)
    assert shown["tf_worker_effective_share_percentage"] == pytest.approx(100.0 / 3.0)


def shown_of(uses):
    """Return the value of each series of one worker, as a scrape reads it."""

    class Shown:
        def collect(self):
            return families(uses, CARDS, "node-1", START_S)

    registry = CollectorRegistry()
    registry.register(Shown())
    return {
        sample.name: sample.value
        for family in text_string_to_metric_families(generate_latest(registry).decode())
        for sample in family.samples
        if set(LABELS) <= sample.labels.keys()
    }


def test_every_series_of_the_contract_is_shown():
    used = after(1.0, [worker()], {"chat": Demand(tflops=1.0)})["chat-0"]

    assert {metric.name for metric in WORKER_METRICS} <= shown_of([(worker(), used)]).keys()


AMOUNT = st.floats(0.0, 500.0)
WORKERS = st.lists(
    st.tuples(AMOUNT, AMOUNT, AMOUNT, st.sampled_from(["low", "medium", "high", "critical"])),
    min_size=1,
    max_size=6,
)


@given(WORKERS, st.floats(0.1, 12.0))
def test_no_worker_passes_its_limit_and_no_card_is_used_twice(rows, span_s):
    workers, demands = [], {}
    for i, (wanted, one, other, qos) in enumerate(rows):
        request, limit = sorted((one, other))
        workers.append(worker(f"w{i}-0", f"w{i}", request=request, limit=limit, qos=qos))
        demands[f"w{i}"] = Demand(tflops=wanted)

    used = after(span_s, workers, demands)

    slack = 1e-6
    assert sum(each.device_s for each in used.values()) <= span_s + slack
    for each in workers:
        one = used[each.name]
        assert one.tflops <= each.tflops_limit + slack
        assert one.device_s <= span_s * each.tflops_limit / CARD.tflops + slack
        assert 0.0 <= one.throttled_s <= span_s + slack


@given(st.lists(st.floats(0.05, 4.0), min_size=1, max_size=6))
def test_how_often_it_is_looked_at_changes_no_counter(spans_s):
    demands = {("team", "chat"): Demand(tflops=250.0)}
    workers = [worker()]
    at_once, often = SimulatedUse(), SimulatedUse()
    now_s = START_S
    for use in (at_once, often):
        use.advance(now_s, CARDS, workers, demands, {})
    for span_s in spans_s:
        now_s += span_s
        often.advance(now_s, CARDS, workers, demands, {})
    at_once.advance(now_s, CARDS, workers, demands, {})

    [(_, one)], [(_, other)] = at_once.uses(workers), often.uses(workers)
    assert one.device_s == pytest.approx(other.device_s)
    assert one.throttled_s == pytest.approx(other.throttled_s)


def test_demands_are_read_as_they_were_written(tmp_path):
    path = tmp_path / "demand.json"
    demands = {("team", "chat"): Demand(tflops=[(0.0, 1.0), (10.0, 2.0)], is_shared=True)}
    assert read_demands(path) == {}

    write_demands(path, demands)

    [(key, demand)] = read_demands(path).items()
    assert key == ("team", "chat")
    assert demand.is_shared
    assert amount_at(demand.tflops, 5.0) == 1.5


def test_a_demand_with_an_unknown_field_is_refused_by_name(tmp_path):
    path = tmp_path / "demand.json"
    path.write_text('{"team/chat": {"tflop": 3}}')

    with pytest.raises(ValueError, match=r"team/chat: tflop; allowed: tflops, vram_bytes"):
        read_demands(path)


@pytest.mark.parametrize(
    ("now_s", "expected"), [(0.0, 5.0), (10.0, 5.0), (15.0, 10.0), (20.0, 15.0), (99.0, 15.0)]
)
def test_a_course_moves_in_straight_lines_and_stands_still_outside(now_s, expected):
    assert amount_at([(10.0, 5.0), (20.0, 15.0)], now_s) == expected


def pod(**annotations):
    stated = {GPU_IDS: CARD.uuid, QOS: "high", **annotations}
    return {
        "metadata": {
            "uid": "1",
            "namespace": "team",
            "name": "chat-0",
            "labels": {WORKLOAD_LABEL: "chat", POOL_LABEL: "shared"},
            "annotations": stated,
        },
        "spec": {"nodeName": "node-1"},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
    }


def test_a_worker_has_what_its_annotations_say_is_in_force():
    amounts = {
        f"{PREFIX}tflops-request": "10",
        f"{PREFIX}tflops-limit": "20500m",
        f"{PREFIX}vram-request": "4Gi",
        f"{PREFIX}vram-limit": "8Gi",
    }

    found = worker_of(pod(**amounts), CARDS)

    assert (found.tflops_request, found.tflops_limit) == (10.0, 20.5)
    assert (found.vram_request_bytes, found.vram_limit_bytes) == (4 * GIB, 8 * GIB)
    assert (found.key, found.qos, found.is_ready) == (("team", "chat"), "high", True)


def test_amounts_in_percent_are_those_of_the_card():
    found = worker_of(pod(**{f"{PREFIX}compute-percent-limit": "25"}), CARDS)

    assert found.tflops_limit == 75.0


@pytest.mark.parametrize(
    "change",
    [
        lambda obj: obj["metadata"]["annotations"].pop(GPU_IDS),
        lambda obj: obj["metadata"]["annotations"].update({GPU_IDS: "GPU-of-another-node"}),
        lambda obj: obj["status"].update(phase="Pending"),
        lambda obj: obj["status"].update(phase="Succeeded"),
        lambda obj: obj["spec"].pop("nodeName"),
    ],
)
def test_a_pod_that_does_not_run_on_its_cards_is_served_by_nobody(change):
    obj = pod()
    change(obj)

    assert worker_of(obj, CARDS) is None


def test_a_pod_that_is_about_to_go_still_uses_its_card_and_serves_nobody():
    obj = pod()
    obj["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"

    assert not worker_of(obj, CARDS).is_ready


def test_a_gpu_without_a_capacity_is_no_card_yet():
    assert card_of({"status": {"uuid": "GPU-1"}}) is None
