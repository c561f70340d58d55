"""How a report is shown.  Nothing here changes what a machine format contains."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderOptions:
    """Options of the renderers; machine formats ignore all of them."""

    width: int = 80
    """Characters that a table may take; ``is_wide`` lifts the bound."""
    is_wide: bool = False
    include_ok: bool = False
    """Table and Markdown: show items inside their threshold too."""
    limit: int | None = None
    """Table and Markdown: show at most so many items, and count the rest."""
    group_by: str | None = None
    """``namespace``, ``pool`` or ``label:NAME``."""
    has_color: bool = False
    """Table: severities in ANSI colours."""
    live: str = ""
    """Page: one line below its head, of the process that serves it."""
