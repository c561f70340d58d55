"""Numbers that go into one pod template, as one change of its owner.  Pure.

What the next pod would then meet is resolved as admission does it: a change after which pods are
refused, such as a request above its limit, is not made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from autoscaler.applying.owner_kinds import (
    consequence_of,
    keeper_note,
    pods_made_anew,
    template_annotations_path,
)
from autoscaler.applying.placed import (
    Placed,
    annotations_of,
    by_dimension,
    planned_row,
    problem_after,
    refused_row,
)
from autoscaler.applying.rows import FieldChange, ObjectChange, Row


def template_change(
    placed: Sequence[Placed], profile_spec: Mapping[str, Any] | None = None
) -> tuple[ObjectChange | None, list[Row]]:
    """Return the change of the one pod template that all these numbers go into, else the refusals.

    ``profile_spec`` is that of its profile, where that is changed too.
    """
    live = placed[0].live
    before = live.resolved()
    kept, refused = [], []
    for group in by_dimension(placed):
        annotations = {**live.annotations, **annotations_of(group)}
        after = live.resolved(annotations=annotations, profile_spec=profile_spec)
        problem = problem_after(before, after)
        refused += [refused_row(each, problem) for each in group if problem]
        kept += [] if problem else group
    return (_template_written(kept) if kept else None), refused


def _template_written(placed: Sequence[Placed]) -> ObjectChange:
    live = placed[0].live
    annotations = annotations_of(placed)
    kind = live.kind.kind
    path = template_annotations_path(kind)
    fields = tuple(
        FieldChange(path=(*path, key), before=live.annotations.get(key), after=text)
        for key, text in annotations.items()
    )
    return ObjectChange(
        resource=live.kind,
        obj=live.owner,
        fields=fields,
        rows=tuple(planned_row(each) for each in placed),
        consequence=consequence_of(kind, live.owner),
        notes=tuple(filter(None, (keeper_note(live.owner),))),
        pods=pods_made_anew(kind, live.owner),
    )
