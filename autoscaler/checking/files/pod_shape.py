"""The shape of the parts of a pod that admission reads; a server refuses others before it is asked.

Numbers in place of texts are let pass where Kubernetes refuses them: kubectl says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autoscaler.api.shape import Metadata, Shape

Items = list[Mapping[str, Any]]


class Resources(Shape):
    """CPU, memory and devices of a container."""

    requests: Mapping[str, Any] | None = None
    limits: Mapping[str, Any] | None = None


class Container(Shape):
    """One container."""

    name: str = ""
    image: str | None = None
    command: list[str] | None = None
    env: Items | None = None
    env_from: Items | None = None
    resources: Resources | None = None
    volume_mounts: Items | None = None


class PodSpec(Shape):
    """What a pod runs."""

    containers: list[Container] | None = None
    init_containers: list[Container] | None = None
    ephemeral_containers: list[Container] | None = None
    volumes: Items | None = None
    scheduling_gates: Items | None = None
    image_pull_secrets: Items | None = None
    node_selector: Mapping[str, Any] | None = None
    node_name: str | None = None
    os: Mapping[str, Any] | None = None
    priority_class_name: str | None = None
    runtime_class_name: str | None = None


class PodTemplate(Shape):
    """A pod, or the template of one."""

    metadata: Metadata | None = None
    spec: PodSpec | None = None
