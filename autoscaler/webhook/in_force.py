"""The amounts that a new pod starts with: declared, or what was decided for its workload.

What was decided counts per side and dimension, where the layer that decides it is enrolled and may
act at admission.  A pause changes nothing here: new pods get the last decision, as running ones
keep it.  Under the process-wide ``recommend`` the declared amounts count.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from autoscaler.api.control import Control, ProcessMode
from autoscaler.api.names import AMOUNT_KEYS
from autoscaler.webhook.admission import Object
from autoscaler.webhook.desired import SIDES, Amount, Desired, read_desired
from autoscaler.webhook.quotas import Ceiling
from autoscaler.webhook.statements import amount_of
from autoscaler.webhook.verdict import Verdict
from recommender.policy.model import Dimension, LimitRule, Mode, Policy, RequestRule
from recommender.policy.stated import Stated

_ACTING = (Mode.INITIAL, Mode.APPLY)
_UNITS = ("tflops", "compute-percent")
_VRAM = "vram"


def amounts_in_force(
    stated: Stated,
    policy: Policy,
    workload: Object | None,
    control: Control,
    ceilings: Mapping[str, Ceiling],
    verdict: Verdict,
) -> dict[str, str]:
    """Return the quantity in force of each statement key that has one.

    No decided amount is above what a quota allows, and no request above its limit.
    """
    amounts = {
        key: Amount(amount_of(stated, key) or 0.0, quantity, is_decided=False)
        for key, quantity in stated.quantities.items()
    }
    if control.mode is ProcessMode.APPLY and workload is not None:
        desired = read_desired(workload, stated.gpu_model, verdict)
        if desired is not None:
            decided = _decided(desired, policy, stated, verdict)
            amounts |= {key: _capped(amount, ceilings.get(key)) for key, amount in decided}
            _keep_order(amounts)
    return {key: amounts[key].quantity for key in AMOUNT_KEYS if key in amounts}


def _decided(
    desired: Desired, policy: Policy, stated: Stated, verdict: Verdict
) -> Iterator[tuple[str, Amount]]:
    """Yield what was decided, as far as enrolled layers may set it and in the pod's unit."""
    unit = _unit(stated.quantities) or _unit(desired.amounts)
    for side, end in SIDES.items():
        for dimension in Dimension:
            if not _may_set(policy, side, dimension):
                continue
            name = _VRAM if dimension is Dimension.VRAM else unit
            amount = desired.amounts.get(f"{name}-{end}")
            if amount is not None:
                yield f"{name}-{end}", amount
            elif dimension is Dimension.COMPUTE and unit is not None:
                _warn_of_unit(desired, unit, end, verdict)


def _may_set(policy: Policy, side: str, dimension: Dimension) -> bool:
    rules: Mapping[Dimension, RequestRule | LimitRule]
    rules = policy.requests if side == "requests" else policy.limits
    return rules[dimension].is_enrolled and rules[dimension].mode in _ACTING


def _unit(keys: Mapping[str, object]) -> str | None:
    """Return the unit in which compute is stated; None where it is not."""
    return next((unit for unit in _UNITS if any(key.startswith(unit) for key in keys)), None)


def _warn_of_unit(desired: Desired, unit: str, end: str, verdict: Verdict) -> None:
    other = next(name for name in _UNITS if name != unit)
    if f"{other}-{end}" in desired.amounts:
        verdict.warn(
            f"{desired.path}: states {other}-{end}, and the pod states compute in {unit}; the "
            "declared amount counts"
        )


def _capped(amount: Amount, ceiling: Ceiling | None) -> Amount:
    if ceiling is None or amount.value <= ceiling.value:
        return amount
    return Amount(ceiling.value, ceiling.quantity, is_decided=True)


def _keep_order(amounts: dict[str, Amount]) -> None:
    """Keep each request at or below its limit; a declared one is never lowered for a limit."""
    for name in (*_UNITS, _VRAM):
        low, high = amounts.get(f"{name}-request"), amounts.get(f"{name}-limit")
        if low is None or high is None or low.value <= high.value:
            continue
        if low.is_decided:
            amounts[f"{name}-request"] = high
        else:
            amounts[f"{name}-limit"] = low
