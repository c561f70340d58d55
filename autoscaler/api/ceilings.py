"""What the GPUResourceQuotas of a namespace allow one worker: ``single`` and ``allowedQoS``.

Of several quotas every maximum binds.  Admission checks declared amounts against it, and no decided
amount comes into force above it.  Totals are the controller's, which knows what is in use.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from typing import Any, NamedTuple

from autoscaler.api.names import PREFIX
from autoscaler.api.notes import Notes
from recommender.amounts import ResourceAmounts, percent_of_tflops, tflops_of_percent
from recommender.errors import Problem
from recommender.gpu_models import find_gpu_model
from recommender.policy.stated import Stated
from recommender.quantities import parse_quantity

DEFAULT_ALLOWED_QOS = ("low", "medium", "high")
_SIDES = (("maxRequests", "request"), ("maxLimits", "limit"))
_TFLOPS, _PERCENT = _UNITS = ("tflops", "compute-percent")
_MILLI, _NANO = Decimal("1e-3"), Decimal("1e-9")


class Ceiling(NamedTuple):
    """The most that is allowed of something, and who says so."""

    value: float
    quantity: str
    path: str
    """Such as ``GPUResourceQuota gold spec.single.maxLimits.vram``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceilings:
    """Everything that the quotas of a namespace allow one worker, per GPU."""

    amounts: Mapping[str, Ceiling]
    """By key of a statement, in the unit in which the worker states compute."""
    gpu_count: Ceiling | None
    qos: Mapping[str, tuple[str, ...]]
    """Name of a quota to the levels that it allows."""

    def forbids_qos(self, level: str) -> str:
        """Return which quota forbids a level, and what is allowed; empty where none does."""
        for name, allowed in self.qos.items():
            if level not in allowed:
                return f"forbidden by GPUResourceQuota {name}; allowed: {', '.join(allowed)}"
        return ""


def read_ceilings(quotas: Sequence[Mapping[str, Any]], stated: Stated, notes: Notes) -> Ceilings:
    """Return what quotas allow a worker, in the unit in which ``stated`` has compute.

    What cannot be read is noted as a reason to refuse: a quota never allows by mistake.
    """
    amounts: dict[str, Ceiling] = {}
    counts: list[Ceiling] = []
    qos: dict[str, tuple[str, ...]] = {}
    for quota in quotas:
        name = str((quota.get("metadata") or {}).get("name"))
        spec = quota.get("spec") or {}
        single = spec.get("single") or {}
        for key, ceiling in _amounts(single, f"GPUResourceQuota {name} spec.single", notes):
            if key not in amounts or ceiling.value < amounts[key].value:
                amounts[key] = ceiling
        counts += _counts(single, f"GPUResourceQuota {name} spec.single.maxGPUCount", notes)
        qos[name] = tuple(spec.get("allowedQoS") or DEFAULT_ALLOWED_QOS)
    return Ceilings(
        amounts=_in_unit(amounts, stated, notes),
        gpu_count=min(counts, default=None),
        qos=qos,
    )


def _counts(single: Mapping[str, Any], path: str, notes: Notes) -> Iterator[Ceiling]:
    most = single.get("maxGPUCount")
    if isinstance(most, int) and most > 0:
        yield Ceiling(float(most), str(most), path)
    elif most:
        notes.invalid(path, most, "a whole number from 1")


def _amounts(single: Mapping[str, Any], path: str, notes: Notes) -> Iterator[tuple[str, Ceiling]]:
    """Yield the maxima of one quota; zero sets none."""
    for field, side in _SIDES:
        if single.get(field) is None:
            continue
        read, problems = ResourceAmounts.from_mapping(single[field], f"{path}.{field}")
        notes.refuse(*problems)
        spelt = read.to_mapping()
        for name, api_name, amount in (
            (_TFLOPS, "tflops", read.tflops),
            (_PERCENT, "compute", read.compute_percent),
            ("vram", "vram", read.vram_bytes),
        ):
            if amount:
                ceiling = Ceiling(float(amount), spelt[api_name], f"{path}.{field}.{api_name}")
                yield f"{name}-{side}", ceiling


def _in_unit(amounts: Mapping[str, Ceiling], stated: Stated, notes: Notes) -> Mapping[str, Ceiling]:
    """Return maxima of compute in the unit of a worker; one that states none may keep theirs."""
    unit = next((u for u in _UNITS if any(key.startswith(u) for key in stated.quantities)), None)
    strange = [key for key in amounts if unit and key.startswith(_UNITS) and unit not in key]
    if unit is None or not strange:
        return amounts
    fitting = {key: ceiling for key, ceiling in amounts.items() if key not in strange}
    model = find_gpu_model(stated.gpu_model)
    if model is None:
        ceiling = amounts[strange[0]]
        notes.refuse(
            Problem(
                ceiling.path,
                f"is in another unit than the pod's ({unit}), and its GPU model is not "
                f"known; allowed: amounts in that unit, or a known model in annotation "
                f"{PREFIX}gpu-model",
            )
        )
        return fitting
    for key in strange:
        ceiling = _converted(amounts[key], Decimal(str(model.fp16_tflops)), unit)
        own = f"{unit}-{key.rpartition('-')[2]}"
        fitting[own] = min(fitting.get(own, ceiling), ceiling)
    return fitting


def _converted(ceiling: Ceiling, peak_tflops: Decimal, unit: str) -> Ceiling:
    """Return a maximum of compute in the other unit, rounded down."""
    amount = parse_quantity(ceiling.quantity)
    convert = percent_of_tflops if unit == _PERCENT else tflops_of_percent
    exact = convert(amount, peak_tflops)
    floor = exact.quantize(_MILLI if exact >= 1 else _NANO, ROUND_FLOOR).normalize()
    return Ceiling(float(floor), f"{floor:f}", ceiling.path)
