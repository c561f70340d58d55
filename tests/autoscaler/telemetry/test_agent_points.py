import pytest
from prometheus_client.parser import text_string_to_metric_families

from autoscaler.agent.running.snapshot import GPUReading
from autoscaler.sources.prometheus.mappings import AGENT
from autoscaler.telemetry.agent_families import AGENT_FAMILIES, UNSERVED, WORKER_LABELS
from autoscaler.telemetry.exposition import registry_of, render
from autoscaler.telemetry.families import FAMILIES
from autoscaler.telemetry.family import Kind
from tests.autoscaler.agent.running.moments import (
    GIB,
    NODE,
    UUID,
    device,
    sample,
    snapshot,
    use,
    worker,
)
from tests.components.worker_metrics import AGENT_METRICS, LABELS

OF_WORKER = {
    "namespace": "team",
    "workload": "chat",
    "worker": "chat-0",
    "pool": "pool",
    "node": NODE,
    "uuid": UUID,
    "gpu_model": "NVIDIA A100-SXM4-80GB",
    "qos": "high",
}


def families(shown):
    text = render(registry_of(agent=lambda: shown)).decode()
    return {family.name: family for family in text_string_to_metric_families(text)}


def exported(shown=None):
    """Return name to value of the samples; where labels tell several apart, the last one."""
    found = families(shown or snapshot())
    return {
        (sample.name, sample.labels.get("method", "")): sample.value
        for family in found.values()
        for sample in family.samples
    }


@pytest.mark.parametrize("family", AGENT_FAMILIES, ids=lambda family: family.name)
def test_a_family_is_exported_as_the_table_says(family):
    found = families(snapshot())[family.name.removesuffix("_total")]

    assert (str(family.kind), family.meaning) == (found.type, found.documentation)
    labels = {name for each in found.samples for name in each.labels} - {"le"}
    assert (set(family.labels), bool(found.samples)) == (labels, True)


@pytest.mark.parametrize("family", AGENT_FAMILIES, ids=lambda family: family.name)
def test_a_name_follows_the_rules_of_prometheus_and_is_no_other_process(family):
    assert family.name.startswith(("tf_worker_", "tf_gpu_", "tf_agent_"))
    assert family.name.endswith("_total") is (family.kind is Kind.COUNTER)
    assert not family.meaning.endswith(".")
    assert family.name not in {other.name for other in FAMILIES}


def test_nothing_is_exported_that_is_not_in_the_table():
    expected = {family.name.removesuffix("_total") for family in AGENT_FAMILIES}
    assert expected == set(families(snapshot()))


def test_every_series_of_the_contract_that_tests_rely_on_is_there():
    kinds = {family.name: str(family.kind) for family in AGENT_FAMILIES}

    assert {metric.name: metric.kind for metric in AGENT_METRICS}.items() <= kinds.items()
    assert LABELS == WORKER_LABELS


def test_every_series_that_the_autoscaler_reads_is_there():
    read = {name.series for names in AGENT.metrics.values() for name in names}
    read |= {name.series for name in AGENT.in_force.values()}

    assert read <= {family.name for family in AGENT_FAMILIES}


def test_a_worker_is_named_by_all_labels():
    [found] = families(snapshot())["tf_worker_memory_bytes"].samples

    assert found.labels == OF_WORKER


def test_shares_become_tflops_and_percent_of_the_gpu():
    found = exported()

    expected = {
        ("tf_worker_compute_tflops", "sm_time"): 78.0,
        ("tf_worker_compute_tflops", "tensor"): 40.0,
        ("tf_worker_compute_percentage", ""): 25.0,
        ("tf_worker_effective_share_percentage", ""): 50.0,
        ("tf_worker_unaccounted_percentage", ""): 2.0,
        ("tf_worker_memory_percentage", ""): 10.0,
        ("tf_gpu_compute_tflops", ""): 156.0,
        ("tf_gpu_granted_share_percentage", ""): 50.0,
        ("tf_gpu_sm_clock_hertz", ""): 1.41e9,
    }
    assert expected == {name: pytest.approx(found[name]) for name in expected}


