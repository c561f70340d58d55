"""A fleet with every kind of verdict, for golden files and the browser; and a large one."""

from dataclasses import replace

from recommender.decision import Code
from recommender.report.blocks import ItemError
from recommender.report.select import SortKey, ordered
from recommender.report.subject import Subject
from recommender.resources import GIB
from tests.recommender.report.builders import NAN, NOW_S, Row, change, report, tflops, vram


def subject(owner, pool="inference", **overrides):
    return replace(
        Subject(
            owner=owner,
            pool=pool,
            labels={"team": owner.partition("/")[2]},
            sources={"tflops-request": "annotation", "vram-request": "profile small"},
            price_per_gpu_hour=2.5,
            price_source="workloads file",
        ),
        **overrides,
    )


def varied_rows():
    return (
        Row(
            namespace="search",
            workload="llama-70b-chat",
            gpu_model="H100",
            gpu_count=2,
            is_enrolled=True,
            tflops=tflops(
                request=60.0,
                limit=80.0,
                target_request=34.0,
                next_request=48.0,
                target_limit=70.0,
                p95=30.0,
                highest=58.0,
            ),
            vram=vram(
                request=40 * GIB,
                limit=40 * GIB,
                target_request=44 * GIB,
                target_limit=48 * GIB,
                p95=39 * GIB,
                highest=39.6 * GIB,
                denials=3,
            ),
            target_replicas=3.0,
            subject=subject(
                "Deployment/llama-70b-chat",
                promql={
                    "tflops": (
                        'max by (namespace, workload) (tf_worker_compute_tflops{method="sm_time"})',
                    )
                },
            ),
        ),
        Row(
            namespace="search",
            workload="embedder",
            tflops=tflops(
                request=6.0,
                limit=8.0,
                target_request=9.5,
                target_limit=14.0,
                p95=7.4,
                highest=8.0,
                at_limit_share=0.11,
            ),
            subject=subject("Deployment/embedder"),
        ),
        Row(
            namespace="search",
            workload="reranker",
            tflops=tflops(
                request=24.0,
                limit=48.0,
                target_request=9.2,
                target_limit=21.0,
                p95=8.0,
                highest=17.5,
            ),
            vram=vram(
                request=24 * GIB,
                limit=24 * GIB,
                target_request=15 * GIB,
                target_limit=16 * GIB,
                highest=13.6 * GIB,
            ),
            subject=subject("Deployment/reranker"),
        ),
        Row(
            namespace="vision",
            workload="labelling-notebook",
            replicas=1.0,
            target_replicas=1.0,
            tflops=tflops(
                request=60.0, limit=60.0, target_request=1.0, target_limit=1.0, p95=0.2, highest=0.4
            ),
            subject=subject("StatefulSet/labelling-notebook", pool="research"),
        ),
        Row(
            namespace="vision",
            workload="detector",
            vram=vram(is_opaque=True, highest=7.2 * GIB),
            subject=subject("Deployment/detector", price_per_gpu_hour=None),
        ),
        Row(
            namespace="vision",
            workload="ocr-batch",
            replicas=NAN,
            tflops=tflops(
                unknown=Code.NotEnoughHistory,
                target_request=NAN,
                target_limit=NAN,
                points=9,
                confidence=0.01,
            ),
            vram=vram(
                unknown=Code.NotEnoughHistory,
                target_request=NAN,
                target_limit=NAN,
                points=9,
                confidence=0.01,
            ),
            span_s=540,
            subject=subject("CronJob/ocr-batch", pool="research"),
        ),
        Row(
            namespace="default",
            workload="trial <b>& co</b>",
            gpu_model="",
            replicas=NAN,
            tflops=tflops(request=NAN, limit=NAN, card=NAN, confidence=0.42),
            vram=vram(request=NAN, limit=NAN, card=NAN, confidence=0.42),
            span_s=72_000,
            subject=Subject(),
        ),
    )


def varied_report():
    history = {
        ("search", "llama-70b-chat"): (
            change(before=72.0, after=60.0),
            change(
                resource="vram_bytes",
                layer="limits",
                time_s=NOW_S - 9000,
                before=36 * GIB,
                after=40 * GIB,
                reason="an allocation was refused: 36 -> 40 GiB",
            ),
            change(time_s=NOW_S - 90_000, before=54.0, after=72.0, outcome="rolled back"),
        )
    }
    errors = (
        ItemError(
            namespace="vision",
            workload="segmenter",
            stage="collect",
            message="the server gave up after 60 s; ask for less with --since",
        ),
    )
    built = report(
        *varied_rows(),
        history=history,
        errors=errors,
        cluster="prod-eu-1",
        source="http://prometheus.monitoring:9090",
        scanned_workloads=9,
        skipped={"no GPU metrics": 1},
    )
    return ordered(built, SortKey.RISK)


def large_report(workloads):
    patterns = varied_rows()
    rows = [
        replace(
            patterns[i % len(patterns)],
            namespace=f"team-{i % 12:02}",
            workload=f"{patterns[i % len(patterns)].workload}-{i:03}",
        )
        for i in range(workloads)
    ]
    return ordered(report(*rows), SortKey.RISK)
