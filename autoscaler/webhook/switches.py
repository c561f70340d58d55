"""Annotations that are true or false."""

from __future__ import annotations

from collections.abc import Mapping

from autoscaler.webhook.verdict import Verdict


def read_switch(annotations: Mapping[str, str], key: str, verdict: Verdict) -> bool | None:
    """Return what an annotation says; None where it is absent, blank or wrong (refused)."""
    text = annotations.get(key, "").strip()
    match text.lower():
        case "":
            return None
        case "true":
            return True
        case "false":
            return False
        case _:
            verdict.invalid(f"annotation {key}", text, "true or false")
            return None
