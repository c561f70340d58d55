import pytest

from autoscaler.sources.prometheus.mapping import NameMapping, SeriesName, Unit
from autoscaler.sources.prometheus.promql import Matcher
from autoscaler.sources.source import Metric


def mapping(**changes):
    everything = {metric: (SeriesName(series="x"),) for metric in Metric}
    in_force = {
        name: SeriesName(series="x")
        for name in ("tflops-request", "tflops-limit", "vram-request", "vram-limit")
    }
    plain = {
        "name": "m",
        "labels": {"worker": ("pod_name", "pod"), "gpu_model": ("model",)},
        "metrics": everything,
        "in_force": in_force,
    }
    return NameMapping(**plain | changes)


def test_a_series_is_selected_by_its_own_matchers_and_further_ones():
    name = SeriesName(series="tf_use", matchers=(Matcher("method", "sm"),))
    assert name.selector() == str(name) == 'tf_use{method="sm"}'
    assert name.selector([Matcher("cluster", "prod")]) == 'tf_use{method="sm",cluster="prod"}'


def test_a_renamed_label_is_looked_for_before_each_name():
    assert mapping().names_of("worker") == (
        "exported_pod_name",
        "pod_name",
        "exported_pod",
        "pod",
    )
    assert mapping().names_of("qos") == ()


def test_a_server_that_has_everything_has_no_limits():
    assert mapping().limits == ()
    assert mapping(remarks=("It is slow.",)).limits == ("It is slow.",)


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        (Metric.VRAM_BYTES, "VRAM is not measured"),
        (Metric.EFFECTIVE_SHARE_PERCENT, "share in force after QoS is not measured"),
        (Metric.THROTTLED_RATIO, "Throttled time is not measured"),
        (Metric.VRAM_DENIED, "Refused VRAM allocations are not counted"),
    ],
)
def test_what_is_missing_is_said(metric, words):
    metrics = dict(mapping().metrics)
    del metrics[metric]
    (sentence,) = mapping(metrics=metrics).limits
    assert words in sentence


def test_compute_may_be_measured_in_either_unit():
    metrics = dict(mapping().metrics)
    del metrics[Metric.TFLOPS]
    assert mapping(metrics=metrics).limits == ()
    del metrics[Metric.COMPUTE_PERCENT]
    assert mapping(metrics=metrics).limits == ("The use of compute is not measured.",)


def test_shares_of_a_card_need_its_model():
    share = (SeriesName(series="x", unit=Unit.CARD_RATIO),)
    (sentence,) = mapping(metrics=dict(mapping().metrics) | {Metric.TFLOPS: share}).limits
    assert "the FP16 peak of its model" in sentence


def test_amounts_in_force_that_are_missing_are_named():
    in_force = dict(mapping().in_force)
    del in_force["vram-limit"], in_force["tflops-request"]
    (sentence,) = mapping(in_force=in_force).limits
    assert "tflops-request, vram-limit in force" in sentence


def test_a_gpu_model_without_a_label_must_be_stated():
    (sentence,) = mapping(labels={"worker": ("pod",)}).limits
    assert "GPU model" in sentence
