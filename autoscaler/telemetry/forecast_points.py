"""The numbers of forecasts: gates and promises, trainings, models by name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from autoscaler.telemetry import forecast_families as families
from autoscaler.telemetry.family import Point

if TYPE_CHECKING:
    from autoscaler.scaling.running.counts.forecast_counts import NamedSnapshot, TrainingSnapshot
    from autoscaler.scaling.running.counts.promise_counts import PromiseSnapshot


def promise_points(snapshot: PromiseSnapshot) -> Iterator[Point]:
    """Return what gates say, and what was promised and kept."""
    for (layer, resource, gate), number in snapshot.gates.items():
        labels = (layer, resource, gate.name.lower())
        yield Point(family=families.GATES, value=number, labels=labels)
    for of, promise in snapshot.promises.items():
        yield Point(family=families.PROMISED, value=promise.promised, labels=of)
        yield Point(family=families.REALISED, value=promise.realised, labels=of)


def training_points(snapshot: TrainingSnapshot) -> Iterator[Point]:
    """Return the models of the fleet and their trainings."""
    for (layer, resource, ahead_s), model in snapshot.models.items():
        labels = (layer, resource, str(ahead_s))
        yield Point(family=families.MODEL_ROWS, value=model.rows, labels=labels)
        yield Point(family=families.MODEL_TRAINED, value=model.trained_s, labels=labels)
        yield Point(family=families.MODEL_DURATION, value=model.took_s, labels=labels)
        yield Point(family=families.MODEL_INFO, value=1, labels=(*labels, model.version))
    for reason, number in snapshot.failures.items():
        yield Point(family=families.TRAINING_FAILURES, value=number, labels=(str(reason),))


def named_points(snapshot: NamedSnapshot) -> Iterator[Point]:
    """Return what became of models by name."""
    yield Point(family=families.NAMED_SERIES, value=snapshot.fitted, labels=("fitted",))
    yield Point(family=families.NAMED_SERIES, value=snapshot.failing, labels=("failing",))
    yield Point(family=families.NAMED_SERIES, value=snapshot.busy, labels=("busy",))
    yield Point(family=families.NAMED_LEFT_OUT, value=snapshot.left_out)
    for reason, number in snapshot.failures.items():
        yield Point(family=families.NAMED_FAILURES, value=number, labels=(str(reason),))
