"""Looks at the API server for what the caches lack, within a fixed time.

In one ``kubectl apply`` a profile and the pod that names it arrive within milliseconds of each
other, in any order, and a bare pod that is refused is not tried again by anybody.  So each missing
object is asked for once, all at the same time; what is not there then stays missing.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

from autoscaler.api.object_key import ObjectKey
from autoscaler.errors import ForbiddenError, InvalidError, KubeError, NotFoundError
from autoscaler.webhook.admission import Object
from autoscaler.webhook.counts import AdmissionCounts, LiveOutcome

BUDGET_S = 0.4
"""For all looks of one request together; the API server waits 5 s for our answer."""

Get = Callable[[ObjectKey, float], Object]
"""Returns an object within so many seconds, or raises ``KubeError``; runs on another thread."""

_log = logging.getLogger(__name__)


class Unseen(NamedTuple):
    """Why an object that may be there could not be looked at."""

    why: str
    is_passing: bool
    """Another look may bring it: the API server was late or failed, and denied nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What looking brought."""

    found: Mapping[ObjectKey, Object] = field(default_factory=lambda: MappingProxyType({}))
    unseen: Mapping[ObjectKey, Unseen] = field(default_factory=lambda: MappingProxyType({}))
    """Objects that may be there but could not be looked at, and why."""

    def joined(self, other: Looked) -> Looked:
        """Return both together."""
        return Looked(
            found=MappingProxyType({**self.found, **other.found}),
            unseen=MappingProxyType({**self.unseen, **other.unseen}),
        )


class LiveObjects:
    """Asks the API server for single objects."""

    def __init__(self, get: Get, executor: Executor, counts: AdmissionCounts) -> None:
        self._get = get
        self._executor = executor
        self._counts = counts

    async def look(self, keys: Iterable[ObjectKey], *, until_s: float) -> Looked:
        """Return what is there of ``keys`` by ``until_s`` on the monotonic clock; never raises."""
        loop = asyncio.get_running_loop()
        left_s = max(until_s - time.monotonic(), 0.0)
        asked = {loop.run_in_executor(self._executor, self._one, key, left_s): key for key in keys}
        if not asked:
            return Looked()
        done, late = await asyncio.wait(asked, timeout=left_s)
        found: dict[ObjectKey, Object] = {}
        unseen: dict[ObjectKey, Unseen] = {}
        for answer in done:
            outcome, obj, why = answer.result()
            self._counts.looked(outcome)
            if obj is not None:
                found[asked[answer]] = obj
            elif outcome is not LiveOutcome.ABSENT:
                unseen[asked[answer]] = Unseen(why, is_passing=outcome is not LiveOutcome.FORBIDDEN)
        for answer in late:
            answer.cancel()
            self._counts.looked(LiveOutcome.TIMEOUT)
            unseen[asked[answer]] = Unseen("the API server did not answer in time", is_passing=True)
        for key, each in unseen.items():
            _log.warning("could not look at %s: %s", named(key), each.why)
        return Looked(found=MappingProxyType(found), unseen=MappingProxyType(unseen))

    def _one(self, key: ObjectKey, left_s: float) -> tuple[LiveOutcome, Object | None, str]:
        try:
            return LiveOutcome.FOUND, self._get(key, left_s), ""
        except (NotFoundError, InvalidError):
            # What no object can be called is not there either.
            return LiveOutcome.ABSENT, None, ""
        except ForbiddenError as error:
            return LiveOutcome.FORBIDDEN, None, str(error)
        except KubeError as error:
            return LiveOutcome.FAILED, None, str(error)


def named(key: ObjectKey) -> str:
    """Return how a message calls an object."""
    return f"{key.kind} {key.namespace}/{key.name}" if key.namespace else f"{key.kind} {key.name}"
