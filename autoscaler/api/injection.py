"""The injection contract: what an admitted pod carries for the limiter and the agent.

One table for all who rely on it: admission writes it, the limiter reads it, the agent finds the
volumes under the kubelet's pod directory, and the limiter's C header repeats these names.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from autoscaler.api.names import GPU_IDS, GPU_PEAK_TFLOPS, GPU_PEAK_VRAM, PREFIX

ROOT = "/tensor-fusion"
LIBRARY = f"{ROOT}/lib/libtflimit.so"
"""What ``LD_PRELOAD`` names in every injected container."""
INIT_CONTAINER = "tf-limiter"
INIT_WAIT_S = 10
INIT_COMMAND = (
    f"{ROOT}/install",
    f"--library={LIBRARY}",
    f"--control={ROOT}/ctl/ctl",
    f"--wait={INIT_WAIT_S}s",
)
"""Program of the limiter image: copies the library, then waits for the agent's control page and
goes on without it when the time is up."""


class Medium(StrEnum):
    """Where an emptyDir lives."""

    DISK = ""
    MEMORY = "Memory"


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """One emptyDir of an injected pod."""

    name: str
    path: str
    """Where containers see it."""
    medium: Medium
    size_limit: str
    """Kubernetes quantity."""
    is_read_only: bool
    """In the injected containers."""
    meaning: str


VOLUMES = (
    Volume(
        name="tf-lib",
        path=f"{ROOT}/lib",
        medium=Medium.DISK,
        size_limit="16Mi",
        is_read_only=True,
        meaning="The limiter's library, copied by the init container.",
    ),
    Volume(
        name="tf-ctl",
        path=f"{ROOT}/ctl",
        medium=Medium.MEMORY,
        size_limit="1Mi",
        is_read_only=True,
        meaning="The control page; the agent writes it through the kubelet's pod directory.",
    ),
    Volume(
        name="tf-use",
        path=f"{ROOT}/use",
        medium=Medium.MEMORY,
        size_limit="1Mi",
        is_read_only=False,
        meaning="The page of use; the limiter writes it and the agent reads it.",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """One environment variable that the downward API fills from an annotation."""

    name: str
    annotation: str
    meaning: str


VARIABLES = (
    Variable(
        name="NVIDIA_VISIBLE_DEVICES",
        annotation=GPU_IDS,
        meaning="UUIDs of the GPUs; replaces an entry of the same name.",
    ),
    Variable(
        name="TF_LIMIT_TFLOPS",
        annotation=f"{PREFIX}tflops-limit",
        meaning="FP16 TFLOPS per GPU, a Kubernetes quantity; empty: no limit is stated.",
    ),
    Variable(
        name="TF_LIMIT_COMPUTE_PERCENT",
        annotation=f"{PREFIX}compute-percent-limit",
        meaning="Percent of one GPU's compute, a Kubernetes quantity; empty: none is stated.",
    ),
    Variable(
        name="TF_LIMIT_VRAM",
        annotation=f"{PREFIX}vram-limit",
        meaning="VRAM per GPU in bytes, a Kubernetes quantity; empty: no limit is stated.",
    ),
    Variable(
        name="TF_GPU_PEAK_TFLOPS",
        annotation=GPU_PEAK_TFLOPS,
        meaning="Peak FP16 TFLOPS of one GPU, a plain number.",
    ),
    Variable(
        name="TF_GPU_PEAK_VRAM",
        annotation=GPU_PEAK_VRAM,
        meaning="VRAM of one GPU in bytes, a plain number.",
    ),
)
PRELOAD = "LD_PRELOAD"
"""The library is appended to a literal value, with a colon."""
