"""Reads the amounts of a worker, in TFLOPS or in percent of its card, where they were stated."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from autoscaler.agent.workers.worker import DEFAULT_QOS, Card
from recommender.errors import InvalidValueError
from recommender.policy.first_generation import QOS
from recommender.quantities import parse_quantity

_WHOLE_PERCENT = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Amounts:
    """What is in force for one worker, per GPU."""

    tflops_request: float
    tflops_limit: float
    vram_request_bytes: int
    vram_limit_bytes: int


def read_amounts(stated: Mapping[str, Any], card: Card, where: str) -> Amounts:
    """Return the amounts of the statement keys (``tflops-limit``, ...), None being not stated.

    All GPUs of a worker are alike, so one card tells what percent are of.  Without a request
    nothing is guaranteed, without a limit the card is.  Raises ``InvalidValueError`` whose name
    begins with ``where``.
    """
    return Amounts(
        tflops_request=_tflops(stated, "request", card, 0.0, where),
        tflops_limit=_tflops(stated, "limit", card, card.tflops, where),
        vram_request_bytes=round(_amount(stated, "vram-request", where) or 0.0),
        vram_limit_bytes=round(_amount(stated, "vram-limit", where) or card.vram_bytes),
    )


def read_qos(text: str | None, where: str) -> str:
    """Return a level of service, the default one where none is stated.

    Raises ``InvalidValueError`` with the name ``where``.
    """
    if text is None:
        return DEFAULT_QOS
    if text not in QOS:
        raise InvalidValueError(where, text, ", ".join(QOS))
    return text


def _tflops(stated: Mapping[str, Any], end: str, card: Card, absent: float, where: str) -> float:
    percent = _amount(stated, f"compute-percent-{end}", where)
    if percent is not None:
        return percent / 100.0 * card.tflops
    tflops = _amount(stated, f"tflops-{end}", where)
    return absent if tflops is None else tflops


def _amount(stated: Mapping[str, Any], key: str, where: str) -> float | None:
    """Return an amount; None where it is not stated.  A limit of 0 would let nothing run."""
    value = stated.get(key)
    if value is None:
        return None
    amount = float(parse_quantity(value, f"{where}{key}"))
    most = _WHOLE_PERCENT if key.startswith("compute-percent") else math.inf
    is_limit = key.endswith("-limit")
    if not (amount > 0 if is_limit else amount >= 0) or amount > most:
        least = "above 0" if is_limit else "0 or more"
        allowed = f"a quantity, {least}" + (f" and at most {most:g}" if most < math.inf else "")
        raise InvalidValueError(f"{where}{key}", value, allowed)
    return amount
