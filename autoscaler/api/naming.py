"""The name of the workload of pods that name none.

It is derived from the root owner, so that every pod of one owner arrives at the same name.  A
workload's name is also a label value, which ends at 63 characters.
"""

from __future__ import annotations

import hashlib

LONGEST = 63
_HEAD = 54
_DIGEST = 8
DEPLOYMENT = "Deployment"


def derived_workload_name(kind: str, name: str) -> str:
    """Return the name of the workload of a root owner.

    ``kind`` is the owner's, empty for a bare pod; ``name`` is the owner's name, the bare pod's
    name, or its ``generateName``.  A Deployment and a bare pod pass their name on, any other owner
    is named with its kind; what is too long is cut and told apart by a digest of the whole.
    """
    whole = name.rstrip("-.") if kind in {"", DEPLOYMENT} else f"{name}-{kind.lower()}"
    if len(whole) <= LONGEST:
        return whole
    digest = hashlib.sha256(whole.encode()).hexdigest()[:_DIGEST]
    head = whole[:_HEAD].rstrip("-.")
    return f"{head}-{digest}"
