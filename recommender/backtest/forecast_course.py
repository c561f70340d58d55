"""How good forecasts are on recorded usage: what was expected of it, and what came.

Nothing is decided here and nothing takes force, so forecasts are judged alone.  What becomes of
them in amounts that hold, with everything that bounds those, is in ``replay`` and ``fleet``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from recommender.backtest.replayed_fleet import ReplayedFleet, unbounded_workloads
from recommender.decision import Layer
from recommender.errors import ContractError, InvalidValueError
from recommender.forecast.daily_training import TrainingTimes, train_due
from recommender.forecast.gate import Gate
from recommender.usage.blocks import BLOCK_S

if TYPE_CHECKING:
    from recommender.backtest.frame import UsageFrame
    from recommender.forecast.stream import Stream
    from recommender.observation import Floats, Ints
    from recommender.policy.model import Policy

FORECAST_LAYERS = (Layer.LIMITS, Layer.REQUESTS)
"""Of one resource of one workload; replicas are of all workers together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastCourse:
    """What was forecast after each block, ``[D, W]``; NaN: nothing."""

    layer: Layer
    resource: int
    until_s: Ints
    """[D] end of the newest block that was known."""
    forecast: Floats
    histogram: Floats
    """What was measured says alone, calibrated to the same level: what counts otherwise."""
    gate: Ints
    """``recommender.forecast.gate.Gate``."""
    delay_s: int
    """From ``until_s`` to the first minute that a forecast is about."""
    ahead_s: Ints
    """[W] for so long."""
    level: Floats
    """[W] share of minutes that is to lie below; NaN: the workload asks for no forecast."""
    shares: Floats
    """[W, E] weight of each of ``recommender.forecast.forecaster.EXPERTS`` at the end."""

    @property
    def chosen(self) -> Floats:
        """What counted, ``[D, W]``: the forecast where its gate was open, else the histogram."""
        return np.where(self.gate == Gate.OPEN, self.forecast, self.histogram)

    def held_at(self, times_s: Ints, amounts: Floats) -> Floats:
        """Return ``[D, W]`` amounts of this course as the newest one at each time, ``[T, W]``."""
        which = np.searchsorted(self.until_s, np.asarray(times_s) - self.delay_s, "right") - 1
        return np.where((which >= 0)[:, None], amounts[which], np.nan)


def forecast_course(
    frame: UsageFrame, policies: Sequence[Policy], layer: Layer, *, resource: int = 0
) -> ForecastCourse:
    """Forecast all usage of ``frame``, block by block, as the policies of its workloads ask.

    Each forecast sees earlier steps only; the fleet's model is trained on the frame's own past.
    ``policies`` are in the order of ``frame.workloads``.  Raises ``InvalidValueError`` for a layer
    without forecasts of its own, for a step that is no part of 5 minutes, and where no policy asks;
    ``ContractError`` for rows that do not match.
    """
    if layer not in FORECAST_LAYERS:
        raise InvalidValueError("layer", layer.name.lower(), "limits or requests")
    if BLOCK_S % frame.step_s:
        allowed = f"a part of {BLOCK_S} s"
        raise InvalidValueError("step of the recorded usage (s)", frame.step_s, allowed)
    keys = frame.workloads
    if len(policies) != len(keys):
        raise ContractError(f"{len(keys)} workloads in the frame, {len(policies)} policies")
    fleet = ReplayedFleet(
        frame.resources,
        policies,
        unbounded_workloads(keys, len(frame.resources)),
        frame.row_of_series,
        step_s=frame.step_s,
        begin_s=frame.t0_s,
    )
    streams = [
        stream
        for key, stream in fleet.model.forecasts.streams.items()
        if key.layer is layer and key.resource == resource
    ]
    if not streams:
        allowed = "a policy with prediction.enable or riskTarget"
        raise InvalidValueError(f"forecasts of {layer.name.lower()}", "not asked for", allowed)
    return _Recorder(frame, fleet, streams, layer, resource).course()


class _Recorder:
    """One pass over a frame."""

    def __init__(
        self,
        frame: UsageFrame,
        fleet: ReplayedFleet,
        streams: Sequence[Stream],
        layer: Layer,
        resource: int,
    ) -> None:
        self._frame, self._fleet, self._streams = frame, fleet, streams
        self._layer, self._resource = layer, resource
        self._until_s: list[int] = []
        self._said: list[tuple[Floats, Floats, Ints]] = []

    def course(self) -> ForecastCourse:
        """Go through the frame and return what was forecast."""
        frame, training = self._frame, TrainingTimes()
        model = self._fleet.model
        first_s = -(-frame.t0_s // BLOCK_S) * BLOCK_S
        seen = 0
        for now_s in range(first_s, frame.end_s + 1, BLOCK_S):
            until = (now_s - frame.t0_s) // frame.step_s
            for r in range(len(frame.resources)):
                part = frame.values[r, :, seen:until].astype(np.float64)
                self._fleet.see(r, frame.t0_s + seen * frame.step_s, part, now_s=now_s)
            seen = until
            model.advance(now_s)
            train_due(model.forecasts, training, now_s)
            self._note()
        return self._recorded()

    def _note(self) -> None:
        until_s = [stream.until_s for stream in self._streams if stream.current is not None]
        newest_s = max(until_s, default=-1)
        if newest_s < 0 or newest_s in self._until_s[-1:]:
            return
        forecasts = self._fleet.model.forecasts.read(self._fleet.rows, newest_s)
        if forecasts is None:
            return
        name = "limit" if self._layer is Layer.LIMITS else "request"
        said = (getattr(forecasts, f"{name}{part}") for part in ("", "_histogram", "_gate"))
        value, histogram, gate = (columns[:, self._resource] for columns in said)
        self._until_s.append(newest_s)
        self._said.append((value, histogram, gate))

    def _recorded(self) -> ForecastCourse:
        rows = self._fleet.rows
        ahead_s, level = np.zeros(len(rows), np.int64), np.full(len(rows), np.nan)
        for stream in self._streams:
            asked = stream.asked
            if asked is None:
                continue
            mine = np.isin(rows, stream.rows)
            at = np.searchsorted(stream.rows, rows[mine])
            ahead_s[mine] = stream.judging.ahead_s
            level[mine] = np.where(np.isnan(asked.risk), asked.level, 1.0 - asked.risk)[at]
        evidence = self._fleet.model.forecasts.evidence(rows)
        own = evidence.limits if self._layer is Layer.LIMITS else evidence.requests
        columns = [np.reshape([said[i] for said in self._said], (-1, len(rows))) for i in range(3)]
        return ForecastCourse(
            layer=self._layer,
            resource=self._resource,
            until_s=np.array(self._until_s, np.int64),
            forecast=columns[0].astype(np.float64),
            histogram=columns[1].astype(np.float64),
            gate=columns[2].astype(np.int64),
            delay_s=self._streams[0].judging.delay_s,
            ahead_s=ahead_s,
            level=level,
            shares=own.shares[:, self._resource],
        )
