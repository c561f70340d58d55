"""``status.desiredResources``: what stands there, and what is to stand there after changes.  Pure.

Amounts that no enrolled layer may set are left out, whoever stated them; so a write after a changed
enrolment is right whatever it is about.  Same amounts are the same statement, however they are
spelt: its number in the order of decisions (epoch, sequence) is new only where one amount is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from autoscaler.kube.timestamps import time_text
from autoscaler.scaling.live.status.model_parts import laid_out, parts_of, place_of
from recommender.amounts import ResourceAmounts, percent_of_tflops
from recommender.policy.model import Dimension, Mode
from recommender.quantities import format_bytes_quantity, format_tflops, parse_quantity
from recommender.resources import COMPUTE_PERCENT, TFLOPS, VRAM

if TYPE_CHECKING:
    from autoscaler.scaling.cluster import Amounts, Change
    from autoscaler.scaling.live.status.workload_terms import Terms
    from recommender.policy.model import LimitRule, Policy, RequestRule

NEXT_START = "nextStart"
SIDES = ("requests", "limits")
PART = (*SIDES, NEXT_START)
_WHOLE_CARD = Decimal(100)
_DIMENSIONS = {
    str(TFLOPS.api_name): Dimension.COMPUTE,
    str(COMPUTE_PERCENT.api_name): Dimension.COMPUTE,
    str(VRAM.api_name): Dimension.VRAM,
}


class Place(NamedTuple):
    """Where one amount stands in a part."""

    is_at_start: bool
    side: str
    name: str
    """``tflops``, ``compute`` or ``vram``."""


Stated = dict[Place, Decimal]
"""The amounts of one part, per worker and GPU device, in TFLOPS, percent or bytes."""


class Order(NamedTuple):
    """The place of a statement in the order of decisions, and when it was made (UTC seconds)."""

    epoch: int
    sequence: int
    time_s: int

    def mapping(self) -> dict[str, Any]:
        """Return the order as the API carries it."""
        return {
            "epoch": self.epoch,
            "sequence": self.sequence,
            "time": time_text(self.time_s),
        }


def place_in_order(part: Mapping[str, Any]) -> tuple[int, int]:
    """Return epoch and sequence of a statement, or of what was carried out; 0 where none stand."""
    return part.get("epoch") or 0, part.get("sequence") or 0


def desired_after(
    present: Mapping[str, Any] | None, changes: Iterable[Change], terms: Terms
) -> dict[str, Any]:
    """Return what is to be stated, without its order; empty where nothing is.

    ``present`` is what stands there.  Raises ``ValueError`` where a change is in TFLOPS, the
    workload in percent, and nobody knows of how much.
    """
    parts = {
        model: stated_in(part) for model, part in parts_of(present, PART, terms.models).items()
    }
    for change in changes:
        place = place_of(change.gpu_model, parts, terms.models)
        parts[place] = {**parts.get(place, {}), **_stated_by(change, terms)}
    allowed = {model: _allowed(stated, terms) for model, stated in parts.items()}
    return laid_out({model: _mapping(part) for model, part in allowed.items()}, terms.models)


def is_same(one: Mapping[str, Any] | None, other: Mapping[str, Any] | None) -> bool:
    """Return whether two statements say the same, whatever their order and their spelling."""
    return _all_stated(one) == _all_stated(other)


def stated_in(part: Mapping[str, Any]) -> Stated:
    """Return the amounts of a part; what cannot be read is left out."""
    stated: Stated = {}
    for is_at_start, holder in ((False, part), (True, part.get(NEXT_START) or {})):
        for side in SIDES:
            read, _ = ResourceAmounts.from_mapping(holder.get(side) or {}, side)
            for name, text in read.to_mapping().items():
                stated[Place(is_at_start, side, name)] = parse_quantity(text)
    return stated


def amounts_mapping(
    values: Amounts, *, is_in_percent: bool = False, peak_tflops: float | None = None
) -> dict[str, str]:
    """Return amounts by resource name as the API carries them, each rounded up to what it resolves.

    TFLOPS count where percent stand beside them.  Raises ``ValueError`` as ``desired_after`` does.
    """
    mapping = {}
    tflops, percent = values.get(TFLOPS.name), values.get(COMPUTE_PERCENT.name)
    if tflops is not None and not is_in_percent:
        mapping[str(TFLOPS.api_name)] = format_tflops(tflops)
    elif tflops is not None or percent is not None:
        mapping[str(COMPUTE_PERCENT.api_name)] = _percent_text(tflops, percent, peak_tflops)
    if VRAM.name in values:
        mapping[str(VRAM.api_name)] = format_bytes_quantity(values[VRAM.name])
    return mapping


def known_mapping(values: Amounts, gpu_model: str, terms: Terms) -> dict[str, str]:
    """Return amounts as ``amounts_mapping``, without those that nobody can say in percent."""
    peak_tflops = terms.peak_tflops.get(gpu_model)
    if terms.is_in_percent and not peak_tflops:
        values = MappingProxyType({k: v for k, v in values.items() if k != TFLOPS.name})
    return amounts_mapping(values, is_in_percent=terms.is_in_percent, peak_tflops=peak_tflops)


def _percent_text(tflops: float | None, percent: float | None, peak_tflops: float | None) -> str:
    if tflops is None:
        assert percent is not None
    elif not peak_tflops:
        raise ValueError(
            "its compute is stated in percent, and the TFLOPS of its GPU model are not known"
        )
    else:
        percent = float(percent_of_tflops(_exact(tflops), _exact(peak_tflops)))
    # a thousandth of a percent is spelt as a thousandth of a TFLOPS is
    return format_tflops(min(percent, float(_WHOLE_CARD)))


def _exact(value: float) -> Decimal:
    return Decimal(float.__repr__(float(value)))


def _stated_by(change: Change, terms: Terms) -> Stated:
    stated: Stated = {}
    for is_at_start, values_of in (
        (False, (change.request, change.limit)),
        (True, (change.start_request, change.start_limit)),
    ):
        for side, values in zip(SIDES, values_of, strict=True):
            texts = amounts_mapping(
                values,
                is_in_percent=terms.is_in_percent,
                peak_tflops=terms.peak_tflops.get(change.gpu_model),
            )
            for name, text in texts.items():
                stated[Place(is_at_start, side, name)] = parse_quantity(text)
    return stated


def _allowed(stated: Stated, terms: Terms) -> Stated:
    """Return what enrolled layers may state; at the next start only what differs from now."""
    wanted_unit = _unit(stated, terms)
    allowed: Stated = {}
    for place, value in stated.items():
        if _DIMENSIONS[place.name] is Dimension.COMPUTE and place.name != wanted_unit:
            continue
        match _mode(terms.policy, place):
            case Mode.APPLY:
                allowed[place] = value
            case Mode.INITIAL if not place.is_at_start:
                # what workers would have started with is all that the layer may say
                allowed.setdefault(place._replace(is_at_start=True), value)
            case Mode.INITIAL:
                allowed[place] = value
    return {
        place: value
        for place, value in allowed.items()
        if not place.is_at_start or allowed.get(place._replace(is_at_start=False)) != value
    }


def _unit(stated: Stated, terms: Terms) -> str:
    """Return the unit in which compute is stated; amounts in another one would be ignored."""
    has_tflops = any(place.name == TFLOPS.api_name for place in stated)
    is_in_percent = terms.is_in_percent or not has_tflops
    return str(COMPUTE_PERCENT.api_name if is_in_percent else TFLOPS.api_name)


def _mode(policy: Policy, place: Place) -> Mode | None:
    """Return how far the layer of an amount may go; None where it is not enrolled."""
    rules: Mapping[Dimension, RequestRule | LimitRule]
    rules = policy.requests if place.side == "requests" else policy.limits
    rule = rules[_DIMENSIONS[place.name]]
    return rule.mode if rule.is_enrolled else None


def _mapping(stated: Stated) -> dict[str, Any]:
    now, start = _sides(stated, is_at_start=False), _sides(stated, is_at_start=True)
    return {**now, **({NEXT_START: start} if start else {})}


def _sides(stated: Stated, *, is_at_start: bool) -> dict[str, Any]:
    sides = {}
    for side in SIDES:
        found = {
            name: stated[Place(is_at_start, side, name)]
            for name in _DIMENSIONS
            if Place(is_at_start, side, name) in stated
        }
        if found:
            sides[side] = ResourceAmounts(
                tflops=found.get(str(TFLOPS.api_name)),
                compute_percent=found.get(str(COMPUTE_PERCENT.api_name)),
                vram_bytes=found.get(str(VRAM.api_name)),
            ).to_mapping()
    return sides


def _all_stated(desired: Mapping[str, Any] | None) -> dict[str, Stated]:
    parts: Collection[tuple[str, Mapping[str, Any]]] = parts_of(desired, PART, ()).items()
    return {model: stated for model, part in parts if (stated := stated_in(part))}
