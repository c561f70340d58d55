"""What the agent keeps of one worker from turn to turn: its pages, and its meter on each GPU."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from autoscaler.agent.devices.device import Device
from autoscaler.agent.pages.adopting import adopted_trims
from autoscaler.agent.pages.errors import PageError, PageTamperedError
from autoscaler.agent.pages.progress import progress
from autoscaler.agent.pages.terms import Terms
from autoscaler.agent.pages.use_reading import UseReading
from autoscaler.agent.pages.worker_pages import Applied, WorkerPages
from autoscaler.agent.running.gpu_meter import GPUMeter
from autoscaler.agent.running.roster import Served
from autoscaler.agent.workers.worker import Worker

_NS = 1e9
TOLD_APART_NS = 10_000_000_000
"""A tenant can make each look at its page fail in another way, ten times a second."""
_log = logging.getLogger(__name__)


class KeptWorker:
    """One worker.  Not thread-safe."""

    def __init__(self, served: Served, devices: Mapping[str, Device]) -> None:
        """``devices`` holds its GPUs by UUID."""
        uid, trims = served.worker.uid, adopted_trims(served.folders.control)
        self.meters = {
            uuid: GPUMeter(uid, devices[uuid], gpu, trims.get(uuid, 1.0))
            for gpu, uuid in enumerate(served.worker.uuids)
        }
        """By UUID, in the order of its pages."""
        self.take(served)
        self.reading: UseReading | None = None
        """What its page said last; None: nothing, or nothing that can be believed."""
        self.page_error: PageError | None = None
        """Why a page is not as the limiter and the agent leave it, since the last sample."""
        self.refusal = ""
        """Why its limits could not be put in force at the last try; empty: they were."""
        self._before: UseReading | None = None
        self._pages = WorkerPages(served.folders, len(served.worker.uuids))
        self._applied_ns: int | None = None
        """``seen_ns`` of what is in force; None: nothing is yet."""
        self._problem, self._quiet_until_ns = "", 0

    def take(self, served: Served) -> None:
        """Be what is stated now; UID, GPUs and folders stay."""
        self.served = served
        worker, devices = served.worker, self.meters.items()
        self.request_shares = {uuid: worker.request_share(each.device) for uuid, each in devices}
        self.limit_shares = {uuid: worker.limit_share(each.device) for uuid, each in devices}

    @property
    def worker(self) -> Worker:
        """Return who it is."""
        return self.served.worker

    @property
    def name(self) -> str:
        """Return ``namespace/name``."""
        return f"{self.worker.namespace}/{self.worker.name}"

    @property
    def is_waiting_for_look(self) -> bool:
        """Return whether it ran under an earlier agent, and its demand is not known yet."""
        return self.reading is not None and self._before is None and self._applied_ns is None

    def read(self, now_ns: int, *, is_whole: bool) -> bool:
        """Look at the page of use; return whether it could be read, or is not there yet.

        How far it came on each GPU since the look before is with its meters.
        """
        before, self._before, self.reading = self.reading, self.reading, None
        is_read = True
        try:
            self.reading = self._pages.read(now_ns, is_whole=is_whole)
        except PageError as error:
            self._failed(error, now_ns)
            is_read = False
        after = self.reading
        if before is None or after is None or after.monotonic_ns <= before.monotonic_ns:
            before = after = None
        for gpu, meter in enumerate(self.meters.values()):
            meter.seen = progress(before, after, gpu) if before and after else None
        return is_read

    def apply(self, terms: Terms, now_ns: int, *, is_whole: bool) -> float | None:
        """Put terms in force; return after how many seconds, where they follow a change.

        Raises ``PageError``, which is told in the log as well.
        """
        try:
            applied = self._pages.apply(terms, now_ns, is_whole=is_whole)
        except PageError as error:
            self._failed(error, now_ns)
            self.refusal = str(error)
            raise
        self.refusal = ""
        if applied is Applied.WAITING:
            return None
        if applied is Applied.RESTORED:
            changed = PageTamperedError("its control page was changed, and is put right")
            self._failed(changed, now_ns)
        before_ns, self._applied_ns = self._applied_ns, self.served.seen_ns
        if before_ns in {None, self._applied_ns}:
            return None
        return max(now_ns - self._applied_ns, 0) / _NS

    def declare_dead(self, dead: Mapping[int, int]) -> None:
        """Say which slots have no process: slot to its generation."""
        self._pages.declare_dead(dead)

    def close(self) -> None:
        """Leave its pages as they are."""
        self._pages.close()

    def _failed(self, error: PageError, now_ns: int) -> None:
        if isinstance(error, PageTamperedError):
            self.page_error = error
        if str(error) != self._problem and now_ns >= self._quiet_until_ns:
            _log.warning("worker %s: %s", self.name, error)
            self._problem, self._quiet_until_ns = str(error), now_ns + TOLD_APART_NS
