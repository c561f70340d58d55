"""The control page of one worker: made once, adopted after a restart, changed word by word.

It is made under another name and linked in, so that no limiter ever sees half of it, and from then
on neither replaced nor cut: programs have it mapped.  It is written with ``pwrite`` and not mapped
here, since a debugging container may mount the volume for writing and cut the file.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from autoscaler.agent.pages.abi import (
    ABI_VERSION,
    CTL_BYTES,
    CTL_FILE,
    CTL_MAGIC,
    MOST_PROCESSES,
    Ctl,
)
from autoscaler.agent.pages.errors import PageError
from autoscaler.agent.pages.page_files import (
    identity_of,
    is_still,
    open_page,
    opened_folder,
    page_error,
)
from autoscaler.agent.pages.terms import Terms, encode

_WORD = 8
_GENERATION = Ctl.generation.offset
_HEARTBEAT = Ctl.heartbeat_ns.offset
_BEAT, _NO_BEAT = slice(_HEARTBEAT, _HEARTBEAT + _WORD), bytes(_WORD)
_MOST_GENERATION = (1 << 64) - 1
_READABLE = 0o644


class ControlPage:
    """One open control page.  Not thread-safe."""

    def __init__(self, descriptor: int, path: Path) -> None:
        self.path = path
        self._descriptor = descriptor
        self._identity = identity_of(descriptor)
        self._dead: dict[int, int] = {}
        self._written: Terms | None = None
        """What was put in force last; None: something else is to be written too."""
        self._left = b""
        """The page as it was left, with a heartbeat of 0; empty: nothing was written yet."""
        self._found = bytearray(CTL_BYTES)
        """What was read last: one for all turns, ten of which are made in a second."""

    @property
    def is_there(self) -> bool:
        """Return whether containers still see this page at its path.

        A volume that is mounted over the folder hides a page that was made too early.
        """
        return is_still(self._identity, self.path)

    def holds(self, terms: Terms) -> bool:
        """Return whether these terms were put in force last, and nothing else is to be written."""
        return terms == self._written

    def write(self, terms: Terms, now_ns: int) -> bool:
        """Put terms in force; returns whether somebody else had changed the page meanwhile.

        Only words that differ are written, each at once, the generation last.  ``now_ns`` is
        CLOCK_MONOTONIC.  Raises ``PageError``.
        """
        found = self._read()
        heartbeat, found[_BEAT] = bytes(found[_BEAT]), _NO_BEAT
        was_changed = bool(self._left) and found != self._left
        if was_changed or terms != self._written:
            found[_BEAT] = heartbeat
            self._write_changes(terms, found)
        try:
            os.pwrite(self._descriptor, now_ns.to_bytes(_WORD, "little"), _HEARTBEAT)
        except OSError as error:
            raise page_error(self.path, error) from error
        return was_changed

    def declare_dead(self, dead: Mapping[int, int]) -> None:
        """Have the next ``write`` say which slots have no process: slot to its generation.

        What an earlier one said stays: a later process of the slot has another generation.
        """
        if not dead.items() <= self._dead.items():
            self._dead.update(dead)
            self._written = None

    def close(self) -> None:
        """Close the file, and leave the page as it is."""
        os.close(self._descriptor)

    def adopt_dead(self) -> None:
        """Keep what an earlier agent said of slots.  Raises ``PageError``."""
        present = Ctl.from_buffer_copy(self._read())
        self._dead = {
            i: present.dead_slot[i] for i in range(MOST_PROCESSES) if present.dead_slot[i]
        }

    def check(self, terms: Terms) -> None:
        """Raise ``PageError`` where this page is of another version, pod or list of GPUs."""
        present, wanted = Ctl.from_buffer_copy(self._read()), encode(terms)
        _same(self.path, "magic", present.magic, CTL_MAGIC)
        _same(self.path, "version", present.abi_version, ABI_VERSION)
        _same(self.path, "size", present.size_bytes, CTL_BYTES)
        _same(self.path, "pod", _shown(present.pod_uid), _shown(wanted.pod_uid))
        _same(self.path, "GPUs", _uuids(present), _uuids(wanted))

    def _write_changes(self, terms: Terms, found: bytearray) -> None:
        """Write the words that differ from those of these terms, the generation last."""
        page = encode(terms)
        for slot, generation in self._dead.items():
            page.dead_slot[slot] = generation
        present = Ctl.from_buffer(found)
        page.generation, page.heartbeat_ns = present.generation, present.heartbeat_ns
        wanted = _padded(page)
        if found != wanted:
            page.generation = page.generation % _MOST_GENERATION + 1
            wanted = _padded(page)
            words = zip(memoryview(found).cast("Q"), memoryview(wanted).cast("Q"), strict=True)
            changed = {i * _WORD for i, (old, new) in enumerate(words) if old != new}
            try:
                for at in (*sorted(changed - {_GENERATION}), _GENERATION):
                    os.pwrite(self._descriptor, wanted[at : at + _WORD], at)
            except OSError as error:
                raise page_error(self.path, error) from error
        self._left = wanted[:_HEARTBEAT] + _NO_BEAT + wanted[_HEARTBEAT + _WORD :]
        self._written = terms

    def _read(self) -> bytearray:
        """Return the page; what was cut off is made again, as zeros that are yet to be written."""
        try:
            size_bytes = os.preadv(self._descriptor, [self._found], 0)
            if size_bytes < CTL_BYTES:
                os.ftruncate(self._descriptor, CTL_BYTES)
                self._found[size_bytes:] = bytes(CTL_BYTES - size_bytes)
        except OSError as error:
            raise page_error(self.path, error) from error
        return self._found


def open_control_page(folder: Path, terms: Terms, now_ns: int) -> ControlPage | None:
    """Adopt the control page of a worker, or make it; None where the folder is not there yet.

    An adopted page is as it was until the next ``write``.  Raises ``PageError`` where there is a
    page of another version, pod or list of GPUs, or the folder cannot be used.
    """
    page = _adopt(folder, terms)
    if page is None and _make(folder, terms, now_ns):
        page = _adopt(folder, terms)
    return page


def _adopt(folder: Path, terms: Terms) -> ControlPage | None:
    """Return the control page that an agent before this one left; None where there is none.

    Raises ``PageError`` as ``open_control_page`` does.
    """
    descriptor = open_page(folder, CTL_FILE, os.O_RDWR, CTL_BYTES)
    if descriptor is None:
        return None
    page = ControlPage(descriptor, folder / CTL_FILE)
    try:
        page.check(terms)
        page.adopt_dead()
    except PageError:
        page.close()
        raise
    return page


def _make(folder: Path, terms: Terms, now_ns: int) -> bool:
    """Make the page; False where the folder is not there."""
    page = encode(terms)
    page.generation, page.heartbeat_ns = 1, now_ns
    with opened_folder(folder) as within:
        if within is None:
            return False
        try:
            _link_in(within, _padded(page))
        except OSError as error:
            raise page_error(folder / CTL_FILE, error) from error
    return True


def _link_in(within: int, content: bytes) -> None:
    """Write a file under another name and link it in; one that somebody made meanwhile stays."""
    name = f".{CTL_FILE}-{secrets.token_hex(8)}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(name, flags, _READABLE, dir_fd=within)
    try:
        os.fchmod(descriptor, _READABLE)
        os.pwrite(descriptor, content, 0)
        with suppress(FileExistsError):
            os.link(name, CTL_FILE, src_dir_fd=within, dst_dir_fd=within, follow_symlinks=False)
    finally:
        os.close(descriptor)
        os.unlink(name, dir_fd=within)


def _padded(page: Ctl) -> bytes:
    content = bytearray(CTL_BYTES)
    raw = bytes(page)
    content[: len(raw)] = raw
    return bytes(content)


def _uuids(page: Ctl) -> list[str]:
    return [_shown(page.gpu[i].uuid) for i in range(min(page.gpu_count, len(page.gpu)))]


def _shown(text: bytes) -> str:
    return text.decode("utf-8", "backslashreplace")


def _same(path: Path, what: str, found: object, wanted: object) -> None:
    if found != wanted:
        raise PageError(
            f"{path}: {what} {found!r} where {wanted!r} is expected; a page in use is not "
            "replaced: remove it once the processes of its pod have ended"
        )
