"""One process of any profile, put together: the loop, what drives it, and what tells of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from autoscaler.scaling.live.writing.write_results import WriteOutcome
from autoscaler.scaling.loop import Loop, LoopSettings
from autoscaler.scaling.page.board import Board
from autoscaler.scaling.running.autoscaler import Autoscaler, Parts
from autoscaler.scaling.running.change_lines import ChangeLines
from autoscaler.scaling.running.checkpoints import Checkpoints
from autoscaler.scaling.running.counts.autoscaler_snapshot import AutoscalerSnapshot
from autoscaler.scaling.running.counts.exported import Exported
from autoscaler.scaling.running.counts.tick_counts import TickCounts
from autoscaler.scaling.running.decision_log import DecisionLog
from autoscaler.scaling.running.forecasts.upkeep import ForecastUpkeep
from autoscaler.scaling.running.health_gate import HealthGate, longest_without_metrics_s
from autoscaler.scaling.running.tick_source import TickSource
from autoscaler.scaling.running.ticking import Ticking
from recommender.usage.model import UsageModel

if TYPE_CHECKING:
    from pathlib import Path

    from autoscaler.api.condition_reasons import ExternalReason
    from autoscaler.api.control import Control
    from autoscaler.clock import Clock
    from autoscaler.scaling.cluster import Cluster
    from autoscaler.scaling.external.protocol import Question, Reply
    from autoscaler.scaling.live.writing.stating import StatingSnapshot
    from autoscaler.scaling.loop import Tick
    from autoscaler.scaling.page.about import About
    from autoscaler.scaling.running.autoscaler import Caches, Election, Service
    from autoscaler.scaling.running.jobs import Job
    from autoscaler.scaling.running.metrics_access import MetricsAccess
    from autoscaler.scaling.running.rules import AutoscalerRules
    from autoscaler.scaling.running.ticking import Shows
    from recommender.resources import Resource

_NO_WRITES = dict.fromkeys(WriteOutcome, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a profile puts around the loop."""

    cluster: Cluster
    resources: Sequence[Resource]
    control: Callable[[], Control]
    """The switches of the installation."""
    about: About
    webhook: Callable[[], Sequence[str]] | None = None
    """Returns what is wrong with the webhook; None: none is needed."""
    shows: Callable[[Loop, Callable[[], Sequence[str]]], Sequence[Shows]] = lambda *_: ()
    """Returns who shows what a loop decides, given what tells why the loop is held."""
    caches: Caches | None = None
    election: Election | None = None
    absence: Callable[[], str] = lambda: ""
    """Returns why this process decides nothing; empty: it does, or is about to."""
    services: Sequence[Service] = ()
    jobs: Sequence[Job] = ()
    stating: Callable[[], StatingSnapshot] | None = None
    questions: Callable[[], Mapping[ExternalReason, int]] = dict
    """Returns how questions to external scalers ended."""
    answer: Callable[[Question], Reply] | None = None
    """Answers another operator; None: nobody is answered."""
    close: Sequence[Callable[[], None]] = field(default=())
    """Called at the very end, in this order."""


class Process:
    """One process, before and while it runs.  Raises ``UsageError``."""

    def __init__(
        self,
        rules: AutoscalerRules,
        around: Surroundings,
        access: MetricsAccess,
        clock: Clock,
        *,
        decision_log: Path | None = None,
    ) -> None:
        self._around = around
        self._access = access
        self._counts = TickCounts()
        source = TickSource(access.source)
        loop = Loop(
            around.cluster,
            source,
            clock,
            UsageModel(around.resources),
            LoopSettings(period_s=rules.period_s, step_s=rules.step_s),
        )
        self._log = None if decision_log is None else DecisionLog(decision_log, around.resources)
        if self._log is not None:
            self._log.follow(loop.records)
        self._gate = HealthGate(
            around.webhook, metrics_within_s=longest_without_metrics_s(rules.tick_s)
        )
        checkpoints = Checkpoints(
            loop, rules.state_path, self._counts, is_whole=lambda: self._ticking.warming is None
        )
        self.exported = Exported(loop, checkpoints)
        self.board = Board(around.about, every_s=rules.page_every_s, absence=around.absence)
        self._upkeep = ForecastUpkeep(loop, clock, train_every_s=int(rules.train_every_s))
        self._ticking = Ticking(
            loop,
            self._gate,
            self._counts,
            control=around.control,
            begins=(source.begin,),
            upkeep=self._upkeep.step,
            shows=(
                self.exported,
                ChangeLines(loop.records),
                *around.shows(loop, self._gate.problems),
                self._follow,
            ),
        )
        self._loop = loop
        self.autoscaler = Autoscaler(
            Parts(
                rules=rules,
                loop=loop,
                clock=clock,
                ticking=self._ticking,
                checkpoints=checkpoints,
                gate=self._gate,
                open_history=access.opened,
                caches=around.caches,
                election=around.election,
                services=(*around.services, self._upkeep),
                jobs=around.jobs,
            )
        )

    def snapshot(self) -> AutoscalerSnapshot:
        """Return the numbers of this moment."""
        stating = None if self._around.stating is None else self._around.stating()
        warming = self._ticking.warming
        queue = None if stating is None else stating.queue
        return AutoscalerSnapshot(
            ticks=self._counts.snapshot(),
            jobs=self.autoscaler.jobs(),
            gate=self._gate.by_part(),
            warming_progress_ratio=None if warming is None else warming.progress_ratio,
            writes={} if stating is None else {**_NO_WRITES, **stating.outcomes},
            write_backlog=0
            if queue is None
            else sum(queue.backlog.values()) + queue.delayed + queue.in_hand,
            questions=self._around.questions(),
            promises=self.exported.promises(),
            upkeep=self._upkeep.snapshot(),
        )

    @property
    def answer(self) -> Callable[[Question], Reply] | None:
        """Return who answers another operator; None: nobody does."""
        return self._around.answer

    def close(self) -> None:
        """Leave what was opened; to be called when ``autoscaler`` has ended."""
        self.board.close()
        if self._log is not None:
            self._log.close()
        self._access.close()
        for close in self._around.close:
            close()

    def _follow(self, tick: Tick) -> None:
        self.board.follow(self._loop, tick, holds=self._holds())

    def _holds(self) -> tuple[str, ...]:
        """Return why only some changes pass, for readers of the page."""
        hold = self._loop.hold
        if hold is None:
            return ()
        return self._gate.problems() or (str(hold),)
