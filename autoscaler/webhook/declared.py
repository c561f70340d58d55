"""What a pod keeps of its user's words: declared amounts, and where each value came from."""

from __future__ import annotations

import json
from collections.abc import Mapping

from autoscaler.api.names import AMOUNT_KEYS, DECLARED, SOURCES
from autoscaler.webhook.statements import is_declared_input
from recommender.policy.stated import Stated

_LONGEST_SOURCES = 4096
_KEY_OF = dict(zip(AMOUNT_KEYS, DECLARED, strict=True))


def declared_annotations(stated: Stated) -> dict[str, str]:
    """Return the ``declared-*`` annotations: quantities as their owners spelt them."""
    return {_KEY_OF[key]: stated.quantities[key] for key in AMOUNT_KEYS if key in stated.quantities}


def sources_annotation(
    annotations: Mapping[str, str], stated: Stated, chosen: Mapping[str, str]
) -> str:
    """Return where each value came from, as JSON of statement key to text.

    ``chosen`` has the origins of what admission itself chose (pool, QoS, GPUs, mode).  A pod that
    is admitted again keeps what it brings, as by then every value stands in its annotations.
    """
    brought = annotations.get(SOURCES, "")
    if is_declared_input(annotations) and _fits(brought, stated):
        return brought
    sources = {**stated.sources, **chosen}
    return json.dumps(sources, sort_keys=True, ensure_ascii=True, separators=(",", ":"))


def _fits(text: str, stated: Stated) -> bool:
    """Return whether a text names origins of the amounts that are stated, and of no others."""
    if not text or len(text) > _LONGEST_SOURCES:
        return False
    try:
        sources = json.loads(text)
    except (ValueError, RecursionError):
        return False
    if not isinstance(sources, dict) or not all(isinstance(v, str) for v in sources.values()):
        return False
    return {key for key in AMOUNT_KEYS if key in sources} == set(stated.quantities)
