"""``status.desiredResources`` of a workload, as it speaks for one worker.

``byGPUModel`` of the worker's model wins over ``nextStart``, which is for new pods only, and that
over what stands at the top; each value on its own.  Whether a value may be used is ``in_force``'s.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from autoscaler.api.notes import Notes
from recommender.amounts import ResourceAmounts
from recommender.errors import Problem
from recommender.gpu_models import find_gpu_model
from recommender.policy.values import shown

SIDES = {"requests": "request", "limits": "limit"}
"""Side of an API mapping to the end of the statement keys."""
_NEXT_START, _BY_MODEL = "nextStart", "byGPUModel"


class Amount(NamedTuple):
    """An amount in TFLOPS, percent or bytes."""

    value: float
    quantity: str
    is_decided: bool
    """By the autoscaler, not declared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desired:
    """What was decided for a workload; zero amounts are left out."""

    path: str
    """For messages."""
    amounts: Mapping[str, Amount]
    """By statement key, such as ``tflops-limit``."""
    epoch: int | None
    sequence: int | None
    """Decisions are in the order of epoch and sequence; None where one is not stated."""


def read_desired(
    workload: Mapping[str, Any], gpu_model: str, notes: Notes, *, at_start: bool
) -> Desired | None:
    """Return what was decided for workers of a GPU model (empty: any); None: nothing was.

    ``at_start`` says that it is for a pod that is yet to start.  What cannot be read is left out as
    a whole, with a warning.
    """
    desired = (workload.get("status") or {}).get("desiredResources")
    if desired is None:
        return None
    name = (workload.get("metadata") or {}).get("name")
    path = f"workload {name} status.desiredResources"
    amounts: dict[str, Amount] = {}
    problems: list[Problem] = []
    for at, part in _parts(desired, gpu_model, path, at_start=at_start):
        amounts |= _amounts(part, at, problems)
    order = [_whole_number(desired, name, path, problems) for name in ("epoch", "sequence")]
    if problems:
        instead = "the declared amounts count" if at_start else "the amounts in force stay"
        notes.warn(f"{problems[0]}; all of it is left out, and {instead}")
        return None
    return Desired(path=path, amounts=amounts, epoch=order[0], sequence=order[1])


def _parts(desired: Any, gpu_model: str, path: str, *, at_start: bool) -> Iterator[tuple[str, Any]]:
    """Yield the parts that speak for a worker, the most general first."""
    yield path, desired
    if not isinstance(desired, Mapping):
        return
    if at_start:
        yield f"{path}.{_NEXT_START}", desired.get(_NEXT_START)
    by_model = desired.get(_BY_MODEL)
    model = _key_of_model(by_model, gpu_model) if isinstance(by_model, Mapping) else None
    if isinstance(by_model, Mapping) and model is not None:
        at, part = f"{path}.{_BY_MODEL}.{shown(model)}", by_model[model]
        yield at, part
        if at_start and isinstance(part, Mapping):
            yield f"{at}.{_NEXT_START}", part.get(_NEXT_START)


def _whole_number(desired: Any, name: str, path: str, problems: list[Problem]) -> int | None:
    value = desired.get(name) if isinstance(desired, Mapping) else None
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    text = f"{shown(value)!r} is not valid; allowed: a whole number"
    problems.append(Problem(f"{path}.{name}", text))
    return None


def _key_of_model(by_model: Mapping[str, Any], gpu_model: str) -> str | None:
    """Return the key of a GPU model, whichever of its names is used; None without a model."""
    wanted = find_gpu_model(gpu_model)
    for name in by_model if gpu_model else ():
        is_same = wanted is not None and find_gpu_model(str(name)) == wanted
        if is_same or str(name).casefold() == gpu_model.casefold():
            return name
    return None


def _amounts(part: Any, path: str, problems: list[Problem]) -> dict[str, Amount]:
    """Return what one part states; an absent one states nothing."""
    if part is None:
        return {}
    if not isinstance(part, Mapping):
        problems.append(Problem(path, f"{shown(part)!r} is not valid; allowed: a mapping"))
        return {}
    amounts = {}
    for side, end in SIDES.items():
        read, found = ResourceAmounts.from_mapping(part.get(side) or {}, f"{path}.{side}")
        problems += found
        spelt = read.to_mapping()
        for name, api_name, value in (
            ("tflops", "tflops", read.tflops),
            ("compute-percent", "compute", read.compute_percent),
            ("vram", "vram", read.vram_bytes),
        ):
            if value:
                amounts[f"{name}-{end}"] = Amount(float(value), spelt[api_name], is_decided=True)
    return amounts
