"""The limiter's table of hooks, as its own file says it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.autoscaler.agent.native.built import NATIVE

_HOOK = re.compile(r"^TF_HOOK\((\w+), (\w+), (\d+), (\w+), \((.*)\)\)$", re.MULTILINE)
_NVML = re.compile(r"^TF_NVML_HOOK\((\w+), \((.*)\)\)$", re.MULTILINE)
_WIDTHS = {
    "unsigned char": 1,
    "unsigned short": 2,
    "int": 4,
    "unsigned int": 4,
    "CUdevice": 4,
}
"""Bytes of the types that are no word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """One line of symbols.def."""

    exported: str
    base: str
    first_version: int
    is_thread_form: bool
    types: tuple[str, ...]

    def width_bytes(self, index: int) -> int:
        """Return the size of one parameter."""
        return _WIDTHS.get(self.types[index], 8)

    def is_pointer(self, index: int) -> bool:
        """Return whether a parameter points to something."""
        return self.types[index].endswith("*")


def hooks() -> list[Hook]:
    """Return the hooks of the driver."""
    text = (NATIVE / "symbols.def").read_text(encoding="utf-8")
    return [
        Hook(
            exported=exported,
            base=base,
            first_version=int(version),
            is_thread_form=form == "TF_THREAD_STREAM",
            types=() if types == "void" else tuple(part.strip() for part in types.split(",")),
        )
        for exported, base, version, form, types in _HOOK.findall(text)
    ]


def nvml_hooks() -> list[str]:
    """Return the names of the hooks of NVML."""
    text = (NATIVE / "symbols.def").read_text(encoding="utf-8")
    return [name for name, _types in _NVML.findall(text)]
