"""Ticks that decided what a test says, without a loop."""

from __future__ import annotations

from dataclasses import fields
from types import SimpleNamespace

import numpy as np

from autoscaler.scaling.loop import Tick
from recommender.decision import Code, Decisions, Layer, StepLog
from recommender.resources import TFLOPS, VRAM

RESOURCES = (TFLOPS, VRAM)
_UNKNOWN = ("unknown_request", "unknown_limit", "unknown_replicas")


def tick(views, *, now_s, applied=None, evaluated=frozenset(Layer), **amounts):
    """Return a tick over views, row by row.

    ``amounts`` are targets of rows: ``request`` and ``limit`` as (TFLOPS, VRAM in bytes), by the
    name of the workload; ``next_request`` and ``next_limit`` likewise; ``unknown`` a ``Code``, and
    ``is_stale``.  Of layers that are not ``evaluated``, nothing is decided.
    """
    rows, decided = len(views), {}
    for field in fields(Decisions):
        shape = (rows,) if field.name.endswith("replicas") else (rows, len(RESOURCES))
        decided[field.name] = np.full(shape, np.nan)
    for name in _UNKNOWN:
        shape = decided[name].shape
        decided[name] = np.zeros(shape, np.int16)
    decided["is_stale"] = np.zeros((rows, len(RESOURCES)), bool)
    decided["is_urgent"] = np.zeros((rows, len(RESOURCES)), bool)
    for layer in (Layer.REQUESTS, Layer.LIMITS):
        name = f"is_decided_{layer.name.lower().removesuffix('s')}"
        decided[name] = np.full((rows, len(RESOURCES)), layer in evaluated, bool)
    decided["steps"], decided["due"] = StepLog().table(), frozenset(Layer)
    for row, view in enumerate(views):
        _fill(decided, row, amounts, view.workload)
    return Tick(
        now_s=now_s,
        due=frozenset(Layer),
        views=tuple(views),
        observed=SimpleNamespace(observation=SimpleNamespace(resources=RESOURCES)),
        decisions=Decisions(**decided),
        applied=applied,
    )


def _fill(decided, row, amounts, name):
    for key, by_workload in sorted(amounts.items(), key=lambda item: item[0].startswith("next")):
        value = by_workload.get(name) if isinstance(by_workload, dict) else by_workload
        if value is None:
            continue
        match key:
            case "request" | "limit":
                decided[f"target_{key}"][row] = value
                decided[f"next_{key}"][row] = value
            case "next_request" | "next_limit":
                decided[key][row] = value
            case "unknown":
                assert isinstance(value, Code)
                decided["unknown_request"][row] = decided["unknown_limit"][row] = value.number
            case "is_stale":
                decided["is_stale"][row] = value
