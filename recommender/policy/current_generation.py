"""Settings of ``autoSetResources``, ``cronScalingRules`` and ``externalScaler``."""

from __future__ import annotations

from recommender.policy.field import DAY_S, Field, Kind, both
from recommender.policy.first_generation import MODES, TARGET_SYNONYMS, TARGETS

_EVERYWHERE = (*both("requests.mode"), *both("limits.mode"))
_ENROLLED = (*both("requests.is_enrolled"), *both("limits.is_enrolled"))


def _percentile(
    name: str, dimension: str, attribute: str, default: float, meaning: str, *old: str
) -> Field:
    lands = {
        "percentile": (f"requests.{dimension}.percentile",),
        "lower_percentile": (f"requests.{dimension}.lower_percentile",),
        "upper_percentile": (
            f"requests.{dimension}.upper_percentile",
            f"limits.{dimension}.percentile",
        ),
    }[attribute]
    return Field(
        path=f"autoSetResources.{name}",
        kind=Kind.SHARE,
        default=default,
        lowest=0.01,
        highest=1,
        aliases=old,
        lands=lands,
        meaning=meaning,
    )


def _ratio(side: str, resource: str, dimension: str, default: float) -> Field:
    bound = "smallest" if side == "min" else "largest"
    return Field(
        path=f"autoSetResources.{side}{resource}ResourcesRatio",
        kind=Kind.MULTIPLE,
        default=default,
        lowest=0.001 if side == "min" else 1,
        highest=1 if side == "min" else 1000,
        is_bound=True,
        lands=(f"requests.{dimension}.{side}_ratio", f"limits.{dimension}.{side}_ratio"),
        meaning=f"The {bound} {resource if dimension == 'vram' else 'compute'} amount that is "
        "written, as a multiple of the stated amount.",
    )


RESOURCES = (
    Field(
        path="autoSetResources",
        kind=Kind.OBJECT,
        meaning="Sets requests to a target percentile and limits to an upper percentile of use.",
    ),
    Field(
        path="autoSetResources.enable",
        kind=Kind.BOOLEAN,
        default=False,
        lands=_ENROLLED,
        meaning="Whether requests and limits of the target resource are set.",
    ),
    Field(
        path="autoSetResources.mode",
        kind=Kind.ENUM,
        choices=MODES,
        default_text="the mode of the whole configuration",
        is_bound=True,
        lands=_EVERYWHERE,
        meaning="How far this block may go: recommend writes nothing, initial only sizes workers "
        "that start, apply also changes running ones.",
    ),
    Field(
        path="autoSetResources.targetResource",
        kind=Kind.ENUM,
        choices=TARGETS,
        synonyms=TARGET_SYNONYMS,
        default_text="empty: recommend only",
        is_bound=True,
        lands=_ENROLLED,
        meaning="Which resources are set; empty only recommends.",
    ),
    _percentile(
        "targetComputePercentile",
        "compute",
        "percentile",
        0.95,
        "Percentile of compute use over time that a request covers (QoS critical: the upper one).",
        "targetTflopsPercentile",
        "targetTFlopsPercentile",
        "targettflopspercentile",
    ),
    _percentile(
        "lowerBoundComputePercentile",
        "compute",
        "lower_percentile",
        0.5,
        "Percentile of compute use below which a request is called too low.",
        "lowerBoundTflopsPercentile",
        "lowerBoundTFlopsPercentile",
        "lowerboundtflopspercentile",
    ),
    _percentile(
        "upperBoundComputePercentile",
        "compute",
        "upper_percentile",
        0.99,
        "Percentile of compute use that a limit covers; above it a request is called too high.",
        "upperBoundTflopsPercentile",
        "upperBoundTFlopsPercentile",
        "upperboundtflopspercentile",
    ),
    _percentile(
        "targetVRAMPercentile",
        "vram",
        "percentile",
        0.98,
        "Percentile of the highest VRAM use of each hour that a request covers (QoS critical: "
        "the upper one).",
        "targetVramPercentile",
        "targetvrampercentile",
    ),
    _percentile(
        "lowerBoundVRAMPercentile",
        "vram",
        "lower_percentile",
        0.5,
        "Percentile of VRAM use below which a request is called too low.",
        "lowerBoundVramPercentile",
        "lowerboundvrampercentile",
    ),
    _percentile(
        "upperBoundVRAMPercentile",
        "vram",
        "upper_percentile",
        0.99,
        "Percentile of VRAM use that a limit covers; above it a request is called too high.",
        "upperBoundVramPercentile",
        "upperboundvrampercentile",
    ),
    Field(
        path="autoSetResources.marginFraction",
        kind=Kind.SHARE,
        default=0.15,
        lowest=0,
        highest=4,
        aliases=("requestMarginFraction", "requestmarginfraction"),
        lands=(*both("requests.buffer"), *both("limits.buffer")),
        meaning="Share of use that is added as a margin to requests and limits.",
    ),
    Field(
        path="autoSetResources.updateThreshold",
        kind=Kind.SHARE,
        default=0.1,
        lowest=0,
        highest=1,
        lands=(*both("requests.update_threshold"), *both("limits.ignored_delta")),
        meaning="A change smaller than this share of the value in force is not made; at most "
        "marginFraction.",
    ),
    Field(
        path="autoSetResources.historyDataPeriod",
        kind=Kind.DURATION,
        default=7200,
        lowest=600,
        highest=30 * DAY_S,
        unit="s",
        aliases=("historyLength", "historylength"),
        lands=both("requests.history_s"),
        meaning="How far back use counts; use that is half as old weighs half as much.",
    ),
    _ratio("min", "VRAM", "vram", 0.2),
    _ratio("max", "VRAM", "vram", 5.0),
    _ratio("min", "Compute", "compute", 0.1),
    _ratio("max", "Compute", "compute", 10.0),
    Field(
        path="autoSetResources.initialDelayPeriod",
        kind=Kind.DURATION,
        default=1800,
        lowest=0,
        highest=30 * DAY_S,
        unit="s",
        lands=both("requests.initial_delay_s"),
        meaning="Nothing is changed in this time after the first sample.",
    ),
    Field(
        path="autoSetResources.interval",
        kind=Kind.DURATION,
        default=600,
        lowest=10,
        highest=DAY_S,
        unit="s",
        lands=(*both("requests.evaluation_s"), *both("limits.evaluation_s")),
        meaning="How often requests and limits are evaluated.",
    ),
    Field(
        path="autoSetResources.confidenceInterval",
        kind=Kind.DURATION,
        is_ignored=True,
        aliases=("confidenceinterval",),
        meaning="Once documented; confidence is derived from the history that exists.",
    ),
    Field(
        path="autoSetResources.historyResolution",
        kind=Kind.DURATION,
        is_ignored=True,
        aliases=("historyresolution",),
        meaning="Once documented; use is kept at one minute.",
    ),
)

