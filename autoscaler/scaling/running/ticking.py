"""One tick of the process: switches, gate and warming are set, the loop ticks, then it is shown.

All of it runs on the loop's thread, one tick after the other.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from autoscaler.api.control import Control, ProcessMode
from autoscaler.api.names import CONTROL_CONFIG_MAP
from autoscaler.errors import AutoscalerError
from autoscaler.scaling.holding import Hold
from autoscaler.scaling.running.counts.tick_counts import SHOW, UPKEEP
from autoscaler.scaling.stage_times import SNAPSHOT
from recommender.decision import Layer
from recommender.policy.model import Mode

if TYPE_CHECKING:
    from autoscaler.scaling.loop import Loop, Tick
    from autoscaler.scaling.running.counts.tick_counts import TickCounts
    from autoscaler.scaling.running.health_gate import HealthGate
    from autoscaler.scaling.running.warming import Warming

EVERY_TICK = frozenset({Layer.LIMITS, Layer.REPLICAS})
Shows = Callable[["Tick"], None]
"""Shows what a tick decided, for example in the status of workloads.  Raises ``AutoscalerError``
where that cannot be done now."""
_log = logging.getLogger(__name__)


class Ticking:
    """Ticks the loop of one process; for the loop's thread, but for the properties."""

    def __init__(
        self,
        loop: Loop,
        gate: HealthGate,
        counts: TickCounts,
        *,
        control: Callable[[], Control],
        begins: Sequence[Callable[[], None]] = (),
        upkeep: Callable[[], None] | None = None,
        shows: Sequence[Shows] = (),
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """``begins`` and ``upkeep`` are called before each tick, ``shows`` after it.

        ``upkeep`` makes forecasts better, and no tick is lost where it cannot.
        """
        self._begins = tuple(begins)
        self._upkeep = upkeep
        self._loop = loop
        self._gate = gate
        self._counts = counts
        self._control = control
        self._shows = tuple(shows)
        self._monotonic_s = monotonic_s
        self._warming: Warming | None = None
        self._told: dict[str, str] = {}
        """What was logged last of a stage, or is wrong with the switches."""
        self._switches = ""
        """What was logged last of them."""
        self._ended_s = monotonic_s()

    @property
    def warming(self) -> Warming | None:
        """Return the reader of the history; None once it has ended."""
        return self._warming

    def warm_by(self, warming: Warming) -> None:
        """Let only raises pass until the history has been read."""
        self._warming = warming

    def since_last_s(self) -> float:
        """Return how long ago the last tick ended, or this was made."""
        return self._monotonic_s() - self._ended_s

    def run(self) -> None:
        """Tick once, and show what was decided."""
        self._set_switches()
        self._take_history()
        self._loop.hold = self._hold()
        for begin in self._begins:
            begin()
        if self._upkeep is not None:
            self._keep_up(self._upkeep)
        tick = self._loop.tick(self._loop.due() | EVERY_TICK)
        if self._warming is not None and SNAPSHOT not in tick.errors:
            self._warming.see(tick.views)
        if _has_read_amounts(tick, self._loop):
            self._gate.metrics_were_read()
        # What is shown holds from now on, and the first tick has read the metrics it was held for.
        self._loop.hold = self._hold()
        self._counts.add(tick, self._loop.mode)
        for stage, error in tick.errors.items():
            self._tell(stage, f"the stage {stage} failed, and the next tick goes on: {error}")
        for stage in tick.stages_s.keys() - tick.errors.keys():
            self._tell(stage, "")
        self._show(tick)
        self._ended_s = self._monotonic_s()

    def _set_switches(self) -> None:
        control = self._control()
        is_applied = control.mode is ProcessMode.APPLY
        self._loop.mode = Mode.APPLY if is_applied else Mode.RECOMMEND
        problem = f"ConfigMap {CONTROL_CONFIG_MAP}: {control.problem}" if control.problem else ""
        self._tell("switches", problem)
        what = "what is enrolled" if is_applied and not control.is_paused else "nothing"
        switches = (
            f"mode {control.mode}{', paused' if control.is_paused else ''}: {what} is changed"
        )
        if switches != self._switches:
            self._switches = switches
            _log.info("%s", switches)

    def _take_history(self) -> None:
        if self._warming is None:
            return
        warmed = self._warming.result()
        if warmed is not None:
            self._loop.swap_usage(warmed.model, warmed.position)
            self._warming = None
            _log.info("the history was read: from now on all decisions pass")

    def _hold(self) -> Hold | None:
        if self._gate.problems():
            return Hold.UNHEALTHY
        return None if self._warming is None else Hold.WARMING

    def _keep_up(self, upkeep: Callable[[], None]) -> None:
        begin_s = self._monotonic_s()
        failed: Exception | None = None
        try:
            upkeep()
        except Exception as error:  # noqa: BLE001 - what makes forecasts better must cost no tick
            failed = error
        self._counts.stage(UPKEEP, self._monotonic_s() - begin_s, failed)
        text = "" if failed is None else f"forecasts stay as they are, a defect: {failed!r}"
        self._tell(UPKEEP, text, defect=failed)

    def _show(self, tick: Tick) -> None:
        begin_s = self._monotonic_s()
        failed: Exception | None = None
        for show in self._shows:
            try:
                show(tick)
            except Exception as error:  # noqa: BLE001 - what shows must not end what decides
                failed = error
        self._counts.stage(SHOW, self._monotonic_s() - begin_s, failed)
        is_defect = failed is not None and not isinstance(failed, AutoscalerError)
        what = f"a defect: {failed!r}" if is_defect else str(failed)
        text = "" if failed is None else f"what was decided cannot be shown: {what}"
        self._tell(SHOW, text, defect=failed if is_defect else None)

    def _tell(self, subject: str, text: str, *, defect: Exception | None = None) -> None:
        """Log a text, each time that it changes; an empty one says that all is well."""
        if self._told.get(subject, "") == text:
            return
        self._told[subject] = text
        if text:
            _log.warning("%s", text, exc_info=defect)
        else:
            _log.info("%s: all is well again", subject)


def _has_read_amounts(tick: Tick, loop: Loop) -> bool:
    """Return whether the amounts were read; what is joined to them may have failed."""
    if tick.collected is None:
        return False
    amounts = {resource.name for resource in loop.model.resources}
    return not amounts & tick.collected.errors.keys()
