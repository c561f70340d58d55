from types import MappingProxyType

import pytest

from autoscaler.errors import UsageError
from autoscaler.scaling.cards import GpuModels
from autoscaler.scaling.cluster import Change
from autoscaler.scaling.fleet.recorded_cluster import RecordedCluster, recorded_fleet
from autoscaler.sources.usage_rows import read_usage
from autoscaler.sources.workloads_file import WorkloadRow
from recommender.gpu_models import GpuModel, find_gpu_model
from recommender.policy.model import Dimension
from tests.generated_usage import START_S, fleet, minutes, series, write_csv

A100 = find_gpu_model("A100")


def row(name, **values):
    namespace, _, workload = name.partition("/")
    return WorkloadRow(
        namespace=namespace,
        workload=workload,
        place=f"rows line {name}",
        values=MappingProxyType(values),
    )


@pytest.fixture
def made(tmp_path):
    usage = read_usage(write_csv(fleet(["a/x", "a/y"], 0.2), tmp_path / "usage.csv"))

    def made(*rows, profiles=None, gpu_models=None, now_s=usage.end_s):
        return recorded_fleet(
            usage,
            rows=rows,
            profiles=profiles or {},
            gpu_models=gpu_models or GpuModels(),
            now_s=now_s,
        )

    return made


def test_without_a_row_nothing_is_in_force_and_nothing_acts(made):
    view, _ = made().views
    assert (view.key, dict(view.request), dict(view.limit)) == (("a", "x"), {}, {})
    assert (view.replicas, view.price_per_gpu_hour, view.gpu_model) == (None, None, "")
    assert not view.policy.requests[Dimension.COMPUTE].is_enrolled


def test_workloads_without_a_row_share_one_policy(made):
    one, other = made().views
    assert one.policy is other.policy


def test_a_row_is_what_is_in_force(made):
    view, _ = made(
        row("a/x", tflops_request="12", tflops_limit=24, vram_request="8Gi", vram_limit="8Gi",
            replicas=3, gpu_count=2, qos="high", gpu_model="a100", price_per_hour=2.5, pool="main")
    ).views  # fmt: skip
    assert dict(view.request) == {"tflops": 12.0, "vram_bytes": 8 * 2**30}
    assert dict(view.limit) == {"tflops": 24.0, "vram_bytes": 8 * 2**30}
    assert (view.stated_request, view.stated_limit) == (view.request, view.limit)
    assert (view.replicas, view.stated_replicas, view.gpu_count) == (3, 3, 2)
    assert (view.qos, view.pool, view.price_per_gpu_hour) == ("high", "main", 2.5)
    assert (view.gpu_model, view.card["tflops"]) == (A100.name, A100.fp16_tflops)
    assert view.stated_sources["tflops-request"] == "workloads file"


def test_percent_of_a_known_gpu_is_stated_in_tflops(made):
    view, _ = made(row("a/x", compute_percent_request=25, gpu_model="A100")).views
    assert dict(view.request) == {"tflops": 78.0}
    assert view.stated_sources["tflops-request"] == (
        f"workloads file (compute-percent-request of {A100.name})"
    )


@pytest.mark.parametrize(
    ("values", "owner"),
    [
        ({"owner": "Deployment/chat"}, "Deployment/chat"),
        ({"kind": "Job"}, "Job/x"),
        ({"kind": "Job", "owner": "nightly"}, "Job/nightly"),
        ({}, ""),
    ],
)
def test_the_owner_is_kind_and_name(made, values, owner):
    view, _ = made(row("a/x", **values)).views
    assert view.owner == owner


def test_percentiles_of_jobs_are_over_time(made):
    job, other = made(row("a/x", kind="Job"), row("a/y", kind="Deployment")).views
    assert not job.policy.requests[Dimension.COMPUTE].is_load_weighted
    assert other.policy.requests[Dimension.COMPUTE].is_load_weighted


def test_annotations_enrol(made):
    view, _ = made(row("a/x", annotations={"tensor-fusion.ai/auto-limits": "true"})).views
    assert view.policy.limits[Dimension.COMPUTE].is_enrolled
    assert not view.policy.requests[Dimension.COMPUTE].is_enrolled


