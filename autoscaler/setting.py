"""One setting of the process: its path, meaning, shape, check and how it is shown.

The tables of settings are ``settings`` and ``prometheus_settings``; what puts a file's values
together is ``settings``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autoscaler.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting of the file."""

    path: str
    meaning: str
    read: Callable[[Any, str, dict[str, Any]], None]
    """Checks a value, found at a place, and puts it among the arguments of ``Settings``.

    Raises ``UsageError`` or ``InvalidValueError``, which name the place.
    """
    shape: Mapping[str, Any]
    """JSON Schema of a value, for editors; one of ``setting_shapes``."""
    shown: Callable[[Settings], str]
