"""The one way in which a process writes: by its leader, within the budget, with counts.

Every write asks first whether this process still leads, then waits for the budget; how it went is
told to the budget, so that it slows down for an API server that suffers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from autoscaler.errors import ApiUnavailableError, ThrottledError
from autoscaler.kube.api_server import ApiServer
from autoscaler.kube.resource import Resource
from autoscaler.kube.status_apply import StatusOwner, apply_status, is_new
from autoscaler.kube.store import Object
from autoscaler.kube.write_budget import WriteBudget

LONGEST_WAIT_S = 10.0
"""For the budget; after it the key comes again."""
LONGEST_LATER_WAIT_S = 0.25
"""The same of what is not urgent, so that it does not keep threads from what is."""
Answer = TypeVar("Answer")


class Writer:
    """Writes to the API server; thread-safe."""

    def __init__(
        self, api: ApiServer, budget: WriteBudget, *, is_leader: Callable[[], bool]
    ) -> None:
        self._api = api
        self._budget = budget
        self._is_leader = is_leader

    def write(self, request: Callable[[ApiServer], Answer], *, is_urgent: bool = True) -> Answer:
        """Return what one writing request answers; what is not urgent lets others go first.

        Raises ``NotLeadingError`` where this process does not lead, ``ThrottledError`` where
        the budget allows nothing for long, in both cases before anything was sent, and whatever
        the request raises.
        """
        self._require_lead()
        wait_s = LONGEST_WAIT_S if is_urgent else LONGEST_LATER_WAIT_S
        if not self._budget.take(wait_s, is_urgent=is_urgent):
            raise ThrottledError(f"the own budget allows no write within {wait_s:g} s")
        self._require_lead()
        with self._budget.observing(is_urgent=is_urgent):
            return request(self._api)

    def write_status(
        self,
        resource: Resource,
        shown: Object,
        status: Object,
        owner: StatusOwner,
        *,
        is_urgent: bool = False,
    ) -> bool:
        """Make this process's part of a status what ``status`` says; return whether written.

        What is there already costs nothing.  Raises as ``apply_status`` and ``write`` do.
        """
        if not is_new(shown, status, owner):
            return False
        return self.write(
            lambda api: apply_status(api, resource, shown, status, owner), is_urgent=is_urgent
        )

    def _require_lead(self) -> None:
        if not self._is_leader():
            raise NotLeadingError("this process does not lead, so it writes nothing")


class NotLeadingError(ApiUnavailableError):
    """This process does not lead: nothing was sent."""
