"""The amounts that a worker has in force: declared, or what was decided for its workload.

What was decided counts per side and dimension, where the layer that decides it is enrolled and its
mode lets it: ``initial`` and ``apply`` for pods that start, ``apply`` alone for those that run.  A
pause changes nothing for new pods, which get the last decision as running ones keep it; under the
process-wide ``recommend`` they get the declared amounts.  Whether a running worker is changed at
all now (process-wide mode, pause, free capacity, totals of quotas), its caller knows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any

from autoscaler.api.ceilings import Ceiling
from autoscaler.api.control import Control, ProcessMode
from autoscaler.api.desired import SIDES, Amount, Desired, read_desired
from autoscaler.api.names import AMOUNT_KEYS, PREFIX
from autoscaler.api.notes import NotedProblems, Notes
from recommender.errors import InvalidValueError, Problem
from recommender.policy.model import Dimension, LimitRule, Mode, Policy, RequestRule
from recommender.policy.stated import Stated
from recommender.quantities import parse_quantity

_AT_START = (Mode.INITIAL, Mode.APPLY)
_WHILE_RUNNING = (Mode.APPLY,)
_UNITS = ("tflops", "compute-percent")
_VRAM = "vram"


def amounts_at_start(
    stated: Stated,
    policy: Policy,
    workload: Mapping[str, Any] | None,
    control: Control,
    ceilings: Mapping[str, Ceiling],
    notes: Notes,
) -> dict[str, str]:
    """Return the quantity of each statement key that has one, for a pod that is yet to start.

    No decided amount is above what a quota allows, and no request above its limit.
    """
    amounts = {
        key: Amount(stated.amount_of(key) or 0.0, quantity, is_decided=False)
        for key, quantity in stated.quantities.items()
    }
    if control.mode is ProcessMode.APPLY and workload is not None:
        desired = read_desired(workload, stated.gpu_model, notes, at_start=True)
        if desired is not None:
            _decide(amounts, desired, policy, _AT_START, ceilings, notes)
    return _quantities(amounts)


def amounts_while_running(
    current: Mapping[str, str],
    policy: Policy,
    workload: Mapping[str, Any],
    ceilings: Mapping[str, Ceiling],
    notes: Notes,
    gpu_model: str,
) -> dict[str, str]:
    """Return the quantity of each statement key that a running worker is to have.

    ``current`` is what it has, by statement key; what nobody decides stays as it is spelt there.
    No decided amount is above what a quota allows, no request is above its limit, and one that is
    not decided is never lowered.  VRAM that new pods start without is not given to one that started
    so.  Current amounts that cannot be read are noted, and stay.
    """
    amounts = _read(current, notes)
    desired = read_desired(workload, gpu_model, notes, at_start=False)
    if amounts is None or desired is None:
        return dict(current)
    starting = read_desired(workload, gpu_model, NotedProblems(), at_start=True)
    if starting is not None:
        kept = _kept_since_start(amounts, desired, starting)
        desired = replace(desired, amounts={**desired.amounts, **kept})
    _decide(amounts, desired, policy, _WHILE_RUNNING, ceilings, notes)
    return _quantities(amounts)


def _kept_since_start(
    amounts: Mapping[str, Amount], desired: Desired, starting: Desired
) -> dict[str, Amount]:
    """Return the VRAM that a worker is to have where pods that start get less of it.

    VRAM that is in use cannot be lowered, so that running workers may have more than new ones; one
    that started with less needs no more than those do.
    """
    kept = {}
    for key in (f"{_VRAM}-{end}" for end in SIDES.values()):
        runs, starts = desired.amounts.get(key), starting.amounts.get(key)
        has = amounts.get(key)
        if runs and starts and has and starts.value < runs.value:
            kept[key] = sorted((starts, has, runs), key=lambda each: each.value)[1]
    return kept


def _read(current: Mapping[str, str], notes: Notes) -> dict[str, Amount] | None:
    amounts: dict[str, Amount] | None = {}
    for key, quantity in current.items():
        try:
            value = float(parse_quantity(quantity))
        except InvalidValueError as error:
            notes.invalid(f"annotation {PREFIX}{key}", quantity, error.allowed)
            amounts = None
            continue
        if amounts is not None:
            amounts[key] = Amount(value, quantity, is_decided=False)
    return amounts


def _decide(
    amounts: dict[str, Amount],
    desired: Desired,
    policy: Policy,
    acting: Collection[Mode],
    ceilings: Mapping[str, Ceiling],
    notes: Notes,
) -> None:
    """Put what was decided in the place of what is there."""
    decided = _decided(amounts, desired, policy, acting, notes)
    amounts |= {key: _capped(amount, ceilings.get(key)) for key, amount in decided}
    _keep_order(amounts)


def _quantities(amounts: Mapping[str, Amount]) -> dict[str, str]:
    return {key: amounts[key].quantity for key in AMOUNT_KEYS if key in amounts}


def _decided(
    amounts: Mapping[str, Amount],
    desired: Desired,
    policy: Policy,
    acting: Collection[Mode],
    notes: Notes,
) -> Iterator[tuple[str, Amount]]:
    """Yield what was decided, as far as enrolled layers may set it and in the worker's unit."""
    unit = _unit(amounts) or _unit(desired.amounts)
    for side, end in SIDES.items():
        for dimension in Dimension:
            if not _may_set(policy, side, dimension, acting):
                continue
            name = _VRAM if dimension is Dimension.VRAM else unit
            amount = desired.amounts.get(f"{name}-{end}")
            if amount is not None:
                yield f"{name}-{end}", amount
            elif dimension is Dimension.COMPUTE and unit is not None:
                _warn_of_unit(desired, unit, end, notes)


def _may_set(policy: Policy, side: str, dimension: Dimension, acting: Collection[Mode]) -> bool:
    rules: Mapping[Dimension, RequestRule | LimitRule]
    rules = policy.requests if side == "requests" else policy.limits
    return rules[dimension].is_enrolled and rules[dimension].mode in acting


def _unit(keys: Mapping[str, object]) -> str | None:
    """Return the unit in which compute is stated; None where it is not."""
    return next((unit for unit in _UNITS if any(key.startswith(unit) for key in keys)), None)


def _warn_of_unit(desired: Desired, unit: str, end: str, notes: Notes) -> None:
    other = next(name for name in _UNITS if name != unit)
    if f"{other}-{end}" in desired.amounts:
        notes.warn(
            Problem(
                desired.path,
                f"states {other}-{end}, and the pod states compute in {unit}; it is left out",
            )
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
