"""What each annotation and label means, for people: who writes it, what is allowed, the default.

The keys themselves stand in ``names``; statements about sizes, with their checks, in
``recommender.policy.fields``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from autoscaler.api import names
from recommender.policy.fields import (
    BLOCK_ANNOTATIONS,
    PROFILE_ANNOTATIONS,
    STATEMENTS,
    TARGET_ANNOTATIONS,
)
from recommender.policy.values import allowed_text, default_text

TRUE = "'true'"
BOOLEAN = "'true' or 'false'"


class Writer(StrEnum):
    """Who writes a key."""

    USER = "user"
    ADMISSION = "admission"
    CONTROLLER = "controller"
    AGENT = "agent"
    INSTALLATION = "installation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One annotation or label."""

    key: str
    """With its prefix."""
    meaning: str
    allowed: str = ""
    default: str = ""
    writer: Writer = Writer.USER
    on: str = "pod"
    """What carries it."""


def _statements() -> Iterator[Key]:
    for statement in STATEMENTS:
        for key in statement.annotations:
            yield Key(
                key=f"{names.PREFIX}{key}",
                meaning=statement.meaning,
                allowed=allowed_text(statement.as_field),
                default=default_text(statement.as_field),
            )


def _enrolment() -> Iterator[Key]:
    for key, block in BLOCK_ANNOTATIONS.items():
        yield Key(
            key=f"{names.PREFIX}{key}",
            meaning=f"Sets autoScalingConfig.{block}.enable.",
            allowed=TRUE,
        )
    for key in TARGET_ANNOTATIONS:
        yield Key(
            key=f"{names.PREFIX}{key}",
            meaning="Resources that autoSetResources sets, beside autoscale: 'true'.",
            allowed="compute, vram, all",
            default="all",
        )


def _profiles() -> Iterator[Key]:
    first, *others = PROFILE_ANNOTATIONS
    yield Key(
        key=f"{names.PREFIX}{first}",
        meaning="WorkloadProfile of the pod's namespace whose settings count where no annotation "
        "says otherwise.",
        allowed="a name",
    )
    for key in others:
        yield Key(key=f"{names.PREFIX}{key}", meaning=f"Older name of {first}.", allowed="a name")


