"""What pods take of each node, kept by pod, so that placement need not count them again.

Pods that are bound count, placed ones of ours that the scheduler has not bound yet, and those that
are being placed just now (held).  What is taken of GPUs is ``books``.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from autoscaler.kube.store import Object
from autoscaler.workloads.books.card import Card
from autoscaler.workloads.cluster import gpus_of
from autoscaler.workloads.nodes.node_needs import NodeNeeds
from autoscaler.workloads.nodes.pod_requests import HostPort, PodRequests, is_terminal, requests_of


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeTaken:
    """What the pods of one node take together."""

    amounts: Mapping[str, int] = field(default_factory=dict)
    """Counted as in ``PodRequests``."""
    pods: int = 0
    host_ports: AbstractSet[HostPort] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Share:
    """What one pod takes."""

    node: str
    requests: PodRequests
    is_held: bool
    """It is being placed; no pod that is seen says so yet."""


class _Sum:
    """What the pods of one node take, changed pod by pod."""

    def __init__(self) -> None:
        self.amounts: Counter[str] = Counter()
        self.host_ports: Counter[HostPort] = Counter()
        self.pods = 0

    def change(self, requests: PodRequests, sign: int) -> None:
        self.pods += sign
        for name, amount in requests.amounts.items():
            self.amounts[name] += sign * amount
        for port in requests.host_ports:
            self.host_ports[port] += sign
            if not self.host_ports[port]:
                del self.host_ports[port]

    def without(self, shares: Collection[_Share]) -> NodeTaken:
        rest = _Sum()
        rest.amounts, rest.pods = self.amounts.copy(), self.pods
        rest.host_ports = self.host_ports.copy()
        for share in shares:
            rest.change(share.requests, -1)
        return rest.taken()

    def taken(self) -> NodeTaken:
        amounts = {name: amount for name, amount in self.amounts.items() if amount}
        return NodeTaken(amounts=amounts, pods=self.pods, host_ports=frozenset(self.host_ports))


_NOTHING = NodeTaken()


class NodeBooks:
    """What is taken of all nodes; thread-safe.

    ``observe`` and ``observe_gone`` are for the one thread that learns of pods, in the order in
    which it learns: a listener of the pods' store.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._shares: dict[str, _Share] = {}
        self._sums: dict[str, _Sum] = {}
        self._taken: dict[str, NodeTaken] = {}
        self._node_of: dict[str, str] = {}
        """Name of a GPU object to its node."""
        self._unbound: dict[str, tuple[str, PodRequests]] = {}
        """Placed pods that are not bound: uid to one of their GPUs, and what they take."""
        self._unbound_on: dict[str, set[str]] = {}
        """The other way around: GPU to uids."""

    def observe(self, pod: Object) -> str:
        """Take a pod as it is now, and return the node that has more room by that, else nothing.

        What is held for a pod stays until it is bound, placed or ended.
        """
        if is_terminal(pod):
            return self.observe_gone(pod)
        uid, requests = pod["metadata"]["uid"], requests_of(pod)
        node = (pod.get("spec") or {}).get("nodeName") or ""
        gpu = "" if node else next(iter(gpus_of(pod)), "")
        with self._lock:
            self._note_unbound(uid, gpu, requests)
            old = self._shares.get(uid)
            if gpu:
                # Where the node of its GPU is not known, what was held says where it was placed.
                node = self._node_of.get(gpu) or ("" if old is None else old.node)
            elif not node and old is not None and old.is_held:
                return ""
            share = _Share(node=node, requests=requests, is_held=False) if node else None
            return self._set(uid, share)

    def observe_gone(self, pod: Object) -> str:
        """Forget a pod, and return the node that has more room by that, else nothing."""
        uid = pod["metadata"]["uid"]
        with self._lock:
            self._note_unbound(uid, "", None)
            return self._set(uid, None)

    def observe_card(self, card: Card) -> None:
        """Learn of the node of a GPU, and count the pods on it that are placed and not bound yet.

        A GPU that is gone stays known: pods that were placed on it may be bound there yet.
        """
        with self._lock:
            if not card.node or self._node_of.get(card.name) == card.node:
                return
            self._node_of[card.name] = card.node
            for uid in self._unbound_on.get(card.name, ()):
                requests = self._unbound[uid][1]
                self._set(uid, _Share(node=card.node, requests=requests, is_held=False))

    def hold(self, uid: str, node: str, needs: NodeNeeds) -> None:
        """Let a pod that is being placed count as if it were on that node."""
        with self._lock:
            old = self._shares.get(uid)
            if old is None or old.is_held:
                self._set(uid, _Share(node=node, requests=needs.requests, is_held=True))

    def drop(self, uid: str) -> None:
        """Let a pod that is not placed after all take nothing; one that is seen placed stays."""
        with self._lock:
            old = self._shares.get(uid)
            if old is not None and old.is_held:
                self._set(uid, None)

    def taken(self, node: str, without: Collection[str] = ()) -> NodeTaken:
        """Return what the pods of a node take, but for those of some UIDs.

        Nothing of a node that is not known.
        """
        with self._lock:
            left_out = [share for uid in without if (share := self._shares.get(uid)) is not None]
            left_out = [share for share in left_out if share.node == node]
            if left_out:
                return self._sums[node].without(left_out)
            taken = self._taken.get(node)
            if taken is None:
                total = self._sums.get(node)
                if total is None:
                    return _NOTHING
                taken = self._taken[node] = total.taken()
            return taken

    def _set(self, uid: str, share: _Share | None) -> str:
        old = self._shares.pop(uid, None)
        if old is not None:
            self._change(old, -1)
        if share is not None:
            self._shares[uid] = share
            self._change(share, 1)
        if old is None or (share is not None and (share.node, share.requests) == _place(old)):
            return ""
        return old.node

    def _change(self, share: _Share, sign: int) -> None:
        total = self._sums.setdefault(share.node, _Sum())
        total.change(share.requests, sign)
        self._taken.pop(share.node, None)
        if not total.pods:
            del self._sums[share.node]

    def _note_unbound(self, uid: str, gpu: str, requests: PodRequests | None) -> None:
        old = self._unbound.pop(uid, None)
        if old is not None:
            uids = self._unbound_on[old[0]]
            uids.discard(uid)
            if not uids:
                del self._unbound_on[old[0]]
        if gpu and requests is not None:
            self._unbound[uid] = (gpu, requests)
            self._unbound_on.setdefault(gpu, set()).add(uid)


def _place(share: _Share) -> tuple[str, PodRequests]:
    return share.node, share.requests
