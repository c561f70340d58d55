"""Cards of a fake machine: files that the fake driver and the fake NVML of all processes map.

``make_cards(folder, CardTraits(...), ...)`` makes them, ``FakeCards.environment`` is what a process
needs to see them, and a ``FakeCard`` tells its ledger: who had how much of it, exactly.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from tests.fakes.gpu.building import control_library, driver_folder
from tests.fakes.gpu.ledgers import CardLedger, CCardLedger, CLedger, Ledger

FOLDER_VARIABLE = "TF_FAKE_GPUS"
GIB = 2**30
MIB = 2**20
GPU_IS_LOST = 15
_ONE_Q16 = 2**16


class CardError(Exception):
    """A card could not be made or read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CardTraits:
    """What a card is; the defaults are an H100."""

    uuid: str = ""
    """Empty: made of the card's index."""
    name: str = "NVIDIA H100 80GB HBM3"
    pci_bus_id: str = ""
    driver_version: str = "580.159.04"
    total_bytes: int = 80 * GIB
    nvml_reserved_bytes: int = 0
    context_bytes: int = 545 * MIB
    code_bytes: int = 0
    """Of kernels, taken at the first launch in a context."""
    compute_major: int = 9
    compute_minor: int = 0
    multiprocessors: int = 132
    cores: int = 16896
    bias_ratio: float = 1.0
    """What NVML reads of a process that is alone, by what is true."""
    temperature_celsius: int = 41
    power_watts: float = 120.0
    power_limit_watts: float = 700.0
    sm_mhz: int = 1980
    memory_mhz: int = 2619
    is_mig: bool = False
    has_gpm: bool = True
    numa_node: int | None = 0
    nvml_error: int = 0
    """What every NVML call on the card answers, such as ``GPU_IS_LOST``; 0: it works."""
    is_under_mps: bool = False
    """Whether NVML lists its processes as clients of MPS as well; they take turns as ever."""
    slice_ns: int = 0
    """Of a context while others wait; 0, here and below: as measured."""
    switch_ns: int = 0
    gap_ns: int = 0
    drain_ns: int = 0
    record_ns: int = 0


class FakeCard:
    """One card, looked at from outside."""

    def __init__(self, path: Path, traits: CardTraits) -> None:
        self.traits = traits
        self._view = _control().control_open(str(path).encode())
        if not self._view:
            raise CardError(f"{path} is no card of this build")

    @property
    def uuid(self) -> str:
        """Return "GPU-...", as NVML does."""
        return self.traits.uuid

    def ledger(self, pid: int) -> Ledger:
        """Return what a process has done, by the number that it gives itself."""
        found: CLedger = _control().control_ledger(self._view, pid)
        return found.read()

    def card_ledger(self) -> CardLedger:
        """Return what all have done."""
        found = CCardLedger()
        at_ns = _control().control_card_ledger(self._view, ctypes.byref(found))
        return found.read(at_ns)

    def held_bytes(self, pid: int = 0) -> int:
        """Return the memory that a process holds, contexts included; 0: that all hold."""
        return int(_control().control_memory_bytes(self._view, pid))

    def change(self, traits: CardTraits) -> None:
        """Be another card from now on, such as one that NVML lost; bias and timing stay."""
        self.traits = replace(traits, uuid=traits.uuid or self.traits.uuid)
        _control().control_change(self._view, ctypes.byref(_c_traits(self.traits)))

    def close(self) -> None:
        """Look at it no longer."""
        _control().control_close(self._view)
        self._view = None


@dataclass(frozen=True, slots=True)
class FakeCards:
    """The cards of one machine."""

    folder: Path
    cards: tuple[FakeCard, ...]

    def environment(self) -> Mapping[str, str]:
        """Return the variables with which a process finds these cards and their libraries."""
        return {FOLDER_VARIABLE: str(self.folder), "LD_LIBRARY_PATH": str(driver_folder())}

    @property
    def nvml_library(self) -> Path:
        """Return the fake NVML, for who loads it by its path."""
        return driver_folder() / "libnvidia-ml.so.1"

    def close(self) -> None:
        """Look at none any longer; the files stay."""
        for card in self.cards:
            card.close()


