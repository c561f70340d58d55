"""A PyTorch worker under load: ``load.py WORK REPORT_MS``, with the words of the program ``load``.

It imports PyTorch and the standard library alone, so that it runs in any image with PyTorch.  It
starts paused; commands on stdin: "go", "pause", "duty RATIO".  It prints {"ready": pid}, then
{"at_ns", "ended"}: pieces of work by a time of CLOCK_MONOTONIC.
"""

import json
import os
import sys
import threading
import time
from collections.abc import Callable

import torch

Piece = Callable[[], object]
BATCH_S = 0.002
"""Of work that is waited for at once; two batches are under way."""
TRIES = 5
PAUSE_S = 0.001
NS = 1_000_000_000


class Commands:
    """What was said last on stdin."""

    def __init__(self) -> None:
        self.is_paused, self.duty, self.has_ended = True, 1.0, False
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in sys.stdin:
            word, _, value = line.strip().partition(" ")
            if word == "duty":
                self.duty = float(value)
            elif word in {"go", "pause"}:
                self.is_paused = word == "pause"
        self.has_ended = True


def piece_of(work: str) -> Piece:
    """Return one piece of a work, such as "gemm:4096"."""
    kind, _, size = work.partition(":")
    if kind == "gemm":
        return gemm(int(size))
    if kind == "elementwise":
        return elementwise(int(size))
    if kind == "launches":
        return elementwise(1)
    parts = [elementwise(2**20), gemm(4096), elementwise(2**23), gemm(8192)]
    if kind == "mixed":
        return lambda: [part() for part in parts]
    if kind == "graph":
        return captured([elementwise(2**23)] * 10)
    raise SystemExit(f"{work!r} is no work")


def gemm(rows: int) -> Piece:
    left, right, out = (torch.randn(rows, rows, device="cuda").bfloat16() for _ in range(3))
    return lambda: torch.matmul(left, right, out=out)


def elementwise(count: int) -> Piece:
    values = torch.ones(count, device="cuda")
    return lambda: values.mul_(1.0)


def captured(parts: list[Piece]) -> Piece:
    """Return the replay of a graph of some pieces."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for part in parts:
            part()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for part in parts:
            part()
    return graph.replay


def seconds_of(piece: Piece, count: int) -> float:
    """Return how long a piece takes, many at once, from the shortest of some tries."""
    shortest_s = float("inf")
    for _ in range(TRIES):
        begin_s = time.monotonic()
        for _ in range(count):
            piece()
        torch.cuda.synchronize()
        shortest_s = min(shortest_s, time.monotonic() - begin_s)
    return shortest_s / count


def work_on(piece: Piece, commands: Commands, report_ns: int, batch: int, piece_s: float) -> None:
    """Work until the commands end: in batches, of which two are under way."""
    ended = 0
    events = [torch.cuda.Event(), torch.cuda.Event()]
    pending: list[torch.cuda.Event] = []
    reported_ns = 0
    due_s = time.monotonic()
    while not commands.has_ended:
        if not commands.is_paused:
            due_s = paced(due_s, batch * piece_s, commands.duty)
            for _ in range(batch):
                piece()
            event = events[0] if not pending or pending[-1] is events[1] else events[1]
            event.record()
            pending.append(event)
        if len(pending) == len(events) or (pending and commands.is_paused):
            pending.pop(0).synchronize()
            ended += batch
        elif commands.is_paused:
            time.sleep(PAUSE_S)
        now_ns = time.monotonic_ns()
        if now_ns - reported_ns >= report_ns:
            reported_ns = now_ns
            print(json.dumps({"at_ns": now_ns, "ended": ended}), flush=True)


def paced(due_s: float, work_s: float, duty: float) -> float:
    """Wait until work is due; return when the next is.  A lag of a second is not made up for."""
    now_s = time.monotonic()
    if duty >= 1 or due_s + 1 < now_s:
        return now_s
    time.sleep(max(due_s - now_s, 0))
    return due_s + work_s / duty


def main() -> None:
    torch.cuda.init()
    piece = piece_of(sys.argv[1])
    # Before it is ready, because neighbours are at work afterwards; the first try wakes the card.
    seconds_of(piece, 1)
    batch = max(int(BATCH_S / seconds_of(piece, 1)), 1)
    piece_s = seconds_of(piece, batch)
    commands = Commands()
    print(json.dumps({"ready": os.getpid()}), flush=True)
    work_on(piece, commands, int(sys.argv[2]) * NS // 1000, batch, piece_s)


if __name__ == "__main__":
    main()
