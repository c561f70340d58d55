"""Reads the page of use of one worker, which is the worker's own to write.

It is read with one ``pread`` and never mapped or written.  What a limiter would never leave there
is tampering, and an error that is reported; the agent goes on.  Counters stand in the page's first
kilobyte, and slots in the fifty after it, most of them empty: looks that come many times a second
read what is in use, and one in a second reads all.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from itertools import compress, count
from pathlib import Path
from struct import Struct

from autoscaler.agent.pages.abi import (
    ABI_VERSION,
    MOST_GPUS,
    MOST_PROCESSES,
    USE_BYTES,
    USE_FILE,
    USE_MAGIC,
    Use,
)
from autoscaler.agent.pages.errors import PageTamperedError
from autoscaler.agent.pages.page_files import identity_of, is_still, open_page, page_error
from autoscaler.agent.pages.use_reading import GPUUse, ProcessUse, UseReading

_HEADER = (USE_MAGIC, ABI_VERSION, USE_BYTES)
# A test compares these with ``abi``; they are read ten times a second for each worker, and field by
# field that takes twice as long.  Of a GPU the share that its debt counts in is left out, and of a
# process its PID namespace, and what stands between its memory and the last word that is read.
_HEAD, _WORD, _GPU = Struct("<QII"), Struct("<Q"), Struct("<Q8x6Q")
_PROCESS = Struct(f"<IIQ8x{MOST_GPUS}Q16xQ16x")
_GPUS, _COUNTERS_BYTES = Use.gpu.offset, Use.process.offset
WHOLE_EVERY_NS = 10**9
"""Between two looks at all slots, and at whether the page was replaced: the page's own word of how
many slots were ever used hides a process for no longer."""
SPARE_SLOTS = 4
"""Read beyond that word, for who comes between two looks."""
_ROW_HALVES = _PROCESS.size // 4
_SLOTS = slice(Use.process.offset, Use.process.offset + Use.process.size)


class UsePage:
    """The page of use of one worker, opened when it is there.  Not thread-safe."""

    def __init__(self, folder: Path, gpu_count: int) -> None:
        self.path = folder / USE_FILE
        self._folder = folder
        self._gpu_count = min(gpu_count, MOST_GPUS)
        self._descriptor: int | None = None
        self._identity = (0, 0)
        self._processes: tuple[ProcessUse, ...] | None = None
        """Of the last look at the slots; None: there was none."""
        self._slots = 0
        """Those that are in use, and some more."""
        self._whole_ns = 0
        """When all is to be read again."""

    def read(self, now_ns: int, *, has_slots: bool = True) -> UseReading | None:
        """Return what the page says now; None while no process has made it.

        ``now_ns`` is CLOCK_MONOTONIC.  Without slots, processes are as they were seen last.
        Raises ``PageTamperedError`` for a page that no limiter leaves so, once for one that was
        replaced, and ``PageError`` where it cannot be read.
        """
        if self._processes is None or now_ns >= self._whole_ns:
            return self._read_whole(now_ns)
        size_bytes = _COUNTERS_BYTES + (self._slots * _PROCESS.size if has_slots else 0)
        content = self._content(size_bytes)
        if len(content) < size_bytes:
            return self._read_whole(now_ns)
        if has_slots:
            self._processes = _processes(content, self._gpu_count)
        reading = _parse(content, self._gpu_count, now_ns, self.path, self._processes)
        self._slots = _slots_in_use(content)
        return reading

    def close(self) -> None:
        """Close the file, if it is open; the next ``read`` opens it again."""
        self._processes = None
        if self._descriptor is not None:
            with suppress(OSError):
                os.close(self._descriptor)
            self._descriptor = None

    def _read_whole(self, now_ns: int) -> UseReading | None:
        if self._descriptor is not None and not is_still(self._identity, self.path):
            self.close()
            raise PageTamperedError(f"{self.path}: was removed or replaced while in use")
        if self._descriptor is None:
            self._descriptor = open_page(self._folder, USE_FILE, os.O_RDONLY, USE_BYTES)
            if self._descriptor is None:
                return None
            self._identity = identity_of(self._descriptor)
        # One byte more: no process attaches to a page that somebody has stretched.
        content = self._content(USE_BYTES + 1)
        if len(content) > USE_BYTES:
            raise PageTamperedError(f"{self.path}: has more than {USE_BYTES} bytes")
        reading = parse_use(content, self._gpu_count, now_ns, self.path)
        self._processes, self._slots = reading.processes, _slots_in_use(content)
        self._whole_ns = now_ns + WHOLE_EVERY_NS
        return reading

    def _content(self, size_bytes: int) -> bytes:
        assert self._descriptor is not None
        try:
            return os.pread(self._descriptor, size_bytes, 0)
        except OSError as error:
            raise page_error(self.path, error) from error


def parse_use(content: bytes, gpu_count: int, now_ns: int, origin: object) -> UseReading:
    """Return what the bytes of a page say of the first GPUs.

    Raises ``PageTamperedError`` that begins with ``origin``.
    """
    if len(content) != USE_BYTES:
        raise PageTamperedError(f"{origin}: has {len(content)} bytes; allowed: {USE_BYTES}")
    return _parse(content, gpu_count, now_ns, origin, _processes(content, gpu_count))


def _parse(
    content: bytes, gpu_count: int, now_ns: int, origin: object, processes: tuple[ProcessUse, ...]
) -> UseReading:
    """Return what the part of a page before its slots says.  Raises ``PageTamperedError``."""
    found = _HEAD.unpack_from(content)
    if found != _HEADER:
        raise PageTamperedError(f"{origin}: begins with {_header(found)}; allowed: {_header()}")
    gpus = memoryview(content)[_GPUS : _GPUS + gpu_count * _GPU.size]
    return UseReading(
        monotonic_ns=now_ns,
        gpus=tuple(map(GPUUse._make, _GPU.iter_unpack(gpus))),
        processes=processes,
        unknown_symbols=_WORD.unpack_from(content, Use.unknown_symbols.offset)[0],
    )


def _header(words: tuple[int, ...] = _HEADER) -> str:
    magic, version, size_bytes = words
    return f"magic {magic:#x}, version {version}, {size_bytes} bytes"


def _slots_in_use(content: bytes) -> int:
    """Return how many slots were ever used, by the page's own word, and some more."""
    used: int = _WORD.unpack_from(content, Use.slots_used.offset)[0]
    return min(used + SPARE_SLOTS, MOST_PROCESSES)


def _processes(content: bytes, gpu_count: int) -> tuple[ProcessUse, ...]:
    return tuple(_process_use(content, slot, gpu_count) for slot in _taken(content))


def _taken(content: bytes) -> Iterator[int]:
    """Return the slots that have a process, of those that were read."""
    pids = memoryview(content)[_SLOTS].cast("I")[::_ROW_HALVES].tolist()
    return compress(count(), pids)


def _process_use(content: bytes, slot: int, gpu_count: int) -> ProcessUse:
    words = _PROCESS.unpack_from(content, Use.process.offset + slot * _PROCESS.size)
    pid, generation, start_time, *held_bytes, ready_generation = words
    is_counted = ready_generation == generation
    return ProcessUse(
        slot=slot,
        generation=generation,
        pid=pid,
        start_time=start_time,
        is_counted=is_counted,
        memory_bytes=tuple(held_bytes[:gpu_count]) if is_counted else (0,) * gpu_count,
    )