def make_cards(folder: Path, *traits: CardTraits) -> FakeCards:
    """Make the cards of a machine in a new folder.  Raises ``CardError``."""
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for index, wanted in enumerate(traits):
        whole = _with_names(wanted, index)
        path = folder / f"card{index}"
        if not _control().fake_card_create(str(path).encode(), ctypes.byref(_c_traits(whole))):
            raise CardError(f"{path} could not be made; is it there already?")
        made.append(FakeCard(path, whole))
    return FakeCards(folder, tuple(made))


def _with_names(traits: CardTraits, index: int) -> CardTraits:
    return replace(
        traits,
        uuid=traits.uuid or f"GPU-00000000-0000-4000-8000-{index + 1:012x}",
        pci_bus_id=traits.pci_bus_id or f"00000000:{index + 1:02X}:00.0",
    )


class _Timing(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_uint64)
        for name in ("slice_ns", "switch_ns", "gap_ns", "drain_ns", "record_ns")
    ]


class _CTraits(ctypes.Structure):
    _fields_ = [
        ("uuid", ctypes.c_char * 64),
        ("name", ctypes.c_char * 96),
        ("pci_bus_id", ctypes.c_char * 32),
        ("driver_version", ctypes.c_char * 32),
        ("total_bytes", ctypes.c_uint64),
        ("nvml_reserved_bytes", ctypes.c_uint64),
        ("context_bytes", ctypes.c_uint64),
        ("code_bytes", ctypes.c_uint64),
        ("compute_major", ctypes.c_uint32),
        ("compute_minor", ctypes.c_uint32),
        ("multiprocessors", ctypes.c_uint32),
        ("cores", ctypes.c_uint32),
        ("bias_q16", ctypes.c_uint32),
        ("temperature_c", ctypes.c_uint32),
        ("power_mw", ctypes.c_uint32),
        ("power_limit_mw", ctypes.c_uint32),
        ("sm_mhz", ctypes.c_uint32),
        ("memory_mhz", ctypes.c_uint32),
        ("is_mig", ctypes.c_uint32),
        ("has_gpm", ctypes.c_uint32),
        ("numa_node", ctypes.c_uint32),
        ("nvml_error", ctypes.c_uint32),
        ("is_under_mps", ctypes.c_uint32),
        ("reserved", ctypes.c_uint32),
        ("timing", _Timing),
    ]


def _c_traits(traits: CardTraits) -> _CTraits:
    same = {
        name: getattr(traits, name)
        for name, *_ in _CTraits._fields_
        if name in CardTraits.__slots__
    }
    numbers = {name: value for name, value in same.items() if not isinstance(value, str)}
    texts = {name: value.encode() for name, value in same.items() if isinstance(value, str)}
    return _CTraits(
        **numbers
        | texts
        | {
            "bias_q16": round(traits.bias_ratio * _ONE_Q16),
            "temperature_c": traits.temperature_celsius,
            "power_mw": round(traits.power_watts * 1000),
            "power_limit_mw": round(traits.power_limit_watts * 1000),
            "numa_node": 0 if traits.numa_node is None else traits.numa_node + 1,
            "timing": _Timing(**{name: getattr(traits, name) for name, *_ in _Timing._fields_}),
        }
    )


@functools.cache
def _control() -> ctypes.CDLL:
    library = ctypes.CDLL(str(control_library()))
    library.control_open.restype = ctypes.c_void_p
    library.control_open.argtypes = [ctypes.c_char_p]
    library.control_close.argtypes = [ctypes.c_void_p]
    library.control_ledger.restype = CLedger
    library.control_ledger.argtypes = [ctypes.c_void_p, ctypes.c_uint32]
    library.control_card_ledger.restype = ctypes.c_uint64
    library.control_card_ledger.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    library.control_memory_bytes.restype = ctypes.c_uint64
    library.control_memory_bytes.argtypes = [ctypes.c_void_p, ctypes.c_uint32]
    library.control_change.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    library.fake_card_create.restype = ctypes.c_bool
    library.fake_card_create.argtypes = [ctypes.c_char_p, ctypes.c_void_p]
    return library
