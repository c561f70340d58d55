"""``TensorFusionConnection``: a client pod and the worker that serves it, in remote mode."""

from __future__ import annotations

from typing import Literal

from autoscaler.api.conditions import Conditions
from autoscaler.api.scalars import Name, Number
from autoscaler.api.shape import CustomObject, Shape


class ConnectionSpec(Shape):
    """Who is to be connected with what."""

    workload_name: Name
    """Workload of the same namespace whose workers serve the client."""
    client_pod: Name | None = None
    """Pod that uses the GPU."""


class ConnectionStatus(Shape):
    """The connection."""

    phase: Literal["Pending", "Running", "Failed", "Unknown"] | None = None
    """Pending (no worker yet), Running, Failed or Unknown."""
    observed_generation: Number | None = None
    """metadata.generation that the status is about."""
    worker_name: Name | None = None
    """Worker pod that serves the client."""
    connection_url: str | None = None
    """Address that the client connects to."""
    conditions: Conditions | None = None
    """Observations, one entry a type."""


class TensorFusionConnection(CustomObject):
    """A client pod and the worker that serves it."""

    spec: ConnectionSpec
    """Who is to be connected with what."""
    status: ConnectionStatus | None = None
    """The connection."""
