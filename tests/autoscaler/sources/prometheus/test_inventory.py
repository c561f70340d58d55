from types import MappingProxyType

import numpy as np
import pytest

from autoscaler.sources.prometheus.inventory import read_inventory
from autoscaler.sources.prometheus.labels import LabelTable
from autoscaler.sources.prometheus.mapping import NameMapping, SeriesName
from autoscaler.sources.prometheus.mappings import AGENT, DCGM
from autoscaler.sources.prometheus.owners import Owner
from autoscaler.sources.prometheus.promql import Matcher
from autoscaler.sources.source import Metric
from tests.fakes.prometheus import FakePrometheus

NOW_S = 1_772_323_200
HOUR_S = 3600
CHAT = {"namespace": "team", "workload": "chat", "worker": "chat-0"}
PEAKS = {"H100": 989.4}


@pytest.fixture
def server():
    return FakePrometheus()


def scrapes(from_s, upto_s, step_s=15):
    return np.arange(NOW_S + from_s, NOW_S + upto_s, step_s) + 0.25


def inventory(server, mapping=AGENT, **more):
    return read_inventory(
        server,
        mapping,
        LabelTable(mapping),
        peak_tflops=lambda labels: PEAKS.get(labels.get("gpu_model", "")),
        now_s=NOW_S,
        **more,
    )


def only_worker(server, mapping=AGENT):
    [worker] = inventory(server, mapping).workers
    return worker


def test_a_server_without_series_has_no_workers(server):
    found = inventory(server)
    assert (found.workers, found.interval_s, found.metrics) == ((), None, frozenset())


@pytest.mark.parametrize(
    ("from_s", "upto_s", "alive", "ready"),
    [
        (-HOUR_S, 0, True, True),
        (-240, 0, True, False),
        (-HOUR_S, -360, False, False),
        (-HOUR_S, -240, True, True),
        (-20 * HOUR_S, -19 * HOUR_S, False, False),
    ],
)
def test_who_runs_and_who_is_ready_follows_from_when_samples_came(
    server, from_s, upto_s, alive, ready
):
    server.add("tf_worker_memory_bytes", scrapes(from_s, upto_s), 1e9, **CHAT)
    worker = only_worker(server)
    assert (worker.key, worker.is_alive, worker.is_ready) == (
        ("team", "chat", "chat-0"),
        alive,
        ready,
    )


def test_who_was_not_measured_for_a_day_is_not_there(server):
    server.add("tf_worker_memory_bytes", scrapes(-30 * HOUR_S, -25 * HOUR_S), 1e9, **CHAT)
    assert inventory(server).workers == ()


def test_a_shorter_reach_finds_fewer(server):
    server.add("tf_worker_memory_bytes", scrapes(-5 * HOUR_S, -4 * HOUR_S), 1e9, **CHAT)
    assert inventory(server, reach_s=HOUR_S).workers == ()
    assert len(inventory(server, reach_s=6 * HOUR_S).workers) == 1


def test_rare_scrapes_keep_a_worker_alive_for_three_of_them(server):
    server.add("tf_worker_memory_bytes", scrapes(-HOUR_S, -450, 240), 1e9, **CHAT)
    found = inventory(server)
    assert found.interval_s == 257
    assert found.workers[0].is_alive


def test_the_usual_distance_of_scrapes_is_told(server):
    server.add("tf_worker_memory_bytes", scrapes(-2 * HOUR_S, 0), 1e9, **CHAT)
    assert inventory(server).interval_s == 15


def test_a_worker_on_two_devices_has_two(server):
    for uuid in ("GPU-1", "GPU-2"):
        server.add("tf_worker_memory_bytes", scrapes(-600, 0), 1e9, **CHAT, uuid=uuid)
    assert only_worker(server).gpu_count == 2


