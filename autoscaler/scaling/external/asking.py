"""When the endpoints of workloads are asked, and what of their answers counts.

Each workload is asked at its own interval, at a time of its own within it, so that a fleet is not
asked at once.  Asking happens in threads of its own, and the loop reads what has come by then: no
endpoint can make it wait.  A failure leaves the last answer in force for a while.  A thread that is
free takes a workload of the namespace that has the fewest in hand, so that slow endpoints of one
namespace do not hold up those of another.
"""

from __future__ import annotations

import logging
import threading
import zlib
from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from autoscaler.api.condition_reasons import ExternalReason
from autoscaler.errors import InputError, SourceError
from autoscaler.scaling.external.allowed_hosts import place_of
from autoscaler.scaling.external.api_keys import NoKeyError
from autoscaler.scaling.external.protocol import encode_question, read_reply
from autoscaler.scaling.external.subjects import subjects_of
from recommender.resources import TFLOPS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Protocol

    from autoscaler.clock import Clock
    from autoscaler.scaling.cluster import WorkloadView
    from autoscaler.scaling.external.allowed_hosts import AllowedHosts
    from autoscaler.scaling.external.answers import ExternalAnswer
    from autoscaler.scaling.external.subjects import Subject
    from recommender.observation import Ints

    class Ask(Protocol):
        """Sends a question; raises a ``SourceError``."""

        def __call__(self, url: str, body: bytes, *, bearer: str | None = None) -> bytes:
            """Return the body of the answer."""
            ...

    KeyOf = Callable[[str, str | None, str], str]
    """Namespace of a workload, namespace and name of its Secret to the key; ``NoKeyError``."""

THREADS = 8
FIRST_WITHIN_S = 30
"""A workload that may be asked is asked for the first time within so long."""
KEPT_INTERVALS = 3
KEPT_LEAST_S = 300
_ENDS = tuple(reason for reason in ExternalReason if reason is not ExternalReason.NOT_ASKED_YET)
NOT_YET = "the endpoint is asked once the initial delay of the workload is over"
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Asked:
    """What is known of one workload's endpoint."""

    subject: Subject
    next_s: int
    is_asking: bool = False
    answer: ExternalAnswer | None = None
    answered_s: int = 0
    reason: ExternalReason = ExternalReason.NOT_ASKED_YET
    text: str = NOT_YET


