"""The card of the fakes in virtual time: the same device model, with time as a parameter.

For what asks how a card behaves, without a driver, processes or the machine's clock.
"""

from __future__ import annotations

import ctypes
import functools
import mmap
from collections.abc import Sequence
from dataclasses import dataclass

from tests.fakes.gpu.building import model_library
from tests.fakes.gpu.ledgers import CardLedger, CCardLedger, CLedger, Ledger

WINDOW_NS = 200_000_000
NEVER = 2**64 - 1
ENDLESS = 2**64 - 1
_ONE_Q16 = 2**16
_ROWS = 80
_WINDOWS = 64
_OWNERS = 256


class ModelError(Exception):
    """The model has no more of what was asked for, such as contexts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What NVML says of one window of 200 ms."""

    end_ns: int
    card_percent: int
    percent_of: dict[int, int]
    """By owner, of those that had work."""


class VirtualCard:
    """A card whose time passes as its caller says; times are absolute, in ns, from 0."""

    def __init__(
        self, *, bias_ratio: float = 1.0, slice_ns: int = 0, switch_ns: int = 0, gap_ns: int = 0
    ) -> None:
        """0: as measured on a real card."""
        model = _model()
        self._memory = mmap.mmap(-1, model.fake_device_bytes())
        self._device = ctypes.addressof(ctypes.c_char.from_buffer(self._memory))
        self._use = _Utilization()
        timing = (ctypes.c_uint64 * 5)(slice_ns, switch_ns, gap_ns, 0, 0)
        model.fake_device_init(self._device, timing, 0)
        model.fake_utilization_init(ctypes.byref(self._use), round(bias_ratio * _ONE_Q16), 0)
        self.now_ns = 0

    def advance(self, now_ns: int) -> None:
        """Let time pass."""
        self.now_ns = max(self.now_ns, now_ns)
        _model().fake_utilization_advance(ctypes.byref(self._use), self._device, self.now_ns)

    def next_ns(self) -> int:
        """Return when something changes next; ``NEVER``."""
        return int(_model().fake_device_next_ns(self._device))

    def open_context(self, owner: int) -> int:
        """Return a new context of an owner.  Raises ``ModelError``."""
        return _there(_model().fake_context_open(self._device, owner, self.now_ns), "context")

    def close_context(self, context: int) -> None:
        """End a context and its work."""
        _model().fake_context_close(self._device, context, self.now_ns)

    def open_stream(self, context: int) -> int:
        """Return a new stream.  Raises ``ModelError``."""
        return _there(_model().fake_stream_open(self._device, context, self.now_ns), "stream")

    def open_event(self, context: int) -> int:
        """Return a new event.  Raises ``ModelError``."""
        return _there(_model().fake_event_open(self._device, context), "event")

    def launch(self, context: int, length_ns: int, stream: int = 0) -> int:
        """Return the ticket of a kernel; 0: the stream's queue is full."""
        return int(_model().fake_launch(self._device, context, stream, length_ns, self.now_ns))

    def record(self, context: int, event: int, stream: int = 0) -> int:
        """Return the ticket of an event; 0: the stream's queue is full."""
        return int(_model().fake_record(self._device, context, stream, event, self.now_ns))

    def wait(self, context: int, other_stream: int, ticket: int, stream: int = 0) -> int:
        """Let a stream wait for another one of its context; returns the ticket."""
        return int(
            _model().fake_wait(
                self._device, context, stream, context, other_stream, ticket, self.now_ns
            )
        )

    def gate(self, context: int, stream: int = 0) -> int:
        """Let a stream wait for ``release``; returns the ticket."""
        return int(_model().fake_gate(self._device, context, stream, self.now_ns))

    def release(self, context: int, ticket: int, stream: int = 0) -> None:
        """End an endless kernel, or open a gate."""
        _model().fake_release(self._device, context, stream, ticket, self.now_ns)

    def is_done(self, context: int, ticket: int, stream: int = 0) -> bool:
        """Return whether an operation has ended."""
        return bool(_model().fake_is_done(self._device, context, stream, ticket))

    def event_ns(self, context: int, event: int) -> int | None:
        """Return when an event happened last; None: it is still to come."""
        if not _model().fake_event_is_done(self._device, context, event):
            return None
        return int(_model().fake_event_time_ns(self._device, context, event))

    def ledger(self, owner: int) -> Ledger:
        """Return what an owner has done."""
        found: CLedger = _model().fake_owner_ledger(self._device, owner)
        return found.read()

    def card_ledger(self) -> CardLedger:
        """Return what all have done."""
        found: CCardLedger = _model().fake_card_ledger(self._device)
        return found.read(self.now_ns)

    def windows(self) -> Sequence[Window]:
        """Return the windows that have ended, oldest first, as many as are remembered."""
        first = max(0, self._use.count - _WINDOWS)
        found = [self._use.window[at % _WINDOWS] for at in range(first, self._use.count)]
        return [
            Window(
                end_ns=each.end_ns,
                card_percent=each.card_percent,
                percent_of={row.owner: row.percent for row in each.row[: each.rows]},
            )
            for each in found
        ]


