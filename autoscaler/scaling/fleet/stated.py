"""What is declared of a workload, as the loop sees it: a row of the workloads file, resolved.

The same for recorded usage and for a server.  Without a row nothing is declared, and the policy is
the default one: recommend only.  What is measured of a workload is not here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

from autoscaler.errors import UsageError
from autoscaler.scaling.cards import GpuModels
from autoscaler.scaling.cluster import Amounts, WorkloadView, amounts, is_of_job
from autoscaler.sources.recorded_usage import Key
from autoscaler.sources.workloads_file import WorkloadRow
from recommender.errors import Problem
from recommender.gpu_models import GpuModel, find_gpu_model
from recommender.policy.annotations import named_profile
from recommender.policy.profiles import find_profile
from recommender.policy.resolve import Resolved, resolve
from recommender.resources import COMPUTE_PERCENT, TFLOPS, VRAM


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedWorkload:
    """What a row says, resolved."""

    resolved: Resolved
    model: GpuModel | None
    owner: str
    price_per_gpu_hour: float | None
    problems: tuple[Problem, ...]


def stated_by(
    row: WorkloadRow,
    profiles: Mapping[tuple[str, str], Mapping[str, object]],
    gpu_models: GpuModels,
) -> StatedWorkload:
    """Resolve one row; every problem of it is in ``problems``."""
    raw = row.values.get("annotations", {})
    annotations: Mapping[str, Any] = raw if isinstance(raw, Mapping) else {}
    name = str(row.values.get("profile") or named_profile(annotations) or "")
    namespace, slash, alone = name.partition("/")
    found = find_profile(profiles, namespace, alone) if slash else None
    if found is None and name and not slash:
        found = find_profile(profiles, row.namespace, name)
    owner = _owner(row)
    resolved = resolve(
        annotations=annotations,
        profile=None if found is None else found[1],
        profile_name=name if found is None else found[0],
        overrides=row.values,
        is_job=is_of_job(owner),
    )
    price, price_problems = _price(row.values.get("price_per_hour"))
    named_model = resolved.stated.gpu_model
    model = find_gpu_model(named_model, gpu_models.own) if named_model else gpu_models.default
    problems = [problem for problem in resolved.problems if not _is_solved(problem, model)]
    return StatedWorkload(
        resolved=resolved,
        model=model,
        owner=owner,
        price_per_gpu_hour=price,
        problems=(*problems, *price_problems),
    )


def statements_of(
    rows: Sequence[WorkloadRow],
    profiles: Mapping[tuple[str, str], Mapping[str, object]],
    gpu_models: GpuModels,
) -> tuple[dict[Key, StatedWorkload], list[str]]:
    """Resolve all rows; return them by workload, and what their user should know.

    Raises ``UsageError`` with the problems of all rows at once.
    """
    problems: list[str] = []
    notes: list[str] = []
    stated: dict[Key, StatedWorkload] = {}
    for row in rows:
        statement = stated_by(row, profiles, gpu_models)
        for problem in statement.problems:
            if problem.is_warning:
                notes.append(f"{row.place}: {problem}")
            else:
                problems.append(f"{row.place}: {problem.refusal}")
        stated[row.key] = statement
    if problems:
        raise UsageError("\n".join(problems))
    return stated, notes


def card_model(
    reported: str, statement: StatedWorkload | None, gpu_models: GpuModels
) -> GpuModel | None:
    """Return the card of a measured worker; None where it is not known.

    The reported one counts, for samples of two cards do not mix; else the stated one.
    """
    if reported:
        return find_gpu_model(reported, gpu_models.own)
    return gpu_models.default if statement is None else statement.model


def without_usage(stated: Iterable[Key], measured: Collection[Key]) -> list[str]:
    """Return the names of the stated workloads that were not measured."""
    return ["/".join(key) for key in stated if key not in measured]


def stated_view(
    key: Key,
    *,
    statement: StatedWorkload | None,
    model: GpuModel | None,
    gpu_models: GpuModels,
    owner: str = "",
) -> WorkloadView:
    """Return the view of one workload without workers: what is declared is in force.

    ``owner`` is the one that was measured, and counts where none is stated.
    """
    owner = owner if statement is None else statement.owner or owner
    is_job = is_of_job(owner)
    resolved = _nothing_stated(is_job=is_job) if statement is None else statement.resolved
    stated = resolved.stated
    request, limit = _in_tflops(stated.request, model), _in_tflops(stated.limit, model)
    price = None if statement is None else statement.price_per_gpu_hour
    if price is None and model is not None:
        price = gpu_models.prices.get(model.name)
    return WorkloadView(
        namespace=key[0],
        workload=key[1],
        uid=f"{key[0]}/{key[1]}",
        policy=resolved.policy,
        stated_request=request,
        stated_limit=limit,
        request=request,
        limit=limit,
        stated_sources=_sources(stated.sources, model),
        replicas=stated.replicas,
        stated_replicas=stated.replicas,
        gpu_count=stated.gpu_count,
        gpu_model=stated.gpu_model if model is None else model.name,
        pool=stated.pool,
        qos=stated.qos,
        owner=owner,
        card=_card(model),
        price_per_gpu_hour=price,
    )


def price_source(statement: StatedWorkload | None) -> str:
    """Return where the price of a view came from."""
    is_stated = statement is not None and statement.price_per_gpu_hour is not None
    return "workloads file" if is_stated else "settings file"


@cache
def _nothing_stated(*, is_job: bool) -> Resolved:
    """Return one policy for all, so that a large fleet of defaults is one row of policies."""
    return resolve(is_job=is_job)


def _in_tflops(stated: Mapping[str, float], model: GpuModel | None) -> Amounts:
    """Return stated amounts; with a GPU model, percent of one GPU is TFLOPS."""
    if model is None or COMPUTE_PERCENT.name not in stated:
        return amounts(stated)
    rest = {name: value for name, value in stated.items() if name != COMPUTE_PERCENT.name}
    tflops = stated[COMPUTE_PERCENT.name] / 100.0 * model.fp16_tflops
    return amounts({TFLOPS.name: tflops, **rest})


def _sources(sources: Mapping[str, str], model: GpuModel | None) -> Mapping[str, str]:
    if model is None:
        return sources
    named = dict(sources)
    for side in ("request", "limit"):
        percent = f"compute-percent-{side}"
        if percent in sources:
            named[f"tflops-{side}"] = f"{sources[percent]} ({percent} of {model.name})"
    return MappingProxyType(named)


def _card(model: GpuModel | None) -> Amounts:
    if model is None:
        return amounts()
    return amounts(
        {
            TFLOPS.name: model.fp16_tflops,
            COMPUTE_PERCENT.name: 100.0,
            VRAM.name: float(model.vram_bytes),
        }
    )


def _owner(row: WorkloadRow) -> str:
    """Return ``Kind/name`` of the owner; one column may hold both, or the two one each."""
    owner = str(row.values.get("owner") or "").strip()
    kind = str(row.values.get("kind") or "").strip()
    if kind and "/" not in owner:
        return f"{kind}/{owner or row.workload}"
    return owner


def _price(value: object) -> tuple[float | None, tuple[Problem, ...]]:
    if value is None:
        return None, ()
    try:
        price = float(str(value))
    except ValueError:
        price = -1.0
    if isinstance(value, bool) or not 0 <= price < 1e6:
        message = f"{value!r} is not valid; allowed: the price of one GPU hour, 0 or more"
        return None, (Problem("price_per_hour", message),)
    return price, ()


def _is_solved(problem: Problem, model: GpuModel | None) -> bool:
    """Return whether a warning of an unknown GPU model is void, because the settings know it."""
    return model is not None and problem.is_warning and problem.path.endswith("gpu_model")
