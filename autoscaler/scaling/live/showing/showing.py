"""Shows in the status of workloads what a tick decided, beside what it stated.

Nothing of it is urgent: it is written when there is time, and what was shown last is not shown
again.  Each workload is looked at when something of it changed, and once in ten minutes, so that
what others did to its status is mended.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol

from autoscaler.scaling.cards import card_of
from autoscaler.scaling.holding import Hold
from autoscaler.scaling.live.showing.fleet_rows import FleetRows
from autoscaler.scaling.live.showing.looks import Looks, Moment
from autoscaler.scaling.live.showing.recommended import Recommended, has_moved
from autoscaler.scaling.live.showing.tick_columns import TickColumns
from autoscaler.scaling.live.status.cron_rule import cron_rule_of
from autoscaler.scaling.live.status.said_conditions import Facts, said_of
from autoscaler.scaling.live.status.statement import Shown
from autoscaler.scaling.live.status.status_parts import Target, recommendation_of
from autoscaler.scaling.live.status.workload_terms import terms_of
from recommender.decision import Code
from recommender.policy.model import Mode

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from autoscaler.api.condition_reasons import ExternalReason
    from autoscaler.kube.store import Key, Object
    from autoscaler.scaling.cluster import WorkloadView
    from autoscaler.scaling.live.replicas.replica_guards import ReplicaGuards
    from autoscaler.scaling.live.replicas.replica_state import Held
    from autoscaler.scaling.live.showing.taking_back import TakingBack
    from autoscaler.scaling.live.status.workload_terms import Terms
    from autoscaler.scaling.live.writing.statement_writing import Find
    from autoscaler.scaling.live.writing.statements import Statements
    from autoscaler.scaling.live.writing.stating import Stating
    from autoscaler.scaling.live.writing.telling import Telling
    from autoscaler.scaling.loop import Tick

_log = logging.getLogger(__name__)


class Switches(Protocol):
    """How far the process may go now; ``Loop`` has them."""

    mode: Mode
    hold: Hold | None


class WorkloadNotes(Protocol):
    """What is known of workloads beside their views; ``LiveViews`` has it."""

    def problem_of(self, key: Key) -> str:
        """Return what of a workload's settings or workers cannot be used; empty: all can."""
        ...

    def held_of(self, key: Key) -> Held | None:
        """Return why nobody may set the replicas of a workload, where they are automatic."""
        ...


