"""What a rotation of certificates does next, for who counts it without the certificates."""

from __future__ import annotations

from enum import StrEnum


class Action(StrEnum):
    """What is written into the Secret."""

    NOTHING = "nothing"
    ISSUE = "issue"
    """A new authority and a serving certificate, to be served at once: none works now."""
    STAGE = "stage"
    """A new authority into the bundle, and its certificate beside the serving one."""
    ADOPT = "adopt"
    """A usable certificate that somebody else wrote is noted, the entries' authorities kept."""
    SWITCH = "switch"
    """The staged certificate becomes the serving one."""
    DROP = "drop"
    """Authorities that verify nothing served leave the bundle."""