def _there(found: int, what: str) -> int:
    if found < 0:
        raise ModelError(f"the card has no more room for a {what}")
    return found


class _Row(ctypes.Structure):
    _fields_ = [
        ("owner", ctypes.c_uint64),
        ("percent", ctypes.c_uint32),
        ("reserved", ctypes.c_uint32),
    ]


class _Window(ctypes.Structure):
    _fields_ = [
        ("end_ns", ctypes.c_uint64),
        ("card_percent", ctypes.c_uint32),
        ("rows", ctypes.c_uint32),
        ("row", _Row * _ROWS),
    ]


class _Utilization(ctypes.Structure):
    _fields_ = [
        ("next_ns", ctypes.c_uint64),
        ("count", ctypes.c_uint64),
        ("bias_q16", ctypes.c_uint64),
        ("last_busy_ns", ctypes.c_uint64),
        ("last_switch_ns", ctypes.c_uint64),
        ("last_owner", ctypes.c_uint64 * _OWNERS),
        ("last_owner_busy_ns", ctypes.c_uint64 * _OWNERS),
        ("window", _Window * _WINDOWS),
    ]


@functools.cache
def _model() -> ctypes.CDLL:
    u64, pointer, number = ctypes.c_uint64, ctypes.c_void_p, ctypes.c_int
    library = ctypes.CDLL(str(model_library()))
    signatures = {
        "fake_device_bytes": (u64,),
        "fake_device_init": (None, pointer, pointer, u64),
        "fake_device_next_ns": (u64, pointer),
        "fake_utilization_init": (None, pointer, u64, u64),
        "fake_utilization_advance": (None, pointer, pointer, u64),
        "fake_context_open": (number, pointer, u64, u64),
        "fake_context_close": (None, pointer, number, u64),
        "fake_stream_open": (number, pointer, number, u64),
        "fake_launch": (u64, pointer, number, number, u64, u64),
        "fake_record": (u64, pointer, number, number, number, u64),
        "fake_wait": (u64, pointer, number, number, number, number, u64, u64),
        "fake_gate": (u64, pointer, number, number, u64),
        "fake_release": (None, pointer, number, number, u64, u64),
        "fake_is_done": (ctypes.c_bool, pointer, number, number, u64),
        "fake_event_open": (number, pointer, number),
        "fake_event_is_done": (ctypes.c_bool, pointer, number, number),
        "fake_event_time_ns": (u64, pointer, number, number),
        "fake_owner_ledger": (CLedger, pointer, u64),
        "fake_card_ledger": (CCardLedger, pointer),
    }
    for name, (result, *arguments) in signatures.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library
