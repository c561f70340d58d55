"""What the worker pods of a workload are made from: the pool's template, and what the user adds.

Amounts of GPU are not part of it, because the autoscaler changes them in running workers; so they
neither change the hash nor replace a worker.  Admission puts everything else in that a worker
needs, as into any other pod.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from autoscaler.api.names import (
    ENABLED,
    GENERATE_WORKLOAD,
    INJECT_CONTAINER,
    IS_LOCAL_GPU,
    NO_STANDALONE_WORKER_MODE,
    WORKLOAD,
)
from autoscaler.api.worker_template import check_template
from autoscaler.kube.resource import PODS
from autoscaler.kube.store import Object
from autoscaler.workloads.worker_pods.rolling_update import RollingUpdate, read_rolling_update
from autoscaler.workloads.worker_pods.template_merge import (
    merged_affinity,
    merged_container,
    merged_spec,
)
from autoscaler.workloads.worker_pods.template_shape import NODE_AFFINITY, TEMPLATE, shape_problems
from autoscaler.workloads.worker_pods.worker_identity import TEMPLATE_HASH_LABEL, owner_of_workers

CONTAINER = "worker"
"""Name of the container with the pool's image, where the template has none of this name."""
HASH_CHARS = 10
REPLACING_FIELDS = (
    "poolName",
    "gpuCount",
    "gpuModel",
    "gpuIndices",
    "vendor",
    "qos",
    "isolation",
)
"""Fields of a workload that a running worker cannot follow, so that a change replaces it."""
_ADDED = "spec.workerPodTemplate"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerTemplate:
    """What every worker pod of a workload is made from."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    spec: Mapping[str, Any]
    container: str
    """Name of the container that uses the GPU."""
    hash: str
    rolling_update: RollingUpdate

    def pod(self, workload: Object, name: str) -> dict[str, Any]:
        """Return the pod of a name, to be created and admitted."""
        metadata = workload["metadata"]
        ours = {
            WORKLOAD: metadata["name"],
            GENERATE_WORKLOAD: "false",
            IS_LOCAL_GPU: "true",
            NO_STANDALONE_WORKER_MODE: "true",
            INJECT_CONTAINER: self.container,
        }
        return {
            "apiVersion": PODS.api_version,
            "kind": PODS.kind,
            "metadata": {
                "name": name,
                "namespace": metadata["namespace"],
                "labels": {**self.labels, ENABLED: "true", TEMPLATE_HASH_LABEL: self.hash},
                "annotations": {**self.annotations, **ours},
                "ownerReferences": [owner_of_workers(workload)],
            },
            "spec": dict(self.spec),
        }


def worker_template(
    workload: Object, pool: Object
) -> tuple[WorkerTemplate | None, tuple[str, ...]]:
    """Return what the workers of a workload are made from, and no problems.

    None, and what is wrong, where pool and workload give no template.
    """
    component, workload_spec = _component(pool), workload.get("spec") or {}
    path = f"pool {pool['metadata']['name']} spec.componentConfig.worker"
    image = component.get("image")
    if not image:
        return None, (f"{path}.image: not set; allowed: the image of a program that serves GPUs",)
    written = component.get("podTemplate") or {}
    base = written.get("template") or written
    added = workload_spec.get("workerPodTemplate") or {}
    rolling_update, strategy_problems = read_rolling_update(
        written.get("strategy"), f"{path}.podTemplate.strategy"
    )
    problems = (
        *strategy_problems,
        *_problems(base, f"{path}.podTemplate"),
        *map(str, check_template(added, _ADDED)),
        *shape_problems(added, TEMPLATE, _ADDED),
        *shape_problems(workload_spec.get("nodeAffinity"), NODE_AFFINITY, "spec.nodeAffinity"),
    )
    if problems:
        return None, problems
    containers, main = _containers(base.get("spec") or {}, image)
    merged, problems = _merged_containers(containers, main, added.get("spec") or {})
    if problems:
        return None, problems
    spec = _spec(base.get("spec") or {}, added.get("spec") or {}, workload)
    spec["containers"] = merged
    labels, annotations = (
        {**_texts(base, part), **_texts(added, part)} for part in ("labels", "annotations")
    )
    template = WorkerTemplate(
        labels=labels,
        annotations=annotations,
        spec=spec,
        container=main,
        hash=_hash(labels, annotations, spec, workload),
        rolling_update=rolling_update,
    )
    return template, ()


def _component(pool: Object) -> Mapping[str, Any]:
    return ((pool.get("spec") or {}).get("componentConfig") or {}).get("worker") or {}


def _problems(template: Any, path: str) -> tuple[str, ...]:
    """Return why the pool's template cannot be merged."""
    problems = tuple(shape_problems(template, TEMPLATE, path))
    containers = () if problems else (template.get("spec") or {}).get("containers") or ()
    return problems or tuple(
        f"{path}.spec.containers[{i}].name: not set; allowed: the name of the container"
        for i, container in enumerate(containers)
        if not container.get("name")
    )


def _containers(spec: Mapping[str, Any], image: str) -> tuple[list[dict[str, Any]], str]:
    """Return the pool's containers and the name of the one that has the pool's image."""
    containers = [dict(each) for each in spec.get("containers") or ()] or [{"name": CONTAINER}]
    names = [each["name"] for each in containers]
    main = CONTAINER if CONTAINER in names else names[0]
    containers[names.index(main)]["image"] = image
    return containers, main


def _merged_containers(
    containers: Sequence[Mapping[str, Any]], main: str, added: Mapping[str, Any]
) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    merged = {each["name"]: dict(each) for each in containers}
    problems = []
    for i, container in enumerate(added.get("containers") or ()):
        name = container.get("name") or main
        if name in merged:
            merged[name] = merged_container(merged[name], {**container, "name": name})
        else:
            problems.append(
                f"{_ADDED}.spec.containers[{i}].name: {name!r} is no container of the pool's "
                f"template; allowed: {', '.join(merged)}"
            )
    return list(merged.values()), tuple(problems)


def _spec(base: Mapping[str, Any], added: Mapping[str, Any], workload: Object) -> dict[str, Any]:
    of_user = {field: value for field, value in added.items() if field != "containers"}
    spec = merged_spec(base, of_user)
    node_affinity = (workload.get("spec") or {}).get("nodeAffinity")
    if node_affinity:
        demanded = {"nodeAffinity": node_affinity}
        spec["affinity"] = merged_affinity(spec.get("affinity") or {}, demanded)
    # A program that serves GPUs needs nothing of the API server, and the policies let none of the
    # controller's pods have a token, whatever the pool says.
    return {**spec, "automountServiceAccountToken": False}


def _texts(template: Mapping[str, Any], part: str) -> Mapping[str, str]:
    return (template.get("metadata") or {}).get(part) or {}


def _hash(
    labels: Mapping[str, str],
    annotations: Mapping[str, str],
    spec: Mapping[str, Any],
    workload: Object,
) -> str:
    of_workload = workload.get("spec") or {}
    replacing = {field: of_workload.get(field) for field in REPLACING_FIELDS}
    text = json.dumps([labels, annotations, spec, replacing], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:HASH_CHARS]
