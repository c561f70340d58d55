"""What all claims come to, per GPU and per namespace, kept with each claim that changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Self

from autoscaler.workloads.books.claim import Claim
from autoscaler.workloads.books.freed import Freed
from autoscaler.workloads.books.gpu_amounts import GpuAmounts
from autoscaler.workloads.books.quota_use import QuotaUse

NOTHING = GpuAmounts()
NO_CLAIMS: Mapping[str, Claim] = MappingProxyType({})


class Sums:
    """Sums over claims; one writer at a time."""

    def __init__(self) -> None:
        self._used: dict[str, GpuAmounts] = {}
        self._claims: dict[str, dict[str, Claim]] = {}
        self._in_namespace: dict[str, QuotaUse] = {}
        self._workers: Counter[tuple[str, str]] = Counter()
        """By pool and level of service."""

    @classmethod
    def over(cls, claims: Iterable[Claim]) -> Self:
        """Return the sums of these claims."""
        sums = cls()
        for claim in claims:
            sums.move(None, claim)
        return sums

    def used(self, gpu: str) -> GpuAmounts:
        """Return what is requested of a GPU."""
        return self._used.get(gpu, NOTHING)

    def claims_on(self, gpu: str) -> Mapping[str, Claim]:
        """Return the claims on a GPU by UID of their pod."""
        return self._claims.get(gpu, NO_CLAIMS)

    def has_workers(self, pool: str, qos: str) -> bool:
        """Return whether there are workers of a pool and a level of service."""
        return self._workers[pool, qos] > 0

    def quota_use(self, namespace: str) -> QuotaUse:
        """Return what the workers of a namespace have together."""
        return self._in_namespace.get(namespace, QuotaUse())

    def move(self, before: Claim | None, after: Claim | None) -> Freed:
        """Count one claim of a pod in place of another one; return where less is in use now."""
        if before == after:
            return Freed()
        gpus = set()
        for gpu in {*_gpus(before), *_gpus(after)}:
            had, has = _request(before, gpu), _request(after, gpu)
            self._count_on(gpu, has - had)
            if not had.fits_in(has):
                gpus.add(gpu)
        for claim, count in ((before, -1), (after, 1)):
            self._list(claim, is_there=claim is after)
            if claim is not None:
                self._workers[claim.pool, claim.qos] += count
        return Freed(gpus=frozenset(gpus), namespaces=self._move_quota(before, after))

    def differences(self, other: Sums) -> frozenset[str]:
        """Return the GPUs whose sums or claims differ.

        Where only sums of namespaces do, the GPUs of their workers.
        """
        differ = frozenset(
            gpu
            for gpu in {*self._used, *other._used, *self._claims, *other._claims}
            if self.used(gpu) != other.used(gpu) or self.claims_on(gpu) != other.claims_on(gpu)
        )
        return differ or frozenset(
            gpu
            for gpu, claims in self._claims.items()
            for claim in claims.values()
            if self.quota_use(claim.namespace) != other.quota_use(claim.namespace)
        )

    def shrunk_from(self, former: Sums) -> Freed:
        """Return where less is in use than ``former`` says."""
        return Freed(
            gpus=frozenset(g for g in former._used if not former.used(g).fits_in(self.used(g))),
            namespaces=frozenset(
                each
                for each in former._in_namespace
                if not former.quota_use(each).fits_in(self.quota_use(each))
            ),
        )

    def _count_on(self, gpu: str, added: GpuAmounts) -> None:
        total = self.used(gpu) + added
        if total == NOTHING:
            self._used.pop(gpu, None)
        else:
            self._used[gpu] = total

    def _list(self, claim: Claim | None, *, is_there: bool) -> None:
        for gpu in _gpus(claim):
            assert claim is not None
            here = self._claims.setdefault(gpu, {})
            if is_there:
                here[claim.uid] = claim
            else:
                here.pop(claim.uid, None)
            if not here:
                del self._claims[gpu]

    def _move_quota(self, before: Claim | None, after: Claim | None) -> frozenset[str]:
        freed = set()
        for namespace in {c.namespace for c in (before, after) if c is not None}:
            had = QuotaUse.of(before if before and before.namespace == namespace else None)
            has = QuotaUse.of(after if after and after.namespace == namespace else None)
            total = self.quota_use(namespace) - had + has
            if total == QuotaUse():
                self._in_namespace.pop(namespace, None)
            else:
                self._in_namespace[namespace] = total
            if not had.fits_in(has):
                freed.add(namespace)
        return frozenset(freed)


def _gpus(claim: Claim | None) -> tuple[str, ...]:
    return () if claim is None else claim.gpus


def _request(claim: Claim | None, gpu: str) -> GpuAmounts:
    return NOTHING if claim is None or gpu not in claim.gpus else claim.request