def test_a_series_that_names_no_device_is_none_of_its_own(server):
    server.add("tf_worker_memory_bytes", scrapes(-600, 0), 1e9, **CHAT, uuid="GPU-1")
    server.add("tf_worker_compute_percentage", scrapes(-600, 0), 5.0, **CHAT)
    assert only_worker(server).gpu_count == 1


def test_devices_of_the_past_do_not_count(server):
    server.add("tf_worker_memory_bytes", scrapes(-2 * HOUR_S, -HOUR_S), 1e9, **CHAT, uuid="GPU-1")
    server.add("tf_worker_memory_bytes", scrapes(-600, 0), 1e9, **CHAT, uuid="GPU-2")
    assert only_worker(server).gpu_count == 1


def test_the_newest_series_says_the_labels(server):
    server.add("tf_worker_memory_bytes", scrapes(-2 * HOUR_S, -HOUR_S), 1e9, **CHAT, pool="old")
    server.add("tf_worker_memory_bytes", scrapes(-600, 0), 1e9, **CHAT, pool="new", qos="high")
    labels = only_worker(server).labels
    assert (labels["pool"], labels["qos"]) == ("new", "high")


def test_a_label_that_one_series_lacks_is_taken_from_another(server):
    full = CHAT | {"gpu_model": "A100"}
    server.add("tf_worker_compute_tflops", scrapes(-600, 0), 5.0, **full, method="sm_time")
    server.add("tf_worker_memory_bytes", scrapes(-600, 0), 1e9, **CHAT)
    assert only_worker(server).labels["gpu_model"] == "A100"


def test_what_is_in_force_is_the_highest_of_a_workers_devices(server):
    server.add("tf_worker_memory_bytes", scrapes(-600, 0), 1e9, **CHAT)
    for uuid, request in (("GPU-1", 40.0), ("GPU-2", 60.0)):
        server.add("tf_worker_tflops_request", scrapes(-600, 0), request, **CHAT, uuid=uuid)
    server.add("tf_worker_vram_bytes_limit", scrapes(-600, 0), 2.0**34, **CHAT)
    assert dict(only_worker(server).in_force) == {"tflops-request": 60.0, "vram-limit": 2.0**34}


def test_the_value_of_now_is_in_force_and_not_the_highest_of_the_day(server):
    server.add("tf_worker_memory_bytes", scrapes(-HOUR_S, 0), 1e9, **CHAT)
    ts = scrapes(-HOUR_S, 0)
    server.add("tf_worker_tflops_limit", ts, np.where(ts < NOW_S - 60, 90.0, 45.0), **CHAT)
    assert only_worker(server).in_force["tflops-limit"] == 45.0


@pytest.mark.parametrize("amount", [0.0, -1.0, float("nan"), float("inf"), 1e30])
def test_an_amount_that_is_none_is_not_in_force(server, amount):
    server.add("tf_worker_memory_bytes", scrapes(-600, 0), 1e9, **CHAT)
    server.add("tf_worker_tflops_limit", scrapes(-600, 0), amount, **CHAT)
    assert dict(only_worker(server).in_force) == {}


def test_a_workload_that_has_ended_shows_what_it_had_at_last(server):
    server.add("tf_worker_memory_bytes", scrapes(-5 * HOUR_S, -4 * HOUR_S), 1e9, **CHAT)
    server.add("tf_worker_tflops_limit", scrapes(-5 * HOUR_S, -4 * HOUR_S), 80.0, **CHAT)
    assert dict(only_worker(server).in_force) == {"tflops-limit": 80.0}


def test_of_a_running_workload_the_amounts_of_ended_workers_do_not_count(server):
    gone = CHAT | {"worker": "chat-1"}
    for labels, from_s, upto_s, limit in ((CHAT, -600, 0, 50.0), (gone, -7200, -3600, 90.0)):
        server.add("tf_worker_memory_bytes", scrapes(from_s, upto_s), 1e9, **labels)
        server.add("tf_worker_tflops_limit", scrapes(from_s, upto_s), limit, **labels)
    server.add("tf_worker_memory_bytes", scrapes(-7200, -3600), 1e9, **(CHAT | {"workload": "job"}))
    found = {worker.key: dict(worker.in_force) for worker in inventory(server).workers}
    assert found["team", "chat", "chat-0"] == {"tflops-limit": 50.0}
    assert found["team", "chat", "chat-1"] == {}


