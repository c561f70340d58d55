"""Settings of ``autoSetRequests``, ``autoSetLimits``, ``autoSetReplicas`` and ``scaleToZero``."""

from __future__ import annotations

from recommender.policy.field import DAY_S, HOUR_S, Field, Kind, both, prediction_fields

MODES = ("recommend", "initial", "apply")
TARGETS = ("compute", "vram", "all")
TARGET_SYNONYMS = (("tflops", "compute"),)
QOS = ("low", "medium", "high", "critical")


def _enable(block: str, layer: str, lands: tuple[str, ...]) -> Field:
    return Field(
        path=f"{block}.enable",
        kind=Kind.BOOLEAN,
        default=False,
        lands=lands,
        meaning=f"Whether {layer} act on this workload; without it they are only recommended.",
    )


def _mode(block: str, lands: tuple[str, ...]) -> Field:
    return Field(
        path=f"{block}.mode",
        kind=Kind.ENUM,
        choices=MODES,
        default_text="the mode of the whole configuration",
        is_bound=True,
        lands=lands,
        meaning="How far this block may go: recommend writes nothing, initial only sizes workers "
        "that start, apply also changes running ones.",
    )


def _target(block: str, lands: tuple[str, ...]) -> Field:
    return Field(
        path=f"{block}.targetResource",
        kind=Kind.ENUM,
        choices=TARGETS,
        synonyms=TARGET_SYNONYMS,
        default="all",
        is_bound=True,
        lands=lands,
        meaning="Which resources this block sets; empty means all.",
    )


def _allowed(block: str, lands: str) -> tuple[Field, ...]:
    fields: list[Field] = []
    for side, words in (("min", "smallest"), ("max", "largest")):
        fields.append(
            Field(
                path=f"{block}.{side}Allowed",
                kind=Kind.OBJECT,
                is_bound=True,
                meaning=f"The {words} amounts that this block may recommend.",
            )
        )
        for name, dimension, unit in (("tflops", "compute", "TFLOPS"), ("vram", "vram", "bytes")):
            fields.append(
                Field(
                    path=f"{block}.{side}Allowed.{name}",
                    kind=Kind.QUANTITY,
                    lowest=0,
                    is_open=True,
                    unit=unit,
                    is_bound=True,
                    lands=(f"{lands}.{dimension}.{side}_allowed",),
                    meaning=f"The {words} {name} per worker and GPU that may be recommended.",
                )
            )
    return tuple(fields)


def _risk(block: str, lands: str, accepted: str) -> Field:
    return Field(
        path=f"{block}.riskTarget",
        kind=Kind.SHARE,
        lowest=0,
        highest=0.5,
        is_open=True,
        lands=(f"{lands}.compute.risk_target",),
        meaning=f"Share of minutes in which {accepted}; of TFLOPS only. It replaces the percentile "
        "and the buffer.",
    )


REQUESTS = (
    Field(
        path="autoSetRequests",
        kind=Kind.OBJECT,
        meaning="Layer 3: sizes requests for the use of days to weeks.",
    ),
    _enable("autoSetRequests", "requests", both("requests.is_enrolled")),
    _mode("autoSetRequests", both("requests.mode")),
    _target("autoSetRequests", both("requests.is_enrolled")),
    Field(
        path="autoSetRequests.percentileForAutoRequests",
        kind=Kind.SHARE,
        default=0.95,
        default_text="0.95, weighted by load unless the owner is a Job (VRAM: 1)",
        lowest=0.01,
        highest=1,
        lands=(*both("requests.percentile"), "requests.compute.is_load_weighted"),
        meaning="Percentile of use over time that a request covers; for VRAM it is taken over the "
        "highest use of each hour.",
    ),
    Field(
        path="autoSetRequests.extraBufferRatio",
        kind=Kind.BUFFER_RATIO,
        default=1.15,
        default_text="0.15 (VRAM: the larger of 10 % and 512 MiB)",
        highest=5,
        lands=both("requests.buffer"),
        meaning="Margin on top of the percentile: 0.15 and 15% add 15 %, 1.15 multiplies by it.",
    ),
    _risk("autoSetRequests", "requests", "use may exceed the request"),
    Field(
        path="autoSetRequests.evaluationPeriod",
        kind=Kind.DURATION,
        default=600,
        lowest=10,
        highest=DAY_S,
        unit="s",
        lands=both("requests.evaluation_s"),
        meaning="How often requests are evaluated.",
    ),
    Field(
        path="autoSetRequests.aggregationPeriod",
        kind=Kind.DURATION,
        default=2 * DAY_S,
        lowest=HOUR_S,
        highest=90 * DAY_S,
        unit="s",
        lands=both("requests.history_s"),
        meaning="How far back use counts; use that is half as old weighs half as much.",
    ),
    *_allowed("autoSetRequests", "requests"),
    *prediction_fields(
        "autoSetRequests.prediction", both("requests.prediction"), "for requests", period_s=HOUR_S
    ),
)