CRON = (
    Field(
        path="cronScalingRules",
        kind=Kind.LIST,
        lands=("cron",),
        meaning="Amounts and replicas that are kept at least during recurring windows.",
    ),
    Field(
        path="cronScalingRules[].enable",
        kind=Kind.BOOLEAN,
        default=False,
        meaning="Whether the rule is in use.",
    ),
    Field(
        path="cronScalingRules[].name",
        kind=Kind.TEXT,
        default_text="rule-1, rule-2, ...",
        meaning="Name of the rule in reasons and reports.",
    ),
    Field(
        path="cronScalingRules[].start",
        kind=Kind.TEXT,
        meaning="First minute of the window: five cron fields, Sunday is 0.",
    ),
    Field(
        path="cronScalingRules[].end",
        kind=Kind.TEXT,
        meaning="Minute in which the window is over, not part of it: five cron fields.",
    ),
    Field(
        path="cronScalingRules[].timeZone",
        kind=Kind.TEXT,
        default="UTC",
        meaning="IANA name of the time zone of start and end.",
    ),
    Field(
        path="cronScalingRules[].desiredResources",
        kind=Kind.OBJECT,
        meaning="Smallest requests and limits inside the window.",
    ),
    Field(
        path="cronScalingRules[].desiredResources.requests",
        kind=Kind.AMOUNTS,
        meaning="Smallest requests inside the window, per worker and GPU.",
    ),
    Field(
        path="cronScalingRules[].desiredResources.limits",
        kind=Kind.AMOUNTS,
        meaning="Smallest limits inside the window, per worker and GPU.",
    ),
    Field(
        path="cronScalingRules[].desiredReplicas",
        kind=Kind.INTEGER,
        lowest=1,
        highest=100_000,
        aliases=("desiredreplicas",),
        meaning="Fewest replicas inside the window.",
    ),
)

EXTERNAL = (
    Field(
        path="externalScaler",
        kind=Kind.OBJECT,
        meaning="An HTTP endpoint that recommends amounts; the larger recommendation wins.",
    ),
    Field(
        path="externalScaler.enable",
        kind=Kind.BOOLEAN,
        default=False,
        lands=("external.is_enabled",),
        meaning="Whether the endpoint is asked.",
    ),
    Field(
        path="externalScaler.url",
        kind=Kind.URL,
        default="",
        lands=("external.url",),
        meaning="Address that is asked by POST.",
    ),
    Field(
        path="externalScaler.apiKeySecretRef",
        kind=Kind.OBJECT,
        meaning="Secret whose key is sent as a bearer token.",
    ),
    Field(
        path="externalScaler.apiKeySecretRef.namespace",
        kind=Kind.TEXT,
        default_text="the workload's namespace",
        lands=("external.secret_namespace",),
        meaning="Namespace of the secret.",
    ),
    Field(
        path="externalScaler.apiKeySecretRef.name",
        kind=Kind.TEXT,
        lands=("external.secret_name",),
        meaning="Name of the secret.",
    ),
    Field(
        path="externalScaler.initialDelayPeriod",
        kind=Kind.DURATION,
        default=1800,
        lowest=0,
        highest=30 * DAY_S,
        unit="s",
        lands=("external.initial_delay_s",),
        meaning="The endpoint is not asked in this time after the first sample.",
    ),
    Field(
        path="externalScaler.interval",
        kind=Kind.DURATION,
        default=30,
        lowest=5,
        highest=DAY_S,
        unit="s",
        lands=("external.interval_s",),
        meaning="How often the endpoint is asked.",
    ),
)

CURRENT_GENERATION = (*RESOURCES, *CRON, *EXTERNAL)
