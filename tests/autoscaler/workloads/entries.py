"""Cards and claims for tests of the books, in small whole numbers: TFLOPS and GiB."""

from dataclasses import replace

from autoscaler.workloads.books.books import Books
from autoscaler.workloads.books.card import Card
from autoscaler.workloads.books.claim import Claim
from autoscaler.workloads.books.gpu_amounts import GpuAmounts

GIB = 2**30


def amounts(tflops=0, gib=0):
    return GpuAmounts(microtflops=tflops * 1_000_000, vram_bytes=gib * GIB)


def card(name="gpu-1", tflops=100, gib=80, *, oversold=1, **fields):
    """Return a card of pool ``pool`` on node ``n1``."""
    fields = {"index": 0, "node": "n1", "pool": "pool", "problem": "", **fields}
    return Card(
        name=name,
        uuid=name.upper(),
        gpu_model="NVIDIA A100-SXM4-80GB",
        model="A100",
        vendor="NVIDIA",
        capacity=amounts(tflops, gib),
        allocatable=amounts(tflops * oversold, gib),
        **fields,
    )


def claim(pod="job", tflops=10, gib=4, *, gpus=("gpu-1",), namespace="team", limit=None):
    """Return the claim of a pod, whose limit is its request unless it is given."""
    request = amounts(tflops, gib)
    return Claim(
        uid=f"uid-of-{pod}",
        namespace=namespace,
        pod=pod,
        workload="job",
        pool="pool",
        qos="medium",
        gpus=tuple(gpus),
        request=request,
        limit=request if limit is None else limit,
    )


def resized(before, tflops, gib):
    return replace(before, request=amounts(tflops, gib), limit=amounts(tflops, gib))


def books_with(*cards):
    books = Books()
    for each in cards or (card(),):
        books.set_card(each)
    return books


def place(books, placed, version=10):
    """Let a claim be reserved, written, and shown by the cache."""
    books.reserve(placed)
    books.settle(placed.uid, placed, version)
    books.observe(placed.uid, placed, version)
    return placed
