from types import MappingProxyType

import pytest

from autoscaler.errors import QueryRejectedError, UsageError
from autoscaler.scaling.cards import GpuModels
from autoscaler.scaling.fleet.measured_fleet import measured_fleet
from autoscaler.scaling.fleet.stated import card_model, statements_of
from autoscaler.sources.prometheus.inventory import Inventory
from autoscaler.sources.prometheus.last_values import UnlabelledSeries
from autoscaler.sources.prometheus.mappings import AGENT
from autoscaler.sources.prometheus.measured_worker import MeasuredWorker
from autoscaler.sources.prometheus.mixed_series import MixedSeries
from autoscaler.sources.source import Metric
from autoscaler.sources.workloads_file import WorkloadRow
from recommender.gpu_models import GpuModel, find_gpu_model
from recommender.policy.model import Dimension
from recommender.resources import GIB

NOW_S = 1_772_323_200
A100 = find_gpu_model("A100")
BOTH = frozenset({Metric.TFLOPS, Metric.VRAM_BYTES})


def worker(name="chat-0", *, workload="chat", in_force=None, **more):
    plain = {
        "key": ("team", workload, name),
        "is_alive": True,
        "is_ready": True,
        "labels": {"gpu_model": "A100"},
        "gpu_count": 1,
        "metrics": BOTH,
        "in_force": MappingProxyType(in_force or {}),
    }
    return MeasuredWorker(**(plain | more))


def row(name, **values):
    namespace, _, workload = name.partition("/")
    return WorkloadRow(
        namespace=namespace,
        workload=workload,
        place=f"rows line {name}",
        values=MappingProxyType(values),
    )


def fleet(*workers, rows=(), profiles=None, gpu_models=None, **found):
    models = gpu_models or GpuModels()
    stated, _ = statements_of(rows, profiles or {}, models)
    return measured_fleet(
        Inventory(now_s=NOW_S, interval_s=15, workers=workers, **found),
        AGENT,
        stated=stated,
        gpu_models=models,
    )


def only_view(*workers, **more):
    [view] = fleet(*workers, **more).views
    return view


def test_what_is_in_force_is_the_highest_of_the_running_workers():
    view = only_view(
        worker("chat-0", in_force={"tflops-request": 40.0, "tflops-limit": 80.0}),
        worker("chat-1", in_force={"tflops-request": 60.0, "vram-limit": 16 * GIB}),
        worker("chat-2", in_force={"tflops-request": 90.0}, is_alive=False, is_ready=False),
    )
    assert dict(view.request) == {"tflops": 60.0}
    assert dict(view.limit) == {"tflops": 80.0, "vram_bytes": 16 * GIB}


def test_without_a_row_what_is_in_force_counts_as_stated_and_names_its_series():
    view = only_view(worker(in_force={"tflops-request": 40.0}))
    assert view.stated_request == view.request
    assert view.stated_sources["tflops-request"] == "metric tf_worker_tflops_request"


def test_without_a_row_nothing_acts():
    policy = only_view(worker()).policy
    assert not policy.requests[Dimension.COMPUTE].is_enrolled
    assert not policy.replicas.is_enrolled


def test_replicas_are_the_running_workers():
    view = only_view(worker("a"), worker("b"), worker("c", is_alive=False, is_ready=False))
    assert (view.replicas, view.stated_replicas) == (2, 2)
    assert [seen.name for seen in view.workers] == ["a", "b"]


def test_a_worker_is_ready_when_it_was_measured_five_minutes_ago():
    view = only_view(worker("a"), worker("b", is_ready=False))
    assert [seen.ready_s for seen in view.workers] == [NOW_S - 300, None]
    assert {seen.started_s for seen in view.workers} == {-1}


def test_a_workload_whose_workers_have_ended_has_unknown_replicas_and_its_last_amounts():
    view = only_view(worker(in_force={"vram-limit": GIB}, is_alive=False, is_ready=False))
    assert (view.replicas, view.workers) == (None, ())
    assert dict(view.limit) == {"vram_bytes": GIB}


def test_labels_say_the_rest():
    view = only_view(
        worker(labels={"gpu_model": "a100", "pool": "main", "qos": "High"}, gpu_count=2)
    )
    assert (view.pool, view.qos, view.gpu_count) == ("main", "high", 2)
    assert (view.gpu_model, view.card["tflops"]) == (A100.name, A100.fp16_tflops)


def test_a_quality_of_service_that_nobody_knows_is_the_default():
    assert only_view(worker(labels={"qos": "golden"})).qos == "medium"


def test_the_server_may_say_how_many_gpus_a_worker_has():
    assert only_view(worker(in_force={"gpu-count": 4.0})).gpu_count == 4