@pytest.mark.parametrize("name", ["small", "a/small"])
def test_a_profile_is_found_in_the_namespace_or_by_its_full_name(made, name):
    profiles = {("a", "small"): {"resources": {"requests": {"tflops": 7}}}}
    view, _ = made(row("a/x", profile=name), profiles=profiles).views
    assert view.request["tflops"] == 7.0
    assert view.stated_sources["tflops-request"] == "profile a/small"


def test_all_problems_of_all_rows_are_raised_at_once(made):
    with pytest.raises(UsageError) as raised:
        made(row("a/x", replicas="two", price_per_hour=-1), row("a/y", profile="none"))
    lines = str(raised.value).splitlines()
    assert [line.startswith("rows line a/") for line in lines] == [True, True, True]
    assert "price_per_hour: -1 is not valid" in lines[1]


def test_rows_without_usage_are_named(made):
    fleet = made(row("a/gone"))
    assert fleet.notes == ("workloads without usage, left out: a/gone",)
    assert len(fleet.views) == 2


def test_gpu_models_and_prices_of_the_settings_are_used(made):
    own = GpuModel("My GPU", 100.0, 2**34)
    models = GpuModels(own=(own,), prices={"My GPU": 1.5})
    made_fleet = made(row("a/x", gpu_model="my-gpu"), gpu_models=models)
    view = made_fleet.views[0]
    assert (view.card["tflops"], view.price_per_gpu_hour) == (100.0, 1.5)
    assert made_fleet.price_sources == {("a", "x"): "settings file"}
    assert made_fleet.notes == ()


def test_the_default_gpu_model_is_of_workloads_that_state_none(made):
    stated, other = made(row("a/x", gpu_model="L4"), gpu_models=GpuModels(default=A100)).views
    assert (stated.gpu_model, other.gpu_model) == ("NVIDIA L4", A100.name)


def test_only_workers_that_still_send_samples_are_running(tmp_path):
    lines = "".join(f"a,x,w{i},{START_S + 60 * j},tflops,1\n"
                    for i, last in ((1, 10), (2, 100)) for j in range(last))  # fmt: skip
    path = tmp_path / "usage.csv"
    path.write_text("namespace,workload,worker,ts,resource,value\n" + lines)
    usage = read_usage(path)
    [view] = recorded_fleet(
        usage, rows=(), profiles={}, gpu_models=GpuModels(), now_s=usage.end_s
    ).views
    assert [worker.name for worker in view.workers] == ["w2"]


def test_a_worker_that_appears_later_is_ready_after_five_minutes(tmp_path):
    frame = series("a/x", "tflops", minutes(20), [1.0] * 20)
    path = write_csv(frame, tmp_path / "usage.csv")
    late = series("a/y", "tflops", minutes(20)[17:], [1.0] * 3)
    late.to_csv(path, mode="a", header=False, index=False)
    usage = read_usage(path)
    first, second = recorded_fleet(
        usage, rows=(), profiles={}, gpu_models=GpuModels(), now_s=usage.end_s
    ).views
    assert first.workers[0].ready_s == START_S
    assert second.workers[0].ready_s is None


def test_a_setting_that_ends_the_command_has_nothing_in_its_place(made):
    block = {"prediction": {"enable": True, "model": "prophet"}}
    with pytest.raises(UsageError, match=r"model: 'prophet' is not valid; allowed: .*, gbm$"):
        made(row("a/x", autoScalingConfig={"autoSetLimits": block}))


def test_a_recorded_cluster_stands_still(made):
    cluster = RecordedCluster(made().views)
    change = Change(namespace="a", workload="x", uid="a/x")
    assert [view.key for view in cluster.snapshot()] == [("a", "x"), ("a", "y")]
    assert [view.key for view in cluster.reread([("a", "y"), ("a", "z")])] == [("a", "y")]
    with pytest.raises(UsageError, match="1 changes cannot be applied"):
        cluster.apply([change])


def test_more_than_a_gpu_has_is_told_and_changes_nothing(made):
    found = made(row("a/x", tflops_request=5000, vram_request="80Gi", gpu_model="A100"))
    assert found.report_notes == (
        "more is stated than one GPU has: a/x (tflops request 5000 TFLOPS, one GPU has 312 TFLOPS)",
    )
    assert found.views[0].request["tflops"] == 5000
