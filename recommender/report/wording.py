"""Amounts of an item as people read them; shared by the table, Markdown, the page and diffs."""

from __future__ import annotations

import datetime as dt
import math
from typing import TYPE_CHECKING

from recommender.report.model import REPLICAS
from recommender.resources import resource_named
from recommender.sentences import amount, counted, percent, transition

if TYPE_CHECKING:
    from recommender.report.blocks import (
        CurrentReplicas,
        CurrentSize,
        Money,
        NextReplicas,
        NextSize,
        RecommendedReplicas,
        RecommendedSize,
    )
    from recommender.report.model import Item, Totals
    from recommender.resources import Resource

UNSET_TEXT = "-"
USE, DEMAND = "use", "demand"
_END_OF_CALENDAR_S = 253_402_300_800
"""Start of the year 10000."""
_WRITTEN_RATIO = 1e-4
"""Amounts are written in thousandths and whole MiB; a smaller change is none."""


def resource_of(name: str) -> Resource | None:
    """Return the descriptor of an item's resource; None for replicas."""
    return None if name == REPLICAS else resource_named(name)


def amount_of(
    block: CurrentSize
    | CurrentReplicas
    | RecommendedSize
    | RecommendedReplicas
    | NextSize
    | NextReplicas,
    side: str,
) -> float | None:
    """Return ``request`` or ``limit``; replicas stand in the place of the request."""
    value: float | None = getattr(block, side, None)
    if side == "request" and not hasattr(block, "request"):
        value = getattr(block, "replicas", None)
    return value


def amount_text(resource: str, value: float | None) -> str:
    """Return an amount with its unit; replicas with the word."""
    if value is None:
        return UNSET_TEXT
    text = amount(value, resource_of(resource))
    if resource == REPLICAS:
        return f"{text} replica{'' if value == 1 else 's'}"
    return text


def change_text(resource: str, now: float | None, right: float | None) -> str:
    """Return ``12 -> 4.5 TFLOPS``, one amount where both are equal or one is not known."""
    if now is None or right is None or is_same(now, right):
        return amount_text(resource, right if right is not None else now)
    text = transition(now, right, resource_of(resource))
    return f"{text} replicas" if resource == REPLICAS else text


def change_with_arrow(resource: str, now: float | None, right: float | None) -> str:
    """Return :func:`change_text` with a typographic arrow, for pages."""
    return change_text(resource, now, right).replace("->", "\N{RIGHTWARDS ARROW}")


def item_change(item: Item, side: str) -> str:
    """Return the change of request or limit with its percentage, as the table shows it."""
    now, right = amount_of(item.current, side), amount_of(item.recommended, side)
    text = change_text(item.resource, now, right)
    if now is None or right is None or is_same(now, right):
        return text
    return f"{text} ({percent(right / now - 1, signed=True)})"


def is_same(now: float, right: float) -> bool:
    """Return whether a change is only what writing an amount down has rounded away."""
    return math.isclose(now, right, rel_tol=_WRITTEN_RATIO)


def measured_word(item: Item) -> str:
    """Return what the amounts of the evidence are: ``demand`` where something was held back.

    The use itself is not kept then; where nothing was held back both are the same.
    """
    return DEMAND if held_back_share(item) else USE


def held_back_share(item: Item) -> float:
    """Return the share of minutes in which compute was held back by its limit or its share."""
    resource = resource_of(item.resource)
    is_compute = resource is not None and resource.is_compressible
    return (item.evidence.at_limit_share or 0.0) if is_compute else 0.0


def saving_text(money: Money | None) -> str:
    """Return a monthly saving in whole units of the currency; a dash where no price is known."""
    if money is None or money.saving_per_month is None:
        return UNSET_TEXT
    return money_text(money.saving_per_month)


def money_text(value: float) -> str:
    """Return an amount of money without currency: cents below 10, else whole units."""
    text = f"{value:.2f}" if 0 < abs(value) < 10 else f"{value:.0f}"
    return "0" if text in {"-0", "-0.00", "0.00"} else text


def price_change(saving_per_month: float, currency: str) -> str:
    """Return ``852 USD/month less``, or ``more`` where raises outweigh; ``unchanged``."""
    text = money_text(abs(saving_per_month))
    if text == "0":
        return "unchanged"
    return f"{text} {currency}/month {'less' if saving_per_month > 0 else 'more'}"


def headline(totals: Totals, currency: str) -> str:
    """Return what a reader could do with the whole report, in one line; empty where unknown."""
    parts = []
    if totals.releasable_gpus is not None:
        parts.append(f"{counted(totals.releasable_gpus, 'whole GPU')} could be released")
    if totals.freed_gpus is not None and abs(totals.freed_gpus) >= 0.005:
        verb = "freed" if totals.freed_gpus > 0 else "taken"
        parts.append(f"capacity {verb}: {abs(totals.freed_gpus):.2f} GPUs")
    if totals.saving_per_month is not None:
        parts.append(f"price of the shares: {price_change(totals.saving_per_month, currency)}")
    return "; ".join(parts)


def as_sentence(note: str) -> str:
    """Return a note with a capital and a full stop; a name it begins with stays as it is."""
    first = note.partition(" ")[0]
    text = note[:1].upper() + note[1:] if first.isalpha() and first.islower() else note
    return text if text.endswith((".", "!", "?")) else f"{text}."


def utc(time_s: int) -> str:
    """Return ``2026-11-25 18:00 UTC``; a time that no calendar has stays a number."""
    if not 0 <= time_s < _END_OF_CALENDAR_S:
        return f"{time_s} s since 1970"
    moment = dt.datetime.fromtimestamp(time_s, tz=dt.UTC)
    return f"{moment:%Y-%m-%d %H:%M} UTC"
