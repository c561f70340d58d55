"""A process of ours that elects a leader, as the tests see it: its log, its pages of health."""

from __future__ import annotations

from dataclasses import dataclass

import urllib3
from prometheus_client.parser import text_string_to_metric_families

from autoscaler.telemetry.family import PREFIX
from tests.cluster.child_processes import ChildProcess
from tests.components.processes import ServerError, status_of, until


@dataclass(frozen=True, slots=True, kw_only=True)
class ElectedProcess:
    """A running process."""

    process: ChildProcess
    health_url: str

    def log(self) -> str:
        """Return all that it wrote."""
        return self.process.log()

    @property
    def is_ready(self) -> bool:
        """Return what the kubelet would see."""
        return status_of(f"{self.health_url}/readyz") == 200

    @property
    def is_leader(self) -> bool:
        """Return whether it says that it leads."""
        return self.metric("leader") == 1.0

    def metric(self, name: str, **labels: str) -> float:
        """Return the sum of the samples of ``/metrics`` with these labels, without our prefix."""
        answer = urllib3.request("GET", f"{self.health_url}/metrics", retries=False, timeout=5.0)
        return sum(
            sample.value
            for family in text_string_to_metric_families(answer.data.decode())
            for sample in family.samples
            if sample.name == PREFIX + name and labels.items() <= sample.labels.items()
        )

    def wait_until_ready(self) -> None:
        """Wait for it.  Raises ``ServerError`` with the end of its log where it ended."""
        until(lambda: not self.process.is_running or self.is_ready, what="the process is ready")
        if not self.process.is_running:
            raise ServerError(f"it ended; its log ends:\n{self.process.end_of_log()}")

    def wait_until_leader(self) -> None:
        """Wait until it leads; errors as those of ``wait_until_ready``."""
        self.wait_until_ready()
        until(lambda: self.is_leader, what="the process leads")
