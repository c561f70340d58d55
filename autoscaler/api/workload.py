"""``TensorFusionWorkload``: the workers of one workload, with the settings that were resolved."""

from __future__ import annotations

from autoscaler.api.shape import CustomObject
from autoscaler.api.workload_profile import WorkloadSpec
from autoscaler.api.workload_status import WorkloadStatus


class TensorFusionWorkload(CustomObject):
    """Workers of one workload; the controller makes it from admitted pods."""

    spec: WorkloadSpec = WorkloadSpec()
    """Settings as they were resolved from annotations, profile, quota and pool."""
    status: WorkloadStatus | None = None
    """What is known of the workload."""
