"""The shipped mappings, and those that users write in the settings file.

``AGENT`` is the agent of this project.  ``GREPTIMEDB`` are the tables of an upstream TensorFusion
operator over GreptimeDB's Prometheus API.  ``DCGM`` are the whole-card figures of NVIDIA's
exporter, joined to workloads by pod; see https://github.com/NVIDIA/dcgm-exporter/blob/main/METRICS.md.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from autoscaler.sources.prometheus.mapping import OUR_LABELS, NameMapping, SeriesName, Unit
from autoscaler.sources.prometheus.mapping_document import read_mapping
from autoscaler.sources.prometheus.promql import Matcher
from autoscaler.sources.source import Metric

if TYPE_CHECKING:
    from collections.abc import Mapping

MIB = 2**20


def _sentence(*parts: str) -> str:
    return " ".join(parts)


def _usage(field: str) -> SeriesName:
    """Return one field of a table; GreptimeDB answers with all fields without this matcher."""
    return SeriesName(series="tf_worker_usage", matchers=(Matcher("__field__", field),))


def _resources(field: str) -> SeriesName:
    return SeriesName(series="tf_worker_resources", matchers=(Matcher("__field__", field),))


def _card(series: str, unit: Unit = Unit.BASE, scale: float = 1.0) -> SeriesName:
    """Return a series of whole cards: a MIG instance carries the UUID and model of its card."""
    return SeriesName(series=series, matchers=(Matcher("GPU_I_ID", ""),), unit=unit, scale=scale)


AGENT = NameMapping(
    name="agent",
    labels=MappingProxyType({label: (label,) for label in OUR_LABELS}),
    metrics=MappingProxyType(
        {
            Metric.TFLOPS: (
                SeriesName(
                    series="tf_worker_compute_tflops", matchers=(Matcher("method", "sm_time"),)
                ),
            ),
            Metric.COMPUTE_PERCENT: (SeriesName(series="tf_worker_compute_percentage"),),
            Metric.VRAM_BYTES: (SeriesName(series="tf_worker_memory_bytes"),),
            Metric.EFFECTIVE_SHARE_PERCENT: (
                SeriesName(series="tf_worker_effective_share_percentage"),
            ),
            Metric.THROTTLED_RATIO: (
                SeriesName(series="tf_worker_compute_throttled_seconds_total"),
            ),
            Metric.VRAM_DENIED: (SeriesName(series="tf_worker_vram_denied_total"),),
        }
    ),
    in_force=MappingProxyType(
        {
            "tflops-request": SeriesName(series="tf_worker_tflops_request"),
            "tflops-limit": SeriesName(series="tf_worker_tflops_limit"),
            "vram-request": SeriesName(series="tf_worker_vram_bytes_request"),
            "vram-limit": SeriesName(series="tf_worker_vram_bytes_limit"),
        }
    ),
)

GREPTIMEDB = NameMapping(
    name="greptimedb",
    labels=MappingProxyType(
        {
            "namespace": ("namespace",),
            "workload": ("workload", "workload_name"),
            # The newest writers put a pod's UID into ``worker`` and its name into ``pod_name``.
            "worker": ("pod_name", "worker_name", "worker"),
            "uuid": ("uuid",),
            "pool": ("pool", "pool_name"),
            "node": ("node", "node_name"),
            "qos": ("qos",),
        }
    ),
    metrics=MappingProxyType(
        {
            Metric.TFLOPS: (_usage("compute_tflops"),),
            Metric.COMPUTE_PERCENT: (_usage("compute_percentage"),),
            Metric.VRAM_BYTES: (_usage("memory_bytes"),),
        }
    ),
    in_force=MappingProxyType(
        {
            "tflops-request": _resources("tflops_request"),
            "tflops-limit": _resources("tflops_limit"),
            "vram-request": _resources("vram_bytes_request"),
            "vram-limit": _resources("vram_bytes_limit"),
            "gpu-count": _resources("gpu_count"),
        }
    ),
    takes_workload_of_pod=True,
    answers_raw_windows=False,
    remarks=(
        _sentence(
            "Throttling is known as compute_throttled_cnt only, which counts events and not time,",
            "and which not every version writes.",
        ),
        _sentence(
            "Newer versions write 0 as compute_tflops of every worker; then read",
            "compute_percentage in its place, with unit: cardPercent (metrics.tflops of",
            "prometheus.mapping).",
        ),
        _sentence(
            "memory_bytes and gpu_count are whole numbers, and GreptimeDB documents PromQL for",
            "values of the type Double alone: whether they can be read depends on its version.",
        ),
        _sentence(
            "Newer versions write the UID of the pod as the workload of tf_worker_usage; the",
            "workload is then taken from tf_worker_resources, else from the name of the pod.",
        ),
        "Versions that write no namespace into tf_worker_usage cannot be used.",
        _sentence(
            "Single samples cannot be read, because GreptimeDB does not answer instant queries of",
            "a window as Prometheus does; the last value of each step is read instead.",
        ),
    ),
)

DCGM = NameMapping(
    name="dcgm",
    labels=MappingProxyType(
        {
            "namespace": ("pod_namespace", "namespace"),
            "worker": ("pod_name", "pod"),
            "uuid": ("UUID", "uuid"),
            "gpu_model": ("modelName",),
            "node": ("Hostname",),
        }
    ),
    metrics=MappingProxyType(
        {
            Metric.TFLOPS: (
                _card("DCGM_FI_PROF_GR_ENGINE_ACTIVE", Unit.CARD_RATIO),
                _card("DCGM_FI_DEV_GPU_UTIL", Unit.CARD_PERCENT),
            ),
            Metric.COMPUTE_PERCENT: (
                _card("DCGM_FI_PROF_GR_ENGINE_ACTIVE", Unit.CARD_RATIO),
                _card("DCGM_FI_DEV_GPU_UTIL", Unit.CARD_PERCENT),
            ),
            Metric.VRAM_BYTES: (_card("DCGM_FI_DEV_FB_USED", scale=MIB),),
        }
    ),
    takes_workload_of_pod=True,
    exporter_pods=r".*dcgm-exporter.*",
    remarks=(
        _sentence(
            "All figures are those of the whole card. Where several pods share a card, the",
            "exporter attributes the same figures to each of them, or to one of them only: use it",
            "for cards that one pod has for itself.",
        ),
        _sentence(
            "DCGM_FI_DEV_GPU_UTIL, which is read where DCGM_FI_PROF_GR_ENGINE_ACTIVE is missing,",
            "counts a card as busy while any kernel runs.",
        ),
        "MIG instances are left out: they carry the UUID and the model of their card.",
        _sentence(
            "The workload is the owner of the pod by kube_pod_owner of kube-state-metrics; where",
            "that is missing, it is read from the name of the pod.",
        ),
    ),
)

SHIPPED: Mapping[str, NameMapping] = MappingProxyType(
    {mapping.name: mapping for mapping in (AGENT, GREPTIMEDB, DCGM)}
)


def mapping_of(document: object, where: str) -> NameMapping:
    """Return a shipped mapping by its name, or one that a user wrote.

    Raises ``UsageError`` with all problems at once, each with its path below ``where``.
    """
    return read_mapping(document, where, SHIPPED)
