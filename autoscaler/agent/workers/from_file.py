"""Reads workers from the file of a plain host, where no Kubernetes says what is in force."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from autoscaler.agent.workers.amounts import Amounts, read_amounts, read_qos
from autoscaler.agent.workers.worker import Card, Worker
from autoscaler.errors import InputError
from autoscaler.sources.yaml_text import parse_yaml
from recommender.errors import InvalidValueError
from recommender.quantities import format_bytes_quantity

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

Quantity = Any
"""Whether it is one, ``parse_quantity`` says, as for annotations."""
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]{0,61}[A-Za-z0-9])?$")]
ContainerID = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


@dataclass(frozen=True, slots=True, kw_only=True)
class HostWorker:
    """A worker of a plain host, and where it is found there."""

    worker: Worker
    root: Path
    """Its ``TF_ROOT``: what containers of a cluster see as ``/tensor-fusion``."""
    container_ids: tuple[str, ...]
    """Of its containers, as far as they are stated."""


class _Row(BaseModel):
    """One entry of ``workers``; keys are spelt as annotations are, without prefix."""

    model_config = ConfigDict(
        extra="forbid", strict=True, alias_generator=lambda name: name.replace("_", "-")
    )

    name: Name
    namespace: Name = "default"
    workload: Name | None = None
    pool: str = ""
    root: Annotated[str, Field(pattern=r"^/.")]
    gpus: Annotated[list[Any], Field(min_length=1)]
    qos: str | None = None
    tflops_request: Quantity = None
    tflops_limit: Quantity = None
    compute_percent_request: Quantity = None
    compute_percent_limit: Quantity = None
    vram_request: Quantity = None
    vram_limit: Quantity = None
    containers: list[ContainerID] = []


class _File(BaseModel):
    """The whole file."""

    model_config = ConfigDict(extra="forbid", strict=True)

    workers: list[_Row]


_ALLOWED = {
    "name": "1 to 63 letters, digits, '-' and '.', with a letter or a digit at both ends",
    "root": "an absolute path",
    "gpus": "a list of at least one index or UUID",
    "containers": "container IDs of 64 digits, as of docker ps --no-trunc",
    "workers": "a list of workers",
}
"""Of fields by name; ``namespace`` and ``workload`` are as ``name``, all others are texts."""


def check_file(text: str, origin: str) -> None:
    """Raise ``InputError`` as ``workers_of_file``, for what is wrong on a host of any GPUs."""
    _rows(text, origin)


def workers_of_file(text: str, origin: str, cards: Mapping[str, Card]) -> tuple[HostWorker, ...]:
    """Return the workers that a file states.

    ``cards`` are the GPUs of this host by UUID, in the order of their indices.  Raises
    ``InputError`` with ``origin``, the place in the file, the value and what is allowed.
    """
    rows = _rows(text, origin)
    try:
        return tuple(_host_worker(row, cards, f"workers[{i}]") for i, row in enumerate(rows))
    except InvalidValueError as error:
        raise InputError(f"{origin}: {error}") from error


def _rows(text: str, origin: str) -> list[_Row]:
    document = parse_yaml(text, origin)
    try:
        rows = _File.model_validate({} if document is None else document).workers
    except ValidationError as error:
        lines = [_line(detail) for detail in error.errors(include_url=False)]
        raise InputError(f"{origin}: " + "; ".join(lines)) from error
    _refuse_repeated(origin, "name", [row.name for row in rows])
    _refuse_repeated(origin, "root", [os.path.normpath(row.root) for row in rows])
    return rows


def _host_worker(row: _Row, cards: Mapping[str, Card], where: str) -> HostWorker:
    uuids = tuple(_uuid(gpu, cards, f"{where}.gpus") for gpu in row.gpus)
    if len(set(uuids)) < len(uuids):
        raise InvalidValueError(f"{where}.gpus", row.gpus, "each GPU once")
    stated = row.model_dump(by_alias=True)
    amounts = read_amounts(stated, cards[uuids[0]], f"{where}.")
    _refuse_impossible(amounts, stated, cards[uuids[0]], where)
    worker = Worker(
        uid=row.name,
        namespace=row.namespace,
        workload=row.workload or row.name,
        name=row.name,
        pool=row.pool,
        qos=read_qos(row.qos, f"{where}.qos"),
        uuids=uuids,
        tflops_request=amounts.tflops_request,
        tflops_limit=amounts.tflops_limit,
        vram_request_bytes=amounts.vram_request_bytes,
        vram_limit_bytes=amounts.vram_limit_bytes,
        is_ready=True,
    )
    return HostWorker(worker=worker, root=Path(row.root), container_ids=tuple(row.containers))


def _uuid(gpu: object, cards: Mapping[str, Card], where: str) -> str:
    """Return the UUID of a GPU that is named by it or by its index."""
    uuids = list(cards)
    if isinstance(gpu, int) and not isinstance(gpu, bool) and 0 <= gpu < len(uuids):
        return uuids[gpu]
    if isinstance(gpu, str) and gpu in cards:
        return gpu
    allowed = f"an index from 0 to {len(uuids) - 1}, or {', '.join(uuids)}"
    raise InvalidValueError(where, gpu, allowed if uuids else "none, as no GPU was found here")


def _refuse_impossible(amounts: Amounts, stated: Mapping[str, Any], card: Card, where: str) -> None:
    """Refuse what admission would refuse of a pod.  Raises ``InvalidValueError``."""
    for end in ("request", "limit"):
        percent, tflops = (stated[f"{unit}-{end}"] for unit in ("compute-percent", "tflops"))
        if percent is not None and tflops is not None:
            allowed = f"this or compute-percent-{end}, not both"
            raise InvalidValueError(f"{where}.tflops-{end}", tflops, allowed)
    tflops_limit, vram_limit_bytes = amounts.tflops_limit, amounts.vram_limit_bytes
    for key, amount, most, text in (
        ("tflops-limit", tflops_limit, card.tflops, "the peak of the GPU"),
        ("vram-limit", vram_limit_bytes, card.vram_bytes, "the memory of the GPU"),
        ("tflops-request", amounts.tflops_request, tflops_limit, "the limit"),
        ("compute-percent-request", amounts.tflops_request, tflops_limit, "the limit"),
        ("vram-request", amounts.vram_request_bytes, vram_limit_bytes, "the limit"),
    ):
        if stated[key] is not None and amount > most > 0:
            shown = format_bytes_quantity(most) if key.startswith("vram") else f"{most:g} TFLOPS"
            raise InvalidValueError(f"{where}.{key}", stated[key], f"at most {shown}, {text}")


def _refuse_repeated(origin: str, key: str, values: Sequence[str]) -> None:
    for value in values:
        if values.count(value) > 1:
            raise InputError(f"{origin}: {key} {value!r} stands more than once; allowed: once")


def _line(detail: ErrorDetails) -> str:
    """Return one problem with its place: ``workers[0].gpus``."""
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in detail["loc"])
    place = place.lstrip(".") or "the file"
    if detail["type"] == "missing":
        return f"{place}: is missing"
    if detail["type"] == "extra_forbidden":
        model = _Row if len(detail["loc"]) > 1 else _File
        known = (field.alias or name for name, field in model.model_fields.items())
        return f"{place}: is not known; allowed: {', '.join(known)}"
    if detail["type"] == "model_type":
        return f"{place}: {detail['input']!r} is not valid; allowed: a mapping"
    field = next((part for part in detail["loc"][::-1] if isinstance(part, str)), "")
    field = "name" if field in {"namespace", "workload"} else field
    allowed = _ALLOWED.get(field, "a text")
    return f"{place}: {detail['input']!r} is not valid; allowed: {allowed}"
