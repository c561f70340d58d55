"""Law, costs and meter of the limiter, as a library for tests, and a GPU of plain numbers.

The GPU runs kernels of given lengths in order in each stream, all streams side by side, in time
that the test sets.  It knows nothing of slices; a test lengthens a kernel where it wants a
neighbour.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from autoscaler.agent.pages.abi import ONE_Q16, ONE_Q32, UseGPU
from tests.autoscaler.agent.native.built import METER, built_library

SIZES = Path(__file__).with_name("metering_sizes.c")
SUCCESS = 0
NOT_READY = 600
INVALID_HANDLE = 400
LEGACY_STREAM = 0
MS = 1_000_000

_U32 = ctypes.c_uint32
_U64 = ctypes.c_uint64
_POINTER = ctypes.c_void_p


class Terms(ctypes.Structure):
    """``struct tf_terms``."""

    _fields_ = [
        ("share_q32", _U64),
        ("trim_k_q16", _U64),
        ("burst_ns", _U64),
        ("inflight_ns", _U64),
        ("left_q32", _U64),
    ]


class Turn(ctypes.Structure):
    """``struct tf_turn``."""

    _fields_ = [("tat_before_ns", _U64), ("own_ns", _U64), ("share_q32", _U64)]


class Mix(ctypes.Structure):
    """``struct tf_mix``."""

    _fields_ = [
        ("spread_ns", _U64),
        ("all_ns", _U64),
        ("alone_ns", _U64),
        ("window_ns", _U64),
        ("kept_q16", _U32),
        ("next_q16", _U32),
        ("kept_far_q15", ctypes.c_uint16),
        ("next_far_q15", ctypes.c_uint16),
        ("far_q15", ctypes.c_uint16),
        ("beyond_q15", ctypes.c_uint16),
        ("alone_far_q15", ctypes.c_uint16),
        ("pairs", ctypes.c_uint16),
        ("alone_pairs", ctypes.c_uint16),
        ("in_window", ctypes.c_uint8),
        ("far_in_window", ctypes.c_uint8),
        ("padding", _U64),
    ]


class Cost(ctypes.Structure):
    """``struct tf_cost``."""

    _fields_ = [
        ("key", _U64),
        ("estimate_ns", _U64),
        ("mean_ns", _U64),
        ("near_ns", _U64),
        ("lowest_ns", _U64),
        ("lowest_before_ns", _U64),
        ("in_window", ctypes.c_uint16),
        ("in_near", ctypes.c_uint8),
        ("proof", ctypes.c_uint8),
        ("is_mixed", _U32),
        ("recent", _U32),
        ("sampled", _U32),
        ("mix", Mix),
    ]


class Scene(ctypes.Structure):
    """``struct tf_scene``."""

    _fields_ = [
        ("left_q32", _U64),
        ("late_ns", _U64),
        ("is_alone", ctypes.c_bool),
        ("is_side_by_side", ctypes.c_bool),
    ]


class Lesson(ctypes.Structure):
    """``struct tf_lesson``."""

    _fields_ = [("cost_ns", _U64), ("is_cut", ctypes.c_bool), ("is_mean", ctypes.c_bool)]


ENTRIES = 4096


class Costs(ctypes.Structure):
    """``struct tf_costs``."""

    _fields_ = [
        ("entry", Cost * ENTRIES),
        ("median_ns", _U64),
        ("overhead_ns", _U64),
        ("priced_ns", _U64),
        ("empty_ns", _U64),
        ("runs", _U32),
        ("padding", _U32 * 7),
    ]


class Launch(ctypes.Structure):
    """``struct tf_launch``."""

    _fields_ = [
        ("key", _U64),
        ("entry", ctypes.POINTER(Cost)),
        ("lane", _POINTER),
        ("single", _POINTER),
        ("cost_ns", _U64),
        ("due_ns", _U64),
        ("turn", Turn),
        ("looked_ns", _U64),
        ("filled_ns", _U64),
        ("bounded_ns", _U64),
        ("is_held", ctypes.c_bool),
    ]


_CREATE = ctypes.CFUNCTYPE(ctypes.c_int, _POINTER, ctypes.POINTER(_U64))
_DESTROY = ctypes.CFUNCTYPE(ctypes.c_int, _POINTER, _U64)
_RECORD = ctypes.CFUNCTYPE(ctypes.c_int, _POINTER, _U64, _U64, ctypes.c_int)
_ELAPSED = ctypes.CFUNCTYPE(ctypes.c_int, _POINTER, _U64, _U64, ctypes.POINTER(_U64))


class Driver(ctypes.Structure):
    """``struct tf_driver``."""

    _fields_ = [
        ("self", _POINTER),
        ("event_create", _CREATE),
        ("event_destroy", _DESTROY),
        ("event_record", _RECORD),
        ("event_query", _DESTROY),
        ("event_elapsed_ns", _ELAPSED),
    ]


def terms(
    share: float = 1.0,
    *,
    trim_k: float = 1.0,
    burst_ns: int = 20 * MS,
    inflight_ns: int = 50 * MS,
    left: float = 0.0,
) -> Terms:
    return Terms(
        max(1, round(share * ONE_Q32)),
        round(trim_k * ONE_Q16),
        burst_ns,
        inflight_ns,
        round(left * ONE_Q32),
    )


@functools.cache
def library() -> ctypes.CDLL:
    """Return law, costs and meter with their signatures."""
    loaded = ctypes.CDLL(str(built_library([*METER, SIZES])))
    gpu, law, costs, cost = (ctypes.POINTER(kind) for kind in (UseGPU, Terms, Costs, Cost))
    launch, turn, driver = (ctypes.POINTER(kind) for kind in (Launch, Turn, Driver))
    signatures: dict[str, tuple[type | None, list[type]]] = {
        "tf_law_charge": (Turn, [gpu, law, _U64, _U64]),
        "tf_law_free_at": (_U64, [gpu, law, turn, _U64]),
        "tf_law_settle": (None, [gpu, law, ctypes.c_int64, _U64]),
        "tf_cost_search": (cost, [costs, _U64]),
        "tf_cost_ns": (_U64, [costs, cost]),
        "tf_cost_learn": (Lesson, [costs, cost, _U64, ctypes.POINTER(Scene)]),
        "tf_cost_learn_empty": (None, [costs, _U64]),
        "tf_cost_learn_run": (None, [costs, _U64, _U64, _U64]),
        "tf_cost_overhead_ns": (_U64, [costs]),
        "tf_cost_forget": (None, [costs, _U64]),
        "tf_meter_bytes": (_U64, []),
        "tf_meter_init": (None, [_POINTER, gpu, costs, driver]),
        "tf_meter_publish_to": (None, [_POINTER, ctypes.POINTER(_U64)]),
        "tf_meter_pass": (ctypes.c_bool, [_POINTER, _U64, _U64, ctypes.c_int]),
        "tf_meter_begin": (None, [_POINTER, launch, _U64, _U64, ctypes.c_int, law, _U64]),
        "tf_meter_wait": (_U64, [_POINTER, launch, law, _U64]),
        "tf_meter_before": (None, [_POINTER, launch, _U64]),
        "tf_meter_after": (None, [_POINTER, launch, law, ctypes.c_int, _U64]),
        "tf_meter_wait_begins": (None, [_POINTER, _U64]),
        "tf_meter_wait_ends": (None, [_POINTER, law, _U64]),
        "tf_meter_settle": (None, [_POINTER, law, _U64]),
        "tf_meter_drop_events": (None, [_POINTER]),
    }
    for name, (returns, takes) in signatures.items():
        function = getattr(loaded, name)
        function.restype, function.argtypes = returns, takes
    return loaded


def aligned(size_bytes: int) -> tuple[int, object]:
    """Return the address of zeroed memory on a cache line, and what keeps it."""
    kept = ctypes.create_string_buffer(size_bytes + 64)
    return (ctypes.addressof(kept) + 63) // 64 * 64, kept


def new_costs() -> Costs:
    address, kept = aligned(ctypes.sizeof(Costs))
    costs = Costs.from_address(address)
    costs.kept = kept
    return costs


@dataclass(slots=True)
class Gpu:
    """Streams of kernels, and events among them."""

    now_ns: int = 1_000_000_000
    overhead_ns: int = 0
    """What a pair reads more than what is between its events; where nothing is, two fifths."""
    free_at_ns: dict[int, int] = field(default_factory=dict)
    events: dict[int, int | None] = field(default_factory=dict)
    records: int = 0
    refused_streams: set[int] = field(default_factory=set)

    def launch(self, length_ns: int, stream: int = 0) -> None:
        begin_ns = max(self.now_ns, self.free_at_ns.get(stream, 0))
        self.free_at_ns[stream] = begin_ns + length_ns

    def create(self, _: object, event: ctypes._Pointer[ctypes.c_uint64]) -> int:
        made = len(self.events) + 1
        self.events[made] = None
        event[0] = made
        return SUCCESS

    def destroy(self, _: object, event: int) -> int:
        self.events[event] = None
        return SUCCESS

    def record(self, _: object, event: int, stream: int, form: int) -> int:
        if stream in self.refused_streams:
            return INVALID_HANDLE
        self.records += 1
        self.events[event] = max(self.now_ns, self.free_at_ns.get(stream, 0))
        return SUCCESS

    def query(self, _: object, event: int) -> int:
        at_ns = self.events[event]
        return INVALID_HANDLE if at_ns is None else SUCCESS if at_ns <= self.now_ns else NOT_READY

    def elapsed(
        self, _: object, begin: int, end: int, elapsed_ns: ctypes._Pointer[ctypes.c_uint64]
    ) -> int:
        at_ns, until_ns = self.events[begin], self.events[end]
        if at_ns is None or until_ns is None:
            return INVALID_HANDLE
        if until_ns > at_ns:
            elapsed_ns[0] = until_ns - at_ns + self.overhead_ns
        else:
            elapsed_ns[0] = self.overhead_ns * 2 // 5 if until_ns == at_ns else 0
        return SUCCESS


class Meter:
    """A meter over a GPU, as the hooks drive it, in the GPU's time."""

    def __init__(self, gpu: Gpu, terms: Terms) -> None:
        self.gpu, self.terms = gpu, terms
        self.use = UseGPU()
        self.passed = 0
        """Launches that took the short way."""
        self.costs = new_costs()
        self._library = library()
        self._driver = Driver(
            None,
            _CREATE(gpu.create),
            _DESTROY(gpu.destroy),
            _RECORD(gpu.record),
            _DESTROY(gpu.query),
            _ELAPSED(gpu.elapsed),
        )
        self._at, self._kept = aligned(self._library.tf_meter_bytes())
        self._library.tf_meter_init(self._at, self.use, self.costs, self._driver)

    def passes(self, key: int, stream: int = 0) -> bool:
        passed: bool = self._library.tf_meter_pass(self._at, key, stream, LEGACY_STREAM)
        return passed

    def begin(self, key: int, stream: int = 0) -> Launch:
        launch = Launch()
        self._library.tf_meter_begin(
            self._at, launch, key, stream, LEGACY_STREAM, self.terms, self.gpu.now_ns
        )
        return launch

    def wait(self, launch: Launch) -> int:
        until_ns: int = self._library.tf_meter_wait(self._at, launch, self.terms, self.gpu.now_ns)
        return until_ns

    def sleep(self, launch: Launch) -> int:
        """Let time pass until a launch may go; return how long that took."""
        began_ns = self.gpu.now_ns
        while until_ns := self.wait(launch):
            assert until_ns > self.gpu.now_ns
            self.gpu.now_ns = until_ns
        return self.gpu.now_ns - began_ns

    def send(self, launch: Launch, really: Callable[[], None], result: int = SUCCESS) -> None:
        self._library.tf_meter_before(self._at, launch, self.gpu.now_ns)
        really()
        self._library.tf_meter_after(self._at, launch, self.terms, result, self.gpu.now_ns)

    def launch(self, key: int, length_ns: int, stream: int = 0) -> int:
        """Launch a kernel as a hook does; return how long it was held."""
        if self.passes(key, stream):
            self.passed += 1
            self.gpu.launch(length_ns, stream)
            return 0
        launch = self.begin(key, stream)
        held_ns = self.sleep(launch)
        self.send(launch, lambda: self.gpu.launch(length_ns, stream))
        return held_ns

    def synchronise(self) -> None:
        self.gpu.now_ns = max([self.gpu.now_ns, *self.gpu.free_at_ns.values()])
        self.settle()

    def wait_begins(self) -> None:
        self._library.tf_meter_wait_begins(self._at, self.gpu.now_ns)

    def wait_ends(self) -> None:
        self._library.tf_meter_wait_ends(self._at, self.terms, self.gpu.now_ns)

    def settle(self) -> None:
        self._library.tf_meter_settle(self._at, self.terms, self.gpu.now_ns)

    def drop_events(self) -> None:
        self._library.tf_meter_drop_events(self._at)

    def publish_to(self, word: ctypes.c_uint64) -> None:
        self._library.tf_meter_publish_to(self._at, word)
