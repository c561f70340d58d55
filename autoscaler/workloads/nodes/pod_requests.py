"""What a pod takes of its node, counted as the scheduler of Kubernetes counts it.

CPU is counted in thousandths and all else in whole units, each rounded up, as there
(``k8s.io/component-helpers/resource``).  Pods of others count like ours.  A pod whose resources are
being changed in place counts with what its spec asks for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_CEILING
from functools import lru_cache
from typing import Any, NamedTuple

from autoscaler.kube.store import Object
from recommender.quantities import parse_quantity

CPU = "cpu"
MILLI = 1000
ANY_ADDRESS = "0.0.0.0"  # noqa: S104 - what an absent hostIP stands for; nothing listens here
_POD_LEVEL = (CPU, "memory")
_POD_LEVEL_PREFIX = "hugepages-"
_TERMINAL = ("Succeeded", "Failed")
Amounts = Mapping[str, int]
"""By name of the resource: CPU in thousandths, memory in bytes, else whole units."""


class HostPort(NamedTuple):
    """A port of the node that a pod takes."""

    protocol: str
    address: str
    port: int

    def conflicts_with(self, other: HostPort) -> bool:
        """Return whether both cannot be on one node."""
        is_same = (self.protocol, self.port) == (other.protocol, other.port)
        return is_same and (
            self.address == other.address or ANY_ADDRESS in {self.address, other.address}
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PodRequests:
    """What one pod takes, beside one of the node's places for pods."""

    amounts: Amounts
    host_ports: frozenset[HostPort] = field(default_factory=frozenset)


def requests_of(pod: Object) -> PodRequests:
    """Return what a pod takes of its node."""
    spec = pod.get("spec") or {}
    containers, inits = _list(spec, "containers"), _list(spec, "initContainers")
    amounts = _of_containers(containers, inits)
    for name, amount in _requests(spec).items():
        if name in _POD_LEVEL or name.startswith(_POD_LEVEL_PREFIX):
            amounts[name] = amount
    _add(amounts, _amounts(spec.get("overhead")))
    running = [*containers, *filter(_is_sidecar, inits)]
    return PodRequests(
        amounts={name: amount for name, amount in amounts.items() if amount},
        host_ports=frozenset(_host_ports(running)),
    )


def is_terminal(pod: Object) -> bool:
    """Return whether a pod has ended, so that it takes nothing any more."""
    return (pod.get("status") or {}).get("phase") in _TERMINAL


@lru_cache(maxsize=8192)
def counted(name: str, quantity: str) -> int:
    """Return a quantity of a resource as it is counted.  Raises ``InvalidValueError``."""
    amount = parse_quantity(quantity, name)
    return int((amount * MILLI if name == CPU else amount).to_integral_value(ROUND_CEILING))


def _of_containers(containers: list[Object], inits: list[Object]) -> dict[str, int]:
    """Return the larger of what runs for long, sidecars included, and of the greediest start."""
    running: dict[str, int] = {}
    for container in containers:
        _add(running, _requests(container))
    sidecars: dict[str, int] = {}
    starting: dict[str, int] = {}
    for container in inits:
        asked = dict(_requests(container))
        if _is_sidecar(container):
            _add(running, asked)
            _add(sidecars, asked)
            asked = sidecars
        else:
            _add(asked, sidecars)
        starting = _larger(starting, asked)
    return _larger(running, starting)


def _is_sidecar(container: Object) -> bool:
    return container.get("restartPolicy") == "Always"


def _requests(holder: Object) -> Amounts:
    return _amounts((holder.get("resources") or {}).get("requests"))


def _amounts(quantities: Mapping[str, Any] | None) -> Amounts:
    return {name: counted(name, str(text)) for name, text in (quantities or {}).items()}


def _add(total: dict[str, int], added: Amounts) -> None:
    for name, amount in added.items():
        total[name] = total.get(name, 0) + amount


def _larger(one: Amounts, other: Amounts) -> dict[str, int]:
    return {name: max(one.get(name, 0), other.get(name, 0)) for name in {*one, *other}}


def _host_ports(containers: Iterable[Object]) -> Iterator[HostPort]:
    for container in containers:
        for port in container.get("ports") or ():
            if port.get("hostPort"):
                yield HostPort(
                    protocol=port.get("protocol") or "TCP",
                    address=port.get("hostIP") or ANY_ADDRESS,
                    port=int(port["hostPort"]),
                )


def _list(spec: Object, part: str) -> list[Object]:
    return list(spec.get(part) or ())