def test_series_that_lack_a_label_are_told_with_what_they_lack(server):
    nameless = {"namespace": "team", "workload": "chat"}
    server.add("tf_worker_memory_bytes", scrapes(-600, 0), 1e9, **nameless)
    server.add("tf_worker_memory_bytes", scrapes(-600, 0), 1e9, **CHAT)
    found = inventory(server)
    [lacking] = found.unlabelled
    assert (lacking.series, lacking.namespace, lacking.workload) == (
        "tf_worker_memory_bytes",
        "team",
        "chat",
    )
    assert (lacking.missing, lacking.count) == (("worker",), 1)
    assert len(found.workers) == 1


def test_renamed_labels_are_found(server):
    server.add(
        "tf_worker_memory_bytes",
        scrapes(-600, 0),
        1e9,
        namespace="monitoring",
        exported_namespace="team",
        workload="chat",
        worker="chat-0",
    )
    assert only_worker(server).key == ("team", "chat", "chat-0")


def test_percent_is_not_asked_for_where_every_worker_has_tflops(server):
    server.add("tf_worker_compute_tflops", scrapes(-600, 0), 5.0, **CHAT, method="sm_time")
    server.add("tf_worker_compute_percentage", scrapes(-600, 0), 5.0, **CHAT)
    assert inventory(server).metrics == {Metric.TFLOPS}


def test_percent_is_asked_for_where_a_worker_has_nothing_else(server):
    server.add("tf_worker_compute_tflops", scrapes(-600, 0), 5.0, **CHAT, method="sm_time")
    other = CHAT | {"worker": "chat-1"}
    server.add("tf_worker_compute_percentage", scrapes(-600, 0), 5.0, **other)
    assert inventory(server).metrics == {Metric.TFLOPS, Metric.COMPUTE_PERCENT}


@pytest.mark.parametrize(
    ("model", "metrics", "has_shares_only"),
    [("H100", {Metric.TFLOPS}, True), ("Unheard-of", {Metric.COMPUTE_PERCENT}, False)],
)
def test_percent_without_tflops_is_a_share_of_a_card_that_is_known(
    server, model, metrics, has_shares_only
):
    server.add("tf_worker_compute_percentage", scrapes(-600, 0), 5.0, **CHAT, gpu_model=model)
    found = inventory(server)
    assert (found.metrics, found.has_shares_only) == (metrics, has_shares_only)


def test_each_device_is_looked_at_by_itself(server):
    one, other = CHAT | {"uuid": "GPU-1"}, CHAT | {"uuid": "GPU-2", "gpu_model": "H100"}
    server.add("tf_worker_compute_tflops", scrapes(-600, 0), 5.0, **one, method="sm_time")
    for device in (one, other):
        server.add("tf_worker_compute_percentage", scrapes(-600, 0), 5.0, **device)
    worker = only_worker(server)
    assert (worker.metrics, worker.has_shares_only) == ({Metric.TFLOPS}, True)


def test_tflops_that_have_ended_are_not_those_of_now(server):
    card = CHAT | {"gpu_model": "H100"}
    server.add("tf_worker_compute_tflops", scrapes(-7200, -3600), 5.0, **card, method="sm_time")
    server.add("tf_worker_compute_percentage", scrapes(-7200, 0), 5.0, **card)
    assert only_worker(server).has_shares_only


