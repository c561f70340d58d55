"""What time slices leave to a kernel longer than one of them, by what is known of its neighbours.

A card gives a slice to each process in turn that has work, and each change takes time in which
nothing runs (docs/gpu-facts.md).  Neighbours with short launches are there all the while; those
with long ones, once held by their shares, stay away for longer than a slice, and the kernel has the
card for itself until they are back.  Pure; who the neighbours are is ``leftover``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

SLICE_S = 0.0021
SWITCH_S = 0.000165
"""A change from one process to another: two that always have work get 46 % each."""
CROWDED_SHARE = SLICE_S / (SLICE_S + SWITCH_S)
"""What processes get together of a card that all of them keep busy."""
_SWITCHED_RATIO = SWITCH_S / SLICE_S
_CLOSE = 1e-4


class Neighbour(NamedTuple):
    """One worker that uses the card."""

    share: float
    """Of the card's time, 0 to 1, over all its processes."""
    launch_s: float
    """Device time of a launch, on the average."""
    processes: float
    """How many of it have work, on the average; at least 1."""


def share_beside(neighbours: Sequence[Neighbour]) -> float:
    """Return the part of the card that one more process gets while it has work, above 0 to 1.

    Each neighbour's process gets its share, or as much as this one where it wants more.  It comes
    to the card once in a turn of all, or only as often as it has a launch.
    """
    parts = [
        (each.processes, share := each.share / each.processes, share * SLICE_S / _visit_s(each))
        for each in neighbours
    ]
    share, more = 0.0, 1.0
    # What is used grows with the share in straight pieces: go to the end of each.
    while more > _CLOSE:
        used = growing = visits = in_each_turn = 0.0
        for processes, wanted, visited in parts:
            if wanted > share:
                growing += processes
            else:
                used += processes * wanted
            if visited > share:
                in_each_turn += processes
            else:
                visits += processes * visited
        # One change to each of them, and one back after the last.
        if visits + in_each_turn * share >= share:
            in_each_turn += 1
        else:
            visits, in_each_turn = 2 * visits, 2 * in_each_turn
        reached = (1 - used - _SWITCHED_RATIO * visits) / (
            1 + growing + _SWITCHED_RATIO * in_each_turn
        )
        share, more = reached, reached - share
    return share


def mean_missed_s(neighbours: Sequence[Neighbour], beside_share: float) -> float:
    """Return by how much less neighbours take of a long kernel's wall time than their shares say.

    It is device time, on the average, and 0 where no launch of theirs is longer than a slice.
    ``beside_share``: of ``share_beside``.
    """
    return sum(
        each.processes * _missed_by_one_s(each, beside_share)
        for each in neighbours
        if each.launch_s > SLICE_S
    )


def part_of_wall_time(launch_s: float, beside_share: float, missed_s: float) -> float | None:
    """Return the part of its wall time in which a long kernel of ``launch_s`` itself runs.

    None where it runs mostly while its neighbours are away, so that this tells nothing.
    """
    if missed_s >= launch_s / 2:
        return None
    return beside_share * launch_s / (launch_s - missed_s)


def _missed_by_one_s(neighbour: Neighbour, beside_share: float) -> float:
    """Return what one process misses."""
    launch_s, share = neighbour.launch_s, neighbour.share / neighbour.processes
    # What it and the kernel get each while it is there: half of what both have, less two changes.
    both = beside_share + min(share, beside_share) * (1 + 2 * _SWITCHED_RATIO)
    speed = both / (2 + 2 * _SWITCHED_RATIO)
    stretch = 1 / speed - 1
    if share < speed:
        # A launch that runs when the kernel ends is further from its end than one without it.
        return share * launch_s / 2 * stretch**2
    # It falls behind, and is there without end after the first pause: of a launch that the kernel
    # found running, and takes longer now, less of a pause is left.
    period_s = launch_s / share
    paused_s = launch_s - max(launch_s / speed - period_s, 0.0) / stretch
    found_running = stretch * max(paused_s, 0.0) ** 2 / 2
    found_away = (period_s - launch_s) ** 2 / 2
    return (1 - speed) * (found_running + found_away) / period_s


def _visit_s(neighbour: Neighbour) -> float:
    """Return for how long a process at least has the card, once it has a launch."""
    return min(max(neighbour.launch_s, 1e-9), SLICE_S)
