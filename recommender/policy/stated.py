"""What a workload's owner declared besides autoscaling: amounts, replicas, GPUs, QoS, pool.

Each layer (annotations, profile, row of the workloads file, quota defaults) is read on its own, and
the layers are put above one another value by value, every value with its source.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import cast

from recommender.errors import InvalidValueError, Problem
from recommender.gpu_models import find_gpu_model, suggest_gpu_models
from recommender.policy.fields import AMOUNTS, PROPERTIES, STATEMENTS, Statement
from recommender.policy.values import is_unset, quantity_text, read_value
from recommender.resources import KNOWN_RESOURCES, MIB
from recommender.sentences import amount

_COMPUTE_PAIRS = (
    ("tflops-request", "compute-percent-request"),
    ("tflops-limit", "compute-percent-limit"),
)
_UNITS = {"tflops": ("tflops-request", "tflops-limit"),
          "tflops_pct": ("compute-percent-request", "compute-percent-limit"),
          "vram_bytes": ("vram-request", "vram-limit")}  # fmt: skip
_BY_KEY = {statement.key: statement for statement in STATEMENTS}
_FIELD = {statement.key: statement.as_field for statement in STATEMENTS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """What is declared for one workload, per worker and GPU device, in base units."""

    request: Mapping[str, float]
    """By resource name; a resource that nobody stated is missing, never zero."""
    limit: Mapping[str, float]
    replicas: int | None = None
    gpu_count: int = 1
    gpu_model: str = ""
    """As written; empty: any."""
    qos: str = "medium"
    pool: str = ""
    profile: str = ""
    is_local_gpu: bool | None = None
    sources: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Key of a statement (``tflops-request``) to where it was written."""
    quantities: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Key of a stated amount to the Kubernetes quantity, as its owner spelt it."""

    def source_of(self, key: str) -> str:
        """Return where a statement was written, for example ``profile team-a/small``."""
        return self.sources.get(key, "default")

    def amount_of(self, key: str) -> float | None:
        """Return the amount of a statement, in TFLOPS, percent or bytes; None: nobody stated it."""
        side = self.request if key.endswith("-request") else self.limit
        return side.get(_BY_KEY[key].resource)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One statement as it was written."""

    value: object
    source: str
    path: str
    quantity: str = ""
    """Of an amount, once it is read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedLayer:
    """Everything that one place says."""

    said: Mapping[str, Said]
    problems: tuple[Problem, ...] = ()


def read_layer(written: Mapping[str, Said], *, tolerates_two_units: bool = False) -> StatedLayer:
    """Check the statements of one place; ``written`` has raw values by the statement's key.

    Zero amounts count as not stated.  TFLOPS and percent exclude each other: TFLOPS wins, which is
    a warning with ``tolerates_two_units`` (annotations), else a problem.
    """
    said: dict[str, Said] = {}
    problems: list[Problem] = []
    for key, item in written.items():
        if is_unset(item.value):
            continue
        try:
            value = read_value(_FIELD[key], item.value, item.path)
        except InvalidValueError as error:
            problems.append(
                Problem(item.path, f"{error.value!r} is not valid; allowed: {error.allowed}")
            )
            continue
        is_amount = bool(_BY_KEY[key].resource)
        if is_amount and not value:
            continue
        quantity = quantity_text(item.value) if is_amount else ""
        said[key] = Said(value=value, source=item.source, path=item.path, quantity=quantity)
    problems += _two_units(said, is_warning=tolerates_two_units)
    problems += _doubtful(said)
    return StatedLayer(said=MappingProxyType(said), problems=tuple(problems))


def combined(
    *layers: StatedLayer, quota: StatedLayer | None = None, profile: str = ""
) -> tuple[Stated, tuple[Problem, ...]]:
    """Put layers above one another, the lowest precedence first.

    The highest layer that states compute at all chooses its unit (TFLOPS or percent).  A request
    that nobody states is its limit.  ``quota`` has the namespace's defaults for what is then still
    missing.  A limit below its request is a problem, and the request counts for both.
    """
    problems = [problem for layer in layers for problem in layer.problems]
    said: dict[str, Said] = {}
    for layer in layers:
        dropped = _other_unit(layer)
        said = {key: item for key, item in said.items() if key not in dropped}
        said |= layer.said
    _inherit(said)
    if quota is not None:
        problems += quota.problems
        dropped = {key for unit in ("tflops", "tflops_pct") for key in _UNITS[unit]}
        states_compute = bool(dropped & set(said))
        for key, item in quota.said.items():
            if not (states_compute and key in dropped and _is_other_unit(key, said)):
                said.setdefault(key, item)
        _inherit(said)
    problems += _check_order(said)
    return _stated(said, profile), tuple(problems)


def _two_units(said: dict[str, Said], *, is_warning: bool) -> list[Problem]:
    problems = []
    has_tflops = any(tflops in said for tflops, _ in _COMPUTE_PAIRS)
    for tflops, percent in _COMPUTE_PAIRS:
        if has_tflops and percent in said:
            other = (
                said[tflops]
                if tflops in said
                else next(said[key] for key, _ in _COMPUTE_PAIRS if key in said)
            )
            problems.append(
                Problem(
                    said[percent].path,
                    f"has no effect, because {other.path} states compute in TFLOPS; state one unit",
                    is_warning,
                )
            )
            del said[percent]
    return problems


def _doubtful(said: Mapping[str, Said]) -> list[Problem]:
    """Warn of values that are valid and most likely not meant."""
    problems = []
    for key in _UNITS["vram_bytes"]:
        if key in said and cast("float", said[key].value) < MIB:
            amount = f"{said[key].value:g}"
            text = f"is {amount} bytes, less than 1 MiB; did you mean {amount}Gi?"
            problems.append(Problem(said[key].path, text, is_warning=True))
    model = said.get("gpu-model")
    if model is not None and find_gpu_model(str(model.value)) is None:
        names = ", ".join(suggest_gpu_models(str(model.value)))
        hint = f"; did you mean {names}?" if names else ""
        text = f"{model.value!r} is no known GPU model, so its capacity is not known{hint}"
        problems.append(Problem(model.path, text, is_warning=True))
    return problems


def _other_unit(layer: StatedLayer) -> set[str]:
    """Return the keys of the compute unit that a layer does not use, where it uses one."""
    if any(key in layer.said for key in _UNITS["tflops"]):
        return set(_UNITS["tflops_pct"])
    if any(key in layer.said for key in _UNITS["tflops_pct"]):
        return set(_UNITS["tflops"])
    return set()


def _is_other_unit(key: str, said: Mapping[str, Said]) -> bool:
    return key in _other_unit(StatedLayer(said=said))


def _inherit(said: dict[str, Said]) -> None:
    for request, limit in _UNITS.values():
        if request not in said and limit in said:
            said[request] = said[limit]


def _check_order(said: dict[str, Said]) -> list[Problem]:
    problems = []
    for request, limit in _UNITS.values():
        if request not in said or limit not in said:
            continue
        low, high = cast("float", said[request].value), cast("float", said[limit].value)
        if high < low:
            resource = KNOWN_RESOURCES[_BY_KEY[limit].resource]
            problems.append(
                Problem(
                    said[limit].path,
                    f"{limit} {amount(high, resource, 6)} is below {request} "
                    f"{amount(low, resource, 6)} ({said[request].path}); allowed: at least the "
                    "request",
                    consequence="the request counts for both",
                )
            )
            said[limit] = said[request]
    return problems


def _stated(said: Mapping[str, Said], profile: str) -> Stated:
    def amounts(suffix: str) -> Mapping[str, float]:
        return MappingProxyType(
            {
                statement.resource: cast("float", said[statement.key].value)
                for statement in AMOUNTS
                if statement.key in said and statement.key.endswith(suffix)
            }
        )

    def value(statement: Statement) -> object:
        found = said.get(statement.key)
        return statement.default if found is None else found.value

    properties = {statement.key: value(statement) for statement in PROPERTIES}
    return Stated(
        request=amounts("-request"),
        limit=amounts("-limit"),
        replicas=cast("int | None", properties["replicas"]),
        gpu_count=cast("int", properties["gpu-count"]),
        gpu_model=str(properties["gpu-model"]),
        qos=str(properties["qos"]),
        pool=str(properties["gpupool"]),
        profile=profile,
        is_local_gpu=cast("bool | None", properties["is-local-gpu"]),
        sources=MappingProxyType({key: item.source for key, item in said.items()}),
        quantities=MappingProxyType(
            {key: item.quantity for key, item in said.items() if item.quantity}
        ),
    )
