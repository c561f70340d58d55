"""A condition in the status of an object, by the conventions of the Kubernetes API.  Pure.

Types and reasons that the project uses stand in ``autoscaler.api.names``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from autoscaler.kube.timestamps import time_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from autoscaler.kube.api_server import Object

REASON = re.compile(r"[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?")
LONGEST_REASON = 1024
LONGEST_MESSAGE = 32768
_STATUS = {True: "True", False: "False", None: "Unknown"}


def condition(
    shown: Object,
    kind: str,
    *,
    is_true: bool | None,
    reason: str,
    message: str = "",
    now_s: float,
) -> dict[str, Any]:
    """Return the condition of type ``kind`` for an object, as the cache shows that object.

    ``is_true`` is None for ``Unknown``.  ``lastTransitionTime`` stays that of the shown condition
    while the status does.  A ``message`` must hold no time or age, else it is new at each look.
    Raises ``ValueError`` for a reason or a message that the API does not allow.
    """
    if not REASON.fullmatch(reason) or len(reason) > LONGEST_REASON:
        raise ValueError(
            f"condition {kind}: reason {reason!r}; allowed: up to {LONGEST_REASON} letters, "
            "digits, '_', ',' and ':', beginning with a letter, ending with neither ',' nor ':'"
        )
    if len(message) > LONGEST_MESSAGE:
        raise ValueError(
            f"condition {kind}: message of {len(message)} characters; "
            f"allowed: up to {LONGEST_MESSAGE}"
        )
    status = _STATUS[is_true]
    before = find_condition(shown, kind)
    is_unchanged = before is not None and before.get("status") == status
    since = before.get("lastTransitionTime") if before is not None and is_unchanged else None
    wanted = {
        "type": str(kind),
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": since or time_text(now_s),
    }
    generation = shown["metadata"].get("generation")
    return wanted if generation is None else {**wanted, "observedGeneration": generation}


def find_condition(obj: Object, kind: str) -> Object | None:
    """Return the condition of a type; None where an object has none."""
    return next((each for each in conditions_of(obj) if each.get("type") == kind), None)


def conditions_of(obj: Object) -> Sequence[Object]:
    """Return all conditions of an object."""
    return (obj.get("status") or {}).get("conditions") or ()
