"""Taking settings for a policy while noting where each effective value came from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from recommender.errors import Problem
from recommender.policy.fields import FIELD
from recommender.policy.model import Mode
from recommender.policy.settings import EVERYTHING, Setting, Settings

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(slots=True)
class Taking:
    """A policy in the making: settings in, sources and further problems out."""

    settings: Settings
    sources: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    _held: dict[str, str] = field(default_factory=dict)

    def take(self, field_path: str, *lands: str, default: object = None) -> object:
        """Return the effective value of a field, and note its source at the paths it lands at.

        ``default`` stands in for the table's where a dimension has its own.
        """
        setting = self.settings.get(field_path)
        if setting is None:
            return FIELD[field_path].default if default is None else default
        self.note(setting.source, *lands)
        return setting.value

    def note(self, source: str, *lands: str) -> None:
        """Note where the values at these policy paths came from."""
        self.sources.update(dict.fromkeys(lands, source))

    def is_set(self, field_path: str) -> bool:
        """Return whether anybody set a field."""
        return self.settings.get(field_path) is not None

    def rank(self, *field_paths: str) -> int:
        """Return the highest precedence among the layers that set one of these fields; -1: none."""
        settings = [s for path in field_paths if (s := self.settings.get(path)) is not None]
        return max((setting.rank for setting in settings), default=-1)

    def where(self, *field_paths: str) -> str:
        """Return where these fields were written, as far as they were."""
        settings: Iterable[Setting | None] = map(self.settings.get, field_paths)
        return " and ".join(dict.fromkeys(s.path for s in settings if s is not None))

    def problem(
        self, path: str, message: str, *, is_warning: bool = False, consequence: str = ""
    ) -> None:
        """Report a problem between settings; the same problem is reported once."""
        found = Problem(path, message, is_warning, consequence)
        if found not in self.problems:
            self.problems.append(found)

    def hold(self, block: str, path: str) -> None:
        """Let a block only recommend, because of a problem at ``path``."""
        self._held.setdefault(block, path)

    def whole_mode(self, *lands: str) -> Mode:
        """Return how far what belongs to no block may go: as the whole configuration."""
        held = {**self._held, **self.settings.held}
        if EVERYTHING in held:
            self.note(f"problem at {held[EVERYTHING]}", *lands)
            return Mode.RECOMMEND
        return Mode(str(self.take("mode", *lands)))

    def mode(self, block: str, *lands: str) -> Mode:
        """Return how far a block may go.

        Its own ``mode`` wins over that of the whole configuration unless a layer of higher
        precedence set the latter.  A block with a problem in one of its bounds only recommends.
        """
        held = {**self._held, **self.settings.held}
        for key in (block, EVERYTHING):
            if key in held:
                self.note(f"problem at {held[key]}", *lands)
                return Mode.RECOMMEND
        own = f"{block}.mode"
        chosen = own if self.is_set(own) and self.rank(own) >= self.rank("mode") else "mode"
        return Mode(str(self.take(chosen, *lands)))