_ADMISSION = (
    Key(
        key=names.INJECT_CONTAINER,
        meaning="Containers that use the GPU.",
        allowed="names of containers of the pod, separated by commas",
        default="the only container, else those that ask for whole GPUs",
    ),
    Key(
        key=names.WORKLOAD,
        meaning="TensorFusionWorkload that the pod's workers belong to; pods that name the same "
        "one share it.",
        allowed="a name of at most 63 characters",
        default="derived from the pod's root owner",
    ),
    Key(
        key=names.GENERATE_WORKLOAD,
        meaning="Whether the workload is made where there is none; 'false' uses the existing one "
        "that tensor-fusion.ai/workload names.",
        allowed=BOOLEAN,
        default="true",
    ),
    Key(
        key=names.NO_STANDALONE_WORKER_MODE,
        meaning="'true': the pod itself is the worker, where the GPU is local.",
        allowed=BOOLEAN,
        default="true where the pool names no worker image, else false",
    ),
    Key(
        key=names.STANDALONE_WORKER_MODE,
        meaning="Later, opposite spelling of no-standalone-worker-mode.",
        allowed=BOOLEAN,
    ),
    Key(
        key=names.VENDOR,
        meaning="Vendor of the GPU.",
        allowed="a text such as NVIDIA",
        default="any",
    ),
    Key(
        key=names.GPU_INDICES,
        meaning="Indices of the GPUs on their node, in place of gpu-count.",
        allowed="whole numbers from 0, separated by commas",
        default="any",
    ),
    Key(
        key=names.ISOLATION,
        meaning="How workers of one GPU are kept apart: soft enforces limits, shared does not.",
        allowed="shared, soft",
        default="soft",
    ),
    Key(
        key=names.WORKER_POD_TEMPLATE,
        meaning="Pod template that is merged over the pool's template of worker pods; not for "
        "pods that are workers themselves.",
        allowed="YAML of a pod template, fields of the allowed list",
    ),
)
_KEPT = (
    *(
        Key(
            key=declared,
            meaning=f"What was declared for {in_force.removeprefix(names.PREFIX)}. Where one of "
            "these keys is present, they are the input, and not the keys of the values in force.",
            allowed="as for the value in force",
            writer=Writer.ADMISSION,
        )
        for declared, in_force in zip(names.DECLARED, names.IN_FORCE, strict=True)
    ),
    Key(
        key=names.SOURCES,
        meaning="Where each declared value came from.",
        allowed="JSON object of texts",
        writer=Writer.ADMISSION,
    ),
)
_SYSTEM = (
    Key(
        key=names.GPU_IDS,
        meaning="UUIDs of the GPUs that the pod was placed on, separated by commas.",
        writer=Writer.CONTROLLER,
    ),
    Key(
        key=names.GPU_PEAK_TFLOPS,
        meaning="Peak FP16 TFLOPS of one of these GPUs.",
        writer=Writer.CONTROLLER,
    ),
    Key(
        key=names.GPU_PEAK_VRAM,
        meaning="VRAM of one of these GPUs in bytes.",
        writer=Writer.CONTROLLER,
    ),
    Key(
        key=names.MODE,
        meaning=f"How the pod was read: {', '.join(names.WorkloadMode)}.",
        writer=Writer.ADMISSION,
    ),
    Key(
        key=names.SELECTED_WORKLOAD,
        meaning="On clients: the workload whose workers serve them.",
        writer=Writer.ADMISSION,
    ),
)
_OTHER_OBJECTS = (
    Key(
        key=names.IS_DEFAULT_POOL,
        meaning="Pods that name no pool use this one; of several the oldest.",
        allowed=TRUE,
        on="GPUPool",
    ),
    Key(
        key=names.PAUSED,
        meaning="No running worker of the workload or pool is changed.",
        allowed=TRUE,
        on="TensorFusionWorkload, GPUPool",
    ),
    Key(
        key=names.SERVING_SINCE,
        meaning="When the certificate that is served with was put in force.",
        allowed="time (RFC 3339)",
        writer=Writer.CONTROLLER,
        on="Secret",
    ),
    Key(
        key=names.SERVING_FINGERPRINT,
        meaning="SHA-256 of that certificate: another one came from somebody else.",
        allowed="64 hexadecimal digits",
        writer=Writer.CONTROLLER,
        on="Secret",
    ),
)
USER_KEYS = (*_statements(), *_enrolment(), *_profiles(), *_ADMISSION)
"""Annotations that a user writes on a pod template."""
SYSTEM_KEYS = (*_KEPT, *_SYSTEM)
"""Annotations of pods that the parts write."""
OBJECT_KEYS = _OTHER_OBJECTS
"""Annotations of other objects."""
LABELS = (
    Key(
        key=names.ENABLED,
        meaning="Admission looks at the pod.",
        allowed=TRUE,
    ),
    Key(
        key=names.COMPONENT,
        meaning="worker: the pod holds a GPU; client: it uses the GPU of a worker pod.",
        writer=Writer.ADMISSION,
    ),
    Key(
        key=names.WORKLOAD_LABEL,
        meaning="Workload that the pod belongs to.",
        writer=Writer.ADMISSION,
    ),
    Key(
        key=names.POOL_LABEL,
        meaning="Pool of the pod or GPU.",
        writer=Writer.CONTROLLER,
        on="pod, GPU",
    ),
    Key(
        key=names.MANAGED_BY,
        meaning="Node whose agent writes the GPU.",
        writer=Writer.AGENT,
        on="GPU",
    ),
    Key(
        key=names.SCHEMA_LABEL,
        meaning=f"{names.SCHEMA} on the definitions of this project's kinds.",
        writer=Writer.INSTALLATION,
        on="CustomResourceDefinition",
    ),
)