def test_what_is_in_force_and_counted_is_shown_as_it_is():
    found = exported()

    expected = {
        "tf_worker_tflops_request": 78.0,
        "tf_worker_tflops_limit": 156.0,
        "tf_worker_vram_bytes_request": 10.0 * GIB,
        "tf_worker_vram_bytes_limit": 20.0 * GIB,
        "tf_worker_memory_bytes": 8.0 * GIB,
        "tf_worker_device_seconds_total": 12.5,
        "tf_worker_compute_throttled_seconds_total": 1.5,
        "tf_worker_launches_total": 1000.0,
        "tf_worker_vram_denied_total": 3.0,
        "tf_worker_vram_denied_bytes_total": 4096.0,
        "tf_worker_unaccounted_bytes": 77.0,
        "tf_worker_unknown_symbols_total": 2.0,
        "tf_worker_memory_over_limit_bytes": 55.0,
        "tf_worker_trim_ratio": 1.1,
        "tf_gpu_tflops_capacity": 312.0,
        "tf_gpu_temperature_celsius": 61.0,
        "tf_agent_last_sample_timestamp_seconds": 1000.5,
        "tf_agent_workers": 1.0,
        UNSERVED.name: 1.0,
        "tf_agent_page_errors_total": 4.0,
        "tf_agent_limit_apply_seconds_count": 3.0,
        "tf_agent_limit_apply_seconds_sum": 7.5,
    }
    assert expected == {name: found[name, ""] for name in expected}


def test_what_a_page_does_not_tell_has_no_series():
    unknown = use(
        compute_share=None,
        tensor_tflops=None,
        memory_bytes=None,
        device_s=None,
        throttled_s=None,
        launches=None,
        denied_allocations=None,
        denied_bytes=None,
        unknown_symbols=None,
    )

    shown = {name for name, _ in exported(snapshot(uses=(unknown,))) if "worker_" in name}

    assert shown == {
        "tf_worker_tflops_request",
        "tf_worker_tflops_limit",
        "tf_worker_vram_bytes_request",
        "tf_worker_vram_bytes_limit",
        "tf_worker_effective_share_percentage",
        "tf_worker_unaccounted_percentage",
        "tf_worker_unaccounted_bytes",
        "tf_worker_memory_over_limit_bytes",
        "tf_worker_trim_ratio",
    }


def test_a_gpu_that_cannot_be_read_is_down_and_has_no_figures():
    lost = GPUReading(
        device=device(),
        sample=sample(
            problem="GPU is lost",
            busy_percent=None,
            tensor_percent=None,
            memory_used_bytes=None,
            temperature_celsius=None,
            power_watts=None,
            sm_clock_mhz=None,
        ),
        granted_share=0.0,
    )

    shown = exported(snapshot(gpus=(lost,), sampled_s=None))

    assert shown["tf_gpu_up", ""] == 0.0
    assert {name for name, _ in shown if name.startswith("tf_gpu_")} == {
        "tf_gpu_up",
        "tf_gpu_tflops_capacity",
        "tf_gpu_memory_bytes_capacity",
        "tf_gpu_granted_share_percentage",
    }
    assert ("tf_agent_last_sample_timestamp_seconds", "") not in shown


def test_what_a_worker_has_once_is_shown_once_however_many_gpus_it_has():
    gpus = [GPUReading(device=device(uuid=uuid), sample=None, granted_share=0.5) for uuid in "ab"]
    whole = worker(uuids=("a", "b"))
    uses = tuple(use(worker=whole, uuid=uuid, unknown_symbols=3) for uuid in "ab")

    found = families(snapshot(gpus=tuple(gpus), uses=uses))

    [once] = found["tf_worker_unknown_symbols"].samples
    gpu_labels = ("uuid", "gpu_model")
    assert once.value == 3.0
    assert once.labels == {k: v for k, v in OF_WORKER.items() if k not in gpu_labels}
    assert len(found["tf_worker_launches"].samples) == 2


def test_text_of_others_cannot_break_the_lines():
    odd = worker(workload='a"b\nc\\d')

    [found] = families(snapshot(uses=(use(worker=odd),)))["tf_worker_memory_bytes"].samples

    assert found.labels["workload"] == odd.workload
