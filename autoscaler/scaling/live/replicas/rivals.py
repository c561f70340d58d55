"""Who else sets the replicas of an object: a HorizontalPodAutoscaler, or a ScaledObject of KEDA.

The former are a cache.  ScaledObjects are of a kind that most clusters do not have, so that they
are listed by ``refresh``, which a job calls, where the API server serves the kind.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from autoscaler.errors import KubeError, NotFoundError
from autoscaler.kube.resource import DEPLOYMENTS, HPAS, SCALED_OBJECTS
from autoscaler.scaling.live.replicas.scale_targets import kind_and_group

if TYPE_CHECKING:
    from autoscaler.kube.api_server import ApiServer
    from autoscaler.kube.store import Change, Object
    from autoscaler.scaling.live.caches import LiveCaches

_DEFAULT_TARGET = {"apiVersion": DEPLOYMENTS.api_version, "kind": DEPLOYMENTS.kind}
"""Of a ScaledObject that names no kind."""
_BY_TARGET = "target"
_Target = tuple[str, str, str]
"""Namespace, ``Kind.group`` and name."""
_log = logging.getLogger("autoscaler.scaling")


class Rivals:
    """Other autoscalers by what they scale; ``refresh`` is for one thread, the rest for any."""

    def __init__(self, api: ApiServer, caches: LiveCaches) -> None:
        self._api = api
        self._hpas = caches.store(HPAS)
        self._hpas.add_index(_BY_TARGET, lambda hpa: map(_text, _targets(hpa)))
        self._hpas.on_change(self._count)
        self._scaled: Mapping[_Target, str] = {}
        # Counted apart, because each is written by another thread.
        self._changed_hpas = 0
        self._changed_lists = 0
        self._problem = ""

    @property
    def version(self) -> tuple[int, int]:
        """Return numbers that are other ones whenever an answer may be."""
        return self._changed_hpas, self._changed_lists

    def rival_of(self, namespace: str, kind: str, name: str) -> str | None:
        """Return who scales an object, such as ``HorizontalPodAutoscaler team/chat``.

        ``kind`` is ``Kind.group``.  None where nobody does.
        """
        target = namespace, kind, name
        scaled = self._scaled.get(target)
        if scaled is not None:
            return scaled
        hpas = self._hpas.indexed(_BY_TARGET, _text(target))
        return _named(hpas[0]) if hpas else None

    def refresh(self) -> None:
        """List the ScaledObjects; where that fails, those that are known stay."""
        try:
            listed = self._listed()
        except KubeError as error:
            problem = f"ScaledObjects cannot be listed: {error}"
            if problem != self._problem:
                _log.warning("%s; those that are known count", problem)
            self._problem = problem
            return
        self._problem = ""
        if listed != self._scaled:
            self._scaled = listed
            self._changed_lists += 1

    def _listed(self) -> dict[_Target, str]:
        found: dict[_Target, str] = {}
        try:
            for items, _ in self._api.pages(SCALED_OBJECTS):
                for item in items:
                    found |= dict.fromkeys(_targets(item), _named(item))
        except NotFoundError:
            return {}
        return found

    def _count(self, _: Change) -> None:
        self._changed_hpas += 1


def _targets(obj: Object | dict[str, Any]) -> Iterator[_Target]:
    """Yield what an autoscaler scales; nothing where it does not say it."""
    stated = (obj.get("spec") or {}).get("scaleTargetRef") or {}
    reference = {**_DEFAULT_TARGET, **stated}
    group = str(reference["apiVersion"] or "").rpartition("/")[0]
    if reference.get("name"):
        kind = kind_and_group(str(reference["kind"]), group)
        yield obj["metadata"]["namespace"], kind, str(reference["name"])


def _text(target: _Target) -> str:
    return "/".join(target)


def _named(obj: Object | dict[str, Any]) -> str:
    return f"{obj['kind']} {obj['metadata']['namespace']}/{obj['metadata']['name']}"
