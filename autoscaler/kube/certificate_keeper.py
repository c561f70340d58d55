"""Keeps the webhook reachable: its certificate in one Secret, and the entries that lead to it.

Each run reads everything anew, makes the one step of ``rotation`` that is due, and otherwise puts
the webhook configurations right.  Only the leader acts.  Nothing but waiting times is kept in
memory, and they begin again after a restart, so that a keeper may end at any point.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from autoscaler.api.names import NAMESPACE
from autoscaler.clock import Clock
from autoscaler.errors import AlreadyExistsError, ConflictError, KubeError
from autoscaler.kube.certificate_secret import secret_with
from autoscaler.kube.certificates import leaf_of, new_authority_and_serving, validity_s
from autoscaler.kube.endpoint_probe import probe_all
from autoscaler.kube.filling import bundle_for, problems_of, wanted_entries
from autoscaler.kube.resource import SECRETS
from autoscaler.kube.rotation import (
    SOON_S,
    RotationRules,
    RotationState,
    Step,
    after,
    next_step,
)
from autoscaler.kube.rotation_action import Action
from autoscaler.kube.webhook_address import Address
from autoscaler.kube.webhook_endpoints import Endpoint
from autoscaler.kube.webhook_view import ProbeAll, WebhookView, look

if TYPE_CHECKING:
    from autoscaler.kube.api_server import ApiServer

SHORTEST_WAIT_S = 0.2
RETRY_S = 5.0
"""After an error of the API server."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeeperRules:
    """What an installation decides."""

    needed_endpoints: int = 2
    """So many must verify before an empty configuration is filled; 1 where replicas = 1."""
    open_after_s: float | None = None
    """Entries are removed when no endpoint verified for so long; None: never."""
    is_external: bool = False
    """Whether somebody else, such as cert-manager, writes the Secret; it is only read then."""
    check_every_s: float = 15.0
    rotation: RotationRules = field(default_factory=RotationRules)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeeperSnapshot:
    """What is known after the last run."""

    expires_s: float | None = None
    """End of the serving certificate, in UTC seconds; None: there is none."""
    authorities: int = 0
    """In the bundle; more than one while a rotation runs."""
    known_endpoints: int = 0
    verified_endpoints: int = 0
    is_filled: bool = False
    """Whether all webhook configurations had their entries when they were read."""
    steps: Mapping[Action, int] = field(default_factory=dict)
    """How often the Secret was written, by reason."""
    last_error: str = ""
    """What hindered the last run; empty: nothing."""


