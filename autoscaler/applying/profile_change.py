"""Numbers that go into one WorkloadProfile, as one change of it, which counts for all its users.

Nobody who did not ask gets less by it, and no pod of a user would be refused after it.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from autoscaler.applying.live_workload import LiveWorkload
from autoscaler.applying.owner_kinds import keeper_note
from autoscaler.applying.placed import (
    Placed,
    annotations_of,
    by_dimension,
    highest,
    planned_row,
    problem_after,
    refused_row,
)
from autoscaler.applying.profile_use import ProfileUse
from autoscaler.applying.rows import FieldChange, ObjectChange, Row
from autoscaler.applying.stating import Place, ToState, profile_path
from autoscaler.kube.resource import WORKLOAD_PROFILES
from recommender.policy.resolve import resolve

ProfileKey = tuple[str, str]
"""(namespace, name)."""
_TEMPLATE_ONLY = "--write-to template changes this workload alone"


def profile_changes(
    placed: Sequence[Placed], use: ProfileUse
) -> tuple[list[ObjectChange], list[Row], dict[ProfileKey, Mapping[str, Any]]]:
    """Return a change for each profile that numbers go into, the refusals, and the new specs.

    ``placed`` are all numbers, those that go into templates too.  Users that want different amounts
    get the highest.  Raises ``KubeError``.
    """
    changes: list[ObjectChange] = []
    refused: list[Row] = []
    specs: dict[ProfileKey, Mapping[str, Any]] = {}
    for key, group in _by_profile(placed).items():
        kept, rows = _sharable(group, use)
        refused += rows
        for numbers in by_dimension(kept):
            problem = _profile_problem(numbers, placed) or _others_problem(numbers, use)
            refused += [refused_row(each, problem) for each in numbers if problem]
            kept = [each for each in kept if not problem or each not in numbers]
        if kept:
            changes.append(_profile_written(kept, use))
            specs[key] = _profile_spec(kept)
    return changes, refused, specs


def _sharable(placed: Sequence[Placed], use: ProfileUse) -> tuple[list[Placed], list[Row]]:
    """Return the numbers of one profile that take nothing from users who did not ask for it."""
    kept, refused = [], []
    for each in placed:
        state, name = each.state, each.live.profile_name
        namespace = state.wanted.number.namespace
        others = use.users(namespace, name, (state.statement.key,)) - _askers(placed, state)
        if state.now is not None and state.amount < state.now and others:
            reason = (
                f"{', '.join(sorted(others))} would get less from WorkloadProfile {name} too, and "
                f"is not among what is written; {_TEMPLATE_ONLY}"
            )
            refused.append(refused_row(each, reason))
        else:
            kept.append(each)
    return kept, refused


def _profile_problem(placed: Sequence[Placed], everything: Sequence[Placed]) -> str:
    """Return why pods of a user would be refused after the change; empty: they would not."""
    spec = _profile_spec(placed)
    for each in placed:
        own = [one for one in everything if _goes_into_template_of(one, each.live)]
        annotations = {**each.live.annotations, **annotations_of(own)}
        after = each.live.resolved(annotations=annotations, profile_spec=spec)
        problem = problem_after(each.live.resolved(), after)
        if problem:
            return f"for {each.state.wanted.number.name}: {problem}; {_TEMPLATE_ONLY}"
    return ""


def _others_problem(placed: Sequence[Placed], use: ProfileUse) -> str:
    """Return the same for users who asked for nothing, by what the controller says of them."""
    profile, spec = _profile_of(placed), _profile_spec(placed)
    namespace, name = profile["metadata"]["namespace"], profile["metadata"]["name"]
    askers = {each.state.wanted.number.workload for each in placed}
    keys = {each.state.statement.key for each in placed}
    for user, own in use.own_annotations(namespace, name, keys).items():
        if user in askers:
            continue
        before = resolve(annotations=own, profile=profile.get("spec"), profile_name=name)
        after = resolve(annotations=own, profile=spec, profile_name=name)
        problem = problem_after(before, after)
        if problem:
            return f"for {namespace}/{user}: {problem}; {_TEMPLATE_ONLY}"
    return ""


def _profile_written(placed: Sequence[Placed], use: ProfileUse) -> ObjectChange:
    profile = _profile_of(placed)
    namespace, name = profile["metadata"]["namespace"], profile["metadata"]["name"]
    askers = {each.state.wanted.number.workload for each in placed}
    users = askers | use.users(namespace, name, {each.state.statement.key for each in placed})
    return ObjectChange(
        resource=WORKLOAD_PROFILES,
        obj=profile,
        fields=tuple(_profile_fields(placed)),
        rows=tuple(planned_row(each) for each in placed),
        consequence=f"counts for all its users when their pods start: {', '.join(sorted(users))}",
        notes=tuple(filter(None, (keeper_note(profile),))),
    )


def _profile_of(placed: Sequence[Placed]) -> Mapping[str, Any]:
    profile = placed[0].live.profile
    assert profile is not None, "these numbers are stated by a profile"
    return profile


def _profile_spec(placed: Sequence[Placed]) -> dict[str, Any]:
    """Return the spec of the profile with these numbers."""
    spec = copy.deepcopy(dict(_profile_of(placed).get("spec") or {}))
    for change in _profile_fields(placed):
        place = spec
        for key in change.path[1:-1]:
            place[key] = place.get(key) or {}
            place = place[key]
        place[change.path[-1]] = change.after
    return spec


def _profile_fields(placed: Sequence[Placed]) -> Iterator[FieldChange]:
    for state, text in highest(placed):
        path = profile_path(state.statement)
        before: Any = _profile_of(placed)
        for key in path:
            before = (before or {}).get(key)
        yield FieldChange(path=path, before=None if before is None else str(before), after=text)


def _askers(placed: Sequence[Placed], state: ToState) -> set[str]:
    """Return the workloads that ask for the same number."""
    return {
        each.state.wanted.number.workload
        for each in placed
        if each.state.statement.key == state.statement.key
    }


def _goes_into_template_of(placed: Placed, live: LiveWorkload) -> bool:
    is_same = (
        placed.live.kind == live.kind and placed.live.owner["metadata"] == live.owner["metadata"]
    )
    return is_same and placed.state.place is Place.TEMPLATE


def _by_profile(placed: Sequence[Placed]) -> dict[ProfileKey, list[Placed]]:
    groups: dict[ProfileKey, list[Placed]] = {}
    for each in placed:
        if each.state.place is Place.PROFILE:
            key = each.state.wanted.number.namespace, each.live.profile_name
            groups.setdefault(key, []).append(each)
    return groups