class Showing:
    """Shows what ticks decided; for the loop's thread, called once after each tick."""

    def __init__(
        self,
        switches: Switches,
        *,
        notes: WorkloadNotes,
        find: Find,
        statements: Statements,
        stating: Stating,
        taking_back: TakingBack,
        guards: ReplicaGuards,
        telling: Telling,
        external_state: Callable[[str], tuple[ExternalReason, str] | None],
        hold_reasons: Callable[[], Sequence[str]],
    ) -> None:
        """``external_state`` says how the external scaler of a workload does, by its UID.

        ``hold_reasons`` are those of the hold of ``switches``; they are asked for as one begins.
        """
        self._switches = switches
        self._notes = notes
        self._find = find
        self._statements = statements
        self._stating = stating
        self._taking_back = taking_back
        self._telling = telling
        self._external_state = external_state
        self._hold_reasons = hold_reasons
        self._hold: Hold | None = None
        self._hold_text = ""
        self._rows = FleetRows()
        self._recommended = Recommended()
        self._looks = Looks(problem_of=notes.problem_of, external_state=external_state)
        guards.on_change(self._looks.mark)

    def __call__(self, tick: Tick) -> None:
        """Show what a tick decided; nothing where it could not decide."""
        if tick.observed is None or tick.decisions is None:
            return
        self._tell_roll_backs(tick)
        columns = TickColumns.of(tick.decisions, tick.observed.observation.resources)
        before = self._rows.identities
        changed = self._rows.take(tick.views)
        if self._rows.identities is not before:
            self._learn(tick.views, columns, tick.now_s)
            self._statements.keep(self._rows.of.keys())
        due = self._recommended.due(columns.targets, tick.now_s)
        self._take_hold(self._switches.hold)
        moment = Moment(tick.now_s, (self._switches.mode, self._switches.hold))
        for key in self._looks.take(moment, self._rows, tick.views, changed, columns, due):
            rows = self._rows.of[key]
            try:
                self._look(key, rows, tick, columns, is_due=any(due[row] for row in rows))
            except Exception:  # noqa: BLE001 - one workload must not end the showing of all others
                _log.exception("workload %s/%s cannot be shown", *key)

    def _learn(self, views: Sequence[WorkloadView], columns: TickColumns, now_s: int) -> None:
        """Take over what an earlier process showed of workloads that are new here."""
        for row in self._recommended.align(self._rows.identities, columns.targets.shape[1]):
            view = views[row]
            workload = self._find(*view.key)
            shown = ((workload or {}).get("status") or {}).get("recommendation")
            if shown:
                values = columns.values_in(shown, card_of(view, view.gpu_model))
                self._recommended.learn(row, values, now_s)

    def _look(
        self,
        key: Key,
        rows: Sequence[int],
        tick: Tick,
        columns: TickColumns,
        *,
        is_due: bool,
    ) -> None:
        """Let the status of one workload say what is right now."""
        views, workload = [tick.views[row] for row in rows], self._find(*key)
        if workload is None or workload["metadata"]["uid"] != views[0].uid:
            return
        terms = terms_of(workload, views)
        present = self._statements.to_state(workload).shown
        shown = Shown(
            recommendation=present.recommendation,
            cron_rule=cron_rule_of(views[0].policy, workload.get("spec") or {}, tick.now_s),
            said=said_of(self._facts(key, rows, views, columns, present)),
        )
        if is_due or shown != present:
            shown = self._with_recommendation(shown, rows, views, columns, terms, tick.now_s)
        if shown != present:
            self._statements.show(workload, shown)
        if shown != self._statements.standing(workload).shown:
            self._stating.show(key)
        if self._switches.mode is Mode.APPLY:
            decided = [(view, columns.next_of(row)) for view, row in zip(views, rows, strict=True)]
            # under a hold nobody knows well enough that a raise is wanted no longer
            known = decided if self._switches.hold is None else ()
            is_open = self._taking_back.look(workload, terms, known, is_paused=views[0].is_paused)
            self._looks.again(key, is_wanted=is_open)

    def _with_recommendation(
        self,
        shown: Shown,
        rows: Sequence[int],
        views: Sequence[WorkloadView],
        columns: TickColumns,
        terms: Terms,
        now_s: int,
    ) -> Shown:
        """Return what is shown with the recommendation of now, where it has moved."""
        targets = []
        for row, view in zip(rows, views, strict=True):
            request, limit = columns.targets_of(row)
            targets.append(Target(gpu_model=view.gpu_model, request=request, limit=limit))
        recommendation = recommendation_of(targets, terms)
        is_lost = not recommendation and self._switches.hold is Hold.WARMING
        if is_lost or not has_moved(shown.recommendation, recommendation):
            return shown
        self._recommended.note(rows, columns.targets, now_s)
        return Shown(recommendation=recommendation, cron_rule=shown.cron_rule, said=shown.said)

    def _facts(
        self,
        key: Key,
        rows: Sequence[int],
        views: Sequence[WorkloadView],
        columns: TickColumns,
        present: Shown,
    ) -> Facts:
        view = views[0]
        # what an earlier process recommended stays until the history has been read
        is_kept = self._switches.hold is Hold.WARMING and bool(present.recommendation)
        return Facts(
            policy=view.policy,
            unknown=None if is_kept else columns.unknown_of(rows),
            is_stale=any(bool(columns.is_stale[row]) for row in rows),
            mode=self._switches.mode,
            hold=self._hold_text,
            is_paused=view.is_paused,
            problem=self._notes.problem_of(key),
            held=self._notes.held_of(key),
            external=None if view.policy.external is None else self._external_state(view.uid),
        )

    def _take_hold(self, hold: Hold | None) -> None:
        """Note why a hold began: reasons that come and go meanwhile are no news for workloads."""
        if hold is not self._hold:
            self._hold = hold
            parts = () if hold is None else (str(hold), "; ".join(self._hold_reasons()))
            self._hold_text = ": ".join(filter(None, parts))

    def _tell_roll_backs(self, tick: Tick) -> None:
        for plan, outcome in () if tick.applied is None else tick.applied.outcomes:
            reasons = [e.reason for e in plan.effects if e.code is Code.RolledBack]
            workload: Object | None = None
            if outcome.applied and reasons:
                workload = self._find(plan.change.namespace, plan.change.workload)
            if workload is not None:
                self._telling.rolled_back(workload, "; ".join(reasons))