class CertificateKeeper:
    """The part of the controller's leader that keeps certificate and entries.

    ``endpoints`` returns the webhook processes that are known, ``is_leader`` whether this process
    may write.  Not thread-safe but for ``snapshot``.
    """

    def __init__(
        self,
        api: ApiServer,
        address: Address,
        *,
        endpoints: Callable[[], Sequence[Endpoint]],
        is_leader: Callable[[], bool],
        clock: Clock,
        rules: KeeperRules | None = None,
        namespace: str = NAMESPACE,
        probe: ProbeAll = probe_all,
    ) -> None:
        self._api = api
        self._address = address
        self._endpoints = endpoints
        self._is_leader = is_leader
        self._clock = clock
        self._rules = rules or KeeperRules()
        self._namespace = namespace
        self._probe = probe
        self._carried: tuple[tuple[str, ...], float] | None = None
        """A bundle, and since when all entries carry it."""
        self._verified_s: float | None = None
        """When an endpoint was verified last, or first looked for."""
        self._snapshot = KeeperSnapshot()

    def snapshot(self) -> KeeperSnapshot:
        """Return what the last run saw."""
        return self._snapshot

    def run(self, stop: threading.Event) -> None:
        """Run again and again until ``stop`` is set; whatever goes wrong is logged."""
        while not stop.is_set():
            try:
                wait_s = self.run_once()
            except KubeError:
                # It was logged, and is in the snapshot.
                wait_s = RETRY_S
            except Exception as error:  # noqa: BLE001 - ended, it would let the certificate run out
                _log.exception("webhook certificate: a defect")
                self._snapshot = replace(self._snapshot, last_error=f"a defect: {error}")
                wait_s = RETRY_S
            stop.wait(max(wait_s, SHORTEST_WAIT_S))

    def run_once(self) -> float:
        """Make one step, if it is due; return after how many seconds to look again.

        Raises ``KubeError``.
        """
        if not self._is_leader():
            self._carried = self._verified_s = None
            return self._rules.check_every_s
        try:
            return self._step(float(self._clock.now_s()))
        except (ConflictError, AlreadyExistsError) as error:
            _log.info("webhook certificate: somebody else wrote meanwhile: %s", error)
            return SOON_S
        except KubeError as error:
            self._note(replace(self._snapshot, last_error=str(error)))
            raise

    def _step(self, now_s: float) -> float:
        view = look(
            self._api,
            namespace=self._namespace,
            server_name=self._address.server_name,
            endpoints=self._endpoints,
            probe=self._probe,
        )
        self._note_times(view, now_s)
        self._note(self._seen(view))
        look_again_s = self._rules.check_every_s
        if not self._rules.is_external:
            state = self._state(view)
            step = next_step(state, now_s, self._rules.rotation)
            if step.action is not Action.NOTHING:
                self._write_secret(view, state, step, now_s)
                return 0.0
            look_again_s = min(look_again_s, step.look_again_s)
        if self._fill(view, now_s):
            return 0.0
        return look_again_s if view.is_filled else min(look_again_s, SOON_S)

    def _note_times(self, view: WebhookView, now_s: float) -> None:
        if view.verified or self._verified_s is None:
            self._verified_s = now_s
        bundle = view.stored.authorities
        if not all({*bundle} <= {*entry} for entry in view.carried):
            self._carried = None
        elif self._carried is None or self._carried[0] != bundle:
            self._carried = bundle, now_s

    def _state(self, view: WebhookView) -> RotationState:
        return RotationState(
            stored=view.stored,
            server_name=self._address.server_name,
            carried=view.carried,
            carried_since_s=self._carried[1] if self._carried is not None else None,
            served=tuple(probe.served for probe in view.probes),
        )

    def _write_secret(
        self, view: WebhookView, state: RotationState, step: Step, now_s: float
    ) -> None:
        stored = after(
            step.action,
            state,
            lambda: new_authority_and_serving(
                self._address.names, now_s=now_s, lifetime_s=self._rules.rotation.lifetime_s
            ),
            now_s,
        )
        secret = secret_with(view.secret, stored, namespace=self._namespace)
        if not self._is_leader():
            return
        if view.secret is None:
            self._api.create(SECRETS, secret, namespace=self._namespace)
        else:
            # It holds the version that was read, and fails where somebody wrote since.
            self._api.replace(SECRETS, secret)
        _log.info("webhook certificate: %s: %s", step.action, step.reason)
        steps = {**self._snapshot.steps, step.action: self._snapshot.steps.get(step.action, 0) + 1}
        self._note(replace(self._snapshot, steps=steps))

    def _fill(self, view: WebhookView, now_s: float) -> bool:
        """Put the entries right; return whether one was written."""
        open_after_s, since_s = self._rules.open_after_s, self._verified_s
        assert since_s is not None
        bundle = bundle_for(view, is_external=self._rules.is_external)
        has_written = False
        for configuration in view.configurations:
            wanted = wanted_entries(
                configuration,
                self._address,
                bundle,
                namespace=self._namespace,
                is_safe=view.verified >= self._rules.needed_endpoints,
                is_opening=open_after_s is not None and now_s - since_s >= open_after_s,
            )
            if wanted == configuration.entries or not self._is_leader():
                continue
            # The version makes it fail where somebody wrote since it was read.
            version = configuration.live["metadata"]["resourceVersion"]
            self._api.merge_patch(
                configuration.webhook.configuration,
                configuration.webhook.configuration_name,
                {"metadata": {"resourceVersion": version}, "webhooks": wanted},
            )
            done = "entry written" if wanted else "emptied: no endpoint verified for too long"
            _log.info("%s: %s", configuration.title, done)
            has_written = True
        return has_written

    def _seen(self, view: WebhookView) -> KeeperSnapshot:
        leaf = leaf_of(view.stored.serving.certificate) if view.stored.serving is not None else ""
        problems = problems_of(
            view,
            namespace=self._namespace,
            needed_endpoints=self._rules.needed_endpoints,
            is_external=self._rules.is_external,
        )
        return replace(
            self._snapshot,
            expires_s=validity_s(leaf)[1] if leaf else None,
            authorities=len(view.stored.authorities),
            known_endpoints=len(view.probes),
            verified_endpoints=view.verified,
            is_filled=view.is_filled,
            last_error="; ".join(problems),
        )

    def _note(self, snapshot: KeeperSnapshot) -> None:
        if snapshot.last_error != self._snapshot.last_error:
            _log.warning("webhook certificate: %s", snapshot.last_error or "all is well again")
        self._snapshot = snapshot
