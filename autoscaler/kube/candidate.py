"""One candidate for a lease, step by step: look, take, renew, lose.

A lease has expired when the candidate itself saw no change of it for the whole length, on its own
steady clock: the times that are written into a lease come from another machine's clock and are
compared with nothing.  Where a lease that was seen is gone, just as long is waited, because whoever
held it learns of that with the next renewal only.  Whoever led once and did not renew in time has
lost for good.  Not here: threads and the end of the process, which are ``elector``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from autoscaler.errors import AlreadyExistsError, ConflictError, NotFoundError
from autoscaler.kube.lease import (
    LeaseTimes,
    elapsed_s,
    holder_of,
    released,
    renewed,
    stated_length_s,
    taken,
    transitions_of,
)
from autoscaler.kube.resource import LEASES

if TYPE_CHECKING:
    from autoscaler.kube.api_server import ApiServer, Object


class Standing(StrEnum):
    """Where a candidate stands."""

    FOLLOWING = "following"
    LEADING = "leading"
    LOST = "lost"
    """It led, and must not lead again in this process."""
    RESIGNED = "resigned"
    """It gave up of its own accord."""


@dataclass(frozen=True, slots=True)
class _Reign:
    """A lease that is held; exchanged whole, so that other threads see one moment."""

    lease: Object
    renewed_s: float
    """When the request of the last successful renewal was sent, on the steady clock."""


class Candidate:
    """A candidate, stepped by one thread; ``is_leader`` and the properties are for any thread.

    ``identity`` must be unique to the process, not to the pod: a restarted container is another
    candidate, with another epoch.
    """

    def __init__(
        self,
        api: ApiServer,
        *,
        namespace: str,
        name: str,
        identity: str,
        times: LeaseTimes,
        now_s: Callable[[], float] = time.time,
        steady_s: Callable[[], float] = elapsed_s,
    ) -> None:
        self._api = api
        self._namespace = namespace
        self._name = name
        self.identity = identity
        self._times = times
        self._now_s = now_s
        self._steady_s = steady_s
        self._reign: _Reign | None = None
        self._ended: tuple[Standing, str] | None = None
        self._seen: Object | None = None
        self._seen_at_s = 0.0
        self._is_gone = False
        """Whether there was no lease at the last look, although one was seen before."""
        self._seen_transitions = 0

    @property
    def standing(self) -> Standing:
        """Return where the candidate stands, as of its last step."""
        if self._ended is not None:
            return self._ended[0]
        return Standing.LEADING if self._reign is not None else Standing.FOLLOWING

    @property
    def loss(self) -> str:
        """Return why it lost, or empty."""
        return self._ended[1] if self._ended is not None else ""

    @property
    def epoch(self) -> int | None:
        """Return the transitions of the lease that is or was held; None: it never led."""
        reign = self._reign
        return None if reign is None else transitions_of(reign.lease)

    @property
    def holder(self) -> str:
        """Return the holder that was seen last; empty: nobody."""
        return holder_of(self._seen or {})

    @property
    def left_s(self) -> float | None:
        """Return for how long it leads if nothing is renewed, 0 or less when that is over.

        None where it does not lead.
        """
        reign = self._reign
        return None if reign is None or self._ended is not None else self._left_of_s(reign)

    def is_leader(self) -> bool:
        """Return whether it may act now: it holds the lease, and renewed it in time."""
        left_s = self.left_s
        return left_s is not None and left_s > 0

    def step(self) -> None:
        """Look once; take or renew the lease where that is allowed.  Raises a ``KubeError``."""
        if self._ended is not None:
            return
        if self._reign is None:
            self._campaign()
        else:
            self._renew(self._reign)

    def check_deadline(self) -> None:
        """Lose where the last renewal is too old."""
        left_s = self.left_s
        if left_s is not None and left_s <= 0:
            silent_s = self._times.renew_deadline_s - left_s
            self._lose(
                f"the lease was not renewed for {silent_s:.1f} s; "
                f"allowed: {self._times.renew_deadline_s:g} s"
            )

    def resign(self) -> None:
        """Stop acting, at once; ``release`` follows when no step is running any more."""
        if self._ended is None:
            self._ended = (Standing.RESIGNED, "")

    def release(self) -> None:
        """Give up the lease after ``resign``, if it is held.  Raises a ``KubeError``."""
        reign = self._reign
        if reign is None or self.standing is not Standing.RESIGNED or self._left_of_s(reign) <= 0:
            return
        self._put(released(reign.lease, now_s=self._now_s()))

    def _campaign(self) -> None:
        lease = self._read()
        looked_s = self._steady_s()
        if not self._is_free(lease, looked_s):
            return
        wanted = taken(
            lease,
            self.identity,
            self._times,
            now_s=self._now_s(),
            seen=self._seen_transitions,
        )
        try:
            held = self._create(wanted) if lease is None else self._put(wanted)
        except (AlreadyExistsError, ConflictError):
            return  # another candidate was quicker
        except NotFoundError:
            if lease is None:
                raise  # it is the namespace that is not there
            return
        self._see(held, looked_s)
        self._reign = _Reign(held, looked_s)

    def _is_free(self, lease: Object | None, looked_s: float) -> bool:
        known = self._seen if lease is None else lease
        if known is None:
            return True  # nobody led, as far as can be known
        is_change = self._seen is None or known.get("spec") != self._seen.get("spec")
        if is_change or (lease is None) != self._is_gone:
            self._see(known, looked_s, is_gone=lease is None)
        if lease is not None and holder_of(lease) in ("", self.identity):
            return True
        length_s = max(self._times.lease_s, stated_length_s(known))
        return looked_s - self._seen_at_s >= length_s

    def _renew(self, reign: _Reign) -> None:
        sent_s = self._steady_s()
        self.check_deadline()
        if self._ended is not None:
            return
        try:
            held = self._put(renewed(reign.lease, now_s=self._now_s()))
        except NotFoundError:
            self._lose("the lease was deleted")
            return
        except ConflictError:
            shown = self._read()
            if shown is None:
                self._lose("the lease was deleted")
                return
            self._see(shown, self._steady_s())
            if holder_of(shown) != self.identity or transitions_of(shown) != self.epoch:
                self._lose(f"the lease is held by {holder_of(shown) or 'nobody'}")
                return
            sent_s = self._steady_s()
            held = self._put(renewed(shown, now_s=self._now_s()))
        self._see(held, sent_s)
        self.check_deadline()  # an answer that came too late helps no more
        self._reign = _Reign(held, sent_s)

    def _left_of_s(self, reign: _Reign) -> float:
        return reign.renewed_s + self._times.renew_deadline_s - self._steady_s()

    def _lose(self, reason: str) -> None:
        if self._ended is None:
            self._ended = (Standing.LOST, reason)

    def _see(self, lease: Object, looked_s: float, *, is_gone: bool = False) -> None:
        self._seen, self._seen_at_s, self._is_gone = lease, looked_s, is_gone
        self._seen_transitions = max(self._seen_transitions, transitions_of(lease))

    def _read(self) -> dict[str, Any] | None:
        try:
            return self._api.get(
                LEASES, self._name, self._namespace, timeout_s=self._times.request_timeout_s
            )
        except NotFoundError:
            return None

    def _create(self, lease: dict[str, Any]) -> dict[str, Any]:
        lease["metadata"] = {"name": self._name, "namespace": self._namespace}
        return self._send("POST", LEASES.path(self._namespace), lease)

    def _put(self, lease: dict[str, Any]) -> dict[str, Any]:
        return self._send("PUT", LEASES.path(self._namespace, self._name), lease)

    def _send(self, method: str, path: str, lease: dict[str, Any]) -> dict[str, Any]:
        return self._api.request(method, path, body=lease, timeout_s=self._times.request_timeout_s)