@pytest.mark.parametrize("refuses", ["tf_worker_memory_bytes", "tf_worker_tflops_limit"])
def test_what_the_server_refuses_is_kept_and_the_rest_goes_on(server, refuses):
    server.add("tf_worker_compute_tflops", scrapes(-600, 0), 5.0, **CHAT, method="sm_time")
    server.add("tf_worker_tflops_request", scrapes(-600, 0), 40.0, **CHAT)
    server.rejects = refuses
    found = inventory(server)
    names = {"tf_worker_memory_bytes": "vram_bytes", "tf_worker_tflops_limit": "tflops-limit"}
    assert list(found.refused) == [names[refuses]]
    assert refuses in str(found.refused[names[refuses]])
    assert dict(found.workers[0].in_force) == {"tflops-request": 40.0}


def test_percent_stays_percent_where_tflops_are_refused(server):
    server.add("tf_worker_compute_percentage", scrapes(-600, 0), 5.0, **CHAT, gpu_model="H100")
    server.rejects = "tf_worker_compute_tflops"
    found = inventory(server)
    assert (found.metrics, found.has_shares_only) == ({Metric.COMPUTE_PERCENT}, False)


def test_a_server_that_refuses_medians_says_the_rest(server):
    server.add("tf_worker_memory_bytes", scrapes(-600, 0), 1e9, **CHAT)
    server.rejects = "quantile("
    found = inventory(server)
    assert (found.interval_s, dict(found.refused), len(found.workers)) == (None, {}, 1)


def test_the_owners_kind_is_told_where_the_owner_is_the_workload(server):
    for workload in ("chat", "search"):
        one = CHAT | {"workload": workload, "worker": f"{workload}-0"}
        server.add("tf_worker_memory_bytes", scrapes(-600, 0), 1e9, **one)
    owners = {
        ("team", "chat-0"): Owner("chat", "StatefulSet"),
        ("team", "search-0"): Owner("operator", "Deployment"),
    }
    found = inventory(server, owners=owners)
    assert [worker.owner for worker in found.workers] == ["StatefulSet/chat", ""]


def test_two_servers_of_one_exporter_are_told_by_what_tells_them_apart(server):
    for replica in ("a", "b"):
        server.add(
            "tf_worker_memory_bytes", scrapes(-600, 0), 1e9, **CHAT, prometheus_replica=replica
        )
    server.add("tf_worker_memory_bytes", scrapes(-600, 0), 1e9, **(CHAT | {"worker": "chat-1"}))
    [mixed] = inventory(server).mixed
    assert (mixed.is_of_clusters, mixed.count, mixed.of) == (False, 1, 2)
    assert (mixed.example, mixed.label, mixed.values) == (
        "team/chat/chat-0",
        "prometheus_replica",
        ("a", "b"),
    )


def test_clusters_that_hold_a_workload_of_one_name_are_told(server):
    for cluster in ("east", "west"):
        one = CHAT | {"worker": f"chat-{cluster}", "uuid": f"GPU-{cluster}", "cluster": cluster}
        server.add("tf_worker_memory_bytes", scrapes(-600, 0), 1e9, **one)
        own = one | {"workload": cluster, "worker": f"{cluster}-0"}
        server.add("tf_worker_memory_bytes", scrapes(-600, 0), 1e9, **own)
    [mixed] = inventory(server).mixed
    assert (mixed.is_of_clusters, mixed.count, mixed.of) == (True, 1, 3)
    assert (mixed.example, mixed.values) == ("team/chat", ("east", "west"))


def test_a_device_of_two_clusters_is_told_once(server):
    for cluster in ("east", "west"):
        server.add("tf_worker_memory_bytes", scrapes(-600, 0), 1e9, **CHAT, cluster=cluster)
    [mixed] = inventory(server).mixed
    assert (mixed.is_of_clusters, mixed.label) == (False, "cluster")