LIMITS = (
    Field(
        path="autoSetLimits",
        kind=Kind.OBJECT,
        meaning="Layer 1: lets limits follow bursts within seconds.",
    ),
    _enable("autoSetLimits", "limits", both("limits.is_enrolled")),
    _mode("autoSetLimits", both("limits.mode")),
    _target("autoSetLimits", both("limits.is_enrolled")),
    Field(
        path="autoSetLimits.evaluationPeriod",
        kind=Kind.DURATION,
        default=15,
        lowest=5,
        highest=DAY_S,
        unit="s",
        lands=both("limits.evaluation_s"),
        meaning="How often limits are evaluated.",
    ),
    Field(
        path="autoSetLimits.extraTFlopsBufferRatio",
        kind=Kind.BUFFER_RATIO,
        default=1.2,
        default_text="0.2 (VRAM: the larger of 10 % and 512 MiB)",
        highest=5,
        lands=("limits.compute.buffer",),
        meaning="Margin of the TFLOPS limit above the burst: 0.2 and 20% add 20 %, 1.2 "
        "multiplies by it.",
    ),
    _risk("autoSetLimits", "limits", "a worker may be held down by its limit"),
    Field(
        path="autoSetLimits.ignoredDeltaRange",
        kind=Kind.SHARE,
        default=0.1,
        lowest=0,
        highest=0.9,
        lands=both("limits.ignored_delta"),
        meaning="A change smaller than this share of the limit in force is not made. Where TFLOPS "
        "have a riskTarget, that goes for lowering alone: any raise is made.",
    ),
    Field(
        path="autoSetLimits.scaleUpStep",
        kind=Kind.MULTIPLE,
        default=1.2,
        default_text="1.2 (TFLOPS beside a riskTarget: 1)",
        lowest=1,
        highest=10,
        lands=both("limits.scale_up_step"),
        meaning="Smallest raise, as a multiple of the limit in force.",
    ),
    Field(
        path="autoSetLimits.maxRatioToRequests",
        kind=Kind.MULTIPLE,
        default=5.0,
        lowest=1,
        highest=1000,
        is_bound=True,
        lands=both("limits.max_ratio_to_requests"),
        meaning="Largest limit, as a multiple of the stated request.",
    ),
    *_allowed("autoSetLimits", "limits"),
    *prediction_fields(
        "autoSetLimits.prediction", both("limits.prediction"), "for limits", period_s=600
    ),
)