def test_a_row_wins_for_what_is_stated_and_the_server_for_what_is_in_force():
    found = fleet(
        worker(in_force={"tflops-request": 60.0, "vram-limit": 16 * GIB}, labels={"qos": "low"}),
        rows=[row("team/chat", tflops_request=40, qos="high", pool="main", gpu_count=2)],
    )
    [view] = found.views
    assert (view.stated_request["tflops"], view.request["tflops"]) == (40.0, 60.0)
    assert (view.qos, view.pool, view.gpu_count) == ("high", "main", 2)
    assert view.stated_sources["tflops-request"] == "workloads file"
    assert view.stated_sources["vram-limit"] == "metric tf_worker_vram_bytes_limit"
    assert view.in_force_sources == {
        "tflops-request": "metric tf_worker_tflops_request",
        "vram-limit": "metric tf_worker_vram_bytes_limit",
    }
    [note] = found.report_notes
    assert note == (
        "something else is in force than what is stated: "
        "team/chat (tflops request 40 TFLOPS stated, 60 TFLOPS in force)"
    )


def test_a_difference_that_nobody_can_write_is_none():
    found = fleet(
        worker(in_force={"tflops-request": 40.0001}), rows=[row("team/chat", tflops_request=40)]
    )
    assert found.views[0].request["tflops"] == 40.0
    assert found.report_notes == ()


def test_what_only_the_row_states_is_in_force():
    view = only_view(
        worker(in_force={"tflops-request": 40.0}), rows=[row("team/chat", vram_limit="8Gi")]
    )
    assert dict(view.limit) == {"vram_bytes": 8 * GIB}
    assert dict(view.request) == {"tflops": 40.0, "vram_bytes": 8 * GIB}


def test_stated_percent_of_a_known_card_is_compared_in_tflops():
    view = only_view(
        worker(in_force={"tflops-request": 156.0}),
        rows=[row("team/chat", compute_percent_request=50)],
    )
    assert dict(view.stated_request) == dict(view.request) == {"tflops": 156.0}


def test_a_row_and_its_profile_decide_the_policy():
    profiles = {("team", "small"): {"autoScalingConfig": {"autoSetRequests": {"enable": True}}}}
    view = only_view(worker(), rows=[row("team/chat", profile="small")], profiles=profiles)
    assert view.policy.requests[Dimension.COMPUTE].is_enrolled


def test_prices_come_from_the_row_or_from_the_settings():
    models = GpuModels(prices={A100.name: 1.5})
    found = fleet(
        worker(),
        worker("x", workload="search"),
        rows=[row("team/search", price_per_hour=2.0)],
        gpu_models=models,
    )
    assert [view.price_per_gpu_hour for view in found.views] == [1.5, 2.0]
    assert found.price_sources == {
        ("team", "chat"): "settings file",
        ("team", "search"): "workloads file",
    }


def test_the_reported_card_wins_over_the_stated_one():
    view = only_view(worker(), rows=[row("team/chat", gpu_model="L4")])
    assert (view.gpu_model, view.card["tflops"]) == (A100.name, A100.fp16_tflops)


@pytest.mark.parametrize(
    ("reported", "stated", "default", "expected"),
    [
        ("A100", "L4", "H100", "A100"),
        ("Unheard-of", "L4", "H100", None),
        ("", "L4", "H100", "L4"),
        ("", "Unheard-of", "H100", None),
        ("", "", "H100", "H100"),
        ("", None, "H100", "H100"),
        ("", None, None, None),
    ],
)
def test_the_card_is_the_reported_the_stated_or_the_default_one(
    reported, stated, default, expected
):
    models = GpuModels(default=find_gpu_model(default) if default else None)
    values = {"gpu_model": stated} if stated else {}
    rows = [row("team/chat", **values)] if stated is not None else []
    statements, _ = statements_of(rows, {}, models)
    found = card_model(reported, statements.get(("team", "chat")), models)
    assert found == (find_gpu_model(expected) if expected else None)


def test_a_card_that_nobody_reports_is_the_stated_one_or_the_default():
    silent, other = worker(labels={}), worker("x", workload="search", labels={})
    views = fleet(
        silent,
        other,
        rows=[row("team/chat", gpu_model="L4")],
        gpu_models=GpuModels(default=A100),
    ).views
    assert [view.gpu_model for view in views] == ["NVIDIA L4", A100.name]


def test_a_card_of_the_settings_keeps_the_name_that_its_samples_have():
    own = GpuModel("Special X", 100.0, 2**34)
    view = only_view(worker(labels={"gpu_model": "special-x"}), gpu_models=GpuModels(own=(own,)))
    assert (view.gpu_model, view.card["tflops"]) == ("special-x", 100.0)


def test_a_workload_on_two_models_has_a_view_of_each_and_counts_its_replicas_once():
    views = fleet(
        worker("a", in_force={"tflops-request": 40.0}),
        worker("b", in_force={"tflops-request": 20.0}, labels={"gpu_model": "L4"}),
    ).views
    assert [(view.gpu_model, view.request["tflops"]) for view in views] == [
        (A100.name, 40.0),
        ("NVIDIA L4", 20.0),
    ]
    assert [view.replicas for view in views] == [2, 2]
    assert [[seen.name for seen in view.workers] for view in views] == [["a"], ["b"]]


