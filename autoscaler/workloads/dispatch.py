"""Takes keys from the queue and has each looked at, and says when a failed one comes again.

Whoever looks at a key reads the newest state and lets errors of the API server out; what they mean
for the key is decided here, once for all.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping

from autoscaler.errors import (
    ApiUnavailableError,
    ForbiddenError,
    InvalidError,
    KubeError,
    ThrottledError,
)
from autoscaler.kube.lanes import Priority
from autoscaler.kube.work_queue import WorkQueue
from autoscaler.kube.writer import NotLeadingError
from autoscaler.workloads.counts import ControllerCounts, ReconcileOutcome
from autoscaler.workloads.work import WorkKey, WorkKind

Reconcile = Callable[[str, str], None]
"""Brings one object, given by namespace and name, to its desired state."""
LATER_S = 1.0
"""After an answer that says to try later, where it does not say when."""
LONGEST_LATER_S = 60.0
GET_TIMEOUT_S = 1.0
_log = logging.getLogger(__name__)


class Dispatch:
    """Hands keys to those who look at them; any number of threads may ``run``."""

    def __init__(
        self,
        queue: WorkQueue[WorkKey],
        reconcilers: Mapping[WorkKind, Reconcile],
        counts: ControllerCounts,
        *,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._queue = queue
        self._reconcilers = reconcilers
        self._counts = counts
        self._monotonic_s = monotonic_s

    def run(self) -> None:
        """Look at keys until the queue is closed."""
        while not self._queue.is_closed:
            self.run_once(GET_TIMEOUT_S)

    def run_once(self, timeout_s: float) -> bool:
        """Look at the next key; return whether one came within the timeout."""
        key = self._queue.get(timeout_s)
        if key is None:
            return False
        start_s = self._monotonic_s()
        try:
            outcome = self._reconciled(key)
        finally:
            self._queue.done(key)
        self._counts.reconciled(key.kind, outcome, duration_s=self._monotonic_s() - start_s)
        return True

    def _reconciled(self, key: WorkKey) -> ReconcileOutcome:
        try:
            self._reconcilers[key.kind](key.namespace, key.name)
        except NotLeadingError:
            # Who leads looks at everything again.
            return ReconcileOutcome.NOT_LEADING
        except (InvalidError, ForbiddenError) as error:
            # Rights and policies change without a word, and an API server that has just started
            # refuses everybody until it has read them.
            _log.warning("%s: refused: %s", named(key), error)
            self._queue.retry(key, at_least_s=LATER_S)
            return ReconcileOutcome.REFUSED
        except (ThrottledError, ApiUnavailableError) as error:
            _log.info("%s: again later: %s", named(key), error)
            later_s = min(error.retry_after_s or LATER_S, LONGEST_LATER_S)
            self._queue.add_after(key, later_s, urgency_of(key.kind))
            return ReconcileOutcome.RETRIED
        except KubeError as error:
            # Mostly an object that has changed, by our own last write as a rule.
            _log.debug("%s: again: %s", named(key), error)
            self._queue.retry(key)
            return ReconcileOutcome.RETRIED
        except Exception:  # noqa: BLE001 - one object must not end the work on all others
            _log.exception("%s: a defect", named(key))
            self._queue.retry(key)
            return ReconcileOutcome.DEFECT
        self._queue.forget(key)
        return ReconcileOutcome.DONE


def urgency_of(kind: WorkKind) -> Priority:
    """Return how urgent a kind is where nothing more is known: pods wait for their GPUs."""
    return Priority.RAISE if kind is WorkKind.POD else Priority.STATUS


def named(key: WorkKey) -> str:
    """Return a key in words."""
    return " ".join((str(key.kind), "/".join(filter(None, (key.namespace, key.name)))))