REPLICAS = (
    Field(
        path="autoSetReplicas",
        kind=Kind.OBJECT,
        meaning="Layer 2: scales replicas so that demand per worker stays near a target.",
    ),
    _enable("autoSetReplicas", "replicas", ("replicas.is_enrolled",)),
    Field(
        path="autoSetReplicas.mode",
        kind=Kind.ENUM,
        choices=("recommend", "apply"),
        default_text="the mode of the whole configuration",
        is_bound=True,
        lands=("replicas.mode",),
        meaning="How far this block may go: recommend writes nothing, apply scales the owner.",
    ),
    Field(
        path="autoSetReplicas.targetTFlopsOfLimits",
        kind=Kind.SHARE,
        default=0.7,
        lowest=0.01,
        highest=1,
        lands=("replicas.target_of_limit",),
        meaning="Demand per worker that is aimed at, as a share of the stated TFLOPS limit.",
    ),
    Field(
        path="autoSetReplicas.evaluationPeriod",
        kind=Kind.DURATION,
        default=60,
        lowest=10,
        highest=DAY_S,
        unit="s",
        lands=("replicas.evaluation_s",),
        meaning="Demand is the mean over this period.",
    ),
    Field(
        path="autoSetReplicas.scaleUpStep",
        kind=Kind.MULTIPLE,
        default=2.0,
        lowest=1,
        highest=100,
        is_open=True,
        lands=("replicas.scale_up_step",),
        meaning="Largest growth within 15 s, as a multiple; 4 more replicas are always allowed.",
    ),
    Field(
        path="autoSetReplicas.scaleDownStep",
        kind=Kind.MULTIPLE,
        default=0.9,
        lowest=0.01,
        highest=100,
        lands=("replicas.scale_down_step",),
        meaning="Smallest share of the replicas that is left after a minute; a value above 1 is "
        "a divisor, so 1.25 is the same as 0.8.",
    ),
    Field(
        path="autoSetReplicas.scaleUpCoolDownTime",
        kind=Kind.DURATION,
        default=0,
        lowest=0,
        highest=DAY_S,
        unit="s",
        lands=("replicas.scale_up_cooldown_s",),
        meaning="Replicas are raised only to the lowest wish of this time.",
    ),
    Field(
        path="autoSetReplicas.scaleDownCoolDownTime",
        kind=Kind.DURATION,
        default=300,
        lowest=0,
        highest=DAY_S,
        unit="s",
        lands=("replicas.scale_down_cooldown_s",),
        meaning="Replicas are lowered only to the highest wish of this time.",
    ),
    Field(
        path="autoSetReplicas.minReplicas",
        kind=Kind.INTEGER,
        default=1,
        lowest=1,
        highest=100_000,
        is_bound=True,
        lands=("replicas.min_replicas",),
        meaning="Fewest replicas.",
    ),
    Field(
        path="autoSetReplicas.maxReplicas",
        kind=Kind.INTEGER,
        default_text="10 times the stated replicas",
        lowest=1,
        highest=100_000,
        is_bound=True,
        lands=("replicas.max_replicas",),
        meaning="Most replicas.",
    ),
    *prediction_fields(
        "autoSetReplicas.prediction",
        ("replicas.prediction",),
        "of demand for replicas, which raises them only",
        period_s=900,
    ),
)

SCALE_TO_ZERO = (
    Field(
        path="scaleToZero",
        kind=Kind.OBJECT,
        lands=("scale_to_zero",),
        meaning="Freezing of idle workers; it is checked and kept, and not acted on yet.",
    ),
    Field(
        path="scaleToZero.autoFreeze",
        kind=Kind.LIST,
        meaning="When idle workers are frozen, by QoS level.",
    ),
    Field(
        path="scaleToZero.autoFreeze[].qos",
        kind=Kind.ENUM,
        choices=QOS,
        meaning="QoS level that this entry is for.",
    ),
    Field(
        path="scaleToZero.autoFreeze[].freezeToMemTTL",
        kind=Kind.DURATION,
        lowest=0,
        highest=365 * DAY_S,
        unit="s",
        meaning="Idle time after which VRAM moves to host memory.",
    ),
    Field(
        path="scaleToZero.autoFreeze[].freezeToDiskTTL",
        kind=Kind.DURATION,
        lowest=0,
        highest=365 * DAY_S,
        unit="s",
        meaning="Idle time after which VRAM moves to disk.",
    ),
    Field(
        path="scaleToZero.autoFreeze[].enable",
        kind=Kind.BOOLEAN,
        default=False,
        meaning="Whether this entry is in use.",
    ),
    *prediction_fields(
        "scaleToZero.intelligenceWarmup", (), "when frozen workers are needed", period_s=HOUR_S
    ),
)

FIRST_GENERATION = (*REQUESTS, *LIMITS, *REPLICAS, *SCALE_TO_ZERO)
