"""Stands for PyTorch where there is none: a card that takes a known time for each operation.

Only what ``torch_workers/load.py`` and ``memory.py`` call is here.
"""

import os
import time
from types import SimpleNamespace

ELEMENTWISE_S, PRODUCT_S = 0.0001, 0.001
CARD_BYTES = int(os.environ.get("TORCH_DOUBLE_BYTES", str(2**30)))
LAUNCH_S = float(os.environ.get("TORCH_DOUBLE_LAUNCH_S", "0"))
uint8 = "uint8"


class OutOfMemoryError(RuntimeError):
    pass


class Card:
    free_at_s = 0.0
    held_bytes = 0

    @classmethod
    def work(cls, duration_s):
        cls.free_at_s = max(cls.free_at_s, time.monotonic()) + duration_s


class Tensor:
    def __init__(self, size_bytes):
        if Card.held_bytes + size_bytes > CARD_BYTES:
            raise OutOfMemoryError
        self.size_bytes = size_bytes
        Card.held_bytes += size_bytes

    def __del__(self):
        Card.held_bytes -= getattr(self, "size_bytes", 0)

    def bfloat16(self):
        return self

    def mul_(self, _factor):
        Card.work(ELEMENTWISE_S)

    def sum(self):
        return SimpleNamespace(item=lambda: 1.0)


class Event:
    def __init__(self, *, enable_timing):
        assert enable_timing

    def elapsed_time(self, later):
        return (later.at_s - self.at_s) * 1000

    def record(self):
        self.at_s = max(Card.free_at_s, time.monotonic())

    def synchronize(self):
        time.sleep(max(self.at_s - time.monotonic(), 0))


def ones(count, device):
    assert device == "cuda"
    return Tensor(4 * count)


zeros = ones


def empty(count, dtype, device):
    assert (dtype, device) == (uint8, "cuda")
    return Tensor(count)


def randn(rows, columns, device):
    assert device == "cuda"
    return Tensor(4 * rows * columns)


def matmul(_left, _right, out):
    if LAUNCH_S:
        time.sleep(LAUNCH_S)
    Card.work(PRODUCT_S)
    return out


def _synchronize():
    time.sleep(max(Card.free_at_s - time.monotonic(), 0))


def _sleep(cycles):
    Card.work(cycles / 2e9)


cuda = SimpleNamespace(
    Event=Event,
    init=lambda: None,
    synchronize=_synchronize,
    empty_cache=lambda: None,
    _sleep=_sleep,
)
