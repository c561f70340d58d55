"""Reads the page of use of one worker, which is the worker's own to write.

It is read whole with one ``pread`` and never mapped or written.  What a limiter would never leave
there is tampering, and an error that is reported; the agent goes on.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import compress, count
from pathlib import Path
from struct import Struct

from autoscaler.agent.pages.abi import (
    ABI_VERSION,
    MOST_GPUS,
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
# field that takes twice as long.
_HEAD, _WORD, _GPU = Struct("<QII"), Struct("<Q"), Struct("<8Q")
_PROCESS = Struct(f"<IIQQ{MOST_GPUS}Q5Q")
_WORDS_AFTER_MEMORY = 5
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
        self._content = b""
        self._reading: UseReading | None = None
        """What ``_content`` says; most pages of a node do not change from look to look."""

    def read(self, now_ns: int) -> UseReading | None:
        """Return what the page says now; None while no process has made it.

        ``now_ns`` is CLOCK_MONOTONIC.  Raises ``PageTamperedError`` for a page that no limiter
        leaves so, once for one that was replaced, and ``PageError`` where it cannot be read.
        """
        if self._descriptor is not None and not is_still(self._identity, self.path):
            self.close()
            raise PageTamperedError(f"{self.path}: was removed or replaced while in use")
        if self._descriptor is None:
            self._descriptor = open_page(self._folder, USE_FILE, os.O_RDONLY, USE_BYTES)
            if self._descriptor is None:
                return None
            self._identity = identity_of(self._descriptor)
        try:
            # One byte more: no process attaches to a page that somebody has stretched.
            content = os.pread(self._descriptor, USE_BYTES + 1, 0)
        except OSError as error:
            raise page_error(self.path, error) from error
        if len(content) > USE_BYTES:
            raise PageTamperedError(f"{self.path}: has more than {USE_BYTES} bytes")
        if self._reading is not None and content == self._content:
            return replace(self._reading, monotonic_ns=now_ns)
        self._reading = parse_use(content, self._gpu_count, now_ns, str(self.path))
        self._content = content
        return self._reading

    def close(self) -> None:
        """Close the file, if it is open; the next ``read`` opens it again."""
        if self._descriptor is not None:
            with suppress(OSError):
                os.close(self._descriptor)
            self._descriptor = None


def parse_use(content: bytes, gpu_count: int, now_ns: int, origin: str) -> UseReading:
    """Return what the bytes of a page say of the first GPUs.

    Raises ``PageTamperedError`` that begins with ``origin``.
    """
    if len(content) != USE_BYTES:
        raise PageTamperedError(f"{origin}: has {len(content)} bytes; allowed: {USE_BYTES}")
    found = _HEAD.unpack_from(content)
    if found != _HEADER:
        raise PageTamperedError(f"{origin}: begins with {_header(found)}; allowed: {_header()}")
    return UseReading(
        monotonic_ns=now_ns,
        gpus=tuple(_gpu_use(content, gpu) for gpu in range(gpu_count)),
        processes=tuple(_process_use(content, slot, gpu_count) for slot in _taken(content)),
        unknown_symbols=_WORD.unpack_from(content, Use.unknown_symbols.offset)[0],
    )


def _header(words: tuple[int, ...] = _HEADER) -> str:
    magic, version, size_bytes = words
    return f"magic {magic:#x}, version {version}, {size_bytes} bytes"


def _taken(content: bytes) -> Iterator[int]:
    """Return the slots that have a process.

    The page's own word of how many were ever used is not asked: with it a process could be hidden.
    """
    pids = memoryview(content)[_SLOTS].cast("I")[::_ROW_HALVES].tolist()
    return compress(count(), pids)


def _gpu_use(content: bytes, gpu: int) -> GPUUse:
    words = _GPU.unpack_from(content, Use.gpu.offset + gpu * _GPU.size)
    tat_ns, _, charged_ns, launches, blocked_ns, denied_allocations, denied_bytes, alone_ns = words
    return GPUUse(
        tat_ns=tat_ns,
        charged_ns=charged_ns,
        launches=launches,
        blocked_ns=blocked_ns,
        denied_allocations=denied_allocations,
        denied_bytes=denied_bytes,
        alone_ns=alone_ns,
    )


def _process_use(content: bytes, slot: int, gpu_count: int) -> ProcessUse:
    words = _PROCESS.unpack_from(content, Use.process.offset + slot * _PROCESS.size)
    pid, generation, start_time, pid_namespace, *held_bytes = words[:-_WORDS_AFTER_MEMORY]
    charged_ns, context_bytes, ready_generation, *_ = words[-_WORDS_AFTER_MEMORY:]
    is_counted = ready_generation == generation
    return ProcessUse(
        slot=slot,
        generation=generation,
        pid=pid,
        start_time=start_time,
        pid_namespace=pid_namespace,
        is_counted=is_counted,
        memory_bytes=tuple(held_bytes[:gpu_count]) if is_counted else (0,) * gpu_count,
        charged_ns=charged_ns,
        context_bytes=context_bytes,
    )
