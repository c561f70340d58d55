"""Small reports whose items say what a test wants to have stated."""

from recommender.report.blocks import (
    Confidence,
    CurrentReplicas,
    CurrentSize,
    Finding,
    Identity,
    RecommendedReplicas,
    RecommendedSize,
    Severity,
)
from recommender.report.model import Item, Meta, Report, Window

GIB = 2.0**30
NOW_S = 1_790_000_000


def item(
    resource="tflops",
    *,
    namespace="team",
    request=(40.0, 12.0),
    limit=(80.0, 24.0),
    workload="chat",
    severity=Severity.SAVING,
    sources=None,
    owner="Deployment/chat",
    gpu_model="NVIDIA A100-SXM4-80GB",
):
    """Return an item; request and limit are (what is in force, what is recommended)."""
    return Item(
        identity=Identity(
            namespace=namespace, workload=workload, owner=owner, gpu_model=gpu_model, replicas=2
        ),
        resource=resource,
        current=CurrentSize(request=request[0], limit=limit[0], sources=sources or {}),
        recommended=RecommendedSize(request=request[1], limit=limit[1]),
        verdict=Finding(severity=severity, code="Example", sentence="as a test says"),
        confidence=Confidence(grade="A", value=1.0),
    )


def vram_item(**fields):
    amounts = {"request": (24 * GIB, 16 * GIB), "limit": (24 * GIB, 16 * GIB)}
    return item("vram_bytes", **{**amounts, **fields})


def replica_item(now=4, right=2, severity=Severity.SAVING):
    return Item(
        identity=Identity(namespace="team", workload="chat", owner="Deployment/chat"),
        resource="replicas",
        current=CurrentReplicas(replicas=now),
        recommended=RecommendedReplicas(replicas=right),
        verdict=Finding(severity=severity, code="Example", sentence="as a test says"),
        confidence=Confidence(grade="A", value=1.0),
    )


def report(*items, generated_s=NOW_S):
    return Report(
        meta=Meta(
            generated_s=generated_s,
            tool_version="0.1.0",
            source="http://prometheus.example",
            window=Window(start_s=generated_s - 86_400, end_s=generated_s),
            scanned_workloads=1,
        ),
        items=tuple(items),
    )
