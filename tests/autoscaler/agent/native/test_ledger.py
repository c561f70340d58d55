"""The ledger finds what was entered, whatever was entered and struck out before."""

from __future__ import annotations

import ctypes
import shutil
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tests.autoscaler.agent.native.built import NATIVE, built_library

MOST_GPUS = 16


class Holding(ctypes.Structure):
    """``struct tf_holding``."""

    _fields_ = (
        ("kind", ctypes.c_int),
        ("gpu", ctypes.c_int),
        ("key", ctypes.c_uint64),
        ("bytes", ctypes.c_uint64),
        ("owner", ctypes.c_uint64),
        ("references", ctypes.c_uint32),
        ("mappings", ctypes.c_uint32),
    )


def _ledger(folder: str) -> ctypes.CDLL:
    copy = Path(folder) / "ledger.so"
    shutil.copyfile(built_library([NATIVE / "ledger.c"]), copy)
    library = ctypes.CDLL(str(copy))
    key = ctypes.c_uint64
    holding = ctypes.POINTER(Holding)
    for name, arguments in (
        ("tf_ledger_put", (holding, holding)),
        ("tf_ledger_find", (ctypes.c_int, key, holding)),
        ("tf_ledger_take", (ctypes.c_int, key, holding)),
        ("tf_ledger_count", (ctypes.c_int, key, ctypes.c_int, ctypes.c_int, holding)),
    ):
        function = getattr(library, name)
        function.argtypes, function.restype = arguments, ctypes.c_bool
    library.tf_ledger_take_owned.argtypes = (key, key * MOST_GPUS)
    return library


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["put", "take", "end"]),
        st.integers(1, 3),
        st.integers(1, 40).map(lambda place: place << 32),
        st.integers(1, 3),
    ),
    max_size=200,
)


@given(steps=STEPS)
def test_it_holds_what_a_mapping_of_keys_would(steps: list[tuple[str, int, int, int]]) -> None:
    expected: dict[tuple[int, int], tuple[int, int]] = {}
    out = Holding()
    with tempfile.TemporaryDirectory() as folder:
        ledger = _ledger(folder)
        for number, (step, kind, key, owner) in enumerate(steps):
            if step == "put":
                entry = Holding(kind=kind, gpu=owner, key=key, bytes=number, owner=owner)
                assert ((kind, key) in expected) == ledger.tf_ledger_put(entry, out)
                expected[kind, key] = (number, owner)
            elif step == "take":
                assert ((kind, key) in expected) == ledger.tf_ledger_take(kind, key, out)
                expected.pop((kind, key), None)
            else:
                freed = (ctypes.c_uint64 * MOST_GPUS)()
                ledger.tf_ledger_take_owned(owner, freed)
                ended = [item for item in expected.items() if item[1][1] == owner]
                assert sum(bytes_ for _, (bytes_, _) in ended) == freed[owner]
                expected = dict(item for item in expected.items() if item not in ended)
        for (kind, key), (bytes_, owner) in expected.items():
            assert ledger.tf_ledger_find(kind, key, out)
            assert (out.bytes, out.owner) == (bytes_, owner)


def test_it_grows_and_keeps_all() -> None:
    out = Holding()
    with tempfile.TemporaryDirectory() as folder:
        ledger = _ledger(folder)
        for number in range(1, 50_001):
            ledger.tf_ledger_put(Holding(kind=1, key=number << 21, bytes=number), out)
        total = 0
        for number in range(1, 50_001):
            assert ledger.tf_ledger_take(1, number << 21, out)
            total += out.bytes
        assert total == 50_000 * 50_001 // 2
        assert not ledger.tf_ledger_find(1, 1 << 21, out)


def test_what_is_referenced_or_mapped_stays() -> None:
    out = Holding()
    with tempfile.TemporaryDirectory() as folder:
        ledger = _ledger(folder)
        ledger.tf_ledger_put(Holding(kind=4, key=9, bytes=5, references=1), out)
        changes = [(0, 1), (-1, 0), (1, 0), (0, -1), (-1, 0)]
        assert [
            ledger.tf_ledger_count(4, 9, references, mappings, out)
            for references, mappings in changes
        ] == [False, False, False, False, True]
        assert out.bytes == 5
        assert not ledger.tf_ledger_count(4, 9, 0, 0, out)


def test_after_a_fork_it_is_empty() -> None:
    out = Holding()
    with tempfile.TemporaryDirectory() as folder:
        ledger = _ledger(folder)
        ledger.tf_ledger_put(Holding(kind=1, key=9, bytes=5), out)
        ledger.tf_ledger_clear()
        assert not ledger.tf_ledger_find(1, 9, out)
        ledger.tf_ledger_put(Holding(kind=1, key=9, bytes=6), out)
        assert ledger.tf_ledger_find(1, 9, out)
        assert out.bytes == 6
