"""The one table of everything that a user can set: fields of both generations, and statements.

Parsing, ``tfa config show``, ``tfa config schema`` and the reference page all read it.  A *field*
stands in ``autoScalingConfig``; a *statement* is a declared amount or property of the workload, in
an annotation, a profile or a row of the workloads file.  Annotations that only admission needs are
not here.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from types import MappingProxyType

from recommender.policy.current_generation import CURRENT_GENERATION
from recommender.policy.field import Field, Kind
from recommender.policy.first_generation import FIRST_GENERATION, MODES, QOS

ANNOTATION_PREFIX = "tensor-fusion.ai/"
DECLARED_PREFIX = "declared-"
"""Begins the keys of amounts that admission wrote down as their owner declared them."""

MODE = Field(
    path="mode",
    kind=Kind.ENUM,
    choices=MODES,
    default="apply",
    is_bound=True,
    lands=(
        "requests.compute.mode",
        "requests.vram.mode",
        "limits.compute.mode",
        "limits.vram.mode",
        "replicas.mode",
    ),
    meaning="How far all blocks may go: recommend writes nothing, initial only sizes workers that "
    "start, apply also changes running ones.",
)
FIELDS: tuple[Field, ...] = (MODE, *FIRST_GENERATION, *CURRENT_GENERATION)
FIELD = MappingProxyType({field.path: field for field in FIELDS})


def _children() -> dict[str, dict[str, Field]]:
    children: dict[str, dict[str, Field]] = {}
    for field in FIELDS:
        named = children.setdefault(field.parent, {})
        for name in (field.name, *field.aliases):
            named[name] = field
    return children


_CHILDREN = _children()


def children_of(parent: str) -> MappingProxyType[str, Field]:
    """Return the fields of an object by every name that is accepted for them, aliases included."""
    return MappingProxyType(_CHILDREN.get(parent, {}))


def suggestion(name: str, known: list[str]) -> str | None:
    """Return the known name that ``name`` was probably meant to be."""
    lower = {candidate.lower(): candidate for candidate in known}
    close = difflib.get_close_matches(name.lower(), list(lower), n=1, cutoff=0.7)
    return lower[close[0]] if close else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One declared amount or property of a workload, and where it can be written."""

    key: str
    """In ``Stated.sources``, and of the annotation."""
    kind: Kind
    meaning: str
    annotations: tuple[str, ...] = ()
    """Keys without the prefix; the first is the one to use."""
    profile: str = ""
    """Path below the profile's ``spec``."""
    column: str = ""
    """Of the workloads file."""
    resource: str = ""
    """Resource name, for amounts."""
    lowest: float | None = None
    highest: float | None = None
    choices: tuple[str, ...] = ()
    default: object = None
    unit: str = ""

    @property
    def as_field(self) -> Field:
        """The same as a field, to read its value."""
        return Field(
            path=self.key,
            kind=self.kind,
            meaning=self.meaning,
            lowest=self.lowest,
            highest=self.highest,
            choices=self.choices,
            default=self.default,
            unit=self.unit,
        )


def _amount(key: str, resource: str, profile: str, unit: str, meaning: str) -> Statement:
    return Statement(
        key=key,
        kind=Kind.QUANTITY,
        annotations=(key,),
        profile=profile,
        column=key.replace("-", "_"),
        resource=resource,
        lowest=0,
        highest=100 if resource == "tflops_pct" else None,
        unit=unit,
        meaning=meaning,
    )


AMOUNTS = (
    _amount(
        "tflops-request",
        "tflops",
        "resources.requests.tflops",
        "TFLOPS",
        "Requested FP16 TFLOPS per worker and GPU; without it the limit counts.",
    ),
    _amount(
        "tflops-limit",
        "tflops",
        "resources.limits.tflops",
        "TFLOPS",
        "Most FP16 TFLOPS per worker and GPU.",
    ),
    _amount(
        "compute-percent-request",
        "tflops_pct",
        "resources.requests.compute",
        "%",
        "Requested percent of one GPU's compute, instead of TFLOPS.",
    ),
    _amount(
        "compute-percent-limit",
        "tflops_pct",
        "resources.limits.compute",
        "%",
        "Most percent of one GPU's compute, instead of TFLOPS.",
    ),
    _amount(
        "vram-request",
        "vram_bytes",
        "resources.requests.vram",
        "bytes",
        "Requested VRAM per worker and GPU; without it the limit counts.",
    ),
    _amount(
        "vram-limit",
        "vram_bytes",
        "resources.limits.vram",
        "bytes",
        "Most VRAM per worker and GPU.",
    ),
)
PROPERTIES = (
    Statement(
        key="replicas",
        kind=Kind.INTEGER,
        annotations=("replicas",),
        profile="replicas",
        column="replicas",
        lowest=0,
        highest=2**31 - 1,
        meaning="Number of workers.",
    ),
    Statement(
        key="gpu-count",
        kind=Kind.INTEGER,
        annotations=("gpu-count",),
        profile="gpuCount",
        column="gpu_count",
        lowest=1,
        highest=128,
        default=1,
        meaning="GPUs per worker; amounts count for each of them.",
    ),
    Statement(
        key="gpu-model",
        kind=Kind.TEXT,
        annotations=("gpu-model",),
        profile="gpuModel",
        column="gpu_model",
        default="",
        meaning="GPU model by its name or a short form such as A100; empty: any.",
    ),
    Statement(
        key="qos",
        kind=Kind.ENUM,
        annotations=("qos",),
        profile="qos",
        column="qos",
        choices=QOS,
        default="medium",
        meaning="Quality of service level.",
    ),
    Statement(
        key="gpupool",
        kind=Kind.TEXT,
        annotations=("gpupool",),
        profile="poolName",
        column="pool",
        default="",
        meaning="Pool whose GPUs are used; empty: the default pool.",
    ),
    Statement(
        key="is-local-gpu",
        kind=Kind.BOOLEAN,
        annotations=("is-local-gpu",),
        profile="isLocalGPU",
        meaning="Whether the workload runs on the server of its GPU.",
    ),
)
STATEMENTS = (*AMOUNTS, *PROPERTIES)
PROFILE_ANNOTATIONS = ("workload-profile", "client-profile")
"""Names a profile; the first is the one to use."""
BLOCK_ANNOTATIONS = MappingProxyType(
    {
        "auto-requests": "autoSetRequests",
        "auto-limits": "autoSetLimits",
        "auto-replicas": "autoSetReplicas",
        "autoscale": "autoSetResources",
        "auto-resources": "autoSetResources",
    }
)
"""``'true'`` sets ``enable`` of the block."""
TARGET_ANNOTATIONS = ("autoscale-target", "auto-scale-target-resource")
"""``targetResource`` of ``autoSetResources``."""
OTHER_PROFILE_KEYS = (
    "autoScalingConfig",
    "resources",
    "gpuIndices",
    "gangScheduling",
    "isolation",
    "noStandaloneWorkerMode",
    "nodeAffinity",
    "partitionTemplateId",
    "sidecarWorker",
    "standaloneWorkerMode",
    "vendor",
    "workerPodTemplate",
)
"""Keys of a profile that say nothing about sizes; they are left to admission."""
