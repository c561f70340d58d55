from types import MappingProxyType

import numpy as np
import pytest

from autoscaler.errors import UsageError
from autoscaler.recorded_simulation import enrolled, simulated_fleet
from autoscaler.scaling.cards import GpuModels
from autoscaler.scaling.fleet.recorded_cluster import recorded_fleet
from autoscaler.sources.usage_rows import read_usage
from autoscaler.sources.workloads_file import WorkloadRow
from recommender.gpu_models import find_gpu_model
from recommender.policy.model import Dimension

HEADER = "namespace,workload,worker,ts,resource,value\n"
MODELS = GpuModels(default=find_gpu_model("L4"))


@pytest.fixture
def made(tmp_path):
    def made(text, rows=(), gpu_models=MODELS):
        path = tmp_path / "usage.csv"
        path.write_text(HEADER + text)
        usage = read_usage(path)
        return recorded_fleet(
            usage, rows=rows, profiles={}, gpu_models=gpu_models, now_s=usage.end_s
        )

    return made


TWO_WORKERS = """\
a,x,w1,1772323200,tflops,3
a,x,w2,1772323200,tflops,4
a,x,w1,1772323200,vram_bytes,1e9
a,x,w2,1772323200,vram_bytes,3e9
a,x,w1,1772323260,tflops,5
"""


def test_workers_share_one_load_and_the_largest_vram(made):
    [workload] = simulated_fleet(made(TWO_WORKERS)).workloads
    assert workload.load.ts.tolist() == [1772323200, 1772323260]
    assert workload.load.tflops.tolist() == [7.0, 5.0]
    assert workload.load.vram_bytes.tolist() == [3e9, 3e9]
    assert workload.replicas == 2


@pytest.mark.parametrize("late_s", [0, 1, 30, 59])
def test_workers_need_no_common_clock(made, late_s):
    begin_s = 1772323200
    samples = [
        (worker, ts + late_s * (worker == "w2"), value)
        for ts in range(begin_s, begin_s + 600, 60)
        for worker, value in (("w1", 3), ("w2", 4))
    ]
    [workload] = simulated_fleet(
        made("".join(f"a,x,{worker},{ts},tflops,{value}\n" for worker, ts, value in samples))
    ).workloads
    assert workload.load.ts.tolist() == list(range(begin_s, begin_s + 600, 60))
    assert (workload.load.tflops == 7.0).all()


def test_a_scrape_that_is_late_or_twice_in_a_step_changes_nothing(made):
    begin_s = 1772323200
    moments = [0, 60, 125, 179, 180, 310, 360]
    steady = "".join(f"a,x,w1,{begin_s + at},tflops,3\n" for at in range(0, 420, 60))
    jumpy = "".join(f"a,x,w2,{begin_s + at},tflops,4\n" for at in moments)
    [workload] = simulated_fleet(made(steady + jumpy)).workloads
    assert workload.load.tflops.tolist() == [7, 7, 7, 7, 3, 7, 7]


def test_what_is_not_stated_is_a_whole_gpu(made):
    row = WorkloadRow(
        namespace="a", workload="x", place="row", values=MappingProxyType({"vram_limit": "4Gi"})
    )
    fleet = simulated_fleet(made(TWO_WORKERS, rows=[row]))
    [workload] = fleet.workloads
    assert workload.request == (121.0, 4 * 2**30)
    assert workload.limit == (121.0, 4 * 2**30)
    assert [(card.gpu_model, card.count) for card in fleet.cards] == [("NVIDIA L4", 4)]


def test_without_a_gpu_model_there_is_no_card_to_share(made):
    with pytest.raises(UsageError, match="1 workload without a GPU model, for example a/x"):
        simulated_fleet(made(TWO_WORKERS, gpu_models=GpuModels()))


def test_enrolling_adds_annotations_to_every_workload_and_keeps_its_row():
    row = WorkloadRow(
        namespace="a", workload="x", place="row", values=MappingProxyType({"replicas": 2})
    )
    first, second = enrolled([row], [("a", "x"), ("a", "y")], ["limits"])
    annotations = {"tensor-fusion.ai/auto-limits": "true"}
    assert dict(first.values) == {"replicas": 2, "annotations": annotations}
    assert (second.key, second.values["annotations"]) == (("a", "y"), annotations)


def test_an_enrolled_workload_has_that_layer_on(made):
    rows = enrolled([], [("a", "x")], ["requests"])
    [workload] = simulated_fleet(made(TWO_WORKERS, rows=rows)).workloads
    assert workload.policy.requests[Dimension.COMPUTE].is_enrolled
    assert not workload.policy.limits[Dimension.COMPUTE].is_enrolled


def test_a_workload_without_vram_holds_none(made):
    [workload] = simulated_fleet(made("a,x,w1,1772323200,tflops,3\n")).workloads
    assert np.array_equal(workload.load.vram_bytes, [0.0])
