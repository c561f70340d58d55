"""The limits between the severities of a report.  They are settings and stand in its footer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """When an observation becomes a finding.

    What counts as a change is no threshold of the report: it is the workload's own update
    threshold (requests) or ignored delta (limits), as its policy says.
    """

    vram_peak_of_limit_ratio: float = 0.95
    """CRITICAL above: highest VRAM use as a share of the limit."""
    at_limit_share: float = 0.05
    """CRITICAL above: share of minutes in which compute was held back by its limit or share."""
    idle_compute_ratio: float = 0.01
    """WARNING below: highest compute use as a share of the card ..."""
    idle_after_s: int = 86_400
    """... over at least this long ..."""
    idle_holds_ratio: float = 0.5
    """... while the request holds at least this share of the card."""
