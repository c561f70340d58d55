"""Both pages of one worker, opened as they come and made again where containers see another."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from autoscaler.agent.pages.control_page import ControlPage, open_control_page
from autoscaler.agent.pages.folders import PageFolders
from autoscaler.agent.pages.terms import Terms
from autoscaler.agent.pages.use_page import UsePage
from autoscaler.agent.pages.use_reading import UseReading

CHECK_EVERY_NS = 10**9
"""Between two questions whether containers still see the control page."""


class Applied(StrEnum):
    """What became of terms that were to be put in force."""

    WAITING = "waiting"
    """The volume is not there yet; until then the limits of admission are in force."""
    IN_FORCE = "in force"
    RESTORED = "restored"
    """In force, and somebody in the pod had changed the page."""


class WorkerPages:
    """The pages of one worker.  Not thread-safe."""

    def __init__(self, folders: PageFolders, gpu_count: int) -> None:
        self._folders = folders
        self._control: ControlPage | None = None
        self._use = UsePage(folders.use, gpu_count)
        self._check_ns = 0
        """When to ask again whether containers see the control page."""

    def apply(self, terms: Terms, now_ns: int, *, is_whole: bool = True) -> Applied:
        """Put terms in force.  ``now_ns`` is CLOCK_MONOTONIC.  Raises ``PageError``.

        Where this is not whole, a page that holds these terms is not looked at.  Whether containers
        still see it is asked before others are written, and once in a second.
        """
        if self._control is not None:
            is_change = not self._control.holds(terms)
            if not (is_whole or is_change):
                return Applied.IN_FORCE
            if is_change or now_ns >= self._check_ns:
                self._check_ns = now_ns + CHECK_EVERY_NS
                self._drop_hidden()
        if self._control is None:
            self._control = open_control_page(self._folders.control, terms, now_ns)
        if self._control is None:
            return Applied.WAITING
        was_changed = self._control.write(terms, now_ns)
        return Applied.RESTORED if was_changed else Applied.IN_FORCE

    def _drop_hidden(self) -> None:
        if self._control is not None and not self._control.is_there:
            self._control.close()
            self._control = None

    def declare_dead(self, dead: Mapping[int, int]) -> None:
        """Have the next ``apply`` say which slots have no process: slot to its generation."""
        if self._control is not None:
            self._control.declare_dead(dead)

    def read(self, now_ns: int, *, is_whole: bool = True) -> UseReading | None:
        """Return what the worker's limiter says; None while no process of it has begun.

        Where this is not whole, processes are as they were seen last.  Raises
        ``PageTamperedError`` and ``PageError``.
        """
        return self._use.read(now_ns, has_slots=is_whole)

    def close(self) -> None:
        """Close both files, and leave the pages as they are."""
        self._use.close()
        if self._control is not None:
            self._control.close()
            self._control = None
