"""Which step the webhook's certificate needs next: pure, over what is seen now.

The law: at every moment each filled entry of a webhook configuration verifies what each endpoint
serves.  So a new authority reaches all entries before its certificate is served, and an old one
stays in them until nothing served needs it::

    ISSUE   bundle [A]      serving a
    STAGE   bundle [A, B]   serving a   following b     at 2/3 of the lifetime of a
    SWITCH  bundle [A, B]   serving b                   all entries have carried [A, B] for a minute
    DROP    bundle [B]      serving b                   all endpoints serve b, a day has passed

Each step is one write of the Secret, and the state is read anew before each, so that a keeper may
end anywhere and another one goes on.  Filling the entries is not here (``certificate_keeper``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from autoscaler.errors import UsageError
from autoscaler.kube.certificate_secret import StoredCertificates
from autoscaler.kube.certificates import (
    CLOCKS_DIFFER_S,
    Issued,
    KeyPair,
    fault_of,
    leaf_of,
    unexpired,
    validity_s,
)
from autoscaler.kube.rotation_action import Action

SOON_S = 2.0
"""When to look again for what others do: entries being filled, endpoints that load."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RotationRules:
    """How long certificates live and how long steps wait for one another.

    Raises ``UsageError`` where a new certificate would be due for renewal at once.
    """

    lifetime_s: float = 90 * 86_400
    renew_at_share: float = 2 / 3
    """Part of its lifetime after which a certificate is replaced."""
    settle_s: float = 60
    """How long all entries carry a bundle before it is relied on: API servers learn of it late."""
    overlap_s: float = 86_400
    """How long an old authority stays after its certificate was replaced, at least."""

    def __post_init__(self) -> None:
        renew_after_s = self.renew_at_share * (self.lifetime_s + CLOCKS_DIFFER_S) - CLOCKS_DIFFER_S
        if not 0 < renew_after_s < self.lifetime_s:
            raise UsageError(
                f"certificate rotation: lifetime {self.lifetime_s:g} s, renewed at "
                f"{self.renew_at_share:g} of it and of the {CLOCKS_DIFFER_S} s before it; allowed: "
                "a share that ends between issue and end"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class RotationState:
    """All that a step depends on."""

    stored: StoredCertificates
    server_name: str
    """What the API server calls the webhook, and verifies."""
    carried: tuple[tuple[str, ...], ...] = ()
    """Authorities of each filled entry."""
    carried_since_s: float | None = None
    """Since when all of them carry the whole stored bundle, as far as it was seen."""
    served: tuple[str | None, ...] = ()
    """Certificate that each known endpoint serves on a fresh connection; None: none verified."""

    @property
    def authorities(self) -> tuple[str, ...]:
        """Return those of the bundle and of the entries, each once."""
        entries = (authority for entry in self.carried for authority in entry)
        return tuple(dict.fromkeys((*self.stored.authorities, *entries)))

    @property
    def is_bundle_carried(self) -> bool:
        """Return whether each filled entry carries the whole bundle."""
        return all({*self.stored.authorities} <= {*entry} for entry in self.carried)

    @property
    def is_in_use(self) -> bool:
        """Return whether admissions can succeed now: an entry is filled, an endpoint verified."""
        return bool(self.carried) and any(self.served)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What to do, why, and when to look again."""

    action: Action
    reason: str
    """For the log; completes ``<action>: ...``."""
    look_again_s: float = 0.0
    """Seconds from now; 0 where something is written first."""


def next_step(state: RotationState, now_s: float, rules: RotationRules) -> Step:
    """Return the step that is due; it is carried out by ``after``."""
    stored, serving = state.stored, state.stored.serving
    if serving is None:
        return _replacing(state, "there is no serving certificate", now_s, rules)
    fault = fault_of(serving, state.authorities, state.server_name, now_s)
    if fault is not None:
        return _replacing(state, f"the serving certificate {fault}", now_s, rules)
    if stored.serving_since_s is None or not _is_usable(state, serving, now_s):
        return Step(action=Action.ADOPT, reason="the Secret was written by somebody else")
    if stored.following is not None:
        return _spreading(state, stored.following, now_s, settle_s=rules.settle_s)
    return _serving(state, serving, now_s, rules)


def after(
    action: Action, state: RotationState, issue: Callable[[], Issued], now_s: float
) -> StoredCertificates:
    """Return what the Secret holds once an action is carried out."""
    stored = state.stored
    if action is Action.NOTHING:
        return stored
    if action is Action.DROP:
        assert stored.serving is not None
        return replace(stored, authorities=_needed(state, stored.serving, now_s))
    if action is Action.SWITCH:
        return replace(stored, serving=stored.following, following=None, serving_since_s=now_s)
    kept = unexpired(state.authorities, now_s)
    if action is Action.ADOPT:
        return replace(stored, authorities=kept, serving_since_s=now_s)
    issued = issue()
    bundle = (*kept, issued.authority)
    if action is Action.STAGE:
        return replace(stored, authorities=bundle, following=issued.serving)
    return StoredCertificates(authorities=bundle, serving=issued.serving, serving_since_s=now_s)


def _replacing(state: RotationState, reason: str, now_s: float, rules: RotationRules) -> Step:
    """Replace what cannot be served, but not under endpoints that still serve something better."""
    if state.stored.following is not None:
        settle_s = rules.settle_s if state.is_in_use else 0.0
        return _spreading(state, state.stored.following, now_s, settle_s=settle_s)
    return Step(action=Action.STAGE if state.is_in_use else Action.ISSUE, reason=reason)


def _spreading(state: RotationState, following: KeyPair, now_s: float, *, settle_s: float) -> Step:
    """Wait until all entries have carried the bundle long enough; then switch."""
    if not _is_usable(state, following, now_s):
        return Step(action=Action.STAGE, reason="the staged certificate cannot be used")
    if not state.is_bundle_carried:
        return _waiting("the new authority is not in all webhook configurations yet", SOON_S)
    if state.carried:
        since_s = now_s if state.carried_since_s is None else state.carried_since_s
        if now_s < since_s + settle_s:
            return _waiting("the new authority was added just now", since_s + settle_s - now_s)
    return Step(action=Action.SWITCH, reason="all webhook configurations carry the new authority")


def _serving(state: RotationState, serving: KeyPair, now_s: float, rules: RotationRules) -> Step:
    """Renew what has served most of its time; else drop authorities that it replaced."""
    first_s, last_s = validity_s(leaf_of(serving.certificate))
    renew_s = first_s + rules.renew_at_share * (last_s - first_s)
    if now_s >= renew_s:
        return Step(action=Action.STAGE, reason="the serving certificate is to be renewed")
    if _needed(state, serving, now_s) != state.stored.authorities:
        return _overlapping(state, serving, now_s, rules)
    return _waiting("the serving certificate is not to be renewed yet", renew_s - now_s)


def _overlapping(
    state: RotationState, serving: KeyPair, now_s: float, rules: RotationRules
) -> Step:
    """Wait until nothing that is served needs an old authority; then drop it."""
    assert state.stored.serving_since_s is not None
    left_s = state.stored.serving_since_s + rules.overlap_s - now_s
    if left_s > 0:
        return _waiting("the certificate was replaced not long ago", left_s)
    leaf = leaf_of(serving.certificate)
    if not state.served or any(served != leaf for served in state.served):
        return _waiting("not all endpoints serve the new certificate yet", SOON_S)
    return Step(action=Action.DROP, reason="all endpoints serve the new certificate")


def _is_usable(state: RotationState, pair: KeyPair, now_s: float) -> bool:
    return fault_of(pair, state.stored.authorities, state.server_name, now_s) is None


def _needed(state: RotationState, serving: KeyPair, now_s: float) -> tuple[str, ...]:
    """Return the authorities of the bundle that verify the serving certificate."""
    return tuple(
        authority
        for authority in state.stored.authorities
        if fault_of(serving, (authority,), state.server_name, now_s) is None
    )


def _waiting(reason: str, look_again_s: float) -> Step:
    return Step(action=Action.NOTHING, reason=reason, look_again_s=look_again_s)