class AskedScalers:
    """The endpoints of a fleet.  All methods may be called by any thread."""

    def __init__(
        self,
        *,
        ask: Ask,
        key_of: KeyOf,
        allowed: AllowedHosts,
        clock: Clock,
        threads: int = THREADS,
    ) -> None:
        self._ask = ask
        self._key_of = key_of
        self._allowed = allowed
        self._clock = clock
        self._lock = threading.Lock()
        self._asked: dict[str, _Asked] = {}
        self._due: dict[str, deque[_Asked]] = {}
        """By namespace, those that wait for a thread; never an empty one."""
        self._in_hand: Counter[str] = Counter()
        """By namespace, those that have one."""
        self._counts: Counter[ExternalReason] = Counter()
        self._is_stopped = False
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="external-scaler")

    def see(self, views: Sequence[WorkloadView], first_sample_s: Ints | None = None) -> None:
        """Take the fleet of a tick; workloads that are gone are forgotten.

        ``first_sample_s`` is the time of the first sample of each view, -1: none; None: not known
        in this tick.
        """
        subjects = subjects_of(views, first_sample_s)
        with self._lock:
            known = self._asked
            self._asked = {
                uid: _seen(known.get(uid), subject, self._clock.now_s())
                for uid, subject in subjects.items()
            }

    def ask_due(self) -> int:
        """Have those asked whose time has come; returns at once, with how many they are."""
        now_s = self._clock.now_s()
        with self._lock:
            if self._is_stopped:
                return 0
            due = [asked for asked in self._asked.values() if _is_due(asked, now_s)]
            for asked in due:
                asked.is_asking = True
                asked.next_s = now_s + asked.subject.scaler.interval_s
                self._due.setdefault(asked.subject.namespace, deque()).append(asked)
                self._pool.submit(self._ask_next)
            return len(due)

    def answer_of(self, uid: str) -> ExternalAnswer | None:
        """Return what an endpoint asks for now; None: nothing, or it has not answered lately."""
        with self._lock:
            asked = self._asked.get(uid)
            if asked is None or asked.answer is None:
                return None
            kept_s = max(KEPT_INTERVALS * asked.subject.scaler.interval_s, KEPT_LEAST_S)
            return asked.answer if self._clock.now_s() - asked.answered_s < kept_s else None

    def state_of(self, uid: str) -> tuple[ExternalReason, str] | None:
        """Return how an endpoint does, with a sentence; None: the workload has none."""
        with self._lock:
            asked = self._asked.get(uid)
            return None if asked is None else (asked.reason, asked.text)

    @property
    def in_flight(self) -> int:
        """Return how many are being asked, or wait for a thread that asks."""
        with self._lock:
            return sum(asked.is_asking for asked in self._asked.values())

    def outcomes(self) -> Mapping[ExternalReason, int]:
        """Return how the questions so far ended."""
        with self._lock:
            return MappingProxyType({reason: self._counts[reason] for reason in _ENDS})

    def stop(self) -> None:
        """Ask nobody any more; those that are being asked end by their deadline."""
        with self._lock:
            self._is_stopped = True
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _ask_next(self) -> None:
        with self._lock:
            namespace = min(self._due, key=lambda each: self._in_hand[each])
            waiting = self._due.pop(namespace)
            asked = waiting.popleft()
            if waiting:
                # at the end, so that it is another one's turn where several have as few
                self._due[namespace] = waiting
            self._in_hand[namespace] += 1
            subject = asked.subject
        try:
            self._ask_one(asked, subject)
        finally:
            with self._lock:
                self._in_hand[namespace] -= 1

    def _ask_one(self, asked: _Asked, subject: Subject) -> None:
        answer = None
        try:
            answer = self._answer(subject)
            reason, text = ExternalReason.ANSWERED, _told(answer)
        except _RefusedError as refused:
            reason, text = refused.reason, str(refused)
        except Exception:  # noqa: BLE001 - in a thread of a pool nobody would hear of it
            _log.exception("%s/%s: a defect while asking", subject.namespace, subject.workload)
            reason, text = ExternalReason.FAILED, "a defect of the autoscaler; its log says more"
        self._note(asked, subject, answer, reason, text)

    def _answer(self, subject: Subject) -> ExternalAnswer:
        scaler = subject.scaler
        if refusal := self._allowed.refusal(scaler.url):
            raise _RefusedError(ExternalReason.NOT_ALLOWED, refusal)
        try:
            bearer = None
            if scaler.secret_name:
                bearer = self._key_of(
                    subject.namespace, scaler.secret_namespace, scaler.secret_name
                )
            body = self._ask(scaler.url, encode_question(subject.question), bearer=bearer)
            return read_reply(body, peak_tflops=subject.card.get(TFLOPS.name))
        except NoKeyError as error:
            raise _RefusedError(ExternalReason.NO_SECRET, str(error)) from error
        except (SourceError, InputError) as error:
            text = f"{place_of(scaler.url)}: {error}"
            raise _RefusedError(ExternalReason.FAILED, text) from error

    def _note(
        self,
        asked: _Asked,
        subject: Subject,
        answer: ExternalAnswer | None,
        reason: ExternalReason,
        text: str,
    ) -> None:
        with self._lock:
            asked.is_asking = False
            self._counts[reason] += 1
            # It may have got another endpoint, or another workload its name, while it was asked.
            if subject.scaler.url != asked.subject.scaler.url:
                return
            is_news = (reason, text) != (asked.reason, asked.text)
            asked.reason, asked.text = reason, text
            if answer is not None:
                asked.answer, asked.answered_s = answer, self._clock.now_s()
        if is_news:
            level = logging.INFO if reason is ExternalReason.ANSWERED else logging.WARNING
            _log.log(level, "%s/%s: %s", subject.namespace, subject.workload, text)


class _RefusedError(Exception):
    """A question that brought no answer."""

    def __init__(self, reason: ExternalReason, text: str) -> None:
        super().__init__(text)
        self.reason = reason


def _seen(known: _Asked | None, subject: Subject, now_s: int) -> _Asked:
    """Return what is known of a subject that is there now."""
    if known is None or known.subject.scaler.url != subject.scaler.url:
        within_s = min(subject.scaler.interval_s, FIRST_WITHIN_S)
        # by a hash that is the same in each process
        return _Asked(subject=subject, next_s=now_s + zlib.crc32(subject.uid.encode()) % within_s)
    known.subject = subject.after(known.subject)
    interval_s = subject.scaler.interval_s
    known.next_s = min(known.next_s, now_s + interval_s)
    return known


def _is_due(asked: _Asked, now_s: int) -> bool:
    since_s, delay_s = asked.subject.since_s, asked.subject.scaler.initial_delay_s
    is_early = delay_s > 0 and (since_s is None or now_s - since_s < delay_s)
    return not asked.is_asking and not is_early and now_s >= asked.next_s


def _told(answer: ExternalAnswer) -> str:
    return "the endpoint asks for no change" if answer.is_empty else "the endpoint answers"
