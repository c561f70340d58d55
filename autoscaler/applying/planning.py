"""From the numbers of a report to what is written to which object, and what is refused and why.

The cluster is read, and nothing is written.  Each refusal is about one number; the others go on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from autoscaler.applying.live_workload import LiveWorkload, NotWritableError, read_live
from autoscaler.applying.placed import Placed
from autoscaler.applying.profile_change import profile_changes
from autoscaler.applying.profile_use import ProfileUse
from autoscaler.applying.rows import Number, Outcome, Plan, Row, Side
from autoscaler.applying.stating import Place, change_since, to_state
from autoscaler.applying.template_change import template_change
from autoscaler.applying.wanted import Wanted, sorted_numbers
from autoscaler.errors import ForbiddenError

if TYPE_CHECKING:
    from autoscaler.kube.api_server import ApiServer
    from recommender.report.model import Report

LAYERS = {Side.REQUEST: "requests", Side.LIMIT: "limits"}
Progress = Callable[[float], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyRules:
    """What is written although it is usually left alone."""

    has_enrolled: bool = False
    """Also numbers that the autoscaler sets itself."""
    has_changed: bool = False
    """Also numbers that are no longer what the report saw."""
    is_template_only: bool = False
    """Into pod templates alone, also where a profile states the number."""


def plan_of(
    api: ApiServer,
    report: Report,
    rules: ApplyRules,
    *,
    progress: Progress = lambda _: None,
) -> Plan:
    """Read the cluster and return what would be written.  Raises ``KubeError``.

    A workload that may not be read is a row that failed.
    """
    numbers = sorted_numbers(report)
    others = list(numbers.others)
    placed: list[Placed] = []
    unchanged = numbers.unchanged
    workloads = [(key, list(group)) for key, group in groupby(numbers.wanted, _workload)]
    for done, (_, wanted) in enumerate(workloads):
        accepted, rows, same = _judged(api, wanted, rules)
        placed += accepted
        others += rows
        unchanged += same
        progress((done + 1) / len(workloads))
    # Profiles come first: the pods of a rollout read them.
    changes, refused, specs = profile_changes(placed, ProfileUse(api))
    others += refused
    for group in _by_owner(placed):
        live = group[0].live
        namespace = str(live.owner["metadata"]["namespace"])
        change, refused = template_change(group, specs.get((namespace, live.profile_name)))
        others += refused
        changes += [] if change is None else [change]
    return Plan(changes=tuple(changes), others=tuple(others), unchanged=unchanged)


def _judged(
    api: ApiServer, wanted: Sequence[Wanted], rules: ApplyRules
) -> tuple[list[Placed], list[Row], int]:
    """Return the numbers of one workload that may be written, the others, and how many are so."""
    number = wanted[0].number
    owner = next((each.owner for each in wanted if each.owner), None)
    try:
        live = read_live(api, number.namespace, number.workload, owner)
    except NotWritableError as error:
        return [], [_row(each.number, Outcome.REFUSED, str(error)) for each in wanted], 0
    except ForbiddenError as error:
        return [], [_row(each.number, Outcome.FAILED, str(error)) for each in wanted], 0
    accepted, rows, same = [], [], 0
    for each in wanted:
        found = _placed(each, live, rules)
        if isinstance(found, Row):
            rows.append(found)
        elif found.state.is_so:
            same += 1
        else:
            accepted.append(found)
    return accepted, rows, same


def _placed(wanted: Wanted, live: LiveWorkload, rules: ApplyRules) -> Placed | Row:
    number = wanted.number
    assert number.side is not None, "only sized numbers are wanted"
    try:
        state = to_state(wanted, live, is_template_only=rules.is_template_only)
        changed = change_since(state)
    except NotWritableError as error:
        return _row(number, Outcome.REFUSED, str(error))
    layer = LAYERS[number.side]
    if not rules.has_enrolled and live.is_enrolled(number.resource, layer):
        reason = (
            f"auto-{layer} is enrolled, so that the autoscaler sets it and nothing needs to be "
            "written; --include-enrolled changes the stated value all the same"
        )
        return _row(number, Outcome.SKIPPED, reason, state.before, state.after)
    if changed and not rules.has_changed:
        reason = f"{changed}: make a new report, or give --allow-changed"
        return _row(number, Outcome.REFUSED, reason, state.before, state.after)
    return Placed(state=state, live=live)


def _by_owner(placed: Sequence[Placed]) -> Iterator[list[Placed]]:
    """Yield the numbers that go into the same pod template, which workloads may share."""
    groups: dict[tuple[str, str, str], list[Placed]] = {}
    for each in placed:
        if each.state.place is Place.TEMPLATE:
            metadata: Mapping[str, str] = each.live.owner["metadata"]
            key = (each.live.kind.kind, metadata["namespace"], metadata["name"])
            groups.setdefault(key, []).append(each)
    yield from groups.values()


def _workload(wanted: Wanted) -> tuple[str, str]:
    return wanted.number.namespace, wanted.number.workload


def _row(number: Number, outcome: Outcome, reason: str, before: str = "", after: str = "") -> Row:
    return Row(number=number, outcome=outcome, reason=reason, before=before, after=after)
