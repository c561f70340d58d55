"""What is held of every GPU and of every namespace's quota, exact at any moment.  Thread-safe.

The pods say who holds what; the books are a copy of that, ahead of the cache by what this process
reserved or raised itself.  Everything that decides by them and then takes something does both
within one ``deciding()``; writes to the API server happen outside of it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from autoscaler.workloads.books.books_snapshot import BooksSnapshot, pools_of
from autoscaler.workloads.books.card import Card
from autoscaler.workloads.books.card_index import CardIndex
from autoscaler.workloads.books.claim import Claim
from autoscaler.workloads.books.freed import Freed, offers_more
from autoscaler.workloads.books.gpu_amounts import GpuAmounts
from autoscaler.workloads.books.holding import Holding
from autoscaler.workloads.books.quota_use import QuotaUse
from autoscaler.workloads.books.room import lacking
from autoscaler.workloads.books.sums import NOTHING, Sums
from autoscaler.workloads.errors import OverbookedError


class Books:
    """The books of one controller."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._depth = 0
        self._freed = Freed()
        self._listeners: list[Callable[[Freed], None]] = []
        self._cards = CardIndex()
        self._holdings: dict[str, Holding] = {}
        self._sums = Sums()
        # Looked up for every card of every choice; a look-up needs no lock.
        self._free: dict[str, GpuAmounts] = {}

    @contextmanager
    def deciding(self) -> Iterator[None]:
        """Let nobody else change the books; may be entered again within.

        Listeners hear at its end what was freed, when the books are open again.
        """
        freed = Freed()
        try:
            with self._lock:
                self._depth += 1
                try:
                    yield
                finally:
                    self._depth -= 1
                    if not self._depth:
                        freed, self._freed = self._freed, Freed()
        finally:
            if freed:
                for listener in tuple(self._listeners):
                    listener(freed)

    def on_freed(self, listener: Callable[[Freed], None]) -> None:
        """Call a function, without the lock, whenever a GPU or a namespace has more room.

        It is called in the thread that freed it, which waits for it.
        """
        with self._lock:
            self._listeners.append(listener)

    def set_card(self, card: Card) -> None:
        """Take a card as it is now; what is held of it stays, even where that is too much."""
        with self.deciding():
            former = self._cards.set(card)
            if former == card:
                return
            before = self.free(card.name)
            self._refresh((card.name,))
            if offers_more(former, card) or not self.free(card.name).fits_in(before):
                self._freed |= Freed(gpus=frozenset((card.name,)))

    def remove_card(self, name: str) -> None:
        """Forget a card; claims on it stay, as their pods do."""
        with self.deciding():
            self._cards.remove(name)
            self._free.pop(name, None)

    def card(self, name: str) -> Card | None:
        """Return a card; None where there is none of that name."""
        return self._cards.get(name)

    def cards_of_pool(self, pool: str) -> Mapping[str, tuple[Card, ...]]:
        """Return the cards of a pool by node, those of a node in the order of their index.

        The mapping never changes: the next call returns another one where something did.
        """
        return self._cards.of_pool(pool)

    def free(self, gpu: str) -> GpuAmounts:
        """Return what may still be requested of a GPU; negative where too much is.

        Nothing of one that is not known.
        """
        return self._free.get(gpu, NOTHING)

    def used(self, gpu: str) -> GpuAmounts:
        """Return what is requested of a GPU, known or not."""
        return self._sums.used(gpu)

    def claim(self, uid: str) -> Claim | None:
        """Return what a pod holds, what is in flight included; None: nothing."""
        holding = self._holdings.get(uid)
        return None if holding is None else holding.counted

    def is_in_flight(self, uid: str) -> bool:
        """Return whether the cache is not known to show all that was written of a pod."""
        holding = self._holdings.get(uid)
        return holding is not None and holding.is_in_flight

    def claims_on(self, gpu: str) -> tuple[Claim, ...]:
        """Return the claims on a GPU by namespace and pod."""
        with self._lock:
            claims = self._sums.claims_on(gpu).values()
            return tuple(sorted(claims, key=lambda each: (each.namespace, each.pod, each.uid)))

    def has_workers(self, pool: str, qos: str) -> bool:
        """Return whether workers of a pool and a level of service hold GPUs."""
        return self._sums.has_workers(pool, qos)

    def quota_use(self, namespace: str) -> QuotaUse:
        """Return what the workers of a namespace hold together."""
        return self._sums.quota_use(namespace)

    def reserve(self, claim: Claim) -> None:
        """Hold GPUs for a pod that is to be placed, until ``settle`` or ``cancel``.

        Raises ``OverbookedError`` where the pod holds something already, a card is not there, or
        it lacks the room; nothing is held then.
        """
        with self.deciding():
            if self.claim(claim.uid) is not None:
                raise OverbookedError(f"pod {claim.namespace}/{claim.pod} holds GPUs already")
            self._require_room(claim.gpus, claim.request, claim)
            self._ask(claim)

    def raise_claim(self, uid: str, request: GpuAmounts, limit: GpuAmounts) -> None:
        """Hold the larger of what a placed pod has and is to have, until ``settle`` or ``cancel``.

        Amounts are per GPU.  What does not grow needs no room.  Raises ``OverbookedError`` where
        the pod holds nothing, a card is not there, or it lacks the room; all stays as it was then.
        """
        with self.deciding():
            present = self.claim(uid)
            if present is None:
                raise OverbookedError(f"the pod of UID {uid} holds no GPU, so nothing is raised")
            wanted = replace(
                present,
                request=present.request.at_least(request),
                limit=present.limit.at_least(limit),
            )
            self._require_room(present.gpus, wanted.request - present.request, present)
            self._ask(wanted)

    def settle(self, uid: str, claim: Claim, version: int | str) -> None:
        """Hold what a write made of a pod, until the cache shows this ``resourceVersion``.

        A pod that has gone meanwhile holds nothing.  Raises ``ValueError`` for a version that is
        no number, or a claim of another pod.
        """
        if claim.uid != uid:
            raise ValueError(f"a claim of the pod of UID {claim.uid} cannot settle that of {uid}")
        with self.deciding():
            holding = self._holdings.get(uid)
            if holding is not None:
                holding.settle(claim, int(version))
                self._count(uid, holding)

    def cancel(self, uid: str) -> None:
        """Give back what was reserved or raised for a write that did not happen."""
        with self.deciding():
            holding = self._holdings.get(uid)
            if holding is not None:
                holding.asked = None
                self._count(uid, holding)

    def observe(self, uid: str, claim: Claim | None, version: int | str) -> None:
        """Take what the cache shows of a pod; None: it is not placed, or at its end.

        An older ``resourceVersion`` than before changes nothing; the same one does, as amounts
        may depend on the card.  Raises ``ValueError`` for a version that is no number.
        """
        with self.deciding():
            holding = self._holdings.setdefault(uid, Holding())
            holding.observe(claim, int(version))
            self._count(uid, holding)

    def observe_gone(self, uid: str) -> None:
        """Give back all that a pod holds, what is in flight included: the pod is gone."""
        with self.deciding():
            holding = self._holdings.pop(uid, None)
            if holding is not None:
                self._move(holding.counted, None)

    def drift(self, claims: Iterable[Claim]) -> tuple[str, ...]:
        """Return the GPUs of which the books say something else than all claims of all pods.

        Pods in flight are left out.  ``claims`` are to be read from the cache within the same
        ``deciding()``.  The cache may still be ahead of the books by a change that is being told
        to them: what two calls find, one after the other, is a defect.
        """
        with self.deciding():
            return tuple(sorted(self._sums.differences(Sums.over(self._truth(claims)))))

    def repair(self, claims: Iterable[Claim]) -> None:
        """Make the books what all claims of all pods say, but for pods in flight.

        ``claims`` are to be read from the cache within the same ``deciding()``.
        """
        with self.deciding():
            former = self._sums
            of_uid = {claim.uid: claim for claim in claims}
            for uid in of_uid.keys() - self._holdings.keys():
                self._holdings[uid] = Holding()
            for uid, holding in self._holdings.items():
                if not holding.is_in_flight:
                    holding.observed = of_uid.get(uid)
                holding.counted = holding.effective()
            counted = (holding.counted for holding in self._holdings.values())
            self._sums = Sums.over(claim for claim in counted if claim is not None)
            self._refresh([card.name for card in self._cards])
            self._freed |= self._sums.shrunk_from(former)

    def snapshot(self) -> BooksSnapshot:
        """Return the sums per pool and model, and what is amiss."""
        with self._lock:
            return BooksSnapshot(
                pools=pools_of(self._cards, self.used),
                in_flight=sum(holding.is_in_flight for holding in self._holdings.values()),
                overbooked=tuple(
                    sorted(gpu for gpu, free in self._free.items() if not NOTHING.fits_in(free))
                ),
            )

    def _truth(self, claims: Iterable[Claim]) -> Iterator[Claim]:
        for holding in self._holdings.values():
            claim = holding.effective()
            if holding.is_in_flight and claim is not None:
                yield claim
        for claim in claims:
            if not self.is_in_flight(claim.uid):
                yield claim

    def _require_room(self, gpus: Iterable[str], added: GpuAmounts, claim: Claim) -> None:
        for gpu in gpus:
            lack = lacking(added, self._free.get(gpu))
            if lack:
                raise OverbookedError(f"pod {claim.namespace}/{claim.pod}: GPU {gpu} {lack}")

    def _ask(self, claim: Claim) -> None:
        holding = self._holdings.setdefault(claim.uid, Holding())
        holding.asked = claim
        self._count(claim.uid, holding)

    def _count(self, uid: str, holding: Holding) -> None:
        before, holding.counted = holding.counted, holding.effective()
        self._move(before, holding.counted)
        if holding.is_empty:
            del self._holdings[uid]

    def _move(self, before: Claim | None, after: Claim | None) -> None:
        if before == after:
            return
        self._freed |= self._sums.move(before, after)
        self._refresh({gpu for each in (before, after) if each is not None for gpu in each.gpus})

    def _refresh(self, gpus: Iterable[str]) -> None:
        for gpu in gpus:
            card = self._cards.get(gpu)
            if card is not None:
                self._free[gpu] = card.allocatable - self._sums.used(gpu)
