"""What a shared library of ELF64 asks of a loader, and what it offers: read without other tools."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

_PT_DYNAMIC, _PT_TLS, _PT_STACK = 2, 7, 0x6474E551
_DT_NEEDED, _DT_HASH, _DT_STRTAB, _DT_SYMTAB = 1, 4, 5, 6
_DT_VERSYM, _DT_VERDEF, _DT_VERDEF_COUNT = 0x6FFFFFF0, 0x6FFFFFFC, 0x6FFFFFFD
_DT_VERNEED, _DT_VERNEED_COUNT = 0x6FFFFFFE, 0x6FFFFFFF
_EXECUTABLE = 1
_WEAK = 2
MACHINES = {62: "x86_64", 183: "aarch64"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Symbol:
    """One dynamic symbol."""

    name: str
    is_defined: bool
    is_weak: bool
    version: str | None
    is_default_version: bool


class Library:
    """One file; offsets and addresses of loaded parts are the same in what linkers make first."""

    def __init__(self, path: Path) -> None:
        self._bytes = path.read_bytes()
        assert self._bytes[:6] == b"\x7fELF\x02\x01", f"{path} is no little-endian ELF64"
        self.machine = MACHINES[self._at("<H", 18)[0]]
        (start,) = self._at("<Q", 32)
        size, count = self._at("<HH", 54)
        self._segments = [self._at("<IIQQQQQQ", start + size * i) for i in range(count)]

    def _at(self, form: str, offset: int) -> tuple[int, ...]:
        return struct.unpack_from(form, self._bytes, offset)

    def _offset(self, address: int) -> int:
        for kind, _flags, offset, begin, _physical, size, _memory, _align in self._segments:
            if kind == 1 and begin <= address < begin + size:
                return offset + address - begin
        raise ValueError(f"{address:#x} is in no segment of the file")

    @property
    def has_thread_storage(self) -> bool:
        """Return whether it needs the loader's thread-local storage."""
        return any(segment[0] == _PT_TLS for segment in self._segments)

    @property
    def has_executable_stack(self) -> bool:
        """Return whether it asks for one; it does so also where it says nothing."""
        flags = [segment[1] for segment in self._segments if segment[0] == _PT_STACK]
        return not flags or bool(flags[0] & _EXECUTABLE)

    @cached_property
    def _dynamic(self) -> list[tuple[int, ...]]:
        (segment,) = [segment for segment in self._segments if segment[0] == _PT_DYNAMIC]
        return [self._at("<QQ", segment[2] + place) for place in range(0, segment[5], 16)]

    def _value(self, tag: int) -> int:
        return next(value for key, value in self._dynamic if key == tag)

    def _name(self, place: int) -> str:
        start = self._offset(self._value(_DT_STRTAB)) + place
        return self._bytes[start : self._bytes.index(b"\0", start)].decode()

    @property
    def needed(self) -> list[str]:
        """Return the libraries that it cannot be loaded without."""
        return [self._name(value) for key, value in self._dynamic if key == _DT_NEEDED]

    @cached_property
    def needed_versions(self) -> dict[int, str]:
        """Return the versions that it needs of others, by their numbers."""
        found = {}
        offset = self._offset(self._value(_DT_VERNEED))
        for _ in range(self._value(_DT_VERNEED_COUNT)):
            _version, count, _file, auxiliary, following = self._at("<HHIII", offset)
            place = offset + auxiliary
            for _part in range(count):
                _hash, _flags, number, name, step = self._at("<IHHII", place)
                found[number] = self._name(name)
                place += step
            offset += following
        return found

    @cached_property
    def _own_versions(self) -> dict[int, str]:
        found = {}
        offset = self._offset(self._value(_DT_VERDEF))
        for _ in range(self._value(_DT_VERDEF_COUNT)):
            _version, _flags, number, _count, _hash, auxiliary, following = self._at(
                "<HHHHIII", offset
            )
            found[number] = self._name(self._at("<I", offset + auxiliary)[0])
            offset += following
        return found

    @cached_property
    def symbols(self) -> list[Symbol]:
        """Return the dynamic symbols."""
        count = self._at("<II", self._offset(self._value(_DT_HASH)))[1]
        table = self._offset(self._value(_DT_SYMTAB))
        versions = self._offset(self._value(_DT_VERSYM))
        names = self.needed_versions | {
            number: name for number, name in self._own_versions.items() if number > 1
        }
        found = []
        for index in range(1, count):
            name, info, _other, section = self._at("<IBBH", table + 24 * index)
            (version,) = self._at("<H", versions + 2 * index)
            found.append(
                Symbol(
                    name=self._name(name),
                    is_defined=section != 0,
                    is_weak=info >> 4 == _WEAK,
                    version=names.get(version & 0x7FFF),
                    is_default_version=not version & 0x8000,
                )
            )
        return found
