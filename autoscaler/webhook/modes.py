"""Where the GPU of a pod is: in the pod itself, in a worker pod beside it, or in one elsewhere.

Worker pods need a program that a pool names (``componentConfig.worker.image``) and an installation
that may run them.  Without both, local is embedded and remote is refused.
"""

from __future__ import annotations

from typing import NamedTuple

from autoscaler.api.names import (
    IS_LOCAL_GPU,
    ISOLATION,
    NO_STANDALONE_WORKER_MODE,
    STANDALONE_WORKER_MODE,
    WORKER_POD_TEMPLATE,
    WorkloadMode,
)
from autoscaler.api.worker_template import check_template, read_template
from autoscaler.webhook.layers import Layers, Spec
from autoscaler.webhook.pools import Pool
from autoscaler.webhook.snapshot import Installation
from autoscaler.webhook.switches import read_switch
from autoscaler.webhook.verdict import Verdict
from recommender.errors import Problem
from recommender.policy.stated import Stated

SHARED, SOFT = "shared", "soft"
"""Isolation: no limits are enforced, or the limiter enforces them."""
_UNSUPPORTED = ("hard", "partitioned")
_LOCAL = "is-local-gpu"


class Placing(NamedTuple):
    """Where the GPU is, and where that was said."""

    mode: WorkloadMode
    source: str

    @property
    def is_local(self) -> bool:
        """Return whether the pod runs on the server of its GPU."""
        return self.mode is not WorkloadMode.REMOTE


def choose_mode(
    stated: Stated, layers: Layers, pool: Pool, installation: Installation, verdict: Verdict
) -> Placing:
    """Return where the GPU of a pod is; what the pool does not offer is refused."""
    lack = _lack_of_workers(pool, installation)
    is_local, source = _is_local(stated, pool)
    is_standalone = _is_standalone(layers, verdict)
    if is_local is False and lack:
        verdict.refuse(
            Problem(
                source,
                f"{_LOCAL} 'false' asks for a remote GPU, and pool {pool.name} offers none, "
                f"because {lack}; allowed: 'true', or a pool with a worker image in an "
                "installation that runs worker pods",
            )
        )
    if is_local is None and lack:
        is_local, source = True, f"pool {pool.name}"
        if not layers.annotations.get(IS_LOCAL_GPU):  # one that cannot be read is refused
            verdict.warn(
                Problem(
                    f"annotation {IS_LOCAL_GPU}",
                    f"not set, and pool {pool.name} offers no remote GPUs, "
                    f"because {lack}; the pod holds its GPU itself, as with 'true'",
                )
            )
    if not is_local:
        if is_standalone is False:
            verdict.warn(
                Problem(
                    NO_STANDALONE_WORKER_MODE,
                    f"has no effect, because the GPU is not local; set "
                    f"{IS_LOCAL_GPU}: 'true' to embed the worker",
                )
            )
        return Placing(WorkloadMode.REMOTE, source)
    if is_standalone and lack:
        verdict.warn(
            Problem(
                STANDALONE_WORKER_MODE,
                f"has no effect on pool {pool.name}, because {lack}; the pod holds its GPU itself",
            )
        )
    is_embedded = bool(lack) or is_standalone is False
    return Placing(WorkloadMode.EMBEDDED if is_embedded else WorkloadMode.STANDALONE, source)


def choose_isolation(layers: Layers, verdict: Verdict) -> str:
    """Return how workers of one GPU are kept apart; empty where nobody says it (soft)."""
    written = layers.find(ISOLATION, "isolation")
    if written is None:
        return ""
    isolation = str(written.value).strip().lower()
    if isolation in {SHARED, SOFT}:
        return isolation
    allowed = f"{SHARED}, {SOFT}"
    if isolation in _UNSUPPORTED:
        verdict.refuse(Problem(written.path, f"{isolation!r} is not supported; allowed: {allowed}"))
    else:
        verdict.invalid(written.path, written.value, allowed)
    return ""


def check_worker_template(layers: Layers, mode: WorkloadMode, verdict: Verdict) -> None:
    """Refuse a template of worker pods that nobody will make, or that asks for too much."""
    written = layers.find(WORKER_POD_TEMPLATE, "workerPodTemplate")
    if written is None:
        return
    if mode is WorkloadMode.EMBEDDED:
        text = f"{written.path}: has no effect, because the pod is its own worker"
        if isinstance(written.value, str):
            verdict.refuse(Problem(f"{text}; allowed", "only with a worker pod"))
        else:
            verdict.warn(text)
    elif isinstance(written.value, str):
        _, problems = read_template(written.value, written.path)
        verdict.refuse(*problems)
    else:
        verdict.refuse(*check_template(written.value, written.path))


def _lack_of_workers(pool: Pool, installation: Installation) -> str:
    """Return why there are no worker pods; empty where there are."""
    if not pool.component("worker").get("image"):
        return "it names no worker image (spec.componentConfig.worker.image)"
    if not installation.has_standalone_workers:
        return "this installation runs no worker pods (--standalone-workers is off)"
    return ""


def _is_local(stated: Stated, pool: Pool) -> tuple[bool | None, str]:
    """Return what is said, None where nobody says it; a pool's false is no wish of the user."""
    if stated.is_local_gpu is not None:
        return stated.is_local_gpu, stated.source_of(_LOCAL)
    if pool.spec.get("defaultUsingLocalGPU"):
        return True, f"pool {pool.name}"
    return None, "default"


def _is_standalone(layers: Layers, verdict: Verdict) -> bool | None:
    """Return what the highest layer says of a separate worker pod; None: nobody says it."""
    no = read_switch(layers.annotations, NO_STANDALONE_WORKER_MODE, verdict)
    yes = read_switch(layers.annotations, STANDALONE_WORKER_MODE, verdict)
    if no is not None and no is yes:
        verdict.refuse(
            Problem(
                f"annotation {NO_STANDALONE_WORKER_MODE} and annotation {STANDALONE_WORKER_MODE}",
                f"both {str(no).lower()!r}, and they are opposites; allowed: one of the two",
            )
        )
    if no is not None or yes is not None:
        return yes if no is None else not no
    for spec in (layers.workload, layers.profile):
        found = _of_spec(spec)
        if found is not None:
            return found
    return None


def _of_spec(spec: Spec | None) -> bool | None:
    no, yes = (
        (spec or {}).get(field) for field in ("noStandaloneWorkerMode", "standaloneWorkerMode")
    )
    if isinstance(no, bool):
        return not no
    return yes if isinstance(yes, bool) else None