def test_a_worker_that_does_not_name_its_card_goes_with_the_others():
    view = only_view(worker("a", labels={}), worker("b"))
    assert (view.gpu_model, view.replicas) == (A100.name, 2)


def test_rows_of_workloads_that_were_not_measured_are_named():
    found = fleet(worker(), rows=[row("team/gone")])
    assert found.without_usage == 1
    assert found.notes == ("workloads without usage, left out: team/gone",)


def test_all_problems_of_all_rows_are_raised_at_once():
    rows = [row("team/chat", replicas="two"), row("team/x", price_per_hour=-1)]
    with pytest.raises(UsageError) as raised:
        statements_of(rows, {}, GpuModels())
    assert len(str(raised.value).splitlines()) == 2


def test_compute_in_percent_alone_is_told():
    percent = frozenset({Metric.COMPUTE_PERCENT})
    [note] = fleet(worker(metrics=percent, labels={})).report_notes
    assert note.startswith("compute of 1 workload stays in percent of one GPU")


def test_tflops_that_follow_from_shares_are_told():
    found = fleet(worker("a"), worker("b", has_shares_only=True), worker("c", workload="search"))
    [note] = found.report_notes
    assert note.startswith("TFLOPS of 1 workload are the busy share of the card")
    assert note.endswith(": team/chat")


def unlabelled(series, workload, *missing):
    return UnlabelledSeries(
        series=series, namespace="team", workload=workload, missing=missing, count=3
    )


def test_series_without_a_worker_are_one_error_of_their_workload():
    found = fleet(
        unlabelled=[
            unlabelled("tf_worker_memory_bytes", "chat", "worker"),
            unlabelled("tf_worker_compute_percentage", "chat", "worker"),
        ]
    )
    [error] = found.errors
    assert (error.namespace, error.workload, error.stage) == ("team", "chat", "inventory")
    assert "tf_worker_memory_bytes, tf_worker_compute_percentage" in error.message
    assert "none of the labels exported_worker, worker is set" in error.message
    assert "honorLabels: true" in error.message


def test_series_of_nobody_are_no_error():
    series = UnlabelledSeries(
        series="DCGM_FI_DEV_GPU_UTIL",
        namespace="",
        workload="",
        missing=("namespace", "workload", "worker"),
        count=8,
    )
    assert fleet(unlabelled=[series]).errors == ()


def test_what_was_refused_is_an_error_of_its_resource():
    refused = {
        "vram_bytes": QueryRejectedError("value column must be Double"),
        "tflops-limit": QueryRejectedError("no such table"),
        "gpu-count": QueryRejectedError("no such table"),
    }
    found = [
        (error.resource, error.stage, error.message) for error in fleet(refused=refused).errors
    ]
    told = "in force is not known and is to be stated in a workloads file: no such table"
    assert found == [
        ("vram_bytes", "collect", "value column must be Double"),
        ("tflops", "inventory", f"tflops-limit {told}"),
        (None, "inventory", f"gpu-count {told}"),
    ]


def mixed(label="cluster", count=1, **more):
    plain = {
        "is_of_clusters": False,
        "count": count,
        "of": 4,
        "example": "team/chat/chat-0",
        "label": label,
        "values": ("east", "west"),
    }
    return MixedSeries(**(plain | more))


def test_what_is_mixed_under_several_names_is_told_once():
    found = fleet(mixed=(mixed(count=1), mixed(count=2), mixed("job")))
    shares = [note.partition(" devices")[0][-6:] for note in found.report_notes]
    assert shares == ["2 of 4", "1 of 4"]
    assert found.notes == found.report_notes


def test_a_value_that_a_shell_would_split_is_quoted():
    [note] = fleet(mixed=(mixed(values=("a b", "c")),)).report_notes
    assert note.endswith("choose one by --selector 'cluster=a b'")


def test_the_owner_is_the_stated_or_the_measured_one():
    seen = worker(owner="StatefulSet/chat")
    assert only_view(seen).owner == "StatefulSet/chat"
    assert only_view(seen, rows=[row("team/chat")]).owner == "StatefulSet/chat"
    stated = row("team/chat", owner="Deployment/chat")
    assert only_view(seen, rows=[stated]).owner == "Deployment/chat"


def test_owners_of_two_kinds_are_none():
    view = only_view(worker("a", owner="StatefulSet/chat"), worker("b", owner="Job/chat"))
    assert view.owner == ""


def test_the_work_of_a_job_that_was_measured_is_not_weighted_by_load():
    weighted = {
        kind: only_view(worker(owner=f"{kind}/chat")).policy.requests[Dimension.COMPUTE]
        for kind in ("Deployment", "Job", "CronJob")
    }
    assert {kind: rule.is_load_weighted for kind, rule in weighted.items()} == {
        "Deployment": True,
        "Job": False,
        "CronJob": False,
    }
