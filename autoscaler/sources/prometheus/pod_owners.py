"""Who owns each pod, asked of the server from time to time.

Only for servers whose series name the pod and not the workload.  kube-state-metrics knows the
owners; tables of what is in force may name both.  Where neither is there, the names of the pods are
all there is, and that is no error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoscaler.errors import QueryRejectedError, SourceError
from autoscaler.sources.prometheus.chunks import DAY_S
from autoscaler.sources.prometheus.labels import LabelTable
from autoscaler.sources.prometheus.owners import (
    exact_owners,
    owner_of,
    owner_query,
    stated_owners,
)
from autoscaler.sources.prometheus.promql import over_time

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from autoscaler.sources.prometheus.client import PrometheusClient
    from autoscaler.sources.prometheus.mapping import NameMapping
    from autoscaler.sources.prometheus.owners import Owner, PodOwners
    from autoscaler.sources.prometheus.promql import Matcher

REFRESH_S = 300
"""Pods that appear in between go by their names until then."""
GOES_ON_S = 2 * REFRESH_S
"""Reading that went on for no longer than this since the last answer does without a new one."""


class OwnersOfPods:
    """A look-up that is filled from a server; empty where series name their workload."""

    def __init__(
        self, client: PrometheusClient, mapping: NameMapping, matchers: Sequence[Matcher] = ()
    ) -> None:
        self._client = client
        self._mapping = mapping
        self._matchers = tuple(matchers)
        self._exact: dict[tuple[str, str], Owner] = {}
        self._asked_s: int | None = None
        self.owner_of = owner_of(self._exact)

    @property
    def exact(self) -> PodOwners:
        """Return the owners that a server named, as of the last answer."""
        return self._exact

    def refresh(self, at_s: int) -> bool:
        """Ask for the owners of the pods of the day before ``at_s``, if that was not just done.

        Returns whether there was an answer.  Raises ``SourceError``, but not in the middle of
        reading that goes on: usage is worth more than the owners of the newest pods.
        """
        if not self._mapping.takes_workload_of_pod:
            return False
        since_s = None if self._asked_s is None else abs(at_s - self._asked_s)
        if since_s is not None and since_s < REFRESH_S:
            return False
        try:
            found = self._stated(at_s)
            found.update(exact_owners(self._labels(owner_query(DAY_S, self._matchers), at_s)))
        except SourceError:
            if since_s is None or since_s > GOES_ON_S:
                raise
            # the client has counted it; what was known stays, and new pods go by their names
            self._asked_s = at_s
            return False
        self._exact.clear()
        self._exact.update(found)
        self._asked_s = at_s
        return True

    def _stated(self, at_s: int) -> dict[tuple[str, str], Owner]:
        """Return the owners that series of what is in force state."""
        name = next(iter(self._mapping.in_force.values()), None)
        if name is None:
            return {}
        query = over_time("last_over_time", name.selector(self._matchers), DAY_S)
        # what has no workload of its own must not be guessed here
        table = LabelTable(self._mapping, lambda _namespace, _pod: "")
        return stated_owners(table.rows(self._labels(query, at_s))[0])

    def _labels(self, query: str, at_s: int) -> tuple[Mapping[str, str], ...]:
        try:
            return tuple(self._client.instant(query, at_s).labels)
        except QueryRejectedError:
            # some servers refuse a name that they never had a series of
            return ()