def test_an_exporter_that_has_started_anew_is_not_there_twice(server):
    for instance, from_s, upto_s in (("10.0.0.1", -7200, -120), ("10.0.0.2", -120, 0)):
        server.add(
            "tf_worker_memory_bytes", scrapes(from_s, upto_s), 1e9, **CHAT, instance=instance
        )
    assert inventory(server).mixed == ()


@pytest.mark.parametrize(
    ("model", "metrics"),
    [("H100", {Metric.TFLOPS}), ("Unheard-of", {Metric.COMPUTE_PERCENT})],
)
def test_a_share_of_a_card_is_tflops_where_the_card_is_known(server, model, metrics):
    pod = {"namespace": "team", "pod": "chat-5d4b8c7f9d-abcde", "modelName": model, "UUID": "GPU-1"}
    server.add("DCGM_FI_DEV_GPU_UTIL", scrapes(-600, 0), 50.0, **pod)
    worker = only_worker(server, DCGM)
    assert worker.metrics == metrics
    assert worker.labels["gpu_model"] == model


def test_the_first_alternative_that_has_series_counts(server):
    mapping = NameMapping(
        name="test",
        labels=AGENT.labels,
        metrics=MappingProxyType(
            {
                Metric.VRAM_BYTES: tuple(
                    SeriesName(series=name) for name in ("none", "first", "last")
                )
            }
        ),
    )
    server.add("first", scrapes(-600, 0), 1e9, **CHAT)
    server.add("last", scrapes(-600, 0), 1e9, **(CHAT | {"worker": "other"}))
    assert only_worker(server, mapping).key == ("team", "chat", "chat-0")


def test_amounts_are_scaled_as_the_mapping_says(server):
    mapping = NameMapping(
        name="test",
        labels=AGENT.labels,
        metrics=MappingProxyType({Metric.VRAM_BYTES: (SeriesName(series="use", scale=2.0**20),)}),
        in_force=MappingProxyType({"vram-limit": SeriesName(series="limit", scale=2.0**20)}),
    )
    server.add("use", scrapes(-600, 0), 100.0, **CHAT)
    server.add("limit", scrapes(-600, 0), 1024.0, **CHAT)
    assert only_worker(server, mapping).in_force["vram-limit"] == 2.0**30


def test_an_amount_that_its_scale_makes_too_large_is_left_out(server):
    limit = SeriesName(series="limit", scale=2.0**20)
    mapping = NameMapping(
        name="test",
        labels=AGENT.labels,
        metrics=MappingProxyType({Metric.VRAM_BYTES: (SeriesName(series="use"),)}),
        in_force=MappingProxyType({"vram-limit": limit}),
    )
    server.add("use", scrapes(-600, 0), 100.0, **CHAT)
    server.add("limit", scrapes(-600, 0), 1e308, **CHAT)
    assert dict(only_worker(server, mapping).in_force) == {}


def test_matchers_narrow_every_query(server):
    server.add("tf_worker_memory_bytes", scrapes(-600, 0), 1e9, **CHAT, cluster="prod")
    server.add("tf_worker_memory_bytes", scrapes(-600, 0), 1e9, **(CHAT | {"worker": "x"}))
    found = inventory(server, matchers=(Matcher("cluster", "prod"),))
    assert [worker.key[2] for worker in found.workers] == ["chat-0"]
    assert all('cluster="prod"' in query for query in server.queries)


def test_warnings_are_kept_once(server):
    server.warnings = ("a store is down",)
    assert inventory(server).warnings == ("a store is down",)


def test_the_number_of_queries_does_not_grow_with_the_fleet(server):
    server.add("tf_worker_memory_bytes", scrapes(-600, 0), 1e9, **CHAT)
    inventory(server)
    few = len(server.queries)
    for i in range(50):
        server.add("tf_worker_memory_bytes", scrapes(-600, 0), 1e9, **(CHAT | {"worker": f"w{i}"}))
    server.queries.clear()
    assert len(inventory(server).workers) == 51
    assert len(server.queries) == few <= 15
